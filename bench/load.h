/* What the programs that load echo servers share: a clock, a connection, and how long the most
 * took.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_LOAD_H
#define KRI_BENCH_LOAD_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

static inline _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

static inline int64_t read_clock(clockid_t clock)
{
    struct timespec time;
    if (clock_gettime(clock, &time) != 0)
        fail("clock_gettime");
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static inline int64_t now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* type: SOCK_STREAM or SOCK_DGRAM, to a port of this machine. */
static inline int open_connection(int type, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)port)};
    int on = 1, fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect");
    if (type == SOCK_STREAM)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static inline int compare_times(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

/* Puts them in order, for what half and 99 of 100 took at most. */
static inline void sort_times(uint32_t *taken, size_t count)
{
    if (count == 0)
        fail("nothing came back");
    qsort(taken, count, sizeof *taken, compare_times);
}

#endif
