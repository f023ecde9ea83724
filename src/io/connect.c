/* Connections: accepting and making them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "io/io.h"
#include "os/socket.h"
#include <krait/io.h>

/* Of a blocking listener: nobody else must take the connection between the look and the call. */
static int accept_looking(int fd, struct sockaddr *from, uint32_t *from_size)
{
    kri_mutex *alone = kri_alone_lock(fd);
    kri_mutex_lock(alone);
    int made = os_poll(fd, OS_READABLE, -1, 0);
    if (made > 0)
        made = os_accept(fd, from, from_size);
    kri_mutex_unlock(alone);
    if (made != -ETIMEDOUT && made != -EINTR)
        return made;
    int error = os_accepts(fd); /* else it would never be ready */
    return error < 0 ? error : -EAGAIN;
}

int kr_accept(int fd, struct sockaddr *from, uint32_t *from_size, kr_time timeout)
{
    if (timeout < 0 || (from != NULL && from_size == NULL))
        return -EINVAL;
    kri_tries tries = {.fd = fd, .events = OS_READABLE, .timeout = timeout};
    int64_t made;
    do {
        made = os_blocks(fd) ? accept_looking(fd, from, from_size) : os_accept(fd, from, from_size);
    } while (made == -EAGAIN && kri_try_again(&tries, &made));
    if (made >= 0)
        kri_descriptor_fresh((int)made);
    return (int)made;
}

/* Readiness may be old news, from before the connect; and the system takes the connection for made
 * once it was asked again. */
static int64_t await_connected(int fd, const struct sockaddr *to, socklen_t to_size,
                               kri_tries *tries)
{
    int64_t result = -EINPROGRESS;
    while (result == -EINPROGRESS && kri_try_again(tries, &result)) {
        result = os_socket_connected(fd);
        if (result == 0)
            result = os_connect(fd, to, to_size);
    }
    return result == -EISCONN ? 0 : result;
}

int kr_connect(int fd, const struct sockaddr *to, uint32_t to_size, kr_time timeout)
{
    if (timeout < 0 || to == NULL)
        return -EINVAL;
    kri_tries tries = {.fd = fd, .events = OS_WRITABLE, .timeout = timeout};
    int64_t result;
    do {
        result = os_connect(fd, to, to_size);
    } while (result == -EAGAIN && kri_try_later(&tries, &result));
    if (result != -EINPROGRESS)
        return (int)result;
    tries.vain = 0;
    return (int)await_connected(fd, to, to_size, &tries);
}
