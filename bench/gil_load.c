/* krait-bench-ask udp|tcp PORT THINK_US: asks an echo server on this machine again and again, 64
 * bytes at a time, with so long a pause after each answer.
 *
 * Each line of its input says for how many milliseconds; when they are over it says so.  After the
 * last one it prints how many answers came in a second, and how many nanoseconds half and 99 of 100
 * of them took at most.
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

#include <string.h>
#include <sys/prctl.h>

enum { SIZE = 64, ANSWERS_MOST = 1 << 22 };

/* One request, and how long its answer took. */
static int64_t ask(int fd)
{
    char bytes[SIZE] = "what is sent and comes back";
    int64_t begun = now();
    if (send(fd, bytes, sizeof bytes, 0) != SIZE)
        fail("send");
    for (size_t got = 0; got < SIZE;) {
        ssize_t part = recv(fd, bytes + got, sizeof bytes - got, 0);
        if (part <= 0)
            fail("recv");
        got += (size_t)part;
    }
    return now() - begun;
}

struct load {
    int fd;
    struct timespec think;
    uint32_t *taken;
    size_t count;
    int64_t time; /* of all asking */
};

static void ask_for(struct load *load, int64_t time)
{
    int64_t begun = now();
    while (now() < begun + time && load->count < ANSWERS_MOST) {
        load->taken[load->count++] = (uint32_t)ask(load->fd);
        if (load->think.tv_nsec > 0)
            nanosleep(&load->think, NULL);
    }
    load->time += now() - begun;
}

int main(int argc, char **argv)
{
    long milliseconds;
    if (argc != 4)
        return 2;
    struct load load = {
        .fd =
            open_connection(strcmp(argv[1], "tcp") == 0 ? SOCK_STREAM : SOCK_DGRAM, atoi(argv[2])),
        .think.tv_nsec = atol(argv[3]) * 1000,
        .taken = malloc(ANSWERS_MOST * sizeof *load.taken),
    };
    if (!load.taken)
        fail("malloc");
    prctl(PR_SET_TIMERSLACK, 1000); /* it thinks as long as it was told */
    ask(load.fd);
    while (scanf("%ld", &milliseconds) == 1) {
        ask_for(&load, milliseconds * INT64_C(1000000));
        puts("done");
        fflush(stdout);
    }
    sort_times(load.taken, load.count);
    printf("%.3f %u %u\n", (double)load.count * 1e9 / (double)load.time, load.taken[load.count / 2],
           load.taken[load.count * 99 / 100]);
    return 0;
}
