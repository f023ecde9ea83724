/* A pool of processes as one writes it by hand over some channel: forked workers, a lane for each,
 * tasks dealt out in turn.  And two that stand in for the least that the work can take.
 *
 * SPDX-License-Identifier: MIT
 */
#include "party.h"
#include "process_pool.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_AHEAD = 8 }; /* tasks of a lane under way; a message queue has room for ten */

struct request {
    uint64_t kind, arg;
};

const struct bench_duplex *bench_hand_lanes;
static int lane_count;

unsigned char *bench_large_room(void)
{
    unsigned char *room = aligned_alloc(64, BENCH_LARGE);
    if (!room)
        bench_fail("aligned_alloc");
    memset(room, 1, BENCH_LARGE);
    return room;
}

static size_t request_size(enum bench_load load)
{
    return load == BENCH_LARGE_ARGS ? BENCH_LARGE : sizeof(struct request);
}

static size_t result_size(enum bench_load load)
{
    return load == BENCH_LARGE_RESULTS ? BENCH_LARGE : sizeof(uint64_t);
}

static void do_one(int lane, enum bench_load load, unsigned char *room)
{
    struct request request;
    uint64_t result;
    if (load == BENCH_LARGE_ARGS) {
        bench_hand_lanes->receive(lane, BENCH_WORKER, room, BENCH_LARGE);
        result = bench_stamp_of(room);
    } else {
        bench_hand_lanes->receive(lane, BENCH_WORKER, &request, sizeof request);
        result = bench_task(request.arg, 0);
    }
    if (load == BENCH_LARGE_RESULTS) {
        bench_stamp(room, request.arg);
        bench_hand_lanes->send(lane, BENCH_WORKER, room, BENCH_LARGE);
    } else {
        bench_hand_lanes->send(lane, BENCH_WORKER, &result, sizeof result);
    }
}

static _Noreturn void work(int lane, enum bench_load load)
{
    unsigned char *room = bench_large_room();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (bench_hand_lanes->join)
        bench_hand_lanes->join(lane, BENCH_WORKER);
    for (;;)
        do_one(lane, load, room);
}

static void open_workers(int workers, enum bench_load load)
{
    size_t longest =
        request_size(load) > result_size(load) ? request_size(load) : result_size(load);
    lane_count = workers;
    bench_hand_lanes->open(workers, longest);
    for (int lane = 0; lane < workers; lane++) {
        pid_t child = fork();
        BENCH_MUST(child);
        if (child == 0)
            work(lane, load);
    }
    for (int lane = 0; lane < workers && bench_hand_lanes->join; lane++)
        bench_hand_lanes->join(lane, BENCH_CALLER);
}

static void ask(int lane, uint64_t arg)
{
    struct request request = {.arg = arg};
    bench_hand_lanes->send(lane, BENCH_CALLER, &request, sizeof request);
}

static uint64_t answer(int lane)
{
    uint64_t result;
    bench_hand_lanes->receive(lane, BENCH_CALLER, &result, sizeof result);
    return result;
}

static uint64_t round_trip(uint64_t arg)
{
    ask(0, arg);
    return answer(0);
}

/* Task n goes to lane n % lane_count, so answers are awaited in the order of the tasks. */
static void map(const uint64_t *args, uint64_t *results, size_t count, size_t chunk)
{
    size_t asked = 0, ahead = (size_t)lane_count * MOST_AHEAD;
    (void)chunk;
    for (size_t done = 0; done < count; done++) {
        for (; asked < count && asked < done + ahead; asked++)
            ask((int)(asked % (size_t)lane_count), args[asked]);
        results[done] = answer((int)(done % (size_t)lane_count));
    }
}

static uint64_t move_large(enum bench_load load, unsigned long count)
{
    static unsigned char *room;
    uint64_t sum = 0;
    unsigned long asked = 0;
    room = room ? room : bench_large_room();
    for (unsigned long done = 0; done < count; done++) {
        for (; asked < count && asked < done + BENCH_IN_FLIGHT; asked++) {
            int lane = (int)(asked % (unsigned long)lane_count);
            if (load == BENCH_LARGE_ARGS) {
                bench_stamp(room, asked + 1);
                bench_hand_lanes->send(lane, BENCH_CALLER, room, BENCH_LARGE);
            } else {
                ask(lane, asked + 1);
            }
        }
        int lane = (int)(done % (unsigned long)lane_count);
        if (load == BENCH_LARGE_RESULTS)
            bench_hand_lanes->receive(lane, BENCH_CALLER, room, BENCH_LARGE);
        sum += load == BENCH_LARGE_RESULTS ? bench_stamp_of(room) : answer(lane);
    }
    return sum;
}

const struct bench_process_pool bench_hand = {
    .open = open_workers, .round_trip = round_trip, .map = map, .move_large = move_large};

/* One copy of each message, by this process alone. */

static void open_nothing(int workers, enum bench_load load)
{
    (void)workers;
    (void)load;
}

static uint64_t copy_large(enum bench_load load, unsigned long count)
{
    static unsigned char *from, *to[BENCH_IN_FLIGHT];
    uint64_t sum = 0;
    (void)load;
    if (!from) {
        from = bench_large_room();
        for (size_t i = 0; i < BENCH_IN_FLIGHT; i++)
            to[i] = bench_large_room();
    }
    for (unsigned long i = 0; i < count; i++) {
        bench_stamp(from, i + 1);
        memcpy(to[i % BENCH_IN_FLIGHT], from, BENCH_LARGE);
        sum += bench_stamp_of(to[i % BENCH_IN_FLIGHT]);
    }
    return sum;
}

const struct bench_process_pool bench_memcpy = {.open = open_nothing, .move_large = copy_large};

/* A worker that is forked anew over a new socketpair when the old one's hangs up. */

static int line = -1;
static pid_t worker;

static void start_worker(void)
{
    int pair[2];
    BENCH_MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    worker = fork();
    BENCH_MUST(worker);
    if (worker == 0) {
        uint64_t arg;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(pair[0]);
        while (read(pair[1], &arg, sizeof arg) == sizeof arg) {
            arg = bench_task(arg, 0);
            BENCH_MUST(write(pair[1], &arg, sizeof arg));
        }
        _exit(0);
    }
    close(pair[1]);
    line = pair[0];
}

static void open_line(int workers, enum bench_load load)
{
    (void)workers;
    (void)load;
    start_worker();
}

static uint64_t ask_line(uint64_t arg)
{
    BENCH_MUST(write(line, &arg, sizeof arg));
    if (read(line, &arg, sizeof arg) != sizeof arg)
        bench_fail("read");
    return arg;
}

static double fork_again(void)
{
    char rest;
    double begun = bench_now();
    kill(worker, SIGKILL);
    if (read(line, &rest, 1) > 0)
        bench_fail("the end of a worker");
    waitpid(worker, NULL, 0);
    close(line);
    start_worker();
    if (ask_line(1) != bench_task(1, 0))
        bench_fail("the result of a task");
    return bench_now() - begun;
}

const struct bench_process_pool bench_fork_again = {
    .open = open_line, .round_trip = ask_line, .replace = fork_again};
