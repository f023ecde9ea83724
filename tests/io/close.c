/* kr_close: it ends waits, of threads and coroutines, and numbers are given again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/sanitizers.h"
#include "io/channels.h"

#include <sys/resource.h>
#include <sys/wait.h>

typedef struct job {
    int fd;
    int64_t result;
} job;

static void read_job(void *arg)
{
    job *j = arg;
    char bytes[8];
    j->result = kr_read(j->fd, bytes, sizeof bytes, KR_FOREVER);
}

static void poll_job(void *arg)
{
    job *j = arg;
    j->result = kr_poll(j->fd, KR_READABLE, KR_FOREVER);
}

static void fill_job(void *arg)
{
    job *j = arg;
    char bytes[4096] = "";
    while ((j->result = kr_write(j->fd, bytes, sizeof bytes, KR_FOREVER)) > 0)
        continue;
}

IO_TEST(test_close_ends_waits)
{
    enum { THEY = 4 };
    for (io_channel *channel = io_channels(); channel->name != NULL; channel++) {
        job jobs[THEY];
        io_other others[THEY];
        for (int i = 0; i < THEY; i++) {
            jobs[i].fd = channel->reader;
            io_start(&others[i], i % 2 == 0 ? read_job : poll_job, &jobs[i]);
        }
        for (int i = 0; i < THEY; i++)
            io_await_asleep(&others[i]);
        CHECK_EQ(kr_close(channel->reader), 0);
        for (int i = 0; i < THEY; i++) {
            io_join(&others[i]);
            CHECK_EQ(jobs[i].result, -EBADF);
        }
        CHECK_EQ(kr_close(channel->reader), -EBADF);
    }
}

IO_TEST(test_close_ends_writes)
{
    for (io_channel *channel = io_channels(); channel->name != NULL; channel++) {
        job j = {.fd = channel->writer};
        io_other other;
        io_start(&other, fill_job, &j);
        io_await_asleep(&other);
        CHECK_EQ(kr_close(channel->writer), 0);
        io_join(&other);
        CHECK_EQ(j.result, -EBADF);
    }
}

/* Closed by the other kind. */
static int close_from_loop(void *arg)
{
    return kr_close(*(int *)arg);
}

TEST(test_coroutine_closes_what_a_thread_waits_for)
{
    int fds[2];
    io_other other;
    io_make_pair(fds);
    job j = {.fd = fds[0]};
    io_start_thread(&other, read_job, &j);
    io_await_asleep(&other);
    CHECK_EQ(kr_run(close_from_loop, &fds[0]), 0);
    io_join(&other);
    CHECK_EQ(j.result, -EBADF);
}

/* The library's own closes end waits, too: who slept on would read what has the number next. */
TEST(test_a_subprocess_closes_what_a_thread_waits_for)
{
    NEED_PROCESSES;
    kr_subprocess *p;
    io_other other;
    CHECK_EQ(kr_subprocess_start(&p, (const char *[]){"sleep", "1000", NULL},
                                 &(kr_subprocess_options){.stdout_to = KR_TO_PIPE}),
             0);
    job j = {.fd = kr_subprocess_pipe(p, 1)};
    io_start_thread(&other, read_job, &j);
    io_await_asleep(&other);
    CHECK_EQ(kr_subprocess_close_pipe(p, 1), 0);
    io_join(&other);
    CHECK_EQ(j.result, -EBADF);
    kr_subprocess_release(p);
}

static void close_job(void *arg)
{
    CHECK_EQ(kr_close(*(int *)arg), 0);
}

static int wait_while_closed(void *arg)
{
    int *fds = arg;
    io_other others[2], thread;
    job jobs[2] = {{.fd = fds[0]}, {.fd = fds[0]}};
    io_start(&others[0], read_job, &jobs[0]);
    io_start(&others[1], poll_job, &jobs[1]);
    io_await_asleep(&others[1]);
    io_start_thread(&thread, close_job, &fds[0]);
    for (int i = 0; i < 2; i++) {
        io_join(&others[i]);
        CHECK_EQ(jobs[i].result, -EBADF);
    }
    CHECK_EQ(pthread_join(thread.thread, NULL), 0);
    return 0;
}

TEST(test_thread_closes_what_coroutines_wait_for)
{
    int fds[2];
    io_make_pair(fds);
    CHECK_EQ(kr_run(wait_while_closed, fds), 0);
}

/* What is known of a number is not what is known of the next descriptor that has it. */
IO_TEST(test_reused_numbers)
{
    enum { KINDS = 5 };
    static void (*const make[KINDS])(int ends[2]) = {io_make_pipe, io_make_pair, io_tcp_pair,
                                                     io_make_pty, io_make_pipe};
    uint64_t state = kri_test_seed();
    for (int round = 0; round < 100; round++) {
        int fds[2];
        char bytes[8];
        make[kri_test_random(&state) % KINDS](fds);
        io_other other;
        job j = {.fd = fds[0]};
        io_start(&other, read_job, &j);
        if (round % 2 == 0)
            io_await_asleep(&other);
        CHECK_EQ(kr_write(fds[1], "abc", 3, KR_FOREVER), 3);
        io_join(&other);
        CHECK_EQ(j.result, 3);
        CHECK_EQ(kr_read(fds[0], bytes, sizeof bytes, KR_NOWAIT), -ETIMEDOUT);
        for (int i = 0; i < 2; i++)
            CHECK_EQ(kr_close(fds[i]), 0);
    }
}

/* The same after close(2), of which nobody hears: late at most. */
IO_TEST(test_reused_numbers_of_others_close)
{
    for (int round = 0; round < 6; round++) {
        int fds[2];
        (round % 2 ? io_tcp_pair : io_make_pair)(fds);
        io_other other;
        job j = {.fd = fds[0]};
        io_start(&other, read_job, &j);
        io_await_asleep(&other);
        CHECK_EQ(kr_write(fds[1], "abc", 3, KR_FOREVER), 3);
        io_join(&other);
        CHECK_EQ(j.result, 3);
        close(fds[0]);
        close(fds[1]);
    }
}

IO_TEST(test_close_then_pipe_with_a_socket_s_number)
{
    int fds[2];
    char bytes[8];
    io_tcp_pair(fds);
    CHECK_EQ(kr_write(fds[1], "abc", 3, KR_FOREVER), 3);
    CHECK_EQ(kr_read(fds[0], bytes, sizeof bytes, KR_FOREVER), 3);
    close(fds[0]);
    close(fds[1]);
    int again[2];
    io_make_pipe(again);
    CHECK_EQ(kr_write(again[1], "abc", 3, KR_FOREVER), 3);
    CHECK_EQ(kr_read(again[0], bytes, sizeof bytes, KR_FOREVER), 3);
    close(again[0]);
    close(again[1]);
    io_tcp_pair(fds);
    CHECK_EQ(kr_write(fds[1], "abc", 3, KR_FOREVER), 3);
    CHECK_EQ(kr_read(fds[0], bytes, sizeof bytes, KR_FOREVER), 3);
    CHECK_EQ(kr_close(fds[0]), 0);
    CHECK_EQ(kr_write(fds[1], "abc", 3, KR_FOREVER), 3);
    int64_t written;
    while ((written = kr_write(fds[1], "abc", 3, KR_FOREVER)) == 3)
        continue;
    CHECK(written == -EPIPE || written == -ECONNRESET);
}

/* A thread that nobody can cancel needs no descriptor to wait, one in a scope does. */
static void read_without_descriptors(void *arg)
{
    job *j = arg;
    char byte;
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    while (dup(0) >= 0)
        continue;
    CHECK_EQ(kr_read(j->fd, &byte, 1, kr_ms(5)), -ETIMEDOUT);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    CHECK_EQ(kr_read(j->fd, &byte, 1, kr_ms(5)), -EMFILE);
    CHECK_EQ(kr_cancel_scope_exit(&scope), 0);
}

TEST(test_wait_without_descriptors)
{
    struct rlimit limit;
    int fds[2];
    io_other other;
    io_make_pair(fds);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 64;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    job j = {.fd = fds[0]};
    io_start_thread(&other, read_without_descriptors, &j);
    io_join(&other);
    limit.rlim_cur = limit.rlim_max; /* for the sanitizers' last look */
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Those whom a child has not are in no list of its own. */
TEST(test_fork_while_others_wait)
{
    int fds[2];
    io_other other;
    io_make_pair(fds);
    job j = {.fd = fds[0]};
    io_start_thread(&other, read_job, &j);
    io_await_asleep(&other);
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0) {
        char byte;
        bool good = kr_read(fds[0], &byte, 1, kr_ms(1)) == -ETIMEDOUT && kr_close(fds[0]) == 0;
        _exit(good ? 0 : 1);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_EQ(kr_close(fds[0]), 0);
    io_join(&other);
    CHECK_EQ(j.result, -EBADF);
}
