/* Pairs of descriptors of all kinds: what is written to one end is read at the other.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_IO_CHANNELS_H
#define TESTS_IO_CHANNELS_H

#include "io/help.h"

#include <pty.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <termios.h>

typedef struct io_channel {
    const char *name;
    void (*make)(int ends[2]);
    bool nonblocking;
    bool socket;
    int reader; /* set by make */
    int writer;
} io_channel;

static inline void io_make_pipe(int ends[2])
{
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
}

/* Once a pipe was spliced the kernel knows only the older ways to read it without waiting. */
static inline void io_make_old_pipe(int ends[2])
{
    char byte = 0;
    struct iovec part = {&byte, 1};
    io_make_pipe(ends);
    CHECK_EQ(vmsplice(ends[1], &part, 1, 0), 1);
    CHECK_EQ(vmsplice(ends[0], &part, 1, 0), 1);
}

static inline void io_make_fifo(int ends[2])
{
    char path[] = "/tmp/krait-fifo-XXXXXX";
    CHECK(mkdtemp(path) != NULL);
    char name[sizeof path + 8];
    snprintf(name, sizeof name, "%s/fifo", path);
    CHECK_EQ(mkfifo(name, 0600), 0);
    ends[0] = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ends[1] = open(name, O_WRONLY | O_CLOEXEC);
    CHECK_GE(ends[1], 0);
    unlink(name);
    rmdir(path);
    io_set_nonblocking(ends[0], false);
}

static inline void io_make_pair(int ends[2])
{
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

static inline void io_make_pty(int ends[2])
{
    CHECK_EQ(openpty(&ends[0], &ends[1], NULL, NULL, NULL), 0);
    struct termios raw;
    CHECK_EQ(tcgetattr(ends[1], &raw), 0);
    cfmakeraw(&raw);
    CHECK_EQ(tcsetattr(ends[1], TCSANOW, &raw), 0);
}

/* The other way round. */
static inline void io_make_terminal(int ends[2])
{
    int pty[2];
    io_make_pty(pty);
    ends[0] = pty[1];
    ends[1] = pty[0];
}

/* io_channels - all kinds, each made anew: { NULL } is the last. */
static inline io_channel *io_channels(void)
{
    static io_channel all[] = {
        {"pipe", io_make_pipe, false, false, 0, 0},
        {"pipe, non-blocking", io_make_pipe, true, false, 0, 0},
        {"pipe, spliced", io_make_old_pipe, false, false, 0, 0},
        {"fifo", io_make_fifo, false, false, 0, 0},
        {"socketpair", io_make_pair, false, true, 0, 0},
        {"socketpair, non-blocking", io_make_pair, true, true, 0, 0},
        {"tcp", io_tcp_pair, false, true, 0, 0},
        {"tcp, non-blocking", io_tcp_pair, true, true, 0, 0},
        {"pty", io_make_pty, false, false, 0, 0},
        {"terminal", io_make_terminal, false, false, 0, 0},
        {"pty, non-blocking", io_make_pty, true, false, 0, 0},
        {NULL, NULL, false, false, 0, 0},
    };
    for (io_channel *channel = all; channel->name != NULL; channel++) {
        int ends[2];
        channel->make(ends);
        for (int i = 0; channel->nonblocking && i < 2; i++)
            io_set_nonblocking(ends[i], true);
        int room = 64 << 10; /* the system makes no more of it by itself then */
        for (int i = 0; channel->socket && i < 2; i++) {
            CHECK_EQ(setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
            CHECK_EQ(setsockopt(ends[i], SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
        }
        channel->reader = ends[0];
        channel->writer = ends[1];
    }
    return all;
}

/* io_end_channel - both ends are as they were, but for having been used. */
static inline void io_end_channel(const io_channel *channel)
{
    CHECK_EQ(io_is_nonblocking(channel->reader), channel->nonblocking);
    CHECK_EQ(io_is_nonblocking(channel->writer), channel->nonblocking);
    CHECK_EQ(kr_close(channel->reader), 0);
    CHECK_EQ(kr_close(channel->writer), 0);
}

#endif
