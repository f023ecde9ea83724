/* What is handed over to a child: connections and descriptors.
 *
 * A forked child of ours has them already; its other connections are closed.  To another image they
 * are sent with the order, the connections taken apart and put together again there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/global.h"
#include "process/hand_over.h"
#include <string.h>

static kr_connection **connections KRI_GLOBAL; /* of this child, as the next three */
static int connection_count KRI_GLOBAL;
static int *descriptors KRI_GLOBAL;
static int descriptor_count KRI_GLOBAL;

kr_connection *kr_process_connection(int n)
{
    return n >= 0 && n < connection_count ? connections[n] : NULL;
}

int kr_process_descriptor(int n)
{
    return n >= 0 && n < descriptor_count ? descriptors[n] : -EBADF;
}

int kri_hand_over_check(const kr_process_options *o)
{
    if (o->connection_count < 0 || o->descriptor_count < 0 ||
        (o->connection_count > 0 && o->connections == NULL) ||
        (o->descriptor_count > 0 && o->descriptors == NULL) ||
        o->connection_count > KR_HANDED_MAX || o->descriptor_count > KR_HANDED_MAX)
        return -EINVAL;
    for (int i = 0; i < o->connection_count; i++)
        if (o->connections[i] == NULL)
            return -EINVAL;
    for (int i = 0; i < o->descriptor_count; i++)
        if (!os_descriptor_valid(o->descriptors[i]))
            return -EBADF;
    return 0;
}

void kri_hand_over_done(const kr_process_options *o)
{
    for (int i = 0; !o->keep_connections && i < o->connection_count; i++)
        kr_connection_close(o->connections[i]);
}

/* Lists of nothing may be NULL. */
static void copy(void *to, const void *from, int count, size_t size)
{
    if (count > 0)
        memcpy(to, from, (size_t)count * size);
}

static int make_room(int wanted_connections, int wanted_descriptors)
{
    size_t c = (size_t)wanted_connections, d = (size_t)wanted_descriptors;
    connection_count = descriptor_count = 0;
    os_free(connections); /* those of the process that this one was forked from */
    os_free(descriptors);
    connections = os_alloc((c + 1) * sizeof(kr_connection *));
    descriptors = os_alloc((d + 1) * sizeof *descriptors);
    return connections != NULL && descriptors != NULL ? 0 : -ENOMEM;
}

int kri_hand_over_forked(const kr_process_options *o)
{
    int err = make_room(o->connection_count, o->descriptor_count);
    if (err < 0)
        return err;
    copy(connections, o->connections, o->connection_count, sizeof *connections);
    copy(descriptors, o->descriptors, o->descriptor_count, sizeof *descriptors);
    connection_count = o->connection_count;
    descriptor_count = o->descriptor_count;
    kri_connections_close_all_but(connections, connection_count);
    return 0;
}

int kri_hand_over_pack(const kr_process_options *o, kri_packed_connection *packed, int *fds)
{
    int count = 0;
    copy(fds, o->descriptors, o->descriptor_count, sizeof *fds);
    count += o->descriptor_count;
    for (int i = 0; i < o->connection_count; i++) {
        int err = kri_connection_pack(o->connections[i], &packed[i]);
        if (err < 0)
            return err;
        if (count + packed[i].fd_count > KR_HANDED_MAX)
            return -EINVAL;
        copy(fds + count, packed[i].fds, packed[i].fd_count, sizeof *fds);
        count += packed[i].fd_count;
    }
    return count;
}

int kri_hand_over_unpack(const kri_order *order, kri_packed_connection *packed, const int *fds,
                         int count)
{
    int err = make_room(order->connection_count, order->descriptor_count);
    if (err < 0 || count < order->descriptor_count)
        return err < 0 ? err : -EBADMSG;
    copy(descriptors, fds, order->descriptor_count, sizeof *fds);
    descriptor_count = order->descriptor_count;
    fds += descriptor_count;
    count -= descriptor_count;
    for (int i = 0; i < order->connection_count; i++) {
        int some = packed[i].fd_count;
        if (some < 0 || some > KRI_PACKED_DESCRIPTORS || some > count)
            return -EBADMSG;
        copy(packed[i].fds, fds, some, sizeof *fds);
        fds += some;
        count -= some;
        err = kri_connection_unpack(&packed[i], &connections[i]);
        if (err < 0)
            return err;
        connection_count++;
    }
    return 0;
}
