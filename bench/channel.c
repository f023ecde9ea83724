/* Messages of 64 bytes between two processes, to and fro, and one way.
 *
 * SPDX-License-Identifier: MIT
 */
#include "channel.h"
#include "party.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
    SIZE = 64,
    WARM_TRIPS = 200,
    LEAST_TRIPS = 200,
    MOST_TRIPS = 50000,
    STREAM_MESSAGES = 200000,
};

struct message {
    uint64_t number;
    unsigned char rest[SIZE - 2 * sizeof(uint64_t)];
    uint64_t again;
};

static const struct bench_duplex *kind;

static void send_number(enum bench_side side, uint64_t number)
{
    struct message message = {.number = number, .again = number};
    kind->send(0, side, &message, sizeof message);
}

static uint64_t receive_number(enum bench_side side)
{
    struct message message;
    kind->receive(0, side, &message, sizeof message);
    if (message.number != message.again)
        bench_fail("the contents of a message");
    return message.number;
}

static _Noreturn void answer_all(void)
{
    for (;;)
        send_number(BENCH_WORKER, receive_number(BENCH_WORKER) + 1);
}

/* Takes so many messages, says so, and begins again: how many is the first message. */
static _Noreturn void take_all(void)
{
    for (;;) {
        uint64_t count = receive_number(BENCH_WORKER), sum = 0;
        for (uint64_t i = 0; i < count; i++)
            sum += receive_number(BENCH_WORKER);
        send_number(BENCH_WORKER, sum);
    }
}

static void start(const struct bench_workload *workload, const void *subject, void (*partner)(void))
{
    kind = subject;
    bench_place_process(workload->place);
    kind->open(1, SIZE);
    pid_t child = fork();
    BENCH_MUST(child);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (kind->join)
            kind->join(0, BENCH_WORKER);
        partner();
    }
    if (kind->join)
        kind->join(0, BENCH_CALLER);
}

static double make_trips(unsigned long count)
{
    double begun = bench_now();
    for (uint64_t i = 0; i < count; i++) {
        send_number(BENCH_CALLER, i);
        if (receive_number(BENCH_CALLER) != i + 1)
            bench_fail("the answer to a message");
    }
    return bench_now() - begun;
}

struct bench_result bench_channel_trips(const struct bench_workload *workload, const void *subject)
{
    if (bench_as_command(subject))
        return bench_run_row(workload, subject, bench_amount(MOST_TRIPS));
    start(workload, subject, answer_all);
    unsigned long trips =
        bench_afford(make_trips(WARM_TRIPS), WARM_TRIPS, LEAST_TRIPS, bench_amount(MOST_TRIPS));
    return (struct bench_result){.ns_per_op = make_trips(trips) / (double)trips};
}

static double send_all(uint64_t count)
{
    double begun = bench_now();
    send_number(BENCH_CALLER, count);
    for (uint64_t i = 1; i <= count; i++)
        send_number(BENCH_CALLER, i);
    if (receive_number(BENCH_CALLER) != count * (count + 1) / 2)
        bench_fail("the sum of the messages");
    return bench_now() - begun;
}

struct bench_result bench_channel_stream(const struct bench_workload *workload, const void *subject)
{
    uint64_t count = bench_amount(STREAM_MESSAGES);
    if (bench_as_command(subject))
        return bench_run_row(workload, subject, count);
    start(workload, subject, take_all);
    send_all(count / 10);
    return (struct bench_result){.ns_per_op = send_all(count) / (double)count};
}
