/* The inside of the explorer: one run of a scenario, and how it is chosen.
 *
 *   stack.c     logical threads as stacks
 *   schedule.c  who goes on: candidates, bounds, the end of a run
 *   choice.c    the list of choices: depth first, random, PCT, replay
 *   memory.c    C11 memory: what a load may see
 *   atomic.c    the atomic operations
 *   race.c      plain memory: vector clocks
 *   arena.c     memory that is given out
 *   os.c        the system: src/os/os.h for logical threads
 *   events.c    src/os/events.h
 *   coroutine.c stacks of coroutines
 *   compiler.c  what -fsanitize=thread calls
 *   trace.c     the printed schedule
 *   explore.c   the public face
 *
 * All logical threads run on one thread of the system, so nothing here needs a lock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_EXPLORE_ENGINE_H
#define KRI_EXPLORE_ENGINE_H

#define KR_EXPLORE 1
#ifndef KRI_MODEL
#define KRI_MODEL 1
#endif

#include "base/atomic.h"
#include "base/global.h"
#include "os/os.h"
#include <krait/explore.h>

enum {
    EX_THREADS = KRI_MODEL_THREADS,
    EX_LOCATIONS = 2048,   /* atomic words of one run */
    EX_FRAMES = 5,         /* callers kept for a report */
    EX_STACK = 256 << 10,  /* bytes of a logical thread's stack */
    EX_ARENA = 1 << 20,    /* bytes a run may allocate */
    EX_SCRATCH = 64 << 20, /* the explorer's own memory of one run */
    EX_BELLS = 64,
    EX_EVENTS_BASE = 2000, /* descriptors of events */
    EX_WORDS = 6,          /* words that a thread may sleep on at once */
    EX_WEAK_SITES = 8,     /* weak compare-and-swaps of one thread that fail for nothing */
};

typedef struct ex_site {
    const void *frames[EX_FRAMES]; /* return addresses, innermost first */
} ex_site;

enum ex_state { EX_UNUSED, EX_READY, EX_SLEEPING, EX_JOINING, EX_POLLING, EX_DONE, EX_DEAD };

typedef struct ex_thread {
    enum ex_state state;
    bool yielded; /* waits for somebody else's step */
    bool reaped;  /* joined or detached */
    unsigned process;
    void *stack_pointer;
    void (*run)(void *);
    void *arg;
    unsigned last; /* which of the functions of os_at_thread_end, a bit each */

    /* While asleep. */
    const kr_word *words[EX_WORDS]; /* NULL: none */
    bool shared[EX_WORDS];
    bool several; /* from falling asleep on more than one of them until it runs again */
    kr_time deadline;
    int result;     /* of the sleep */
    uint64_t since; /* order of falling asleep */
    unsigned joining;
    int fds[2];
    ex_site site;

    const void *failed_weakly[EX_WEAK_SITES]; /* compare-and-swaps that have failed for nothing */

    /* What it knows: FastTrack's clock, and per location the oldest store it may still read. */
    uint32_t clock[EX_THREADS];
    uint16_t view[EX_LOCATIONS];
} ex_thread;

enum ex_mode { EX_DFS, EX_RANDOM, EX_PCT, EX_REPLAY };

/* One execution's state, and the settings. */
typedef struct ex_run {
    ex_thread threads[EX_THREADS];
    unsigned thread_count;
    unsigned self;
    unsigned location_count;
    kr_time now;
    uint64_t steps;
    uint64_t sleeps;
    uint64_t changes;      /* of memory or of a thread's state: progress */
    uint64_t quiet_rounds; /* in which everybody yielded and nothing changed */
    uint64_t quiet_since;
    unsigned preemptions; /* left */
    unsigned stale;
    unsigned early;
    unsigned spurious;
    unsigned failures;
    unsigned deaths;
    uint32_t dead; /* logical processes, a bit each */
    bool over;
    bool again; /* stopped for a newly shared location */
    kr_explore_result result;
    char message[256];
    unsigned failing; /* the thread that failed */
    ex_site failing_site;

    /* Constant during a run. */
    kr_explore_options o;
    enum ex_mode mode;
    bool all_shared;
    bool tracing;
    bool active;
} ex_run;

extern ex_run kri_ex;
#define EX_SELF (&kri_ex.threads[kri_ex.self])

/* stack.c */
int kri_ex_stacks_map(void);
void kri_ex_stack_prepare(unsigned thread);
void kri_ex_switch_to(unsigned thread); /* from a logical thread */
void kri_ex_enter(unsigned thread);     /* from the conductor; returns at kri_ex_leave */
_Noreturn void kri_ex_leave(void);      /* to the conductor */
void kri_ex_catch_faults(bool on);
bool kri_ex_in_stack(const void *p, unsigned *thread, size_t *offset);
void kri_ex_thread_main(void); /* schedule.c: the first function of each stack */

/* schedule.c */
void kri_ex_begin(void);
void kri_ex_point(bool open);   /* not open: nobody else can notice what follows */
void kri_ex_before_write(void); /* of plain memory: the victim may die here too */
void kri_ex_block(void);        /* the caller has set its state; returns when ready */
void kri_ex_yield(void);
int kri_ex_start(unsigned process, void (*run)(void *), void *arg);
void kri_ex_join(unsigned thread);
void kri_ex_ready(unsigned thread, int result);
void kri_ex_detach(unsigned thread);
bool kri_ex_time_passes(void); /* shall it, before this look at the clock? */
bool kri_ex_refused(void);     /* shall this request of the system fail? */
_Noreturn void kri_ex_fail(kr_explore_result result, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
_Noreturn void kri_ex_stop_again(void);
void kri_ex_describe_sleepers(char *text, size_t size);

/* choice.c: codes are what a seed holds; index 0 is what happens without a seed. */
enum ex_code {
    EX_RUN = 0,       /* + thread: it goes on */
    EX_TIMEOUT = 16,  /* + thread: its time is up */
    EX_SPURIOUS = 32, /* + thread: its sleep ends for nothing */
    EX_DIE = 48,      /* the victim dies */
    EX_TAKE = 64,     /* + thread: the wake takes it */
    EX_REFUSE = 80,   /* + 0 or 1 */
    EX_LEAP = 96,     /* + 0 or 1: much time passes */
    EX_WEAK = 112,    /* + 0 or 1: a weak compare-and-swap fails for nothing */
    EX_STALE = 128,   /* + distance from the latest store */
};
void kri_ex_choices_clear(void);
void kri_ex_choices_rewind(uint64_t seed);
void kri_ex_count_point(void);
unsigned kri_ex_choose(const unsigned *codes, unsigned count);
bool kri_ex_choices_next(void); /* the next list, depth first; false: there is none */
void kri_ex_choices_print(char *text, size_t size);
int kri_ex_choices_parse(const char *text);
unsigned kri_ex_pct_choose(const unsigned *codes, unsigned count);
uint64_t kri_ex_random(void);

/* memory.c */
int kri_ex_memory_map(void);
void kri_ex_memory_begin(void);
void kri_ex_memory_clear_shared(void);
void kri_ex_look(const kr_word *word); /* the kernel compares it: a touch as any other */
void *kri_ex_scratch(size_t size);
void kri_ex_learn_from(unsigned thread, unsigned other);
struct ex_message;
struct ex_message *kri_ex_message(const struct ex_message *also);
void kri_ex_receive(const struct ex_message *message);

/* race.c */
int kri_ex_race_map(void);
void kri_ex_race_begin(void);
void kri_ex_access(const void *memory, size_t size, bool write, const void *site);
void kri_ex_atomic_access(const void *at, const void *site);

/* arena.c */
int kri_ex_arena_map(void);
void kri_ex_arena_begin(void);
void kri_ex_thread_end(void);
size_t kri_ex_leaked(const void **site);
void kri_ex_check_freed(const void *at, const char *what);
bool kri_ex_in_arena(const void *p, size_t *offset);
void *kri_ex_alloc(size_t size, const void *site);
void kri_ex_give_back(void *memory); /* a free that need not be ordered after other uses */

/* os.c */
void kri_ex_os_begin(void);
bool kri_ex_bell_open(int fd);
bool kri_ex_bell_ready(int fd);
void kri_ex_forget_words(ex_thread *t);              /* it sleeps on none any more */
const kr_word *kri_ex_sleeps_on(const ex_thread *t); /* the last of its words */

/* events.c */
void kri_ex_events_begin(void);
void kri_ex_events_rung(int bell);
void kri_ex_events_closed(int fd);

/* The linker's. */
extern char __start_kri_globals[], __stop_kri_globals[];
extern const char __executable_start[];

/* trace.c */
void kri_ex_site_take(ex_site *site, const void *first, const void *frame);
#define EX_SITE(site)                                                                              \
    kri_ex_site_take((site), __builtin_return_address(0), __builtin_frame_address(0))
void kri_ex_trace_begin(void);
void kri_ex_trace(const char *what, const void *at, uint64_t value, const char *note);
void kri_ex_trace_print(void);
void kri_ex_names_begin(void);
void kri_ex_print_sites(const ex_site *sites, unsigned count, char (*out)[256]);
const char *kri_ex_name(const void *at, char *text, size_t size);

/* A trace of one operation; taken only on the printed run. */
#define EX_TRACE(what, at, value, note)                                                            \
    do {                                                                                           \
        if (__builtin_expect(kri_ex.tracing, 0))                                                   \
            kri_ex_trace((what), (at), (value), (note));                                           \
    } while (0)

#endif
