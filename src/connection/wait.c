/* Waiting for one or several of connections, listeners and descriptors.
 *
 * Protocol.  Ask each that is not a plain descriptor whether it is ready; the question also has its
 * descriptor become readable when that changes.  If none is, poll all descriptors, and ask again.
 *
 * Several may wait for one end, and whoever takes a message may take the call that stood for it,
 * too; see ring_sleep.c.  So nobody sleeps for longer than a slice without asking again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/connection.h"
#include "os/message.h"
#include "os/os.h"
#include <krait/listener.h>

#define SLICE       ((kr_time)200 * 1000 * 1000)
#define MILLISECOND ((kr_time)1000 * 1000)
enum { FEW = 16 };

static kr_time end_of_slice(kr_time deadline)
{
    kr_time end = kri_deadline(SLICE);
    return end < deadline ? end : deadline;
}

/* After a poll that found something which then was for nothing: that may go on for ever. */
static bool is_over(kr_time deadline)
{
    return deadline == 0 || (deadline != KRI_NEVER && os_now() >= deadline);
}

/* Somebody else is to take away what makes a descriptor readable for nothing, and does not. */
static void leave_to_others(int in_vain)
{
    os_polled none[1];
    if (in_vain > 2)
        (void)os_poll_many(none, 0, kri_deadline(MILLISECOND));
}

static int prepare(const kr_waitable *list, size_t count, os_polled *polled)
{
    for (size_t i = 0; i < count; i++) {
        const kr_waitable *w = &list[i];
        int fd = w->descriptor;
        if (w->connection != NULL && w->listener != NULL)
            return -EINVAL;
        if (w->connection != NULL)
            fd = kr_connection_descriptor(w->connection);
        else if (w->listener != NULL)
            fd = kr_listener_descriptor(w->listener);
        if (fd < 0)
            return -EBADF;
        polled[i] = (os_polled){.fd = fd};
    }
    return 0;
}

/* How many are; with `polled_now` plain descriptors have been polled. */
static int ask(kr_waitable *list, size_t count, const os_polled *polled, bool polled_now)
{
    int ready = 0;
    for (size_t i = 0; i < count; i++) {
        kr_connection *c = list[i].connection;
        bool is = c != NULL ? c->ops->ready(c) != 0 : polled_now && polled[i].ready != 0;
        list[i].ready = is;
        ready += is;
    }
    return ready;
}

static void clear(kr_waitable *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        list[i].ready = false;
}

static int wait_for(kr_waitable *list, size_t count, os_polled *polled, kr_time deadline)
{
    int ready = ask(list, count, polled, false);
    kr_time first = ready > 0 ? 0 : end_of_slice(deadline);
    int in_vain = 0;
    for (kr_time until = first;; until = end_of_slice(deadline)) {
        int err = kri_wait_fds(polled, count, until);
        if (err < 0 && err != -ETIMEDOUT)
            return err;
        ready = ask(list, count, polled, err > 0);
        if (ready > 0)
            return ready;
        if (err == -ETIMEDOUT ? until == deadline : is_over(deadline))
            return -ETIMEDOUT;
        in_vain = err > 0 ? in_vain + 1 : 0;
        leave_to_others(in_vain);
    }
}

int kr_connection_wait(kr_waitable *list, size_t count, kr_time timeout)
{
    if (timeout < 0 || (list == NULL && count > 0) || count > INT32_MAX ||
        (count == 0 && timeout == KR_FOREVER))
        return -EINVAL;
    clear(list, count);
    os_polled few[FEW + 1]; /* one more, for kri_wait_fds */
    os_polled *polled = count <= FEW ? few : os_alloc((count + 1) * sizeof *polled);
    if (polled == NULL)
        return -ENOMEM;
    int result = prepare(list, count, polled);
    if (result == 0)
        result = wait_for(list, count, polled, kri_deadline(timeout));
    if (result < 0)
        clear(list, count);
    if (polled != few)
        os_free(polled);
    return result;
}

int kr_connection_poll(kr_connection *c, kr_time timeout)
{
    if (c == NULL || timeout < 0)
        return -EINVAL;
    if (c->closed || !(c->flags & KRI_CONNECTION_READS))
        return -EBADF;
    if (c->ops->ready(c) != 0)
        return 0;
    if (timeout == 0)
        return -ETIMEDOUT;
    kr_time deadline = kri_deadline(timeout);
    for (int in_vain = 0;;) {
        kr_time until = end_of_slice(deadline);
        int err = kri_wait_fd(c->ops->descriptor(c), OS_READABLE, until);
        if (err < 0 && err != -ETIMEDOUT)
            return err;
        if (c->ops->ready(c) != 0)
            return 0;
        if (err == -ETIMEDOUT ? until == deadline : is_over(deadline))
            return -ETIMEDOUT;
        in_vain = err > 0 ? in_vain + 1 : 0;
        leave_to_others(in_vain);
    }
}
