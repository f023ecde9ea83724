/* Waiting for descriptors between tries, and closing them.
 *
 * State.  A coroutine's wait is the loop's affair.  A thread's wait stands in a list while it
 * lasts, inside a cancel scope of its own; kr_close finds it there by its number, marks it and
 * cancels the scope.
 *
 * Fields.
 *     thread_waits.first    guarded by its lock
 *     thread_wait.closed    guarded by the same
 *     the rest              const while it is in the list
 *     alone                 a lock of its own
 *
 * Protocol.  The scope is begun before the wait is put into the list, and ended after it was taken
 * out, both by the waiting thread; kr_cancel is called with the list's lock held, so it has
 * returned before the scope ends.  A number that is closed after the last try and before the wait
 * is in the list is as one that was closed before the call.
 *
 *     Fork.  A child begins with an empty list and free locks.
 *
 * Why not a count of a number's closings, to tell that case?  Whoever closes a number that others
 * are about to use cannot know what they will meet anyway.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/global.h"
#include "io/io.h"
#include <krait/io.h>

typedef struct thread_wait {
    struct thread_wait *next;
    struct thread_wait *previous;
    int fd;
    bool closed;
    kr_cancel_scope scope;
} thread_wait;

enum { BUCKETS = 64 };
static struct {
    kri_mutex lock;
    kri_mutex alone;
    thread_wait *first;
} thread_waits[BUCKETS] KRI_GLOBAL;
static kr_word waits_watched KRI_GLOBAL;

/* Some drivers call ready what they then refuse; so many tries in vain, and it is left alone for a
 * while.  In vain is a try after which the descriptor is ready all the same: where it is not,
 * another runner has been faster, and waiting for it goes on. */
enum { VAIN = 3, NAP_FIRST_US = 200, NAP_DOUBLINGS = 6 };

static unsigned bucket_of(int fd)
{
    return (unsigned)fd % BUCKETS;
}

kri_mutex *kri_alone_lock(int fd)
{
    return &thread_waits[bucket_of(fd)].alone;
}

/* Of the parent's threads none is here, nor what they were about. */
static void forget_in_child(void)
{
    for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
        kri_store_rlx(&thread_waits[bucket].lock, 0);
        kri_store_rlx(&thread_waits[bucket].alone, 0);
        thread_waits[bucket].first = NULL;
    }
}

static void put_in(thread_wait *wait)
{
    unsigned bucket = bucket_of(wait->fd);
    kri_mutex_lock(&thread_waits[bucket].lock);
    wait->next = thread_waits[bucket].first;
    if (wait->next != NULL)
        wait->next->previous = wait;
    thread_waits[bucket].first = wait;
    kri_mutex_unlock(&thread_waits[bucket].lock);
}

static void take_out(thread_wait *wait)
{
    unsigned bucket = bucket_of(wait->fd);
    kri_mutex_lock(&thread_waits[bucket].lock);
    if (wait->next != NULL)
        wait->next->previous = wait->previous;
    if (wait->previous != NULL)
        wait->previous->next = wait->next;
    else
        thread_waits[bucket].first = wait->next;
    kri_mutex_unlock(&thread_waits[bucket].lock);
}

static void end_thread_waits(int fd)
{
    unsigned bucket = bucket_of(fd);
    kri_mutex_lock(&thread_waits[bucket].lock);
    for (thread_wait *wait = thread_waits[bucket].first; wait != NULL; wait = wait->next) {
        if (wait->fd == fd) {
            wait->closed = true;
            kr_cancel(&wait->scope);
        }
    }
    kri_mutex_unlock(&thread_waits[bucket].lock);
}

static int wait_as_thread(int fd, unsigned events, kr_time deadline)
{
    if (kri_load_rlx(&waits_watched) == 0) {
        (void)kri_at_fork_child(forget_in_child);
        kri_store_rlx(&waits_watched, 1);
    }
    kri_party *self = kri_party_self();
    thread_wait wait = {.fd = fd};
    kri_scope_begin(self, &wait.scope);
    put_in(&wait);
    int ready = kri_wait_fd(fd, events, deadline);
    take_out(&wait);
    kri_scope_end(self, &wait.scope);
    if (wait.closed)
        return -EBADF;
    if (ready == -EMFILE && self->scope == NULL) /* nothing else could cancel it */
        return kri_wait_fd(fd, events, deadline);
    return ready;
}

int kri_wait_ready(int fd, unsigned events, kr_time deadline)
{
    if (fd < 0)
        return -EBADF;
    if (kri_in_coroutine())
        return kri_descriptor_await(fd, events, deadline);
    return wait_as_thread(fd, events, deadline);
}

static bool fail(int64_t *result, int error)
{
    *result = error;
    return false;
}

bool kri_try_later(kri_tries *tries, int64_t *result)
{
    if (tries->timeout == KR_NOWAIT)
        return fail(result, -ETIMEDOUT);
    if (tries->deadline == 0)
        tries->deadline = kri_deadline(tries->timeout);
    unsigned doublings = tries->vain < NAP_DOUBLINGS ? tries->vain : NAP_DOUBLINGS;
    kr_time until = kri_deadline(kr_us((int64_t)NAP_FIRST_US << doublings));
    kr_word nobody = {0};
    int err = kri_wait(&nobody, 0, until < tries->deadline ? until : tries->deadline, KRI_NO_SPIN);
    tries->vain++;
    if (err == 0 || (err == -ETIMEDOUT && until < tries->deadline))
        return true;
    return fail(result, err);
}

static bool is_in_vain(kri_tries *tries)
{
    if (!tries->waited)
        return false;
    bool ready = os_poll(tries->fd, tries->events, -1, 0) > 0;
    if (!ready)
        tries->vain = 0;
    else if (tries->vain < VAIN)
        tries->vain++;
    return tries->vain >= VAIN;
}

bool kri_try_again(kri_tries *tries, int64_t *result)
{
    if (is_in_vain(tries))
        return kri_try_later(tries, result);
    if (tries->timeout == KR_NOWAIT)
        return fail(result, -ETIMEDOUT);
    if (tries->deadline == 0)
        tries->deadline = kri_deadline(tries->timeout);
    int ready = kri_wait_ready(tries->fd, tries->events, tries->deadline);
    if (ready < 0)
        return fail(result, ready);
    tries->waited = true;
    return true;
}

static int poll_asking(int fd, unsigned events, kr_time timeout)
{
    kri_tries tries = {.fd = fd, .events = events, .timeout = timeout};
    int64_t ready;
    do {
        ready = os_poll(fd, events, -1, 0);
        if (ready == -ETIMEDOUT || ready == -EINTR)
            ready = -EAGAIN;
    } while (ready == -EAGAIN && kri_try_again(&tries, &ready));
    return (int)ready;
}

/* Until the next event there is nothing, which a coroutine has found.  What the event says is
 * believed where nothing has come between; else the system is asked. */
static int poll_drained(kri_descriptor *known, int fd, unsigned events, kr_time timeout)
{
    kr_time deadline = timeout == KR_FOREVER ? KRI_NEVER : kri_deadline(timeout);
    int ready = kri_descriptor_await_known(known, fd, events, deadline);
    if (ready > 0)
        return kri_descriptor_is_doubtful(known, events)
                   ? poll_asking(fd, events, kri_left_until(deadline))
                   : ready;
    int now = ready != -EBADF ? os_poll(fd, events, -1, 0) : ready;
    return now != -ETIMEDOUT && now != -EINTR ? now : ready;
}

/* Who gives way does so before he asks, or others might take what he is told of. */
int kr_poll(int fd, unsigned events, kr_time timeout)
{
    if (timeout < 0 || events == 0 || (events & ~(unsigned)(KR_READABLE | KR_WRITABLE)) != 0)
        return -EINVAL;
    if (timeout == KR_NOWAIT)
        return poll_asking(fd, events, timeout);
    kri_descriptor_served();
    kri_descriptor *known = kri_descriptor_known(fd);
    return known != NULL && kri_descriptor_is_drained(known, events) &&
                   !kri_descriptor_is_awaited(known)
               ? poll_drained(known, fd, events, timeout)
               : poll_asking(fd, events, timeout);
}

int kr_close(int fd)
{
    if (fd < 0)
        return -EBADF;
    kri_descriptor_closing(fd);
    end_thread_waits(fd);
    int err = os_close_for(fd);
    kri_descriptor_closed(fd);
    return err;
}
