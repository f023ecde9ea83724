/* Waiting for a descriptor.
 *
 * A thread polls.  Inside a cancel scope it polls its bell too, a descriptor of its own that
 * whoever cancels the scope rings.  The ringer rings before it sets the waiter woken, and the
 * waiter does not return before that: so a bell is never rung after its thread has closed it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "os/message.h"
#include "os/os.h"
#include "wait/internal.h"

static int bell_of(kri_party *self)
{
    if (self->bell == 0) {
        int bell = os_bell_create();
        if (bell < 0)
            return bell;
        self->bell = bell + 1;
        os_at_thread_end(kri_party_end);
    }
    return self->bell - 1;
}

/* What is polled: one descriptor, or a list. */
typedef struct poll_call {
    int fd;
    unsigned events;
    os_polled *list; /* with room for the bell behind the rest; NULL: fd */
    size_t count;
} poll_call;

static int poll_list(const poll_call *call, int bell, kr_time deadline)
{
    size_t count = call->count;
    call->list[count] = (os_polled){.fd = bell};
    int ready = os_poll_many(call->list, bell >= 0 ? count + 1 : count, deadline);
    return ready > 0 && bell >= 0 && call->list[count].ready != 0 ? ready - 1 : ready;
}

static int poll_through(const poll_call *call, int bell, kr_time deadline)
{
    int ready;
    do {
        ready = call->list != NULL ? poll_list(call, bell, deadline)
                                   : os_poll(call->fd, call->events, bell, deadline);
    } while (ready == -EINTR);
    return ready;
}

static int poll_in_scope(kri_party *self, kr_cancel_scope *scope, const poll_call *call,
                         kr_time deadline)
{
    int bell = bell_of(self);
    if (bell < 0)
        return bell;
    kri_waiter w = {.party = self, .bell = bell + 1, .spin = kri_spin_of(&scope->state)};
    kri_place place;
    if (!kri_place_enter(&place, &w, &scope->state, KRI_SCOPE_LIVE))
        return -ECANCELED;
    int ready = poll_through(call, bell, deadline);
    if (kri_waiter_leave(&w)) {
        kri_place_leave(&place);
        return ready;
    }
    kri_waiter_sleep(&w, KRI_NEVER);
    os_bell_clear(bell);
    return ready > 0 || ready == -EBADF ? ready : -ECANCELED;
}

static int wait_polling(kri_party *self, const poll_call *call, kr_time deadline)
{
    if (deadline == 0)
        return poll_through(call, -1, 0);
    kr_cancel_scope *scope = self->scope;
    if (scope != NULL) {
        kri_scope_join(scope);
        if (kri_scope_cancelled(scope))
            return -ECANCELED;
    }
    kr_time until = scope != NULL && scope->deadline < deadline ? scope->deadline : deadline;
    kri_block_begin(self);
    int ready =
        scope == NULL ? poll_through(call, -1, until) : poll_in_scope(self, scope, call, until);
    kri_block_end(self);
    if (ready != -ETIMEDOUT || until == deadline)
        return ready;
    kri_scope_cut(scope);
    return -ECANCELED;
}

/* An object that is no address: traces and probes know descriptors by their numbers. */
static const void *object_of(int fd)
{
    return (const void *)(uintptr_t)fd;
}

static int wait_fd(kri_party *self, int fd, unsigned events, kr_time deadline)
{
    if (self->ops->wait_fd != NULL)
        return self->ops->wait_fd(fd, events, deadline);
    return wait_polling(self, &(poll_call){.fd = fd, .events = events}, deadline);
}

int kri_wait_fd(int fd, unsigned events, kr_time deadline)
{
    kri_party *self = kri_party_self();
    if (deadline == 0)
        return wait_fd(self, fd, events, 0);
    kri_wait_begins(object_of(fd), NULL, "descriptor");
    int ready = wait_fd(self, fd, events, deadline);
    kri_wait_is_over(object_of(fd), ready);
    return ready;
}

int kri_wait_fds(os_polled *list, size_t count, kr_time deadline)
{
    kri_party *self = kri_party_self();
    kri_wait_begins(list, NULL, "descriptors");
    int ready = self->ops->wait_fds != NULL
                    ? self->ops->wait_fds(list, count, deadline)
                    : wait_polling(self, &(poll_call){.list = list, .count = count}, deadline);
    kri_wait_is_over(list, ready);
    return ready;
}

int kri_wait_call(int hears, kr_time deadline)
{
    kri_party *self = kri_party_self();
    int result;
    bool waits_for_events = self->ops->wait_fd != NULL; /* and not for what is there already */
    bool first = true;
    while (deadline != KRI_NEVER || self->scope != NULL || waits_for_events) {
        result = first && waits_for_events ? 0 : kri_wait_fd(hears, OS_READABLE, deadline);
        first = false;
        if (result >= 0)
            result = os_call_take(hears); /* somebody else may have taken it */
        if (result != -EAGAIN && result != -EINTR)
            return result;
    }
    kri_wait_begins(object_of(hears), NULL, "descriptor");
    kri_block_begin(self);
    do {
        result = os_call_hear(hears);
    } while (result == -EINTR);
    kri_block_end(self);
    kri_wait_is_over(object_of(hears), result);
    return result;
}
