/* Connecting streams.
 *
 * Of several addresses each is given a while before the next one is tried beside it, and who fails
 * makes way for the next at once: RFC 8305.  One runner does it all: the sockets that are on their
 * way are in a set of the system's, on which it waits.
 *
 * Why not a coroutine or a thread for each?  Two more to start and to wait for, for a wait that the
 * system does for a set of descriptors as well.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stream/internal.h"
#include <krait/io.h>

enum { STAGGER_MS = 250 };

typedef struct race {
    const os_address *list;
    int count;
    int next;                      /* which is tried next */
    int live;                      /* how many are on their way */
    int error;                     /* of the first that failed */
    int watch;                     /* the set */
    int winner;                    /* the descriptor, -1: none yet */
    kr_time due;                   /* when the next is tried */
    int fds[KRI_STREAM_ADDRESSES]; /* -1: none */
    kri_half_open half[KRI_STREAM_ADDRESSES];
    kri_half_open *winners;
} race;

static void note_failure(race *r, int error)
{
    if (r->error == 0)
        r->error = error;
    r->due = 0;
}

static void win(race *r, int i)
{
    r->winner = r->fds[i];
    r->fds[i] = -1;
    kri_half_open_hand_on(&r->half[i], r->winners);
}

static void drop(race *r, int i)
{
    kri_half_open_end(&r->half[i]);
    (void)kr_close(r->fds[i]);
    r->fds[i] = -1;
}

static void begin_next(race *r)
{
    int i = r->next++;
    kri_half_open_begin();
    int err = os_net_connect(&r->list[i], &r->fds[i]);
    kri_half_open_note(&r->half[i], r->fds[i]);
    r->due = os_now() + kr_ms(STAGGER_MS);
    if (err == 0) {
        win(r, i);
        return;
    }
    if (err == -EINPROGRESS) {
        err = os_net_watch_connect(r->watch, r->fds[i], (uint64_t)i);
        if (err == 0) {
            r->live++;
            return;
        }
        drop(r, i);
    }
    note_failure(r, err);
}

static void look(race *r)
{
    uint64_t i;
    while (r->winner < 0 && os_watch_next(r->watch, &i) > 0) {
        int fd = r->fds[i];
        int err = os_socket_connected(fd);
        os_watch_remove(r->watch, fd);
        r->live--;
        if (err == 0) {
            win(r, (int)i);
        } else {
            drop(r, (int)i);
            note_failure(r, err);
        }
    }
}

static int run(race *r, kr_time deadline)
{
    while (r->winner < 0) {
        if (r->next < r->count && (r->live == 0 || os_now() >= r->due)) {
            begin_next(r);
            continue;
        }
        if (r->live == 0)
            return r->error;
        kr_time until = r->next < r->count && r->due < deadline ? r->due : deadline;
        int ready = kr_poll(r->watch, KR_READABLE, kri_left_until(until));
        if (ready > 0)
            look(r);
        else if (ready != -ETIMEDOUT || until == deadline)
            return ready;
    }
    return r->winner;
}

/* In turns of the families, beginning with that of the first. */
static void interleave(os_address *list, int count)
{
    for (int i = 1; i < count; i++) {
        int other = i;
        while (other < count && list[other].family == list[i - 1].family)
            other++;
        if (other == count)
            return;
        os_address next = list[other];
        for (int k = other; k > i; k--)
            list[k] = list[k - 1];
        list[i] = next;
    }
}

int kri_connect_any(os_address *list, int count, kr_time deadline, kri_half_open *half)
{
    if (count == 0)
        return -ENOENT;
    race r = {.list = list, .count = count, .winner = -1, .winners = half};
    interleave(list, count);
    for (int i = 0; i < count; i++)
        r.fds[i] = -1;
    r.watch = os_watch_create();
    if (r.watch < 0)
        return r.watch;
    int fd = run(&r, deadline);
    for (int i = 0; i < count; i++) {
        if (r.fds[i] >= 0)
            drop(&r, i);
    }
    (void)kr_close(r.watch);
    return fd;
}

/* A stream over what was connected, or the error. */
static int open_or_close(kr_stream **s, int fd, const kr_stream_options *options,
                         kri_half_open *half)
{
    if (fd < 0)
        return fd;
    int err = kr_stream_open(s, fd, options);
    if (err < 0) {
        kri_half_open_end(half);
        (void)kr_close(fd);
    }
    return err;
}

int kri_stream_connect(kr_stream **s, const char *host, const char *service,
                       const kr_stream_options *options, kr_time timeout, kri_half_open *half)
{
    os_address list[KRI_STREAM_ADDRESSES];
    if (s == NULL)
        return -EINVAL;
    *s = NULL;
    if (service == NULL || timeout < 0 || !kri_stream_options_check(options))
        return -EINVAL;
    kr_time deadline = kri_deadline(timeout);
    int count =
        kri_address_look_up(list, KRI_STREAM_ADDRESSES, host, service, false, false, deadline);
    int fd = count < 0 ? count : kri_connect_any(list, count, deadline, half);
    return open_or_close(s, fd, options, half);
}

int kr_stream_connect(kr_stream **s, const char *host, const char *service,
                      const kr_stream_options *options, kr_time timeout)
{
    kri_half_open half = {.noted = false};
    int err = kri_stream_connect(s, host, service, options, timeout, &half);
    kri_half_open_end(&half);
    return err;
}

static int connect_unix(const kr_address *address, kr_time timeout, kri_half_open *half)
{
    kri_half_open_begin();
    int fd = os_net_socket(OS_UNIX, false);
    kri_half_open_note(half, fd);
    if (fd < 0)
        return fd;
    int err = kr_connect(fd, (const struct sockaddr *)&address->storage, address->size, timeout);
    if (err == 0)
        return fd;
    kri_half_open_end(half);
    (void)kr_close(fd);
    return err;
}

int kri_stream_connect_unix(kr_stream **s, const char *path, const kr_stream_options *options,
                            kr_time timeout, kri_half_open *half)
{
    kr_address address;
    if (s == NULL)
        return -EINVAL;
    *s = NULL;
    if (timeout < 0 || !kri_stream_options_check(options))
        return -EINVAL;
    int err = kr_address_unix(&address, path);
    return open_or_close(s, err < 0 ? err : connect_unix(&address, timeout, half), options, half);
}

int kr_stream_connect_unix(kr_stream **s, const char *path, const kr_stream_options *options,
                           kr_time timeout)
{
    kri_half_open half = {.noted = false};
    int err = kri_stream_connect_unix(s, path, options, timeout, &half);
    kri_half_open_end(&half);
    return err;
}
