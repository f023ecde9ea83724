/* A loop: coroutines, timers and descriptors of one thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_LOOP_LOOP_H
#define KRI_LOOP_LOOP_H

#include <krait/coroutine.h>

#include "coroutine/context.h"
#include "executor/executor.h"
#include "loop/timers.h"

typedef struct kri_loop kri_loop;
typedef struct kri_runner kri_runner;

/* What can stand in the queue of what is ready: a runner, a new task's future, or a function, told
 * apart by the lowest bits.  In the inbox a runner is told of by its waiter, which is woken. */
typedef uintptr_t kri_item;
enum {
    KRI_ITEM_RUNNER = 0,
    KRI_ITEM_WAITER = 0,
    KRI_ITEM_TASK = 1,
    KRI_ITEM_POSTED = 2,
    KRI_ITEM_KIND = 3
};

/* A function to be called in the thread of a loop, by the loop itself and not by a coroutine: it
 * must not wait.  It may free or post the struct again. */
typedef struct kri_posted {
    kri_item next;
    void (*run)(struct kri_posted *posted);
} kri_posted;

typedef struct kri_line { /* see line.h */
    kri_item first;
    kri_item last;
    size_t count;
} kri_line;

/* What other threads have for a loop; see inbox.c. */
typedef struct kri_inbox {
    kri_word64 head;    /* atomic */
    kr_word rung;       /* atomic: on which the loop sleeps where it waits for no descriptor */
    kr_word hint;       /* atomic: of spin_word.c */
    bool owed;          /* loop: somebody is about to set `rung` */
    int64_t owed_rings; /* loop: so many are about to ring the bell; below 0: have, before the loop
                           has noticed that they would */
    int bell;           /* -1: none; const once the loop has slept by it */
} kri_inbox;

/* What is to be called; see call_later.c. */
typedef struct kri_calls {
    kr_call_link due;
    kr_call_link now; /* of these the rest is to be called in this turn */
    kri_posted turn;
    bool posted; /* `turn` stands in the line */
} kri_calls;

enum { KRI_TASK_NAME = 32 };

/* Which runners are idle, told by their places; see runners.c. */
enum { KRI_ROSTER_LEVELS = 3, KRI_ROSTER_BITS = 6 };
typedef struct kri_roster {
    kri_runner **runners;              /* by place: so many as there are, see runner_count */
    uint64_t *idle[KRI_ROSTER_LEVELS]; /* above the first: which words below have a bit */
    size_t room;
    size_t count; /* of the idle ones */
} kri_roster;

/* A coroutine and what it runs at the moment.  It lies at the top of its own stack, on a cache
 * line.  Where there are many, each of its lines has to be fetched from afar at each turn, so there
 * are few.  The first has what each switch, park and wake looks at, and what those need to know who
 * fetch the rest ahead; the second is of its task; the third begins with what other threads read,
 * who wake it; the last is for those only who destroy it, or have named it. */
struct kri_runner {
    kri_loop *loop;
    kri_item next;        /* in the line of ready ones, or among the spent */
    kri_party *acts_as;   /* while it does not run: whom it acts as */
    kri_frame *innermost; /* while it does not run */
    int error_number;     /* errno, while it does not run */
    unsigned served;      /* calls for descriptors since it last slept */
    bool notified;        /* loop: the unpark of its waiter is over */
    bool parked;          /* loop: it is to be made ready once something happens */
    bool own_size : 1;    /* its stack has not the loop's size */
    bool canary : 1;      /* const: its stack has one */
    bool named : 1;       /* its name is not empty */
    uint32_t place;       /* in the roster */
    kri_context context;
    kr_future *future; /* its task; NULL: none */

    kri_frame frame; /* of its task */
    uint64_t number; /* of its task; 0: none, or it has not begun */
    kr_task_fn fn;   /* of its task, once begun */

    kri_loop *home; /* const: as `loop`, for other threads, where it is seldom written */
    kri_party party;
    kri_timer timer; /* ends its park */
    kri_runner *next_of_all;
    kri_runner *previous_of_all;

    char name[KRI_TASK_NAME];
    kri_stack stack;
};

_Static_assert(sizeof(kri_context) != 8 ||
                   (offsetof(kri_runner, frame) == 64 && offsetof(kri_runner, home) == 128 &&
                    offsetof(kri_runner, name) == 256),
               "each begins a cache line");

/* What the loop tells the status page, all of it atomic; see show.c. */
typedef struct kri_loop_shown {
    kri_word64 ready; /* in the line */
    kri_word64 done;
    kri_word64 longest; /* ns */
    kri_word64 longest_task;
    kri_word64
        since; /* a time: when the one that runs began to; 0: the loop itself runs, or sleeps */
    kri_word64 task; /* its function */
    kr_word native;  /* of its thread; 0: the loop has not looked since there is a page */
} kri_loop_shown;

struct kri_loop {
    kr_executor executor; /* its own; that of a pool's loop is the pool's */
    kr_executor *face;    /* const: what its tasks are submitted to */
    kri_context thread;
    kri_inbox inbox;
    kri_line ready;
    size_t budget;       /* how many may run before the loop looks at the rest */
    kri_runner *running; /* NULL: the loop itself */
    kri_party *thread_party;
    int *error_number;   /* const once it has entered: its thread's errno */
    kri_runner *runners; /* all, see runners.c */
    size_t runner_count;
    kri_roster roster;
    kri_runner *spent; /* to be given back */
    size_t alive;      /* runners that have a task */
    size_t most_alive; /* since the last look at the idle ones */
    kr_time trim_at;   /* when to look at them; 0: they are few */
    kr_word given;     /* atomic: tasks that other threads have given to it */
    kr_word gone;      /* atomic, loop: how many are over, less those that it gave to itself */
    uint64_t begun;    /* tasks so far */
    kri_timers timers;
    kri_calls calls;
    struct kri_poller *poller;          /* NULL: nobody has waited for a descriptor yet */
    struct kri_signal_handler *signals; /* see signal.c */
    size_t stack_size;                  /* const */
    bool holds_back;                    /* tasks that come stand back in `held_back` */
    kri_line held_back;
    kri_runner *initializes; /* the initializer's; NULL: none runs */
    kr_word *broken;         /* const; 1 there: tasks fail instead of beginning.  NULL: none */
    kr_word *cancels;    /* const; 1 there: those submitted are cancelled instead.  NULL: none */
    kr_word *queued;     /* const; counts down for each task that begins.  NULL: none */
    bool debug;          /* const */
    bool timed;          /* each coroutine's time is taken: in debug mode, or for the status page */
    bool shows;          /* there was a status page at the last look */
    kr_time slow_after;  /* const */
    kr_time slice_began; /* of the running one, where timed */
    kri_loop *next_loop; /* of the process, see registry in loop.c */
    kri_loop *previous_loop;
    kri_loop_shown shown;
};

KRI_SHARED_THREAD_LOCAL(kri_loop *, kri_loop_current)

/* kri_loop_here - the loop of the calling thread; NULL: it has none. */
static inline kri_loop *kri_loop_here(void)
{
    return *kri_loop_current();
}

/* kri_runner_self - the runner that is the caller; NULL: it is no coroutine. */
static inline kri_runner *kri_runner_self(void)
{
    kri_loop *loop = *kri_loop_current();
    return loop != NULL ? loop->running : NULL;
}

/* kri_loop_load - how many tasks it has that are not over; a hint.  kri_loop_count - by the loop's
 * thread: so many more. */
static inline uint32_t kri_loop_load(const kri_loop *loop)
{
    int32_t load = (int32_t)(kri_load_rlx(&loop->given) - kri_load_rlx(&loop->gone));
    return load > 0 ? (uint32_t)load : 0;
}

static inline void kri_loop_count(kri_loop *loop, int tasks)
{
    kri_store_rlx(&loop->gone, kri_load_rlx(&loop->gone) - (uint32_t)tasks);
}

/* loop.c */
int kri_loop_create(kri_loop **loop, const kr_run_options *options, kr_executor *face);
void kri_loop_enter(kri_loop *loop);                /* the calling thread becomes its thread */
void kri_loop_look(kri_loop *loop, bool may_sleep); /* the rest of a turn, after going on */
void kri_loop_leave(kri_loop *loop);
void kri_loop_free(kri_loop *loop); /* after leave; nothing is left in it */
bool kri_loop_is_empty(const kri_loop *loop);
void kri_loops_each(void (*visit)(kri_loop *loop, void *arg), void *arg); /* under their lock */
extern const kri_executor_ops kri_loop_ops;

/* inbox.c */
void kri_inbox_end(kri_inbox *inbox); /* it is closed; wait for those who are about to ring */
bool kri_inbox_put(kri_inbox *inbox, kri_item item); /* from any thread; false: it is closed */
bool kri_inbox_close(kri_inbox *inbox);              /* false: there is something in it */
bool kri_inbox_some(const kri_inbox *inbox);
kri_item kri_inbox_take(kri_inbox *inbox); /* all of it, oldest first, by inbox links; 0: none */
kri_item kri_inbox_next(kri_item item);    /* the one behind it */
void kri_inbox_sleep(kri_inbox *inbox,
                     kr_time deadline);    /* on the word, until there is something */
bool kri_inbox_lie_down(kri_inbox *inbox); /* about to sleep by the bell; false: do not */
void kri_inbox_get_up(kri_inbox *inbox);
void kri_inbox_bell_rang(kri_inbox *inbox);

/* runner.c */
extern const kri_party_ops kri_coroutine_ops;
void kri_runner_ready(kri_runner *runner);  /* it is parked, or has yielded */
void kri_runner_suspend(kri_loop *loop);    /* by a coroutine: until it is made ready and chosen */
void kri_runner_yield(kri_runner *self);    /* let those who are ready run before */
void kri_runner_give_way(kri_runner *self); /* the same, as a wait: its blocking hooks run */
void kri_runner_go_on(kri_loop *loop); /* by the loop: run the first that is ready, and so on */
void kri_runner_notify(kri_runner *runner);
const char *kri_runner_name_here(void); /* of the caller, a signal handler too; NULL: has none */

/* runners.c */
void kri_runners_end(kri_loop *loop); /* give the idle ones back */

/* A runner of its own for a task that has not begun, ready to be put in the line, 0: the loop's
 * stack size; -ENOMEM.  The caller, a coroutine, may give way to it at once, and goes on next. */
int kri_runner_make_for(kri_loop *loop, kr_future *f, size_t stack_size, kri_runner **runner);
void kri_runner_give_way_to(kri_loop *loop, kri_runner *next);

/* kri_loop_post - have posted->run called in the loop's thread, in its turn; from any thread while
 * the loop is sure to stay.  false: the loop is closed. */
bool kri_loop_post(kri_loop *loop, kri_posted *posted);

/* call_later.c: call run(arg) in the loop itself, as a party that cannot sleep. */
void kri_loop_call(void (*run)(void *arg), void *arg);

/* poller.c */
void kri_poller_end(kri_loop *loop);
void kri_poller_forked(kri_loop *loop); /* in the child: give the parent's descriptors back */
bool kri_poller_is_awaited(const kri_loop *loop); /* does a coroutine wait for a descriptor? */
/* May sleep until the deadline; 0: does not.  now: 0, or what the clock has just said. */
void kri_poller_look(kri_loop *loop, kr_time deadline, kr_time now);
int kri_poller_wait(int fd, unsigned events, kr_time deadline);
struct os_polled;
int kri_poller_wait_many(struct os_polled *list, size_t count, kr_time deadline);

/* show.c: for the status page */
void kri_loop_show(kri_loop *loop); /* by the loop, once a turn, while there is a page */
void kri_loop_show_slice(kri_loop *loop, kr_time took); /* one has run so long; the next one runs */
void kri_loop_show_begin(kri_loop *loop);               /* the running one goes on */
bool kri_loops_try_each(void (*visit)(kri_loop *loop, void *arg), void *arg); /* false: not now */

/* slow.c: take the time of the coroutine that has run, and report it where it has held up the loop
 * for long. */
void kri_loop_look_for_slow(kri_loop *loop);

/* kri_coroutine_runs_for - the caller, if it is a coroutine, is about to call a function of the
 * program's: that is to be named in reports, not the library's own around it. */
void kri_coroutine_runs_for(uintptr_t function);

/* call_later.c */
void kri_calls_end(kri_loop *loop); /* forget those that are pending */

/* spawn.c */
const char *kri_runner_name(kri_runner *runner);
void kri_loop_made_room(kr_word *queued);
int kri_loop_submit(kri_loop *loop, kr_future *f); /* takes over the queue's reference */
void kri_loop_cancel_unbegun(kri_loop *loop);
void kri_loop_cancel_all(kri_loop *loop);

#endif
