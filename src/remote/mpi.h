/* What rank 0 and the ranks that serve it share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_REMOTE_MPI_H
#define KRI_REMOTE_MPI_H

#include <krait/mpi_pool.h>

#include "remote/cluster.h"
#include "remote/mpi_calls.h"

/* mpi.c: the plug-in, loaded at the first call, and what exit does about it */

/* kri_mpi_begin - 0, -ENOSYS, -EOPNOTSUPP, -EIO, ...; blocks until all ranks have come. */
int kri_mpi_begin(const kri_mpi_calls **calls, int *rank, int *ranks);

/* kri_mpi_watch - a process without which the end cannot wait for all: its pidfd, which is kept.
 * kri_mpi_abandon - some rank is gone, so MPI cannot be finalised. */
void kri_mpi_watch(int pidfd);
void kri_mpi_abandon(void);
bool kri_mpi_is_abandoned(void);

/* One pool at a time.  kri_mpi_engage - false: there is one; kri_mpi_disengage - it has ended. */
bool kri_mpi_engage(kri_cluster *c);
void kri_mpi_disengage(void);

/* Polling: for a while as fast as it goes, giving way to others, then less and less often. */
typedef struct kri_backoff {
    kr_time since;    /* nothing has come; 0: something just has */
    kr_time most;     /* between two looks */
    kr_time expected; /* how long it took of late, about */
} kri_backoff;
kr_time kri_backoff_step(kri_backoff *b); /* how long to sleep now; 0: it has given way already */
void kri_backoff_over(kri_backoff *b);    /* something has come */

/* mpi_line.c: messages on their way, of one thread at a time */
typedef struct kri_mpi_way kri_mpi_way;
typedef struct kri_mpi_line {
    const kri_mpi_calls *calls;
    kri_mpi_way *out;
    kri_mpi_way *in;
} kri_mpi_line;

/* kri_mpi_line_send - the bytes are os_alloc's, and the line's from here on.  0, -ENOMEM, -EIO. */
int kri_mpi_line_send(kri_mpi_line *line, int to, unsigned char *bytes, size_t size);
void kri_mpi_line_push(kri_mpi_line *line); /* what is sent now is freed */

/* kri_mpi_line_receive - 1: a whole message, to be freed with os_free; 0: none yet; -EMSGSIZE: one
 * was longer than `most`, and was dropped; -ENOMEM; -EIO. */
int kri_mpi_line_receive(kri_mpi_line *line, uint64_t most, int *from, unsigned char **bytes,
                         size_t *size);
void kri_mpi_line_forget(kri_mpi_line *line, int rank); /* it is dead; MPI keeps what it had */

/* A rank's process, as it says in its first message. */
typedef struct kri_mpi_self {
    unsigned char machine[16];
    uint64_t pid_namespace;
    uint64_t pid;
    uint64_t start;
} kri_mpi_self;
void kri_mpi_know_self(kri_mpi_self *self);
/* 0 and its pidfd, or -1: it is on another machine.  KR_ECRASHED: it was on ours, and is over;
 * -EMFILE, ... */
int kri_mpi_find(const kri_mpi_self *other, int *pidfd);

/* The welcome's payload. */
typedef struct kri_mpi_welcome {
    unsigned char challenge[KRI_MESSAGE_SESSION];
    kri_mpi_self self;
} kri_mpi_welcome;

/* mpi_pool.c and mpi_link.c: rank 0 */
enum { KRI_MPI_AHEAD = 4 }; /* tasks that a rank has at most: one runs, the others wait */

enum kri_rank_state { KRI_RANK_ABSENT, KRI_RANK_REFUSED, KRI_RANK_SERVES, KRI_RANK_LOST };

typedef struct kri_rank {
    uint8_t state;
    bool over; /* its process was gone at the last look */
    int pidfd; /* -1: none */
    int busy;  /* how many tasks it has */
    int why;   /* it was refused */
    uint64_t tasks[KRI_MPI_AHEAD];
    uint64_t took;        /* nanoseconds of its last task */
    uint64_t max_message; /* that it takes */
    uint64_t beat;        /* the number of the last one */
    kr_time heard;
    unsigned char session[KRI_MESSAGE_SESSION];
    unsigned char challenge[KRI_MESSAGE_SESSION]; /* of its hello */
} kri_rank;

/* All but the cluster is the link's thread's, and before that the maker's. */
typedef struct kri_mpi_pool {
    kri_cluster cluster; /* first */
    kri_mpi_line line;
    kri_signer signer;
    uint64_t program;
    kr_time lease;
    kri_rank *ranks;
    int rank_count;
    int serving;
    bool greeted;      /* ranks that are absent now are late */
    int turn;          /* the rank that was given a task last */
    kr_time looked;    /* when the ranks were looked after */
    kri_backoff rest;  /* until a result comes */
    kri_backoff pause; /* until there is a task */
} kri_mpi_pool;

extern const kri_link_ops kri_mpi_link_ops;
int kri_mpi_link_turn(kri_mpi_pool *p); /* 1: something happened; 0: nothing; negative: an error */
int kri_mpi_absent(const kri_mpi_pool *p); /* how many ranks have not said a word */

#endif
