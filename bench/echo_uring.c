/* Echo by io_uring: accept and receive are asked for once a listener and connection, buffers are
 * the ring's, and a buffer goes out as it came in.  One send at a time for each connection, so that
 * none passes another.
 *
 * SPDX-License-Identifier: MIT
 */
#include "echo.h"

#include <errno.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

enum { ENTRIES = 4096, BUFFERS = 2048, GROUP = 1, NONE = -1 };

enum what { ACCEPTED, RECEIVED, SENT };

struct connection {
    int fd;
    int first, last; /* of the buffers that wait to be sent; the first is under way */
    bool receiving, over;
};

static struct io_uring ring;
static struct io_uring_buf_ring *free_buffers;
static char (*buffers)[ECHO_OWN_ROOM];
static struct {
    unsigned at, end;
    int next;
} held[BUFFERS];

static struct io_uring_sqe *submission(void)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&ring);
    if (!entry) {
        io_uring_submit(&ring);
        ECHO_MUST((entry = io_uring_get_sqe(&ring)) != NULL);
    }
    return entry;
}

static void mark(struct io_uring_sqe *entry, struct connection *connection, enum what what)
{
    entry->user_data = (uintptr_t)connection | what;
}

static void give_back(int buffer)
{
    io_uring_buf_ring_add(free_buffers, buffers[buffer], ECHO_OWN_ROOM, (unsigned short)buffer,
                          io_uring_buf_ring_mask(BUFFERS), 0);
    io_uring_buf_ring_advance(free_buffers, 1);
}

static void receive(struct connection *connection)
{
    struct io_uring_sqe *entry = submission();
    io_uring_prep_recv_multishot(entry, connection->fd, NULL, 0, 0);
    mark(entry, connection, RECEIVED);
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->buf_group = GROUP;
    connection->receiving = true;
}

static void send_first(struct connection *connection)
{
    int buffer = connection->first;
    struct io_uring_sqe *entry = submission();
    io_uring_prep_send(entry, connection->fd, buffers[buffer] + held[buffer].at,
                       held[buffer].end - held[buffer].at, MSG_NOSIGNAL);
    mark(entry, connection, SENT);
}

/* Its last request is over. */
static void end_if_done(struct connection *connection)
{
    if (!connection->over || connection->receiving || connection->first != NONE)
        return;
    close(connection->fd);
    free(connection);
}

static void accepted(const struct io_uring_cqe *done)
{
    if (done->res < 0)
        return;
    struct connection *connection = calloc(1, sizeof *connection);
    ECHO_MUST(connection != NULL);
    connection->fd = done->res;
    connection->first = connection->last = NONE;
    receive(connection);
}

static void received(struct connection *connection, const struct io_uring_cqe *done)
{
    if (!(done->flags & IORING_CQE_F_MORE))
        connection->receiving = false;
    if (done->res > 0) {
        int buffer = (int)(done->flags >> IORING_CQE_BUFFER_SHIFT);
        held[buffer].at = 0;
        held[buffer].end = (unsigned)done->res;
        held[buffer].next = NONE;
        bool idle = connection->first == NONE;
        if (idle)
            connection->first = buffer;
        else
            held[connection->last].next = buffer;
        connection->last = buffer;
        if (idle)
            send_first(connection);
    } else if (done->res != -ENOBUFS) {
        connection->over = true;
    }
    if (!connection->receiving && !connection->over)
        receive(connection);
    end_if_done(connection);
}

static void sent(struct connection *connection, const struct io_uring_cqe *done)
{
    int buffer = connection->first;
    if (done->res > 0)
        held[buffer].at += (unsigned)done->res;
    if (done->res > 0 && held[buffer].at < held[buffer].end) {
        send_first(connection);
        return;
    }
    connection->first = held[buffer].next;
    give_back(buffer);
    if (connection->first != NONE)
        send_first(connection);
    end_if_done(connection);
}

static void open_ring(void)
{
    struct io_uring_params how = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                           IORING_SETUP_CQSIZE,
                                  .cq_entries = 4 * ENTRIES};
    struct io_uring_buf_reg group = {.ring_entries = BUFFERS, .bgid = GROUP};
    void *memory;
    ECHO_MUST(io_uring_queue_init_params(ENTRIES, &ring, &how) == 0);
    ECHO_MUST(posix_memalign(&memory, 4096, BUFFERS * sizeof(struct io_uring_buf)) == 0);
    ECHO_MUST((buffers = malloc(BUFFERS * sizeof *buffers)) != NULL);
    free_buffers = memory;
    group.ring_addr = (uintptr_t)memory;
    ECHO_MUST(io_uring_register_buf_ring(&ring, &group, 0) == 0);
    io_uring_buf_ring_init(free_buffers);
    for (int i = 0; i < BUFFERS; i++)
        give_back(i);
}

static void handle(const struct io_uring_cqe *done, int listener)
{
    struct connection *connection = (void *)(uintptr_t)(done->user_data & ~(uint64_t)3);
    switch ((enum what)(done->user_data & 3)) {
    case ACCEPTED:
        accepted(done);
        if (!(done->flags & IORING_CQE_F_MORE)) {
            struct io_uring_sqe *entry = submission();
            io_uring_prep_multishot_accept(entry, listener, NULL, NULL, SOCK_CLOEXEC);
            mark(entry, NULL, ACCEPTED);
        }
        break;
    case RECEIVED:
        received(connection, done);
        break;
    case SENT:
        sent(connection, done);
        break;
    }
}

void echo_uring(int listener)
{
    open_ring();
    handle(&(struct io_uring_cqe){.res = -EAGAIN, .user_data = ACCEPTED}, listener);
    for (;;) {
        struct io_uring_cqe *done;
        unsigned head, count = 0;
        ECHO_MUST(io_uring_submit_and_wait(&ring, 1) >= 0);
        io_uring_for_each_cqe(&ring, head, done)
        {
            handle(done, listener);
            count++;
        }
        io_uring_cq_advance(&ring, count);
    }
}
