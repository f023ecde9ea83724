/* A process is killed after some number of single instructions of a send and of a receive.
 *
 * Whatever the instant, the others get on: a message that was under way is there as a whole or not
 * at all, what comes after it is whole, and the dead one's lock is free again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/sanitizers.h"
#include "harness/test.h"
#include <krait/krait.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE kr_sec(20)

enum { LONGEST = 3000, MOST_STEPS = 100000 };

typedef struct pipe_ends {
    kr_connection *in, *out;
    size_t size;
} pipe_ends;

static void fill(unsigned char *bytes, size_t size, unsigned number)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(number + i / 8);
}

/* Whose message it is. */
static unsigned check_message(const unsigned char *bytes, size_t size, size_t want)
{
    CHECK_EQ(size, want);
    for (size_t i = 0; i < size; i++)
        CHECK_EQ(bytes[i], (unsigned char)(bytes[0] + i / 8));
    return bytes[0];
}

static void give(pipe_ends *ends, unsigned number)
{
    unsigned char bytes[LONGEST];
    fill(bytes, ends->size, number);
    CHECK_EQ(kr_connection_send(ends->out, bytes, ends->size, PATIENCE), 0);
}

static unsigned take(pipe_ends *ends)
{
    unsigned char bytes[LONGEST];
    size_t size;
    int err = kr_connection_recv_into(ends->in, bytes, sizeof bytes, &size, PATIENCE);
    if (err == KR_EOF)
        return 0;
    CHECK_EQ(err, 0);
    return check_message(bytes, size, ends->size);
}

/* A child runs body and is killed after so many instructions; how many they were at its end, if
 * that came before, else 0. */
static int kill_after(pipe_ends *ends, void (*body)(pipe_ends *ends), int steps)
{
    int status;
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(77);
        pipe_ends other = {.size = ends->size}; /* so that nothing is done for the first time */
        CHECK_EQ(kr_pipe(&other.in, &other.out, &(kr_pipe_options){.one_way = true}), 0);
        give(&other, 4);
        CHECK_EQ(take(&other), 4);
        raise(SIGSTOP);
        body(ends);
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        SKIP("no ptrace here");
    int done = 0;
    for (; done < steps && WIFSTOPPED(status); done++) {
        if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0)
            break;
        CHECK_EQ(waitpid(child, &status, 0), child);
    }
    if (WIFEXITED(status)) {
        CHECK_EQ(WEXITSTATUS(status), 0);
        return done;
    }
    CHECK_EQ(kill(child, SIGKILL), 0);
    CHECK_EQ(waitpid(child, &status, 0), child);
    return 0;
}

/* Few instructions beside the call itself. */
static unsigned char first[LONGEST];

static void send_first(pipe_ends *ends)
{
    if (kr_connection_send(ends->out, first, ends->size, KR_FOREVER) != 0)
        _exit(1);
}

static void receive_first(pipe_ends *ends)
{
    if (kr_connection_recv_into(ends->in, first, sizeof first, NULL, KR_FOREVER) != 0)
        _exit(1);
}

/* What is left after a kill, or none; was the message of the dead, or for it, there? */
typedef bool (*round)(size_t size, int steps, int *ended);

static bool kill_sender(size_t size, int steps, int *ended)
{
    pipe_ends ends = {.size = size};
    CHECK_EQ(kr_pipe(&ends.in, &ends.out, &(kr_pipe_options){.capacity = 8192}), 0);
    *ended = kill_after(&ends, send_first, steps);
    give(&ends, 3);
    kr_connection_close(ends.out);
    unsigned number = take(&ends);
    bool there = number == 1;
    CHECK_EQ(there ? take(&ends) : number, 3);
    CHECK_EQ(take(&ends), 0);
    kr_connection_release(ends.in);
    kr_connection_release(ends.out);
    return there;
}

static bool kill_receiver(size_t size, int steps, int *ended)
{
    pipe_ends ends = {.size = size};
    CHECK_EQ(kr_pipe(&ends.in, &ends.out, &(kr_pipe_options){.one_way = true}), 0);
    give(&ends, 1);
    give(&ends, 2);
    *ended = kill_after(&ends, receive_first, steps);
    give(&ends, 3);
    kr_connection_close(ends.out);
    unsigned number = take(&ends);
    bool there = number == 1;
    CHECK_EQ(there ? take(&ends) : number, 2);
    CHECK_EQ(take(&ends), 3);
    CHECK_EQ(take(&ends), 0);
    kr_connection_release(ends.in);
    kr_connection_release(ends.out);
    return there;
}

/* The end comes after what it has sent. */
static bool kill_only_sender(size_t size, int steps, int *ended)
{
    pipe_ends ends = {.size = size};
    CHECK_EQ(kr_pipe(&ends.in, &ends.out, &(kr_pipe_options){.one_way = true}), 0);
    *ended = kill_after(&ends, send_first, steps);
    kr_connection_release(ends.out);
    unsigned number = take(&ends);
    bool there = number == 1;
    CHECK_EQ(there ? take(&ends) : number, 0);
    kr_connection_release(ends.in);
    return there;
}

static void step_through(size_t size, round kill_at)
{
    uint64_t random = kri_test_seed();
    int steps, ended, kills = 0, there = 0;
    if (KRI_VALGRIND)
        SKIP("valgrind multiplies the steps");
    fill(first, sizeof first, 1);
    (void)kill_at(size, MOST_STEPS, &steps);
    CHECK(steps > 0 && steps < MOST_STEPS);
    kr_time end = kr_now() + kr_sec(kri_test_budget());
    while (kr_now() < end) {
        int at = (int)(kri_test_random(&random) % (unsigned)steps);
        there += kill_at(size, at, &ended);
        kills++;
    }
    kri_test_note("%d of %d instants; the message was there %d times", kills, steps, there);
}

TEST(test_kill_sender_at_each_step)
{
    step_through(40, kill_sender);
}

TEST(test_kill_sender_of_a_long_message)
{
    step_through(LONGEST, kill_sender);
}

TEST(test_kill_receiver_at_each_step)
{
    step_through(40, kill_receiver);
}

TEST(test_kill_only_sender_at_each_step)
{
    step_through(40, kill_only_sender);
}
