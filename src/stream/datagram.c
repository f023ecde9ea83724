/* Datagrams.
 *
 * State: open; closing: calls answer -EBADF; gone: the socket is closed, by the last that left.
 *
 * Protocol.  Each call stands in a list, in a cancel scope of its own; close cancels those that are
 * in it.  So no descriptor is closed under a runner who uses it.
 *
 * Ordering: everything is behind `lock`.  A scope is cancelled under it, so it does not end before
 * the cancel has returned.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stream/internal.h"
#include <krait/datagram.h>
#include <krait/io.h>

typedef struct inside {
    struct inside *next;
    struct inside *previous;
    kr_cancel_scope scope;
} inside;

struct kr_datagram {
    kri_mutex lock;
    int fd;       /* const */
    bool closing; /* guarded by lock, as the next two */
    bool gone;
    inside *inside;
    bool has_file;       /* const, but in a forked child, as the next one */
    uint32_t generation; /* of forks */
    os_address address;  /* const, as the last one */
    os_file_identity file;
};

/* Opening */

static bool options_check(const kr_datagram_options *o)
{
    return o == NULL || kri_all_zero(o->reserved);
}

static int make_socket(kr_datagram *d, const os_address *local, unsigned family,
                       const kr_datagram_options *o)
{
    if (local != NULL) {
        os_net_options options = {.datagram = true,
                                  .broadcast = o != NULL && o->broadcast,
                                  .reuse_port = o != NULL && o->reuse_port};
        return os_net_bind(local, &options, &d->address);
    }
    int fd = os_net_socket(family, true);
    int err = fd >= 0 && o != NULL && o->broadcast ? os_net_broadcast(fd) : 0;
    if (err == 0)
        return fd;
    (void)kr_close(fd);
    return err;
}

static int open_at(kr_datagram *d, const os_address *local, const os_address *remote,
                   const kr_datagram_options *options)
{
    int fd = make_socket(d, local, remote != NULL ? remote->family : 0, options);
    if (fd < 0)
        return fd;
    d->fd = fd;
    d->generation = kri_fork_generation();
    d->has_file = local != NULL && local->family == OS_UNIX && os_socket_file(local, &d->file) == 0;
    int err = remote == NULL ? 0
                             : kr_connect(fd, (const struct sockaddr *)(const void *)remote->bytes,
                                          (uint32_t)remote->size, KR_FOREVER);
    if (err < 0)
        kr_datagram_close(d);
    return err;
}

static int open_new(kr_datagram **d, const os_address *local, const os_address *remote,
                    const kr_datagram_options *options)
{
    kr_datagram *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    int err = open_at(made, local, remote, options);
    if (err < 0)
        os_free(made);
    else
        *d = made;
    return err;
}

int kr_datagram_open_at(kr_datagram **d, const kr_address *local, const kr_address *remote,
                        const kr_datagram_options *options)
{
    os_address here, there;
    if (d == NULL)
        return -EINVAL;
    *d = NULL;
    if ((local == NULL && remote == NULL) || !options_check(options))
        return -EINVAL;
    int err = local != NULL ? kri_address_to_os(&here, local) : 0;
    if (err == 0 && remote != NULL)
        err = kri_address_to_os(&there, remote);
    if (err < 0)
        return err;
    return open_new(d, local != NULL ? &here : NULL, remote != NULL ? &there : NULL, options);
}

static int look_up_and_open(kr_datagram **d, const char *host, const char *service, bool listening,
                            const kr_datagram_options *options, kr_time timeout)
{
    os_address first;
    if (d == NULL)
        return -EINVAL;
    *d = NULL;
    if (service == NULL || timeout < 0 || !options_check(options))
        return -EINVAL;
    if (listening && (host == NULL || host[0] == '\0'))
        host = "0.0.0.0";
    int count =
        kri_address_look_up(&first, 1, host, service, true, listening, kri_deadline(timeout));
    if (count < 0)
        return count;
    return open_new(d, listening ? &first : NULL, listening ? NULL : &first, options);
}

int kr_datagram_open(kr_datagram **d, const char *host, const char *service,
                     const kr_datagram_options *options, kr_time timeout)
{
    return look_up_and_open(d, host, service, true, options, timeout);
}

int kr_datagram_connect(kr_datagram **d, const char *host, const char *service,
                        const kr_datagram_options *options, kr_time timeout)
{
    return look_up_and_open(d, host, service, false, options, timeout);
}

/* Calls */

static int enter(kr_datagram *d, inside *call)
{
    *call = (inside){.scope = KR_CANCEL_SCOPE_INIT};
    kri_mutex_lock(&d->lock);
    int err = d->closing ? -EBADF : 0;
    if (err == 0) {
        call->next = d->inside;
        if (call->next != NULL)
            call->next->previous = call;
        d->inside = call;
    }
    kri_mutex_unlock(&d->lock);
    return err == 0 ? kr_cancel_scope_enter(&call->scope, KR_FOREVER) : err;
}

/* pre: the lock, which it gives up. */
static void unlock_or_close(kr_datagram *d)
{
    bool now = d->closing && !d->gone && d->inside == NULL;
    d->gone |= now;
    kri_mutex_unlock(&d->lock);
    if (now)
        (void)kr_close(d->fd);
}

static int64_t leave(kr_datagram *d, inside *call, int64_t result)
{
    kri_mutex_lock(&d->lock);
    if (call->next != NULL)
        call->next->previous = call->previous;
    if (call->previous != NULL)
        call->previous->next = call->next;
    else
        d->inside = call->next;
    if (result == -ECANCELED && d->closing)
        result = -EBADF;
    unlock_or_close(d);
    (void)kr_cancel_scope_exit(&call->scope);
    return result;
}

static int send_to(kr_datagram *d, const void *bytes, size_t size, const kr_address *to,
                   kr_time timeout)
{
    inside call;
    if (timeout < 0)
        return -EINVAL;
    int64_t n = enter(d, &call);
    if (n < 0)
        return (int)n;
    const struct sockaddr *name = to != NULL ? (const struct sockaddr *)&to->storage : NULL;
    n = kr_sendto(d->fd, bytes, size, 0, name, to != NULL ? to->size : 0, timeout);
    n = leave(d, &call, n);
    return n < 0 ? (int)n : 0;
}

int kr_datagram_send(kr_datagram *d, const void *bytes, size_t size, kr_time timeout)
{
    return send_to(d, bytes, size, NULL, timeout);
}

int kr_datagram_sendto(kr_datagram *d, const void *bytes, size_t size, const kr_address *to,
                       kr_time timeout)
{
    return to != NULL ? send_to(d, bytes, size, to, timeout) : -EINVAL;
}

int64_t kr_datagram_recvfrom(kr_datagram *d, void *bytes, size_t size, kr_address *from,
                             kr_time timeout)
{
    kr_address sender = {.size = sizeof sender.storage};
    os_address name;
    inside call;
    if (timeout < 0)
        return -EINVAL;
    int64_t n = enter(d, &call);
    if (n == 0) {
        n = kr_recvfrom(d->fd, bytes, size, os_net_whole_length(),
                        (struct sockaddr *)&sender.storage, &sender.size, timeout);
        n = leave(d, &call, n);
    }
    if (from != NULL) {
        *from = (kr_address){.size = 0};
        if (n >= 0 && kri_address_to_os(&name, &sender) == 0)
            kri_address_from_os(from, &name);
    }
    return n > 0 && (size_t)n > size ? -EMSGSIZE : n;
}

int64_t kr_datagram_recv(kr_datagram *d, void *bytes, size_t size, kr_time timeout)
{
    return kr_datagram_recvfrom(d, bytes, size, NULL, timeout);
}

/* About it */

static int name_of(kr_datagram *d, bool peer, kr_address *address)
{
    os_address name;
    *address = (kr_address){.size = 0};
    kri_mutex_lock(&d->lock);
    int err = d->closing ? -EBADF : os_net_name(d->fd, peer, &name);
    kri_mutex_unlock(&d->lock);
    if (err == 0)
        kri_address_from_os(address, &name);
    return err;
}

int kr_datagram_local_address(kr_datagram *d, kr_address *address)
{
    return name_of(d, false, address);
}

int kr_datagram_peer_address(kr_datagram *d, kr_address *address)
{
    return name_of(d, true, address);
}

int kr_datagram_descriptor(kr_datagram *d)
{
    kri_mutex_lock(&d->lock);
    int fd = d->closing ? -EBADF : d->fd;
    kri_mutex_unlock(&d->lock);
    return fd;
}

/* The end */

/* In a forked child: who was inside is not here, nor who had the lock.  The file is the parent's.
 */
static void be_alone(kr_datagram *d)
{
    kri_store_rlx(&d->lock, 0);
    d->inside = NULL;
    d->has_file = false;
    d->generation = kri_fork_generation();
}

void kr_datagram_close(kr_datagram *d)
{
    if (kri_forked_since(d->generation))
        be_alone(d);
    kri_mutex_lock(&d->lock);
    bool first = !d->closing;
    d->closing = true;
    for (inside *at = d->inside; at != NULL && first; at = at->next)
        kr_cancel(&at->scope);
    unlock_or_close(d);
    if (first && d->has_file)
        os_socket_remove_file(&d->address, &d->file);
}

void kr_datagram_release(kr_datagram *d)
{
    if (d == NULL)
        return;
    kr_datagram_close(d);
    os_free(d);
}

void kr_datagram_auto(kr_datagram **d)
{
    kr_datagram_release(*d);
    *d = NULL;
}
