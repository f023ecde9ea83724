/* A system that fails now and then: for the programs in tests/faults, whose calls of src/os's
 * functions come here first.
 *
 * One group of functions at a time is faulty.  Its calls are counted, by all threads and children
 * together, and the k-th one fails; or every one from there on, but of sleeps that end for
 * nothing only every other, for with a system that never sleeps nobody gets anywhere.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_HARNESS_FAULTY_H
#define KRI_HARNESS_FAULTY_H

#include <stdbool.h>
#include <stdint.h>

typedef enum faulty_group {
    FAULTY_NOTHING,
    FAULTY_MEMORY,    /* os_alloc, os_pages, os_shared_map, os_shared_touch: none is there */
    FAULTY_SLEEP,     /* os_futex_wait, _any: it is over for nothing */
    FAULTY_SIGNAL,    /* os_futex_wait, _any: a signal handler ran */
    FAULTY_ENDLESS,   /* those and _either: no sleep ends by its time, whatever is asked */
    FAULTY_EITHER,    /* os_futex_wait_either, _any: the kernel has no such call */
    FAULTY_REQUEUE,   /* os_futex_requeue: nobody was moved */
    FAULTY_SEGMENT,   /* os_segment_...: one that makes, maps or holds one fails */
    FAULTY_NAME,      /* os_segment_publish: the name is in use */
    FAULTY_BUSY,      /* os_segment_hold: somebody removes it just now */
    FAULTY_PROCESSES, /* os_process_start, os_process_ended: the system does not tell */
    FAULTY_NO_FLAG,   /* pwritev2: the kernel does not know how to write without SIGPIPE */
    FAULTY_NO_FLAGS,  /* the same: the driver knows no flags at all */
    FAULTY_SYSTEM, /* what makes descriptors, stacks, threads and processes: see faulty_system.c */
} faulty_group;

/* faulty_begin - from now on; faulty_end - nothing fails any more; how many calls the group had. */
void faulty_begin(faulty_group group, uint32_t first, bool all_after);
uint32_t faulty_end(void);

/* faulty_failed - how many calls have failed since the begin; faulty_fails_now - have some, and
 * has it not ended? */
uint32_t faulty_failed(void);
bool faulty_fails_now(void);

/* faulty_fails - for the wrappers: is this call of the group to fail? */
bool faulty_fails(faulty_group group);

#define WRAPPED(type, name, ...)                                                                   \
    type __real_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__)

/* faulty_after_any - call fn(arg) once, as the next os_futex_wait_any is over; as if it came while
 * the system woke the sleeper.  faulty_in_any - has that sleep been begun? */
void faulty_after_any(void (*fn)(void *arg), void *arg);
bool faulty_in_any(void);

/* faulty_before_kill - call fn(arg) once, before the next SIGKILL that is sent to a process by its
 * descriptor; as if whoever sends it were held up there. */
void faulty_before_kill(void (*fn)(void *arg), void *arg);

/* faulty_live - how many pieces of memory were taken and not given back. */
int64_t faulty_live(void);

#endif
