/* The status page: what stands on it, and how it is written and read.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_STATUS_PAGE_H
#define KRI_STATUS_PAGE_H

#include "base/atomic.h"
#include "wait/wait.h"
#include <krait/base.h>

#define KRI_PAGE_MAGIC UINT64_C(0x737574617473726b) /* "krstatus" */
#define KRI_PAGE_NAME  "krait-status-"              /* and the process's number */

/* To be changed with anything below. */
enum { KRI_PAGE_VERSION = 1 };

enum {
    KRI_PAGE_POOLS = 64,
    KRI_PAGE_WORKERS = 1024,
    KRI_PAGE_LOOPS = 128,
    KRI_PAGE_LOCKS = 64,
    KRI_PAGE_FRAMES = 5,
    KRI_PAGE_TEXT = 48,
    KRI_PAGE_LOCK_TEXT = 32,
};

enum { KRI_ROW_THREADS = 1, KRI_ROW_PROCESSES = 2, KRI_ROW_LOOPS = 3 }; /* of a pool: its kind */

/* Of a pool or a loop. */
enum {
    KRI_ROW_BUSY = 1,   /* its lock was not to be had: some of its numbers are missing */
    KRI_ROW_SHUT = 2,   /* it takes no more tasks */
    KRI_ROW_BROKEN = 4, /* an initializer failed, or workers kept dying */
    KRI_ROW_UNSEEN = 8, /* of a loop: it has been asleep since before the page began */
};

/* Of a worker: its state. */
enum {
    KRI_ROW_STARTS = 0,
    KRI_ROW_IDLE = 1,
    KRI_ROW_RUNS = 2,
    KRI_ROW_WAITS = 3, /* in a task that waits for another */
    KRI_ROW_LEFT = 4,
};

typedef struct kri_pool_row {
    uint64_t id; /* no other pool's of this process */
    uint64_t queued;
    uint64_t running;
    uint64_t done;
    uint64_t cancelled;
    uint64_t steals;
    uint64_t rate;  /* how many end in a thousand seconds, over the last second */
    uint32_t limit; /* workers at most, without spares */
    uint32_t workers;
    uint32_t idle;
    uint32_t waiting;
    uint32_t kind;
    uint32_t flags;
    char name[KRI_PAGE_TEXT];
} kri_pool_row;

typedef struct kri_worker_row {
    uint64_t pool; /* its id */
    uint64_t done;
    uint64_t begun;
    uint64_t task;  /* the function that it is in; 0: not known */
    uint64_t since; /* how long it has been in its task, ns; 0: in none, or only just */
    uint32_t number;
    uint32_t native; /* the process's or thread's number; 0: not known */
    uint32_t state;
    uint32_t reserved;
} kri_worker_row;

typedef struct kri_loop_row {
    uint64_t id;
    uint64_t tasks; /* that are not over */
    uint64_t ready;
    uint64_t waiting;
    uint64_t done;
    uint64_t longest; /* ns that a coroutine has run without a break, since the page began */
    uint64_t longest_task;
    uint64_t running; /* ns that one has been running now; 0: none is */
    uint64_t task;    /* which */
    uint64_t rate;
    uint32_t native;
    uint32_t flags;
    char name[KRI_PAGE_TEXT];
} kri_loop_row;

typedef struct kri_lock_row {
    uint64_t address;
    uint64_t waits;  /* that are over */
    uint64_t waited; /* ns, of these and of those who wait now */
    uint64_t longest;
    uint64_t places[KRI_PAGE_FRAMES]; /* return addresses of the first who waited; 0: no more */
    uint32_t waiting;
    uint32_t shared; /* 1: it lies in shared memory */
    char name[KRI_PAGE_LOCK_TEXT];
} kri_lock_row;

enum { KRI_MISSED_POOLS = 1, KRI_MISSED_PROCESSES = 2, KRI_MISSED_LOOPS = 4, KRI_MISSED_LOCKS = 8 };

/* One look at the program. */
typedef struct kri_view {
    kr_time at; /* of os_now, as the next */
    kr_time began;
    uint64_t looks;
    uint64_t locks_dropped; /* whose counts were given up for others' */
    uint32_t missed;        /* KRI_MISSED_..: whose list was not to be had */
    uint32_t pool_count;
    uint32_t worker_count;
    uint32_t loop_count;
    uint32_t lock_count;
    uint32_t pools_omitted; /* for want of room, as the next */
    uint32_t workers_omitted;
    uint32_t loops_omitted;
    kri_pool_row pools[KRI_PAGE_POOLS];
    kri_worker_row workers[KRI_PAGE_WORKERS];
    kri_loop_row loops[KRI_PAGE_LOOPS];
    kri_lock_row locks[KRI_PAGE_LOCKS];
} kri_view;

_Static_assert(sizeof(kri_view) % sizeof(uint64_t) == 0, "whole words");
enum { KRI_VIEW_WORDS = sizeof(kri_view) / sizeof(uint64_t) };

typedef struct kri_page {
    uint64_t magic; /* const once the page has its name, as the rest up to sequence */
    uint32_t version;
    uint32_t pid;
    uint64_t size;
    uint64_t start; /* as os_process_start */
    kr_time interval;
    char library[16]; /* kr_version */
    uint64_t reserved[8];
    kri_word64 sequence; /* atomic, as the rest; see page.c */
    kri_word64 words[KRI_VIEW_WORDS];
} kri_page;

/* kri_words_write - by the only writer.  kri_words_read - false: what it got is no one writing's,
 * and to be thrown away. */
void kri_words_write(kri_word64 *sequence, kri_word64 *words, const uint64_t *from, size_t count);
bool kri_words_read(const kri_word64 *sequence, const kri_word64 *words, uint64_t *to,
                    size_t count);

void kri_page_write(kri_page *page, const kri_view *view);
bool kri_page_read(const kri_page *page, kri_view *view);

/* kri_view_judge - are its counts and texts such as a writer would have left? */
bool kri_view_judge(kri_view *view);

/* A row for one more, zero but for what ties it to others; NULL: there is no room, which is
 * counted. */
kri_pool_row *kri_view_pool(kri_view *view, uint32_t kind, uint64_t id, const char *name);
kri_worker_row *kri_view_worker(kri_view *view, const kri_pool_row *pool, uint32_t number);
kri_loop_row *kri_view_loop(kri_view *view, uint64_t id, const char *name);

/* kri_view_try - take a lock of the library's own for a look; false: somebody keeps it. */
bool kri_view_try(kri_mutex *mutex);

#endif
