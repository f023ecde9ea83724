/* What the folders above have to do with the status page.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_STATUS_STATUS_H
#define KRI_STATUS_STATUS_H

#include "base/atomic.h"
#include "status/page.h"
#include <krait/status.h>

/* kri_status_source - have `look` asked for rows at each writing of the page; called as the library
 * is loaded.  It must not wait: see kri_view_try. */
typedef void (*kri_status_look)(kri_view *view);

#ifdef KRI_MODEL

static inline void kri_status_source(kri_status_look look)
{
    (void)look;
}

static inline bool kri_status_on(void)
{
    return false;
}

static inline void kri_status_begin(void)
{
}

static inline void kri_status_end_with_threads(void)
{
}

static inline void kri_status_end(void)
{
}

#else

extern kr_word kri_status_shown __attribute__((visibility("hidden")));      /* atomic */
extern kr_word kri_status_considered __attribute__((visibility("hidden"))); /* atomic */
void kri_status_consider(void);

void kri_status_source(kri_status_look look);

/* kri_status_on - is there a page now? */
static inline bool kri_status_on(void)
{
    return __builtin_expect(kri_load_rlx(&kri_status_shown) != 0, 0);
}

/* kri_status_begin - heed the environment, the first time. */
static inline void kri_status_begin(void)
{
    if (__builtin_expect(kri_load_rlx(&kri_status_considered) == 0, 0))
        kri_status_consider();
}

/* kri_status_end - the process is over; kri_status_end_with_threads - whoever ends the threads at
 * exit will call that. */
void kri_status_end_with_threads(void);
void kri_status_end(void);

#endif

/* kri_status_threads - how many threads of this process are there for the page only. */
int kri_status_threads(void);

/* Of its own. */

/* file.c: the page's memory and name. */
typedef struct kri_page_file {
    kri_page *page;
    int fd;
    char name[32];
} kri_page_file;
int kri_page_file_make(kri_page_file *file, kr_time interval); /* not to be found yet */
int kri_page_file_publish(kri_page_file *file);
void kri_page_file_remove(kri_page_file *file); /* the name first, then the rest */
void kri_page_file_forget(kri_page_file *file); /* in a forked child: it is the parent's */

/* history.c: what takes two looks to know. */
enum { KRI_HISTORY_LOOKS = 9 };
typedef struct kri_history_count {
    uint64_t id;
    uint64_t done;
} kri_history_count;
typedef struct kri_history_look {
    kr_time at;
    uint32_t count;
    kri_history_count counts[KRI_PAGE_POOLS + KRI_PAGE_LOOPS];
} kri_history_look;
typedef struct kri_history {
    kri_history_look looks[KRI_HISTORY_LOOKS];
    unsigned taken; /* so far; the last is at (taken - 1) % KRI_HISTORY_LOOKS */
    kr_time at;
    uint32_t worker_count;
    kri_worker_row workers[KRI_PAGE_WORKERS];
} kri_history;
void kri_history_add(kri_history *history, kri_view *view);

#endif
