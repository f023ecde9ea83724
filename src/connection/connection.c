/* The public calls on connections: arguments, and what every kind has in common.
 *
 * All connections of this process stand in a list, so that a forked child can close what it has
 * inherited without anybody naming it.  A fork may fall into the middle of a change of the list by
 * another thread: each change is one store, so the child finds it as before or as after.
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/connection.h"
#include "os/message.h"
#include "os/os.h"
#include <stdlib.h>
#include <string.h>

static kri_mutex registry_mutex KRI_GLOBAL;
static kr_connection *registry KRI_GLOBAL; /* guarded by registry_mutex */

static void after_fork(void)
{
    kri_store_rlx(&registry_mutex, 0);
    for (kr_connection *c = registry; c != NULL; c = c->next) {
        if (!c->closed && c->ops->forked != NULL)
            c->ops->forked(c);
    }
}

void kri_connection_begin(kr_connection *c, const kri_connection_ops *ops, uint32_t flags)
{
    c->ops = ops;
    c->flags = flags;
    c->closed = false;
    (void)kri_at_fork_child(after_fork);
    kri_mutex_lock(&registry_mutex);
    c->next = registry;
    registry = c;
    kri_mutex_unlock(&registry_mutex);
}

static void forget(kr_connection *c)
{
    kri_mutex_lock(&registry_mutex);
    kr_connection **at = &registry;
    while (*at != NULL && *at != c)
        at = &(*at)->next;
    if (*at == c)
        *at = c->next;
    kri_mutex_unlock(&registry_mutex);
}

void kr_connection_close(kr_connection *c)
{
    if (c == NULL || c->closed)
        return;
    c->closed = true;
    forget(c);
    c->ops->close(c);
}

void kr_connection_release(kr_connection *c)
{
    if (c == NULL)
        return;
    kr_connection_close(c);
    c->ops->free(c);
}

void kr_connection_auto(kr_connection **c)
{
    kr_connection_release(*c);
}

void kri_connections_close_all_but(kr_connection *const *keep, int count)
{
    kr_connection *next;
    for (kr_connection *c = registry; c != NULL; c = next) {
        bool kept = false;
        next = c->next;
        for (int i = 0; i < count; i++)
            kept = kept || keep[i] == c;
        if (!kept)
            kr_connection_close(c);
    }
}

/* May it be used that way?  0, -EBADF, -EINVAL. */
static int check(const kr_connection *c, uint32_t flags, kr_time timeout)
{
    if (c == NULL || timeout < 0)
        return -EINVAL;
    return c->closed || (c->flags & flags) != flags ? -EBADF : 0;
}

int kr_connection_send(kr_connection *c, const void *bytes, size_t size, kr_time timeout)
{
    int err = check(c, KRI_CONNECTION_WRITES, timeout);
    if (err != 0)
        return err;
    if (bytes == NULL && size > 0)
        return -EINVAL;
    return c->ops->send(c, bytes, size, kri_deadline(timeout));
}

/* What a recv writes to. */

int kri_delivery_room(kri_delivery *d, size_t size)
{
    d->size = size;
    if (d->allocate) {
        d->room = malloc(size > 0 ? size : 1);
        return d->room != NULL ? 0 : -ENOMEM;
    }
    return size <= d->room_size ? 0 : -EMSGSIZE;
}

void kri_delivery_drop(kri_delivery *d)
{
    if (!d->allocate)
        return;
    free(d->room);
    d->room = NULL;
}

int kri_delivery_give(kri_delivery *d, void *bytes, size_t size)
{
    d->size = size;
    if (d->allocate) {
        d->room = bytes;
        return 0;
    }
    if (size > d->room_size)
        return -EMSGSIZE;
    if (size > 0)
        memcpy(d->room, bytes, size);
    free(bytes);
    return 0;
}

int kr_connection_recv(kr_connection *c, void **bytes, size_t *size, kr_time timeout)
{
    if (bytes == NULL || size == NULL)
        return -EINVAL;
    *bytes = NULL;
    *size = 0;
    int err = check(c, KRI_CONNECTION_READS, timeout);
    if (err != 0)
        return err;
    kri_delivery d = {.allocate = true};
    err = c->ops->recv(c, &d, kri_deadline(timeout));
    if (err == 0) {
        *bytes = d.room;
        *size = d.size;
    }
    return err;
}

void kr_connection_free_bytes(void *bytes)
{
    free(bytes);
}

int kr_connection_recv_into(kr_connection *c, void *room, size_t room_size, size_t *size,
                            kr_time timeout)
{
    int err = check(c, KRI_CONNECTION_READS, timeout);
    if (err != 0)
        return err;
    if (room == NULL && room_size > 0)
        return -EINVAL;
    kri_delivery d = {.room = room, .room_size = room_size};
    err = c->ops->recv(c, &d, kri_deadline(timeout));
    if (size != NULL)
        *size = err == 0 || err == -EMSGSIZE ? d.size : 0;
    return err;
}

int kr_connection_descriptor(const kr_connection *c)
{
    int err = check(c, KRI_CONNECTION_READS, 0);
    return err != 0 ? -EBADF : c->ops->descriptor(c);
}

bool kr_connection_readable(const kr_connection *c)
{
    return check(c, KRI_CONNECTION_READS, 0) == 0;
}

bool kr_connection_writable(const kr_connection *c)
{
    return check(c, KRI_CONNECTION_WRITES, 0) == 0;
}
