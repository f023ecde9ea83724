/* What the files of src/process share, and what the folders above may use.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_PROCESS_INTERNAL_H
#define KRI_PROCESS_INTERNAL_H

#include <krait/init.h>
#include <krait/process.h>

#include "base/child.h"
#include "os/child.h"
#include "wait/wait.h"

/* Functions that travel (task.c). */

/* kri_task_find - the number of a function in every image of this program.  0; KR_EINIT: kr_init
 * has not been called; KR_ETASK: it is not in the list. */
int kri_task_find(void (*fn)(void), uint32_t *id);
void (*kri_task_function(uint32_t id))(void); /* NULL: no such number */
const char *kri_task_name(void (*fn)(void));  /* NULL: it is not in the list */
uint64_t kri_task_table_sum(void);            /* of the list and the objects that it is from */
int kri_task_close(void);                     /* no more of them; -ENOMEM */

/* kri_initialised - has kr_init been called here? */
bool kri_initialised(void);
const char *kri_program_name(void);
void kri_name_thread(void); /* the calling thread, as the program */

/* Handles (process.c). */

enum kri_process_kind { KRI_CHILD, KRI_CURRENT, KRI_PARENT };

struct kr_process {
    kr_word references;
    kr_word generation; /* of forks, see kri_fork_generation; const but for the current one */
    kri_mutex lock;     /* guards over, code, closed, sentinel, status */
    enum kri_process_kind kind;
    int pid;
    int code;
    int sentinel; /* a pidfd; -1: closed */
    int status;   /* the channel that the fork server tells the exit code by; -1: a child of ours */
    bool over;    /* and code is its exit code */
    uint64_t max_rss; /* with it: the most bytes it had resident; 0: not known */
    bool closed;
    bool daemon;
    bool listed;      /* guarded by the registry's lock, as the rest */
    kr_process *next; /* in order of start */
    kr_process *previous;
    char name[KR_PROCESS_NAME_SIZE];
};

/* kri_process_settle - take note of an end, without waiting for it: is it over, with its code? */
bool kri_process_settle(kr_process *p);
/* kri_process_finish - wait for the end, uncancelled.  0, -ETIMEDOUT. */
int kri_process_finish(kr_process *p, kr_time deadline);

/* The children of this process (registry.c). */

int kri_processes_begin(void);        /* watch fork and exit; 0, -ENOMEM */
int kri_processes_add(kr_process *p); /* with a reference of the list's; KR_ESHUTDOWN */
void kri_processes_remove(kr_process *p);
void kri_processes_reap(void);     /* those that have ended */
int kri_life_line(void);           /* the end that children get, or an error */
void kri_fork_starts(bool starts); /* the calling thread is about to fork a child of krait's */

/* An order: all that a child has to be told. */

enum {
    KRI_ORDER_DAEMON = 1,
    KRI_ORDER_DEPEND = 2, /* dies with its parent */
    KRI_ORDER_AFFINITY = 4,
    KRI_ORDER_SERVE = 8,  /* be the fork server */
    KRI_ORDER_TRACE = 16, /* the second descriptor is the segment of the trace */
};
#define KRI_ORDER_MAGIC 0x6b72616974303031u
enum { KRI_IDENTITY = 48, KRI_PATIENCE = 60 /* seconds, for a new image to come to kr_init */ };

typedef struct kri_order {
    uint64_t magic;
    uint32_t task;
    uint32_t flags;
    int32_t parent;
    int32_t start; /* what KR_START_DEFAULT means */
    int32_t descriptor_count;
    int32_t connection_count;
    uint64_t mask; /* of signals */
    uint64_t memory_limit;
    uint64_t arg_size;
    uint64_t traced; /* what a trace knows the start by; 0: nothing */
    kr_cpu_set affinity;
    char name[KR_PROCESS_NAME_SIZE];
    char parent_name[KR_PROCESS_NAME_SIZE];
    char identity[KRI_IDENTITY]; /* "2:1": the first child of our second */
} kri_order;

/* What a new image says first. */
typedef struct kri_hello {
    uint64_t magic;
    uint64_t sum;
    int32_t pid;
    int32_t error; /* why it cannot be a child, -ENOMEM; 0: it can */
} kri_hello;

typedef struct kri_reply { /* of the fork server, with a pidfd when it is no error */
    int32_t error;
    int32_t pid;
} kri_reply;

typedef struct kri_end { /* of a child, told by the fork server */
    int32_t code;
    int32_t unused;
    uint64_t max_rss;
} kri_end;

typedef struct kri_start {
    kr_run_fn run;
    const void *arg;
    size_t arg_size;
    const kr_process_options *options;
    kri_order order;
    int line; /* the life line */
} kri_start;

/* The ways.  They fill in pid, sentinel and status. */
int kri_start_fork(kr_process *p, kri_start *s);
int kri_start_spawn(kr_process *p, kri_start *s);
int kri_start_by_server(kr_process *p, kri_start *s);

int kri_order_send(int channel, const kri_start *s);
int kri_greet(int channel, int *pid); /* receive a hello: 0, its error, KR_ETASK, ... */

/* kri_give_up - a child that will not be, and whose channel is closed: kill it, or wait for it; its
 * exit code, or 0. */
int kri_give_up(int pid, int pidfd);

/* kri_launch - this program once more, up to its hello; the pidfd and the channel to it.
 * -EPIPE: somebody has killed it before. */
int kri_launch(int *pid, int *pidfd, int *channel);

/* The child's side (child.c); they do not return. */
_Noreturn void kri_child_of_fork(const kri_start *s);
_Noreturn void kri_child_of_order(int channel, bool forked); /* by a fork server? */
_Noreturn void kri_serve(int channel, int line);             /* server_loop.c */

/* What handed over is kept for the child to ask for (hand_over.c). */
int kri_hand_over_check(const kr_process_options *o);
void kri_hand_over_done(const kr_process_options *o);
int kri_hand_over_forked(const kr_process_options *o);

/* Who am I? (about.c) */
const char *kri_identity(void);
void kri_become(const kri_order *order, int line);
void kri_count_anew(void);   /* of names */
int kri_depend(int line);    /* the kernel kills us when the holder of the line is gone */
bool kri_depends(void);      /* does it still, if it was asked to? */
void kri_about_forked(void); /* in a forked child; keeps nothing of a parent */

void kri_server_forked(void);
void kri_server_end(void); /* at exit */

#endif
