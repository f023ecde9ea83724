/* krait-bench-bare udp|tcp COMPUTING [apart]: what gil_lua serve does, without an interpreter and
 * without a lock: what the machine itself gives.
 *
 * One thread echoes, and one computes, as under a lock that costs nothing, however many there are
 * to be.  Prints where it listens, and for each line of standard input how many rounds were
 * computed until when.  Ends where that ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 65536 };

static struct server {
    bool tcp, apart;
    int listener;
    kri_word64 rounds;
} server;

static void bind_to(int number)
{
    cpu_set_t usable, set;
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof usable, &usable);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &usable) && --number == 0)
            CPU_SET(cpu, &set);
    }
    if (server.apart && CPU_COUNT(&set) != 0)
        sched_setaffinity(0, sizeof set, &set);
}

static void *compute(void *arg)
{
    bind_to(1);
    for (;;) {
        volatile unsigned sum = 0;
        for (unsigned i = 0; i < 1000; i++)
            sum = sum + i % 7;
        kri_store_rlx64(&server.rounds, kri_load_rlx64(&server.rounds) + 1);
    }
    return arg;
}

static void echo_datagrams(void)
{
    static char bytes[SIZE];
    struct sockaddr_in other;
    for (;;) {
        socklen_t size = sizeof other;
        ssize_t got = recvfrom(server.listener, bytes, SIZE, 0, (struct sockaddr *)&other, &size);
        if (got >= 0)
            (void)sendto(server.listener, bytes, (size_t)got, 0, (struct sockaddr *)&other, size);
    }
}

static void echo_connection(void)
{
    static char bytes[SIZE];
    ssize_t got;
    int yes = 1, fd = accept(server.listener, NULL, NULL);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    while ((got = recv(fd, bytes, SIZE, 0)) > 0)
        (void)send(fd, bytes, (size_t)got, MSG_NOSIGNAL);
    close(fd);
}

static void *echo(void *arg)
{
    bind_to(2);
    if (!server.tcp)
        echo_datagrams();
    for (;;)
        echo_connection();
    return arg;
}

static int listen_somewhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    server.listener = socket(AF_INET, server.tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
    if (bind(server.listener, (struct sockaddr *)&address, size) != 0 ||
        getsockname(server.listener, (struct sockaddr *)&address, &size) != 0 ||
        (server.tcp && listen(server.listener, 64) != 0)) {
        perror("listen");
        exit(1);
    }
    return ntohs(address.sin_port);
}

int main(int argc, char **argv)
{
    pthread_t thread;
    struct timespec time;
    if (argc < 3)
        return 2;
    server.tcp = strcmp(argv[1], "tcp") == 0;
    server.apart = argc > 3;
    printf("listening on 127.0.0.1:%d\n", listen_somewhere());
    fflush(stdout);
    pthread_create(&thread, NULL, echo, NULL);
    if (atoi(argv[2]) > 0)
        pthread_create(&thread, NULL, compute, NULL);
    while (getchar() != EOF) {
        clock_gettime(CLOCK_MONOTONIC, &time);
        printf("%llu %.9f\n", (unsigned long long)kri_load_rlx64(&server.rounds),
               (double)time.tv_sec + (double)time.tv_nsec / 1e9);
        fflush(stdout);
    }
    return 0;
}
