/* The points of the trace, for all folders above.
 *
 * A point is a probe for perf and bpftrace (krait:NAME, where the build has <sys/sdt.h>), and one
 * load and one branch while no trace runs.  It is put where somebody is about to wait, or has made
 * somebody run: never on a path that a header has inline, nor on one that finds a lock free.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TRACE_TRACE_H
#define KRI_TRACE_TRACE_H

#include <krait/trace.h>

#include "os/probe.h"
#include "trace/ring.h"

#define KRI_PROBE(name, object, other) OS_PROBE(name, object, other)

extern kr_word kri_trace_on; /* atomic: 0: no trace runs in this process */

/* Under the explorer never: it would be most of every schedule. */
static inline bool kri_trace_is_on(void)
{
#ifdef KRI_MODEL
    return false;
#else
    return __builtin_expect(kri_load_rlx(&kri_trace_on) != 0, 0);
#endif
}

/* KRI_TRACE_... - probe: its name in lower case; kind: what follows KR_TRACE_; object and other: of
 * any integer or pointer type, looked at even while no trace runs where there are probes. */
#define KRI_TRACE_AT(probe, kind, phase, object, other)                                            \
    do {                                                                                           \
        KRI_PROBE(probe, object, other);                                                           \
        if (kri_trace_is_on())                                                                     \
            kri_trace_note(kri_trace_what(KR_TRACE_##kind, phase), (uint64_t)(object),             \
                           (uint64_t)(other), NULL);                                               \
    } while (0)
#define KRI_TRACE_BEGINS(probe, kind, object, other)                                               \
    KRI_TRACE_AT(probe, kind, KRI_TRACE_BEGIN, object, other)
#define KRI_TRACE_ENDS(probe, kind, object, other)                                                 \
    KRI_TRACE_AT(probe, kind, KRI_TRACE_END, object, other)
#define KRI_TRACE_HAPPENS(probe, kind, object, other)                                              \
    KRI_TRACE_AT(probe, kind, KRI_TRACE_MOMENT, object, other)

/* kri_trace_note - by the calling runner, now.  what: of kri_trace_what; name: NULL: none. */
void kri_trace_note(uint64_t what, uint64_t object, uint64_t other, const char *name);

/* kri_trace_runs - from now on the calling thread runs this coroutine; 0: none. */
void kri_trace_runs(uint64_t runner);

/* kri_trace_name_thread, _process - what the calling one is called from now on. */
void kri_trace_name_thread(const char *name);
void kri_trace_name_process(const char *name);

/* A number for what is known in several processes; 0: no trace runs. */
#define KRI_TRACE_SHARED_ID (UINT64_C(1) << 63)
uint64_t kri_trace_new_id(void);

/* The segment, for a child with an image of its own: the descriptor is the caller's own. */
int kri_trace_hand_over(void); /* a duplicate; -ENOENT: there is none; -EMFILE ... */
void kri_trace_join(int fd);   /* the child's side; negative: the parent has none */

#endif
