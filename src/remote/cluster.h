/* The executor that the pools on other machines share: tasks that wait, tasks that were sent, and
 * what ends them.  How a task gets to a worker is the link's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_REMOTE_CLUSTER_H
#define KRI_REMOTE_CLUSTER_H

#include <krait/remote.h>

#include "executor/executor.h"
#include "executor/finish.h"
#include "executor/teller.h"
#include "remote/message.h"
#include "thread/thread.h"

typedef struct kri_cluster kri_cluster;

enum { KRI_MAX_MESSAGE = 1 << 30 }; /* bytes, unless the program wants it otherwise */
enum { KRI_ERRANDS = 1 << 12, KRI_CLUSTER_LANES = 3, KRI_CLUSTER_NAME = 48 };

/* Where an errand is. */
enum kri_errand_place { KRI_ERRAND_NOWHERE, KRI_ERRAND_QUEUED, KRI_ERRAND_SENT };

/* A task, from its submit until its future is released. */
typedef struct kri_errand {
    kri_remote remote;    /* first: the future's */
    kri_cluster *cluster; /* const, with a reference */
    kr_future *future;    /* const */
    size_t arg_size;      /* const, as the next four */
    size_t items;         /* of a batch */
    size_t item_arg;
    size_t item_result;
    uint32_t function;       /* its number in the table of tasks */
    int error;               /* [mutex] how it ended */
    struct kri_errand *next; /* [mutex] in the queue, or among those that have ended */
    struct kri_errand *previous;
    uint64_t number; /* [mutex] of the last time that it was sent */
    uint8_t place;   /* [mutex] kri_errand_place */
} kri_errand;

typedef struct kri_errand_list {
    kri_errand *first;
    kri_errand *last;
} kri_errand_list;

/* How tasks travel. */
typedef struct kri_link_ops {
    /* In a thread of the cluster's: send what kri_cluster_take gives and hand in what comes back,
     * until kri_cluster_is_over; a negative error: nothing goes any more. */
    int (*run)(kri_cluster *cluster);
    void (*destroy)(kri_cluster *cluster); /* the last reference is gone: free it all */
} kri_link_ops;

struct kri_cluster {
    kr_executor executor; /* first: it is an executor */
    kri_finish finish;
    const kri_link_ops *link; /* const */
    kr_word references;       /* atomic: the handle, each errand, the thread */
    kr_word ended;            /* atomic: 1 once no task and no thread is left */
    kr_word room;             /* atomic: counts departures from a bounded pool */
    kr_word bell;             /* atomic: counts what the link's thread has to look at */
    size_t max_queued;        /* const */
    uint64_t max_message;     /* const: bytes */
    uint32_t window;          /* const: how many may be sent at a time, at most KRI_ERRANDS */
    kr_thread *runner;        /* const once started */
    kri_teller teller;        /* calls the program back */
    char name[KRI_CLUSTER_NAME];

    kri_mutex mutex;      /* guards what is marked [mutex] */
    kri_errand **sent;    /* [mutex] by number % KRI_ERRANDS */
    uint32_t *free_slots; /* [mutex] */
    uint32_t free_count;  /* [mutex] */
    uint64_t rounds;      /* [mutex] how many numbers were given */
    size_t queued;        /* [mutex] */
    size_t outstanding;   /* [mutex] tasks that have not ended */
    uint32_t taken;       /* [mutex] how many were taken out of the queue */
    bool shut;            /* [mutex] */
    int broken;           /* [mutex] why, if it is */
    unsigned told;        /* [mutex] the kinds of dropped messages that the hook knows of */
    kri_errand_list queue[KRI_CLUSTER_LANES]; /* [mutex] */
    kr_remote_counts counts;                  /* [mutex] */
};

extern const kri_executor_ops kri_cluster_ops;
extern const kri_remote_ops kri_errand_ops;

/* cluster.c */

/* kri_cluster_begin - fill in a zeroed one, which has one reference then; the options were checked.
 * 0, -ENOMEM.  kri_cluster_start - from now on it runs, and exit finishes its tasks.
 * kri_cluster_empty - free what begin has made, also where it has failed. */
int kri_cluster_begin(kri_cluster *c, const kri_link_ops *link, const kr_pool_options *options,
                      const kr_remote_options *remote, const char *kind);
int kri_cluster_start(kri_cluster *c, int workers);
void kri_cluster_empty(kri_cluster *c);
void kri_cluster_unref(kri_cluster *c);
void kri_cluster_rouse(kri_cluster *c); /* call the link's thread */
/* kri_remote_program - the sum of this program's tasks; KR_EINIT. */
int kri_remote_program(uint64_t *program);
int kri_remote_check_options(const kr_pool_options *options, const kr_remote_options *remote);

/* errand.c: making one, and the queue */
int kri_errand_make(kr_executor *executor, kr_future **future, const kri_task *task,
                    bool forgotten);
int kri_errand_submit(kr_executor *executor, kr_future *f, kr_time deadline);
bool kri_errand_claimed(kr_executor *executor, kr_future *f, bool run);
void kri_errand_append(kri_errand_list *list, kri_errand *errand);
void kri_errand_unlink(kri_errand_list *list, kri_errand *errand);
kri_errand *kri_errand_shift(kri_errand_list *list);

/* sending.c: for the link.  An errand that was taken stays until it is handed in: only its taker
 * looks at it until then. */
kri_errand *kri_cluster_take(kri_cluster *c); /* the next to be sent; NULL: none */
size_t kri_cluster_sent(kri_cluster *c);      /* how many were taken and not handed in */
void kri_cluster_send_again(kri_cluster *c);  /* all of those; nobody is just sending */

/* kri_cluster_list_sent - the numbers of those, at most KRI_ERRANDS; how many.
 * kri_cluster_send_one_again - that one; false: it has ended. */
size_t kri_cluster_list_sent(kri_cluster *c, uint64_t *numbers);
bool kri_cluster_send_one_again(kri_cluster *c, uint64_t number);

/* A signed message that asks for it; NULL: no memory.  To be freed with os_free. */
unsigned char *kri_errand_write(kri_errand *errand, kri_signer *signer, const kri_message *head,
                                size_t *size);

/* A result has come, of which all is well but perhaps its size.  false: nobody waits for it. */
bool kri_cluster_hand_in(kri_cluster *c, const kri_message *m, const unsigned char *payload);
void kri_cluster_fail(kri_cluster *c, uint64_t number, int error); /* one that was sent */
void kri_cluster_break(kri_cluster *c, int error); /* all that is, and all that comes */
bool kri_cluster_is_over(kri_cluster *c);          /* shut, and every task has ended */
bool kri_cluster_is_idle(kri_cluster *c);          /* nothing is to be sent or awaited */

/* Messages that were dropped, and why. */
enum kri_drop { KRI_FORGED = 1, KRI_REPLAYED = 2, KRI_FOREIGN = 4, KRI_OVERSIZED = 8 };
enum kri_drop kri_drop_for(int error); /* of kri_message_open */
int kri_drop_error(enum kri_drop why); /* for the hook */
void kri_cluster_drop(kri_cluster *c, enum kri_drop why);
void kri_counts_drop(kr_remote_counts *counts, enum kri_drop why);

/* end.c: mutex held: it is nowhere any more; then, not held, its future ends */
void kri_errand_ended(kri_errand *errand, int error, kri_errand_list *list);
void kri_errands_conclude(kri_cluster *c, kri_errand_list *list, bool announces);
void kri_cluster_departed(kri_cluster *c, size_t count);                          /* mutex held */
void kri_cluster_cancel_queued(kri_cluster *c, int error, kri_errand_list *list); /* mutex held */
enum { KRI_ERRAND_CANCELLED = 1 }; /* as an error: it never began */
int kri_cluster_shutdown(kr_executor *executor, bool cancel_pending, kr_time deadline,
                         unsigned flags);
void kri_cluster_release(kr_executor *executor);

/* work.c: the worker's side.  Runs what a task's message asks for; *reply is a message with room
 * for its head, *head what is to be sealed into it, but for session and program.  -ENOMEM. */
int kri_errand_run(const kri_message *task, const unsigned char *payload, uint64_t max_message,
                   unsigned char **reply, kri_message *head);

static inline kri_cluster *kri_cluster_of(kr_executor *executor)
{
    return (kri_cluster *)executor;
}

static inline kri_errand *kri_errand_of(const kr_future *f)
{
    return (kri_errand *)f->remote;
}

#endif
