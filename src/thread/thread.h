/* What the files of src/thread share; the protocol is told at the top of thread.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_THREAD_THREAD_H
#define KRI_THREAD_THREAD_H

#include <krait/local.h>
#include <krait/thread.h>

#include "os/os.h"
#include "thread/local.h"
#include "thread/signals.h"
#include "thread/vars.h"
#include "wait/wait.h"

#include <stddef.h>

enum kri_thread_state {
    KRI_STARTING, /* the system has not yet said whether there is such a thread */
    KRI_ALIVE,
    KRI_ENDED,   /* the result stands; the system's thread is on its last instructions */
    KRI_REAPING, /* one joiner waits for the system's thread */
    KRI_GONE,
};

struct kr_thread {
    kr_word state;       /* kri_thread_state */
    kr_word references;  /* one is the thread's own, until it has ended */
    kr_word native_id;   /* 0 until the thread runs */
    uint32_t generation; /* of forks, see kri_fork_generation */
    uint64_t ident;      /* const */
    os_thread os;        /* const from KRI_ALIVE on */
    bool started;        /* by krait; otherwise it is main or foreign.  const */
    bool daemon;         /* const, but for a foreign thread that becomes main at a fork */
    int result;          /* written by the thread; const from KRI_ENDED on */
    kr_run_fn run;       /* const */
    void *arg;           /* const */
    kr_thread *next;     /* guarded by the registry's lock, as the rest */
    kr_thread *previous;
    bool listed;
    char name[KR_THREAD_NAME_SIZE];
    max_align_t copy[]; /* of the argument */
};

/* The registry: all threads from just before their start to their end, in that order. */
typedef struct kri_registry {
    kri_mutex lock;
    kr_thread *first;
    kr_thread *last;
    kr_thread *main; /* const once set, but for forks */
    bool begun;      /* fork and exit are watched */
    bool forks_watched;
    enum { KRI_RUNNING, KRI_EXITING, KRI_CLOSED } phase;
    uint64_t names; /* threads named by number so far */
    uint64_t dummies;
    kr_failure_hook hook;
    void *hook_arg;
} kri_registry;

extern kri_registry kri_threads;

/* kri_threads_begin - make the main thread known, and watch fork and exit.  0, -ENOMEM. */
int kri_threads_begin(void);
int kri_threads_watch_forks(void); /* the part of it that a fork must not come before */

kr_thread *kri_thread_self(void); /* the calling thread if it is known, else NULL; for any caller */
void kri_thread_set_self(kr_thread *t);
void kri_thread_list(kr_thread *t);   /* with the registry's lock held, as the next */
void kri_thread_unlist(kr_thread *t); /* does nothing for one that is not listed */

/* kri_thread_change - set the state and wake all who wait for it. */
void kri_thread_change(kr_thread *t, enum kri_thread_state state);

/* kri_thread_await - wait for the end; `flags` of kri_wait. */
int kri_thread_await(kr_thread *t, kr_time deadline, unsigned flags);

void kri_thread_ending(void); /* what is to do in a thread that ends */
void kri_thread_failed(kr_thread *t, int error);
void kri_thread_rename(char *to, const char *name);

/* stall.c: in a report of a stall, the word being a thread's state or native_id. */
void kri_thread_describe_state(const kr_word *word, kri_text *text);
void kri_thread_describe_id(const kr_word *word, kri_text *text);
bool kri_thread_describe_name(int native_id, kri_text *text);

void kri_threads_exit(void);       /* what is to do at exit */
int kri_at_last(void (*fn)(void)); /* at exit, when the threads are gone; idempotent; -ENOMEM */
void kri_exit_anew(void);   /* in a child that begins its own life: nothing of an exit before */
bool kri_exit_forked(void); /* in a forked child: does it go on with an exit of the parent? */

/* What exit and fork call of signals.c. */
void kri_signals_forked(bool exiting);
void kri_signals_end(void);

#endif
