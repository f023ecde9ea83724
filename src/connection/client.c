/* kr_client: connecting, and the client's side of the handshake.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/options.h"
#include "connection/address.h"
#include "loop/descriptor.h"
#include "connection/handshake.h"
#include "connection/socket.h"
#include "os/os.h"
#include "wait/half_open.h"
#include <krait/listener.h>

/* Connecting */

/* The listener's queue is full, and the system has nothing to wait for.  Longer each time. */
static int wait_for_room(kr_time *pause, kr_time deadline)
{
    kr_word nothing = {0};
    kr_time until = kri_deadline(*pause);
    int err = kri_wait(&nothing, 0, until < deadline ? until : deadline, 0);
    if (err == -ECANCELED || os_now() >= deadline)
        return err == -ECANCELED ? err : -ETIMEDOUT;
    if (*pause < kr_ms(10))
        *pause *= 2;
    return 0;
}

static int begin_connect(const os_address *address, int *fd, kri_half_open *half)
{
    kri_half_open_begin();
    int err = os_socket_connect(address, fd);
    kri_half_open_note(half, *fd);
    return err;
}

static int connect_one(const os_address *address, kr_time deadline, int *fd, kri_half_open *half)
{
    kr_time pause = kr_us(100);
    int err;
    while ((err = begin_connect(address, fd, half)) == -EAGAIN) {
        err = wait_for_room(&pause, deadline);
        if (err < 0)
            return err;
    }
    if (err != -EINPROGRESS)
        return err;
    err = kri_wait_fd(*fd, OS_WRITABLE, deadline);
    err = err < 0 ? err : os_socket_connected(*fd);
    if (err < 0) {
        kri_half_open_end(half);
        kri_descriptor_close(*fd);
    }
    return err;
}

static int connect_any(const char *text, kr_time deadline, int *fd, kri_half_open *half)
{
    os_address list[KRI_ADDRESSES];
    int count = kri_address_read(text, false, list);
    int err = count;
    for (int i = 0; i < count; i++) {
        err = connect_one(&list[i], deadline, fd, half);
        if (err == 0 || err == -ECANCELED || (err == -ETIMEDOUT && os_now() >= deadline))
            return err;
    }
    return err;
}

/* The handshake */

static int prove(kri_stream *stream, const kri_auth_key *key, kr_time deadline)
{
    kri_auth auth;
    int err = kri_handshake_begin(&auth, key, false, stream);
    while (err >= 0) {
        err = kri_handshake_step(&auth, stream);
        if (err != -EAGAIN)
            return err;
        err = kri_wait_fd(stream->fd, OS_READABLE, deadline);
    }
    return err;
}

static int begin(kr_connection *c, const kr_client_options *o, kr_time deadline)
{
    if (o->authkey != NULL) {
        kri_auth_key key = {o->authkey, o->authkey_size, o->allow_md5};
        kr_time own =
            kri_deadline(o->handshake_timeout > 0 ? o->handshake_timeout : KRI_HANDSHAKE_TIMEOUT);
        int err = prove(kri_socket_stream(c), &key, own < deadline ? own : deadline);
        if (err < 0)
            return err;
    }
    kri_socket_begin(c);
    return 0;
}

static int check(const char *address, const kr_client_options *o, kr_time timeout)
{
    if (timeout < 0 || address == NULL || address[0] == '\0' || o->handshake_timeout < 0 ||
        !kri_reserved_is_clear(o->reserved))
        return -EINVAL;
    kri_auth_key key = {o->authkey, o->authkey_size, o->allow_md5};
    if (o->authkey == NULL)
        return o->authkey_size == 0 ? 0 : -EINVAL;
    return kri_auth_check_key(&key);
}

int kr_client(kr_connection **c, const char *address, const kr_client_options *options,
              kr_time timeout)
{
    static const kr_client_options defaults;
    const kr_client_options *o = options != NULL ? options : &defaults;
    if (c == NULL)
        return -EINVAL;
    *c = NULL;
    int err = check(address, o, timeout);
    if (err < 0)
        return err;
    kr_time deadline = kri_deadline(timeout);
    int fd = -1;
    kri_half_open half = {.noted = false};
    err = connect_any(address, deadline, &fd, &half);
    if (err < 0)
        return err;
    kr_connection *made;
    err = kri_socket_create(fd, o->max_message != 0 ? o->max_message : KRI_MAX_MESSAGE, &made);
    if (err < 0) {
        kri_half_open_end(&half);
        kri_descriptor_close(fd);
        return err;
    }
    err = begin(made, o, deadline);
    kri_half_open_end(&half);
    if (err == 0)
        *c = made;
    else
        kri_socket_discard(made);
    return err;
}
