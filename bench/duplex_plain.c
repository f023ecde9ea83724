/* Lanes of what the kernel has: pipes, sockets, POSIX message queues, a futex.
 *
 * SPDX-License-Identifier: MIT
 */
#include "duplex.h"
#include "party.h"
#include "peers.h"

#include "base/atomic.h"

#include <arpa/inet.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static void write_all(int to, const void *message, size_t size)
{
    const char *from = message;
    while (size > 0) {
        ssize_t put = write(to, from, size);
        BENCH_MUST(put);
        from += put;
        size -= (size_t)put;
    }
}

static void read_all(int from, void *message, size_t size)
{
    char *to = message;
    while (size > 0) {
        ssize_t got = read(from, to, size);
        if (got <= 0)
            bench_fail("read");
        to += got;
        size -= (size_t)got;
    }
}

/* What each side reads from and writes to.  Nobody waits for the end of a lane, so all keep all. */
static struct {
    int from[2], to[2];
} ends[BENCH_LANES];

static void send_bytes(int lane, enum bench_side side, const void *message, size_t size)
{
    write_all(ends[lane].to[side], message, size);
}

static void receive_bytes(int lane, enum bench_side side, void *message, size_t size)
{
    read_all(ends[lane].from[side], message, size);
}

static void open_pipes(int lanes, size_t size)
{
    (void)size;
    for (int lane = 0; lane < lanes; lane++) {
        int there[2], back[2];
        BENCH_MUST(pipe(there));
        BENCH_MUST(pipe(back));
        ends[lane].to[BENCH_CALLER] = there[1];
        ends[lane].from[BENCH_WORKER] = there[0];
        ends[lane].to[BENCH_WORKER] = back[1];
        ends[lane].from[BENCH_CALLER] = back[0];
    }
}

const struct bench_duplex bench_pipe_duplex = {
    .open = open_pipes, .send = send_bytes, .receive = receive_bytes};

/* Sockets */

static void set_ends(int lane, int caller, int worker)
{
    ends[lane].from[BENCH_CALLER] = ends[lane].to[BENCH_CALLER] = caller;
    ends[lane].from[BENCH_WORKER] = ends[lane].to[BENCH_WORKER] = worker;
}

static void open_pairs(int lanes, int type, size_t size)
{
    int room = (int)(4 * size);
    for (int lane = 0; lane < lanes; lane++) {
        int pair[2];
        BENCH_MUST(socketpair(AF_UNIX, type, 0, pair));
        set_ends(lane, pair[0], pair[1]);
        for (int i = 0; i < 2 && size > 4096; i++) {
            if (setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) != 0)
                BENCH_MUST(setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof room));
        }
    }
}

static void open_sockets(int lanes, size_t size)
{
    open_pairs(lanes, SOCK_STREAM, size);
}

static void open_seqpackets(int lanes, size_t size)
{
    open_pairs(lanes, SOCK_SEQPACKET, size);
}

static void send_packet(int lane, enum bench_side side, const void *message, size_t size)
{
    BENCH_MUST(send(ends[lane].to[side], message, size, 0));
}

static void receive_packet(int lane, enum bench_side side, void *message, size_t size)
{
    if (recv(ends[lane].from[side], message, size, 0) != (ssize_t)size)
        bench_fail("recv");
}

const struct bench_duplex bench_socket_duplex = {
    .open = open_sockets, .send = send_bytes, .receive = receive_bytes};
const struct bench_duplex bench_seqpacket_duplex = {
    .open = open_seqpackets, .send = send_packet, .receive = receive_packet};

/* The length before each message, four bytes, the highest first: sent with it, received before. */

static void send_framed(int lane, enum bench_side side, const void *message, size_t size)
{
    uint32_t length = htonl((uint32_t)size);
    struct iovec parts[2] = {{&length, sizeof length}, {(void *)message, size}};
    ssize_t put = writev(ends[lane].to[side], parts, 2);
    BENCH_MUST(put);
    if ((size_t)put < sizeof length)
        bench_fail("writev");
    size_t done = (size_t)put - sizeof length;
    write_all(ends[lane].to[side], (const char *)message + done, size - done);
}

static void receive_framed(int lane, enum bench_side side, void *message, size_t size)
{
    uint32_t length;
    read_all(ends[lane].from[side], &length, sizeof length);
    if (ntohl(length) != size)
        bench_fail("the length of a message");
    read_all(ends[lane].from[side], message, size);
}

static void open_tcp(int lanes, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    (void)size;
    BENCH_MUST(bind(listener, (struct sockaddr *)&address, length));
    BENCH_MUST(listen(listener, lanes));
    BENCH_MUST(getsockname(listener, (struct sockaddr *)&address, &length));
    for (int lane = 0; lane < lanes; lane++) {
        int caller = socket(AF_INET, SOCK_STREAM, 0);
        BENCH_MUST(connect(caller, (struct sockaddr *)&address, length));
        int worker = accept(listener, NULL, NULL);
        BENCH_MUST(worker);
        BENCH_MUST(setsockopt(caller, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
        BENCH_MUST(setsockopt(worker, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
        set_ends(lane, caller, worker);
    }
    close(listener);
}

const struct bench_duplex bench_unix_duplex = {
    .open = open_sockets, .send = send_framed, .receive = receive_framed};
const struct bench_duplex bench_tcp_duplex = {
    .open = open_tcp, .send = send_framed, .receive = receive_framed};

/* Message queues.  Who is not root gets 10 places, of 8 KiB. */

static mqd_t queues[BENCH_LANES][2]; /* by the side that writes to it */

static void open_queues(int lanes, size_t size)
{
    char name[64];
    struct mq_attr attributes = {.mq_maxmsg = 10, .mq_msgsize = (long)size};
    for (int i = 0; i < 2 * lanes; i++) {
        snprintf(name, sizeof name, "/krait-bench-%d-%d", (int)getpid(), i);
        queues[i / 2][i % 2] = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
        BENCH_MUST(queues[i / 2][i % 2]);
        BENCH_MUST(mq_unlink(name));
    }
}

static void send_queued(int lane, enum bench_side side, const void *message, size_t size)
{
    BENCH_MUST(mq_send(queues[lane][side], message, size, 0));
}

/* It wants room for the longest. */
static void receive_queued(int lane, enum bench_side side, void *message, size_t size)
{
    char room[8192];
    if (mq_receive(queues[lane][!side], room, sizeof room, NULL) != (ssize_t)size)
        bench_fail("mq_receive");
    memcpy(message, room, size);
}

const struct bench_duplex bench_mq_duplex = {
    .open = open_queues, .send = send_queued, .receive = receive_queued};

/* A futex: the word counts the messages of its direction. */

enum { LETTER = 256 };

static struct box {
    _Alignas(128) kr_word sent;
    uint32_t received; /* by its reader only */
    unsigned char letter[LETTER];
} * boxes; /* two of a lane, by the side that writes */

static void open_boxes(int lanes, size_t size)
{
    if (size > LETTER)
        bench_fail("so long a letter");
    boxes = bench_shared_memory(2 * (size_t)lanes * sizeof *boxes);
}

static void send_letter(int lane, enum bench_side side, const void *message, size_t size)
{
    struct box *box = &boxes[2 * lane + (int)side];
    memcpy(box->letter, message, size);
    kri_add_sc(&box->sent, 1);
    syscall(SYS_futex, &box->sent, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void receive_letter(int lane, enum bench_side side, void *message, size_t size)
{
    struct box *box = &boxes[2 * lane + (int)!side];
    while (kri_load_sc(&box->sent) == box->received)
        syscall(SYS_futex, &box->sent, FUTEX_WAIT, box->received, NULL, NULL, 0);
    box->received++;
    memcpy(message, box->letter, size);
}

const struct bench_duplex bench_futex_duplex = {
    .open = open_boxes, .send = send_letter, .receive = receive_letter};
