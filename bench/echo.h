/* The servers of the rows echo.*, each in one thread: they send back what comes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_ECHO_H
#define KRI_BENCH_ECHO_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes that are read at a time: into one place for all connections, or one for each. */
enum { ECHO_ROOM = 64 * 1024, ECHO_OWN_ROOM = 16 * 1024 };

/* They serve until they are killed. */
void echo_epoll_level(int listener);
void echo_epoll_edge(int listener);
void echo_uv(int listener);
void echo_libev(int listener);
void echo_pth(int listener);
void echo_asio(int listener);
void echo_uring(int listener);

/* For those who wait until a descriptor is ready */

struct echo_connection {
    int fd;
    size_t at, end; /* of what is held, which could not be sent yet */
    char *held;
};

enum echo_state {
    ECHO_DRAINED, /* there was less than asked for */
    ECHO_MORE,    /* there may be more */
    ECHO_BLOCKED, /* something is held: to be called again when there is room */
    ECHO_OVER,    /* and closed, and freed */
};

/* The next connection of a listener that does not block, with no delay of small packets; NULL:
 * there is none now. */
struct echo_connection *echo_accept(int listener);

/* Send what is held, else what one read gives. */
enum echo_state echo_step(struct echo_connection *connection);

/* A server that goes wrong says so and ends. */
#define ECHO_MUST(right) ((right) ? (void)0 : echo_fail(#right))
#ifdef __cplusplus
[[noreturn]]
#else
_Noreturn
#endif
void echo_fail(const char *what);

#ifdef __cplusplus
}
#endif

#endif
