/* kr_trace - who ran when, on which processor, and who waited for whom.
 *
 *     kr_trace_start(NULL);
 *     work();
 *     kr_trace_write("work.json");     // open it in ui.perfetto.dev
 *
 * or, without a change of the program, KR_TRACE=work.json ./program.  The library notes what its
 * runners do: threads, coroutines and processes begin and end, wait, wake each other, are handed
 * locks; tasks are submitted, begin and end; workers steal.  A program adds spans of its own.
 *
 * Each thread writes into a ring of its own, in memory that all processes of the program share:
 * children by fork, by spawn and of the fork server that are started while there is a trace.  So
 * one file has the whole program, and what a killed worker did until then.  A full ring loses the
 * oldest events, which are counted.
 *
 * While no trace runs, each place that would note something is one load and one branch that is not
 * taken; what a header does inline, such as checks of an object that is free, and what a call does
 * without waiting, such as taking a free lock, has no such place at all.  See docs/trace.md.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_TRACE_H
#define KRAIT_TRACE_H

#include <krait/base.h>

KR_EXTERN_BEGIN

/* kr_trace_options - NULL or zero: the defaults. */
typedef struct kr_trace_options {
    size_t events; /* room of each thread's ring: 0: 16,384; at least 64, at most 2^20 */
    uint64_t reserved[4];
} kr_trace_options;

/* kr_trace_start - from now on events are kept; those of a trace before are gone.
 *
 * Memory is taken as rings fill up: 80 bytes an event.  There is room for 512 threads; whoever
 * comes later is left out, and counted by kr_trace_about.
 *
 * Processes that this one has started before the program's first trace know nothing of it.
 *
 * The trace of KR_TRACE gives way: it ends here, its file is not written, and a line on standard
 * error says so when the program exits.
 *
 * Returns   0; -EALREADY: a trace runs that the program has started; -EINVAL: events, reserved not
 *           0; -ENOMEM, -EMFILE, -ENFILE, -EFBIG: the system refuses the memory
 */
KR_API KR_NODISCARD int kr_trace_start(const kr_trace_options *options);

/* kr_trace_stop - no more events, in no process of the program.  What was gathered stays until the
 * next start.
 *
 * Returns   0; -EALREADY: no trace runs
 */
KR_API int kr_trace_stop(void);

/* kr_trace_running - are events kept now? */
KR_API bool kr_trace_running(void);

/* kr_trace_write - what was gathered, as a file in the trace event format of Chrome (JSON), which
 * ui.perfetto.dev opens.  While the trace runs, too; then what is noted meanwhile may be missing.
 *
 * A file that was there is replaced.  After an error that comes from writing, what is there is not
 * a whole trace.
 *
 * Returns   0; -ENODATA: there never was a trace; -EINVAL: path is NULL; -ENOMEM; as open and
 *           write: -ENOENT, -EACCES, -ENOSPC ...
 */
KR_API KR_NODISCARD int kr_trace_write(const char *path);

/* Spans of the program's own.
 *
 * kr_trace_begin, kr_trace_end - what the calling runner does between the two has this name, on
 * the runner's own line, whatever it waits for meanwhile.  Spans may be nested; an end belongs to
 * the last begin of its runner.  kr_trace_mark - a moment with a name.  NULL is "".  Of a name the
 * first 31 bytes are kept, and copied.  Nothing while no trace runs.
 */
KR_API void kr_trace_begin(const char *name);
KR_API void kr_trace_end(void);
KR_API void kr_trace_mark(const char *name);

/* kr_trace_kind - what an event tells.  Spans have a duration, moments have none. */
typedef enum kr_trace_kind {
    KR_TRACE_NONE = 0,
    KR_TRACE_THREAD = 1,   /* span: a thread of krait's; object: its handle; name: its name */
    KR_TRACE_PROCESS = 2,  /* span: a process of krait's, in the thread that runs it; object: of
                              its start; name: its name */
    KR_TRACE_RUN = 3,      /* span: a thread runs a coroutine, `runner`, until that is suspended */
    KR_TRACE_TASK = 4,     /* span: object: the task; other: its function; name: of that */
    KR_TRACE_WAIT = 5,     /* span: object: the word, or a descriptor; other: the runner that has
                              woken it, 0: none, or not known; name: what for, such as "lock" */
    KR_TRACE_GIL_WAIT = 6, /* span: object: the kr_gil that is wanted; other: who gave it */
    KR_TRACE_GIL_HELD = 7, /* span: object: the kr_gil */
    KR_TRACE_USER = 8,     /* span: of kr_trace_begin; name: its name */
    KR_TRACE_WAKE = 9,     /* moment: object: the word, 0: none; other: the runner that is woken */
    KR_TRACE_HAND_OVER = 10, /* moment: object: the lock that is given to one that starved */
    KR_TRACE_SUBMIT = 11,    /* moment: object, other, name: as those of the task */
    KR_TRACE_STEAL = 12,     /* moment: object: the task; other: the number of the robbed worker */
    KR_TRACE_START = 13,     /* moment: a thread or process is started; object: the same as its */
    KR_TRACE_MARK = 14,      /* moment: of kr_trace_mark; name: its name */
    KR_TRACE_KINDS = 15,
} kr_trace_kind;

/* kr_trace_event - one of them. */
typedef struct kr_trace_event {
    kr_time at;        /* on the clock of kr_now */
    kr_time duration;  /* of a span, at least 1; 0: a moment */
    uint32_t kind;     /* kr_trace_kind */
    int32_t process;   /* the system's number of the process ... */
    int32_t thread;    /* ... and of the thread that has noted it, or its beginning */
    int32_t processor; /* which that was on; -1: not known */
    uint64_t runner;   /* who did it: a thread, by its number, or a coroutine: more than 2^32 */
    uint64_t object;   /* what kr_trace_kind says: an address in that process, or a number */
    uint64_t other;    /* the same */
    char name[32];     /* "": none */
    bool unfinished;   /* a span whose end, or beginning, is not there */
    bool shared;       /* the object means the same in all processes */
} kr_trace_event;

/* kr_trace_visit - call fn for every event that was gathered, in order of time (of spans: of their
 * beginnings).  fn may call anything but kr_trace_start, kr_trace_write and kr_trace_visit, which
 * answer -EBUSY.  The event is fn's only until it returns.
 *
 * Returns   0; -ENODATA, -EINVAL: fn is NULL, -ENOMEM: as kr_trace_write
 */
typedef void (*kr_trace_fn)(const kr_trace_event *event, void *arg);
KR_API KR_NODISCARD int kr_trace_visit(kr_trace_fn fn, void *arg);

/* kr_trace_name - what the thread with this number is called, or the process where process and
 * thread are the same number and `of_process` is true; "" when it is not known.
 *
 * Returns   0; -ENOENT: no such thread in the trace; -ENODATA; -EINVAL
 */
KR_API KR_NODISCARD int kr_trace_name(int32_t process, int32_t thread, bool of_process, char *name,
                                      size_t size);

/* kr_trace_totals - how much there is, and what is missing. */
typedef struct kr_trace_totals {
    uint64_t events;    /* noted since the start */
    uint64_t lost;      /* of these: overwritten, or noted by a signal handler at a bad moment */
    uint64_t left_out;  /* threads for which there was no room */
    uint32_t threads;   /* that have noted something */
    uint32_t processes; /* the same */
    kr_time started;    /* on the clock of kr_now */
    kr_time stopped;    /* 0: it still runs */
    uint64_t reserved[4];
} kr_trace_totals;

/* kr_trace_about - read the totals of the trace.
 *
 * Returns   0; -ENODATA: there never was a trace; -EINVAL: totals is NULL
 */
KR_API KR_NODISCARD int kr_trace_about(kr_trace_totals *totals);

KR_EXTERN_END

#endif
