/* A stream's transport over a descriptor.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stream/internal.h"
#include <krait/io.h>

static int descriptor_of(const kri_transport *transport)
{
    return ((const kri_fd_transport *)(const void *)transport)->fd;
}

static int64_t read_bytes(kri_transport *transport, void *bytes, size_t size, kr_time timeout)
{
    return kr_read(descriptor_of(transport), bytes, size, timeout);
}

static int64_t write_bytes(kri_transport *transport, const void *bytes, size_t size,
                           kr_time timeout)
{
    return kr_write(descriptor_of(transport), bytes, size, timeout);
}

static int shut_down(kri_transport *transport, kr_time timeout)
{
    (void)timeout;
    int err = os_socket_shutdown(descriptor_of(transport));
    return err == -ENOTSOCK ? -EOPNOTSUPP : err;
}

static void close_descriptor(kri_transport *transport, bool abort)
{
    (void)abort;
    (void)kr_close(descriptor_of(transport));
}

void kri_fd_transport_begin(kri_fd_transport *transport, int fd)
{
    static const kri_transport_ops ops = {
        .read = read_bytes,
        .write = write_bytes,
        .shutdown_write = shut_down,
        .close = close_descriptor,
        .descriptor = descriptor_of,
    };
    *transport = (kri_fd_transport){{&ops}, fd};
}
