/* Looking at a status page from a test.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TESTS_STATUS_HELP_H
#define KRI_TESTS_STATUS_HELP_H

#include "harness/test.h"
#include "os/os.h"
#include "os/segment.h"
#include "status/page.h"
#include <krait/krait.h>
#include <stdio.h>
#include <unistd.h>

static const kri_page *page_of;
static kri_view view;

static inline bool page_exists(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/dev/shm/" KRI_PAGE_NAME "%d", (int)pid);
    return access(path, F_OK) == 0;
}

/* That of this process, until it ends. */
static inline void open_page(void)
{
    char name[64];
    void *memory;
    snprintf(name, sizeof name, KRI_PAGE_NAME "%d", (int)getpid());
    int fd = os_segment_open(name);
    CHECK_GE(fd, 0);
    CHECK_EQ(os_segment_map(fd, sizeof(kri_page), &memory), 0);
    os_close(fd);
    page_of = memory;
    CHECK(page_of->magic == KRI_PAGE_MAGIC);
    CHECK_EQ(page_of->version, KRI_PAGE_VERSION);
    CHECK_EQ(page_of->pid, getpid());
    CHECK(page_of->start == os_process_start(getpid()));
}

/* Started with looks as often as may be. */
static inline void begin_page(void)
{
    CHECK_EQ(kr_status_start(&(kr_status_options){.interval = kr_ms(10)}), 0);
    open_page();
}

/* What is on it now, in `view`. */
static inline void read_view(void)
{
    while (!kri_page_read(page_of, &view))
        kri_test_nap();
    CHECK(kri_view_judge(&view));
}

/* Until it is so; for states that stay.  What is missed is looked at again. */
static inline void await_view(bool (*is_so)(void))
{
    do {
        read_view();
        if (is_so())
            return;
        kri_test_nap();
    } while (true);
}

/* NULL: there is none. */
static inline const kri_pool_row *pool_row(const char *name)
{
    for (uint32_t i = 0; i < view.pool_count; i++)
        if (strcmp(view.pools[i].name, name) == 0)
            return &view.pools[i];
    return NULL;
}

static inline const kri_worker_row *worker_row(const kri_pool_row *pool, uint32_t number)
{
    for (uint32_t i = 0; pool != NULL && i < view.worker_count; i++)
        if (view.workers[i].pool == pool->id && view.workers[i].number == number)
            return &view.workers[i];
    return NULL;
}

/* How many are in that state, in the task. */
static inline int workers_in(const kri_pool_row *pool, uint32_t state, kr_task_fn task)
{
    int count = 0;
    for (uint32_t i = 0; pool != NULL && i < view.worker_count; i++)
        count += view.workers[i].pool == pool->id && view.workers[i].state == state &&
                 view.workers[i].task == (uint64_t)(uintptr_t)task;
    return count;
}

static inline const kri_lock_row *lock_row(const void *lock)
{
    for (uint32_t i = 0; i < view.lock_count; i++)
        if (view.locks[i].address == (uint64_t)(uintptr_t)lock)
            return &view.locks[i];
    return NULL;
}

/* pre: it is there. */
static inline const kri_lock_row *row_of_lock(const void *lock)
{
    const kri_lock_row *row = lock_row(lock);
    if (row == NULL)
        kri_test_fail(__FILE__, __LINE__, "no row for the lock at %p", lock);
    return row;
}

#endif
