/* The rows of servers, and which peers stand in which; krait is the first of each.
 *
 *     echo.64.c1, .c50, .c500     one op is a message of 64 bytes to the server and back, by so
 * many echo.16k.c1, .c50, .c500    connections at a time; the same with 16 KiB
 *
 * SPDX-License-Identifier: MIT
 */
#include "echo_rows.h"
#include "rows.h"

enum { ROUNDS = 5 };

#define SERVER(name) (&(const struct bench_echo_server){KRI_ECHO_PROGRAM " " name})

#ifdef KRI_KRAIT_ECHO
#define KRAIT (&(const struct bench_echo_server){KRI_KRAIT_ECHO " --port 0"})
#else
#define KRAIT NULL
#endif
#ifdef KRI_LTO_ECHO
#define KRAIT_LTO (&(const struct bench_echo_server){KRI_LTO_ECHO " --port 0"})
#else
#define KRAIT_LTO NULL
#endif
#ifdef KRI_HAVE_UV
#define UV SERVER("libuv")
#else
#define UV NULL
#endif
#ifdef KRI_HAVE_LIBEV
#define LIBEV SERVER("libev")
#else
#define LIBEV NULL
#endif
#ifdef KRI_HAVE_ASIO
#define ASIO SERVER("asio")
#else
#define ASIO NULL
#endif
#ifdef KRI_HAVE_PTH
#define PTH SERVER("pth")
#else
#define PTH NULL
#endif
#ifdef KRI_HAVE_URING
#define URING SERVER("io_uring")
#else
#define URING NULL
#endif
#ifdef KRI_GO_PROGRAM
#define GO (&(const struct bench_echo_server){KRI_GO_PROGRAM " echo 0 1"})
#else
#define GO NULL
#endif
#ifdef KRI_PYTHON_LOOPS
#define ASYNCIO                                                                                    \
    (&(const struct bench_echo_server){"env KR_PEER=asyncio " KRI_PYTHON_LOOPS " " KRI_PYTHON_ECHO})
#else
#define ASYNCIO NULL
#endif
#ifdef KRI_HAVE_UVLOOP
#define UVLOOP                                                                                     \
    (&(const struct bench_echo_server){"env KR_PEER=uvloop " KRI_PYTHON_LOOPS " " KRI_PYTHON_ECHO})
#else
#define UVLOOP NULL
#endif

/* What io_uring gives is looked at to decide whether krait should use it. */
static const struct bench_peer peers[] = {
    {"krait", KRAIT, "krait's descriptors", false},
    {"krait-lto", KRAIT_LTO, "a compiler with link-time optimization", false},
    {"epoll", SERVER("epoll"), NULL, false},
    {"epoll-edge", SERVER("epoll-edge"), NULL, false},
    {"libuv", UV, "libuv1-dev", false},
    {"libev", LIBEV, "libev-dev", false},
    {"asio", ASIO, "libboost-dev, g++", false},
    {"io_uring", URING, "liburing-dev", true},
    {"pth", PTH, "libpth-dev", false},
    {"go", GO, "golang-go", false},
    {"uvloop", UVLOOP, "python3-uvloop", false},
    {"asyncio", ASYNCIO, "python3", true},
};

#define ROW(row, how, connections)                                                                 \
    {                                                                                              \
        .name = row, .measure = how, .peers = peers, .peer_count = sizeof peers / sizeof *peers,   \
        .place = BENCH_TWO_CPUS, .threads = connections, .rounds = ROUNDS                          \
    }

static const struct bench_workload rows[] = {
    ROW("echo.64.c1", bench_echo_small, 1),     ROW("echo.64.c50", bench_echo_small, 50),
    ROW("echo.64.c500", bench_echo_small, 500), ROW("echo.16k.c1", bench_echo_large, 1),
    ROW("echo.16k.c50", bench_echo_large, 50),  ROW("echo.16k.c500", bench_echo_large, 500),
};

void bench_echo_rows(const char *filter)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        bench_run(&rows[i], filter);
}
