/* What the cases of the report of a stall share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TESTS_WAIT_STALLS_H
#define KRI_TESTS_WAIT_STALLS_H

#include "base/atomic.h"
#include "thread/child.h"
#include "thread/help.h"
#include "wait/wait.h"
#include <krait/krait.h>
#include <pthread.h>
#include <stdarg.h>
#include <time.h>

enum { LONGER_THAN_A_REPORT_MS = 1700 };

static kr_word reports;
static char last_report[20000];
static void (*resolve)(void);
static kr_event event;
static kr_word word;
static kr_semaphore entered, go;

static inline void on_stall(const char *report)
{
    snprintf(last_report, sizeof last_report, "%s", report);
    kri_add_sc(&reports, 1);
    if (resolve != NULL)
        resolve();
}

static inline void expect_stall(void (*then)(void))
{
    resolve = then;
    CHECK(kr_set_stall_hook(on_stall) == NULL);
}

static inline void set_event(void)
{
    kr_event_set(&event);
}

static inline void nap_long(void)
{
    struct timespec time = {LONGER_THAN_A_REPORT_MS / 1000,
                            LONGER_THAN_A_REPORT_MS % 1000 * 1000000L};
    nanosleep(&time, NULL);
}

static inline bool says(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline bool says(const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    const char *found = strstr(last_report, line);
    size_t length = strlen(line);
    return found != NULL && found[-1] == '\n' && (found[length] == '\n' || found[length] == '\0');
}

static inline int lines(void)
{
    int count = 1;
    for (const char *c = last_report; *c != '\0'; c++)
        count += *c == '\n';
    return count;
}

/* A thread that krait does not know, which does fn after the nap. */
static inline void *act_later(void *arg)
{
    void (*fn)(void);
    memcpy(&fn, arg, sizeof fn);
    nap_long();
    fn();
    return NULL;
}

static void (*later)(void);

static inline pthread_t start_outsider(void (*fn)(void))
{
    pthread_t thread;
    later = fn;
    CHECK_EQ(pthread_create(&thread, NULL, act_later, (void *)&later), 0);
    return thread;
}

/* Go on when main says so, which waits until all are here. */
static inline void meet(void)
{
    CHECK_EQ(kr_semaphore_release(&entered, 1), 0);
    CHECK_EQ(kr_semaphore_acquire(&go, KR_FOREVER), 0);
}

static inline int be_short(void *arg)
{
    (void)arg;
    CHECK_EQ(kri_wait(&word, 0, kri_deadline(kr_ms(50)), 0), -ETIMEDOUT);
    return 0;
}

static inline void be_short_outside(void *arg)
{
    (void)be_short(arg);
}

static inline void expect_none(void)
{
    expect_stall(NULL);
}

static inline void none_came(void)
{
    CHECK_EQ(kri_load_sc(&reports), 0);
}

#endif
