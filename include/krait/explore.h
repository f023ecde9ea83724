/* kr_explore - run a small concurrent scenario under every schedule, not under one.
 *
 *     static void scenario(void *arg)                  // runs once per schedule, from the start
 *     {
 *         static counter c;                            // set it up anew each time
 *         c = (counter){0};
 *         kr_explore_spawn(add_one, &c);
 *         kr_explore_spawn(add_one, &c);
 *         kr_explore_join_all();
 *         kr_explore_check(c.value == 2);
 *     }
 *
 *     kr_explore_report report;
 *     int failed = kr_explore(&(kr_explore_options){.name = "counter"}, scenario, NULL, &report);
 *
 * Link krait_explore in place of krait.  krait itself then runs on logical threads, a virtual clock
 * and a model of C11 memory; at each atomic operation, sleep, wake-up and clock read the explorer
 * decides who goes on, and at each load which of the values that the memory orders allow is seen.
 * It finds failed checks, deadlocks (with them lost wake-ups), livelocks, data races, uses of
 * freed memory and leaks, and prints the schedule and a seed that repeats it:
 * KR_EXPLORE_REPLAY=<seed>.
 *
 * Compile your own sources with -fsanitize=thread (but do not link with it): the compiler then
 * announces each plain access, so that data races are seen, and hands each C11 atomic to the
 * explorer.  Without it, say it by hand: kr_explore_read, kr_explore_write, kr_explore_point.
 *
 * docs/explorer.md explains bounds, reports and limits.  From CHESS (preemption bound), CDSChecker
 * and loom (stale values), FastTrack (races), PCT (random schedules with a guarantee).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_EXPLORE_H
#define KRAIT_EXPLORE_H

#include <krait/base.h>

KR_EXTERN_BEGIN

/* How schedules are chosen. */
typedef enum kr_explore_mode {
    KR_EXPLORE_ALL,    /* every one within the bounds, depth first */
    KR_EXPLORE_PCT,    /* random priorities with `depth` - 1 changes: a bug that takes `depth`
                        * orderings is found in a run with probability 1 / (n * k^(depth - 1)) at
                        * least, for n threads and k steps, where loads see the latest values and no
                        * time-out is early; of these a quarter is drawn too, within their bounds */
    KR_EXPLORE_RANDOM, /* a random choice at each point */
} kr_explore_mode;

#define KR_EXPLORE_NONE 0xffffffffu /* for a bound: zero of it */

/* kr_explore_options - NULL or zero: the defaults.
 *
 * The environment wins over them: KR_EXPLORE_PREEMPTIONS, KR_EXPLORE_STALE, KR_EXPLORE_EARLY,
 * KR_EXPLORE_SPURIOUS, KR_EXPLORE_FAILURES, KR_EXPLORE_STEPS, KR_EXPLORE_SCHEDULES,
 * KR_EXPLORE_TIME (in seconds; 0: no limit), KR_EXPLORE_SEED, KR_EXPLORE_EVERY_POINT,
 * KR_EXPLORE_PROGRESS and KR_EXPLORE_REPLAY. */
typedef struct kr_explore_options {
    const char *name; /* for the report; "scenario" */
    kr_explore_mode mode;
    unsigned preemptions; /* how often a thread that could go on is left; 2 */
    unsigned stale;       /* how many loads of a run see an older value; 2 */
    unsigned early;       /* how often time passes though somebody could go on; 1 */
    unsigned spurious;    /* sleeps that end for nothing; none */
    unsigned failures;    /* refusals by the system: memory, threads, descriptors; none */
    unsigned victim;      /* a logical process that may die at any point; 0: nobody */
    unsigned depth;       /* of PCT; 3 */
    unsigned processors;  /* that the library sees; 1, so that it does not spin */
    uint64_t schedules;   /* stop after so many; 0: at the end (PCT and random: 10,000) */
    uint64_t steps;       /* a run longer than this is a livelock; 20,000 */
    kr_time time;         /* stop after that long; 0: a minute; KR_FOREVER: no limit */
    uint64_t seed;        /* of PCT and random; 0: 1 */
    const char *replay;   /* a seed string: one run, printed */
    bool quiet;           /* print nothing */
    bool progress;        /* say each second on standard error how far it is; a terminal is told
                           * unasked */
    bool every_point;     /* switch also where only one thread ever comes; slower */
    bool keeps_memory;    /* what was allocated and not freed is no leak */
    bool keeps_threads;   /* a detached thread that sleeps at the end is no deadlock */
    uint64_t reserved[4];
} kr_explore_options;

/* What became of it. */
typedef enum kr_explore_result {
    KR_EXPLORE_PASSED,
    KR_EXPLORE_CHECK,    /* a check was false, or the library aborted */
    KR_EXPLORE_DEADLOCK, /* all sleep, and nobody has a time-out: a lost wake-up, or a circle */
    KR_EXPLORE_LIVELOCK, /* all that could run only yield, or too many steps */
    KR_EXPLORE_RACE,     /* two plain accesses, one a write, neither ordered before the other */
    KR_EXPLORE_FREED,    /* use of freed memory */
    KR_EXPLORE_LEAK,
    KR_EXPLORE_CONFUSED, /* the scenario does not repeat: it depends on something outside */
} kr_explore_result;

typedef struct kr_explore_report {
    kr_explore_result result;
    uint64_t schedules; /* runs made */
    uint64_t steps;     /* in all runs */
    unsigned preemptions;
    bool exhausted; /* every schedule within the bounds was run; if not, and of mode all: those with
                     * fewer than `preemptions` preemptions were, and some with as many */
    kr_time elapsed;
    char message[256]; /* of the failure */
    char seed[512];    /* that repeats it */
} kr_explore_report;

/* kr_explore - run `scenario(arg)` under one schedule after the other.
 *
 * The scenario runs as logical thread 0.  It must do the same thing each time but for what the
 * schedule decides: set its data up anew, use neither the date nor random numbers, and take memory
 * from kr_explore_alloc.  Prints one line at the end, and a failing schedule before it; where the
 * time was up, also how far it came.
 *
 *   report    may be NULL
 *
 * Returns   0: no schedule failed; 1: one did, see the report; -EINVAL: options, or called from
 *           within a scenario; -ENOMEM
 */
KR_API KR_NODISCARD int kr_explore(const kr_explore_options *options, void (*scenario)(void *arg),
                                   void *arg, kr_explore_report *report);

/* What follows is for inside a scenario. */

/* kr_explore_spawn - start a logical thread; kr_explore_spawn_in - in logical process `process`
 * (1, 2, ...; the scenario's own is 0), which may be the victim.  At most 7 in a run.
 *
 * Returns   its number; -EAGAIN: too many */
KR_API int kr_explore_spawn(void (*run)(void *arg), void *arg);
KR_API int kr_explore_spawn_in(unsigned process, void (*run)(void *arg), void *arg);

/* kr_explore_join - wait for the end, or the death, of a thread; _join_all - of all spawned. */
KR_API void kr_explore_join(int thread);
KR_API void kr_explore_join_all(void);

/* kr_explore_alive - does the logical process still live? */
KR_API bool kr_explore_alive(unsigned process);

/* kr_explore_check - the run has failed unless this is true. */
#define kr_explore_check(condition)                                                                \
    ((condition) ? (void)0 : kr_explore_failed(#condition, __FILE__, __LINE__))
KR_API void kr_explore_failed(const char *what, const char *file, int line);

/* kr_explore_alloc, kr_explore_free - memory whose use after the free is found, and its leak. */
KR_API void *kr_explore_alloc(size_t size);
KR_API void kr_explore_free(void *memory);

/* kr_explore_name - what the reports call this memory. */
KR_API void kr_explore_name(const void *memory, size_t size, const char *name);

/* kr_explore_say - one line into the printed schedule. */
KR_API void kr_explore_say(const char *line);

/* kr_explore_asleep - is that logical thread asleep now?  Not a switch point. */
KR_API bool kr_explore_asleep(int thread);

/* A pause in a loop that waits: somebody else goes on. */
KR_API void kr_explore_yield(void);

/* Says that plain memory is read or written here; a place where another may go on.  Nothing
 * unless KR_EXPLORE is defined, as the krait_explore target does. */
#ifdef KR_EXPLORE
KR_API void kr_explore_read(const void *memory, size_t size);
KR_API void kr_explore_write(const void *memory, size_t size);
KR_API void kr_explore_point(void);
/* A variable of the program that is set to zero before each run. */
#define KR_EXPLORE_GLOBAL __attribute__((section("kri_globals")))
#else
#define kr_explore_read(memory, size)  ((void)0)
#define kr_explore_write(memory, size) ((void)0)
#define kr_explore_point()             ((void)0)
#define KR_EXPLORE_GLOBAL
#endif

KR_EXTERN_END

#endif
