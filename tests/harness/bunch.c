/* Plain threads for the cases: see kri_bunch in test.h.
 *
 * It uses the system's own threads, mutexes and conditions on purpose: the library under test must
 * serve threads that it has not started, and must not be what its tests lean on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <time.h>

enum { PATIENCE_SECONDS = 30 };

static void count_up(kri_bunch *bunch, int *counter)
{
    pthread_mutex_lock(&bunch->mutex);
    ++*counter;
    pthread_cond_broadcast(&bunch->changed);
    pthread_mutex_unlock(&bunch->mutex);
}

static void *run_member(void *arg)
{
    kri_bunch *bunch = arg;
    count_up(bunch, &bunch->started);
    bunch->body(bunch->arg);
    count_up(bunch, &bunch->finished);
    pthread_mutex_lock(&bunch->mutex);
    while (bunch->held)
        pthread_cond_wait(&bunch->changed, &bunch->mutex);
    pthread_mutex_unlock(&bunch->mutex);
    return NULL;
}

static void start(kri_bunch *bunch, int count, bool held, void (*body)(void *arg), void *arg)
{
    memset(bunch, 0, sizeof *bunch);
    CHECK_LE(count, sizeof bunch->threads / sizeof bunch->threads[0]);
    bunch->body = body;
    bunch->arg = arg;
    bunch->count = count;
    bunch->held = held;
    CHECK_EQ(pthread_mutex_init(&bunch->mutex, NULL), 0);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    CHECK_EQ(pthread_cond_init(&bunch->changed, &attributes), 0);
    pthread_condattr_destroy(&attributes);
    for (int i = 0; i < count; i++)
        CHECK_EQ(pthread_create(&bunch->threads[i], NULL, run_member, bunch), 0);
}

void kri_bunch_start(kri_bunch *bunch, int count, void (*body)(void *arg), void *arg)
{
    start(bunch, count, false, body, arg);
}

void kri_bunch_hold(kri_bunch *bunch, int count, void (*body)(void *arg), void *arg)
{
    start(bunch, count, true, body, arg);
}

static void wait_for(kri_bunch *bunch, const int *counter, int count, const char *what)
{
    struct timespec limit;
    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += PATIENCE_SECONDS;
    pthread_mutex_lock(&bunch->mutex);
    int error = 0;
    while (*counter < count && error == 0)
        error = pthread_cond_timedwait(&bunch->changed, &bunch->mutex, &limit);
    int reached = *counter;
    pthread_mutex_unlock(&bunch->mutex);
    if (reached < count)
        kri_test_fail(__FILE__, __LINE__, "%d of %d threads have %s, not %d", reached, bunch->count,
                      what, count);
}

void kri_bunch_wait_started(kri_bunch *bunch, int count)
{
    wait_for(bunch, &bunch->started, count, "started");
}

void kri_bunch_wait_finished(kri_bunch *bunch, int count)
{
    wait_for(bunch, &bunch->finished, count, "finished");
}

int kri_bunch_finished(kri_bunch *bunch)
{
    pthread_mutex_lock(&bunch->mutex);
    int finished = bunch->finished;
    pthread_mutex_unlock(&bunch->mutex);
    return finished;
}

void kri_bunch_end(kri_bunch *bunch)
{
    kri_bunch_wait_finished(bunch, bunch->count);
    pthread_mutex_lock(&bunch->mutex);
    bunch->held = false;
    pthread_cond_broadcast(&bunch->changed);
    pthread_mutex_unlock(&bunch->mutex);
    for (int i = 0; i < bunch->count; i++)
        pthread_join(bunch->threads[i], NULL);
    pthread_cond_destroy(&bunch->changed);
    pthread_mutex_destroy(&bunch->mutex);
}
