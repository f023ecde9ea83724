/* Reading after a short read of a stream socket: nothing is there then, and the next read waits
 * before it tries.  What comes between, or instead of bytes, must not be missed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "io/channels.h"
#include "os/message.h"
#include "os/os.h"
#include "wait/wait.h"

typedef struct job {
    int fd;
    int64_t result;
    char bytes[16];
} job;

static void read_job(void *arg)
{
    job *j = arg;
    j->result = kr_read(j->fd, j->bytes, sizeof j->bytes, KR_FOREVER);
}

/* A pair of which the first end's loop knows that there is nothing. */
static void make_drained(int fds[2])
{
    char bytes[16];
    io_tcp_pair(fds);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kr_write(fds[1], "abc", 3, KR_FOREVER), 3);
        CHECK_EQ(kr_read(fds[0], bytes, sizeof bytes, KR_FOREVER), 3);
    }
}

static void end(const int fds[2])
{
    CHECK_EQ(kr_close(fds[0]), 0);
    CHECK_EQ(kr_close(fds[1]), 0);
}

IO_TEST(test_short_read_then_the_end)
{
    int fds[2];
    char bytes[16];
    make_drained(fds);
    CHECK_EQ(shutdown(fds[1], SHUT_WR), 0);
    CHECK_EQ(kr_read(fds[0], bytes, sizeof bytes, kr_sec(60)), 0);
    CHECK_EQ(kr_read(fds[0], bytes, sizeof bytes, kr_sec(60)), 0);
    end(fds);
}

IO_TEST(test_short_read_then_bytes_and_the_end)
{
    int fds[2];
    char bytes[16];
    make_drained(fds);
    CHECK_EQ(kr_write(fds[1], "de", 2, KR_FOREVER), 2);
    CHECK_EQ(kr_close(fds[1]), 0);
    CHECK_EQ(kr_read(fds[0], bytes, sizeof bytes, kr_sec(60)), 2);
    CHECK_EQ(kr_read(fds[0], bytes, sizeof bytes, kr_sec(60)), 0);
    CHECK_EQ(kr_close(fds[0]), 0);
}

IO_TEST(test_short_read_then_a_reset)
{
    int fds[2];
    char bytes[16];
    struct linger at_once = {.l_onoff = 1};
    make_drained(fds);
    CHECK_EQ(setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    CHECK_EQ(kr_close(fds[1]), 0);
    CHECK_EQ(kr_read(fds[0], bytes, sizeof bytes, kr_sec(60)), -ECONNRESET);
    CHECK_EQ(kr_close(fds[0]), 0);
}

/* Its own end of reading, which no byte of the other side ends. */
IO_TEST(test_short_read_then_own_shutdown)
{
    int fds[2];
    make_drained(fds);
    job j = {.fd = fds[0]};
    io_other other;
    io_start(&other, read_job, &j);
    io_await_asleep(&other);
    CHECK_EQ(shutdown(fds[0], SHUT_RD), 0);
    io_join(&other);
    CHECK_EQ(j.result, 0);
    end(fds);
}

/* An urgent byte cuts a read short although more follows. */
IO_TEST(test_short_read_at_an_urgent_byte)
{
    int fds[2];
    char bytes[16];
    make_drained(fds);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(send(fds[1], "abX", 3, MSG_OOB), 3);
        CHECK_EQ(kr_write(fds[1], "cd", 2, KR_FOREVER), 2);
        for (int64_t got = 0; got < 4;) {
            int64_t more = kr_read(fds[0], bytes, sizeof bytes, kr_sec(60));
            CHECK(more > 0);
            got += more;
        }
    }
    end(fds);
}

/* Who polls instead of reading: the same, without a call of the system for it. */
IO_TEST(test_short_read_then_a_poll)
{
    int fds[2];
    char bytes[16];
    make_drained(fds);
    CHECK_EQ(kr_poll(fds[0], KR_READABLE, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_poll(fds[0], KR_READABLE, kr_ms(1)), -ETIMEDOUT);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kr_write(fds[1], "abc", 3, KR_FOREVER), 3);
        CHECK_EQ(kr_poll(fds[0], KR_READABLE, kr_sec(60)), KR_READABLE);
        CHECK_EQ(kr_poll(fds[0], KR_READABLE, kr_sec(60)), KR_READABLE);
        CHECK_EQ(kr_read(fds[0], bytes, sizeof bytes, KR_NOWAIT), 3);
    }
    CHECK_EQ(shutdown(fds[1], SHUT_WR), 0);
    CHECK_EQ(kr_poll(fds[0], KR_READABLE, kr_sec(60)), KR_READABLE);
    CHECK_EQ(kr_read(fds[0], bytes, sizeof bytes, KR_NOWAIT), 0);
    end(fds);
}

/* What a cancelled wait leaves to be had is told of. */
IO_TEST(test_short_read_then_a_cancelled_poll)
{
    int fds[2];
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    make_drained(fds);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_cancel(&scope);
    CHECK_EQ(kr_poll(fds[0], KR_READABLE, kr_sec(60)), -ECANCELED);
    CHECK_EQ(kr_write(fds[1], "abc", 3, KR_NOWAIT), 3);
    CHECK_EQ(kr_poll(fds[0], KR_READABLE, kr_sec(60)), KR_READABLE);
    (void)kr_cancel_scope_exit(&scope);
    end(fds);
}

static void poll_job(void *arg)
{
    job *j = arg;
    j->result = kr_poll(j->fd, KR_READABLE, KR_FOREVER);
}

IO_TEST(test_short_read_then_a_poll_of_what_is_closed)
{
    int fds[2];
    make_drained(fds);
    job j = {.fd = fds[0]};
    io_other other;
    io_start(&other, poll_job, &j);
    io_await_asleep(&other);
    CHECK_EQ(kr_close(fds[0]), 0);
    io_join(&other);
    CHECK_EQ(j.result, -EBADF);
    CHECK_EQ(kr_close(fds[1]), 0);
}

/* An urgent byte is an event, but nothing to be read. */
IO_TEST(test_short_read_then_a_poll_at_an_urgent_byte)
{
    int fds[2];
    char bytes[16];
    make_drained(fds);
    CHECK_EQ(send(fds[1], "X", 1, MSG_OOB), 1);
    CHECK_EQ(kr_poll(fds[0], KR_READABLE, kr_ms(20)), -ETIMEDOUT);
    CHECK_EQ(kr_write(fds[1], "abc", 3, KR_FOREVER), 3);
    CHECK_EQ(kr_poll(fds[0], KR_READABLE, kr_sec(60)), KR_READABLE);
    CHECK_EQ(kr_read(fds[0], bytes, sizeof bytes, KR_NOWAIT), 3);
    end(fds);
}

static void read_whole_job(void *arg)
{
    job *j = arg;
    j->result = kr_read(j->fd, j->bytes, 3, KR_FOREVER);
}

/* Who reads comes first, and leaves nothing for who polls. */
static void poll_behind_a_reader(void (*read)(void *arg))
{
    int fds[2];
    io_other reader, poller;
    make_drained(fds);
    job to_read = {.fd = fds[0]}, to_poll = {.fd = fds[0]};
    io_start(&reader, read, &to_read);
    io_start(&poller, poll_job, &to_poll);
    io_await_asleep(&reader);
    io_await_asleep(&poller);
    CHECK_EQ(kr_write(fds[1], "abc", 3, KR_FOREVER), 3);
    io_join(&reader);
    CHECK_EQ(to_read.result, 3);
    if (io_in_coroutine()) { /* of threads nobody knows who is first */
        io_await_asleep(&poller);
        CHECK_EQ(to_poll.result, 0);
    }
    CHECK_EQ(kr_write(fds[1], "d", 1, KR_FOREVER), 1);
    io_join(&poller);
    CHECK_EQ(to_poll.result, KR_READABLE);
    end(fds);
}

IO_TEST(test_poll_behind_a_short_read)
{
    poll_behind_a_reader(read_job);
}

IO_TEST(test_poll_behind_a_whole_read)
{
    poll_behind_a_reader(read_whole_job);
}

/* By close(2): not by krait. */
IO_TEST(test_short_read_then_a_poll_of_what_others_closed)
{
    int fds[2];
    make_drained(fds);
    CHECK_EQ(close(fds[0]), 0);
    CHECK_EQ(kr_poll(fds[0], KR_READABLE, kr_ms(1)), -EBADF);
    CHECK_EQ(kr_close(fds[1]), 0);
}

/* A read that was not short tells nothing, and what it has left is had at once. */
IO_TEST(test_whole_read_leaves_the_rest)
{
    int fds[2];
    char bytes[4];
    make_drained(fds);
    CHECK_EQ(kr_write(fds[1], "abcdef", 6, KR_FOREVER), 6);
    CHECK_EQ(kr_read(fds[0], bytes, 4, kr_sec(60)), 4);
    CHECK_EQ(kr_read(fds[0], bytes, 4, KR_NOWAIT), 2);
    CHECK_EQ(kr_read(fds[0], bytes, 4, KR_NOWAIT), -ETIMEDOUT);
    end(fds);
}

/* What is there is had without waiting, also by who may not wait any more. */
IO_TEST(test_short_read_then_had_in_a_cancelled_scope)
{
    int fds[2];
    char bytes[16];
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    make_drained(fds);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_cancel(&scope);
    CHECK_EQ(kr_read(fds[0], bytes, sizeof bytes, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_write(fds[1], "de", 2, KR_FOREVER), 2);
    CHECK_EQ(kr_read(fds[0], bytes, sizeof bytes, KR_FOREVER), 2);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    end(fds);
}

IO_TEST(test_short_read_then_out_of_time)
{
    int fds[2];
    char bytes[16];
    make_drained(fds);
    CHECK_EQ(kr_read(fds[0], bytes, sizeof bytes, kr_ms(2)), -ETIMEDOUT);
    CHECK_EQ(kr_write(fds[1], "de", 2, KR_FOREVER), 2);
    CHECK_EQ(kr_read(fds[0], bytes, sizeof bytes, kr_sec(60)), 2);
    CHECK_EQ(kr_read(fds[0], bytes, sizeof bytes, kr_ms(2)), -ETIMEDOUT);
    end(fds);
}

static void cancel_job(void *arg)
{
    kr_cancel(arg);
}

/* By another thread, and no byte is lost by it. */
IO_TEST(test_short_read_then_cancelled)
{
    int fds[2];
    make_drained(fds);
    for (int round = 0; round < 20; round++) {
        io_other thread;
        char bytes[16];
        kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
        CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
        io_start_thread(&thread, cancel_job, &scope);
        CHECK_EQ(kr_read(fds[0], bytes, sizeof bytes, KR_FOREVER), -ECANCELED);
        CHECK_EQ(pthread_join(thread.thread, NULL), 0);
        CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
        CHECK_EQ(kr_write(fds[1], "de", 2, KR_FOREVER), 2);
        CHECK_EQ(kr_read(fds[0], bytes, sizeof bytes, KR_FOREVER), 2);
    }
    end(fds);
}

/* Several wait; each message goes to one of them, and the end to all. */
IO_TEST(test_several_readers_after_a_short_read)
{
    enum { THEY = 3 };
    int fds[2];
    job jobs[THEY];
    io_other others[THEY];
    make_drained(fds);
    for (int i = 0; i < THEY; i++) {
        jobs[i] = (job){.fd = fds[0]};
        io_start(&others[i], read_job, &jobs[i]);
    }
    for (int i = 0; i < THEY; i++)
        io_await_asleep(&others[i]);
    CHECK_EQ(kr_write(fds[1], "abc", 3, KR_FOREVER), 3);
    CHECK_EQ(shutdown(fds[1], SHUT_WR), 0);
    int64_t all = 0;
    for (int i = 0; i < THEY; i++) {
        io_join(&others[i]);
        CHECK_GE(jobs[i].result, 0);
        all += jobs[i].result;
    }
    CHECK_EQ(all, 3);
    end(fds);
}

static void close_job(void *arg)
{
    CHECK_EQ(kr_close(*(int *)arg), 0);
}

/* Two threads close at once what coroutines wait for: each wait ends. */
static int wait_while_two_close(void *arg)
{
    (void)arg;
    for (int round = 0; round < 20; round++) {
        int fds[2][2];
        io_other readers[2], closers[2];
        job jobs[2];
        for (int i = 0; i < 2; i++) {
            make_drained(fds[i]);
            jobs[i] = (job){.fd = fds[i][0]};
            io_start(&readers[i], read_job, &jobs[i]);
        }
        io_await_asleep(&readers[1]);
        for (int i = 0; i < 2; i++)
            io_start_thread(&closers[i], close_job, &fds[i][0]);
        for (int i = 0; i < 2; i++) {
            io_join(&readers[i]);
            CHECK_EQ(jobs[i].result, -EBADF);
            CHECK_EQ(pthread_join(closers[i].thread, NULL), 0);
            CHECK_EQ(kr_close(fds[i][1]), 0);
        }
    }
    return 0;
}

TEST(test_two_threads_close_after_short_reads)
{
    CHECK_EQ(kr_run(wait_while_two_close, NULL), 0);
}

enum { MANY = 20 };

static void wait_for_closed_job(void *arg)
{
    os_polled *list = arg;
    CHECK_EQ(kri_wait_fds(list, MANY, kri_deadline(kr_sec(60))), -EBADF);
}

/* One of many is closed by another thread. */
static int wait_for_many_while_closed(void *arg)
{
    os_polled list[MANY + 1] = {{.fd = 0}};
    int fds[MANY][2];
    io_other waiter, closer;
    (void)arg;
    for (int i = 0; i < MANY; i++) {
        make_drained(fds[i]);
        list[i].fd = fds[i][0];
    }
    io_start(&waiter, wait_for_closed_job, list);
    io_await_asleep(&waiter);
    io_start_thread(&closer, close_job, &fds[MANY / 2][0]);
    io_join(&waiter);
    CHECK_EQ(pthread_join(closer.thread, NULL), 0);
    list[MANY / 2].fd = list[0].fd; /* twice */
    CHECK_EQ(kri_wait_fds(list, MANY, kri_deadline(kr_ms(2))), -ETIMEDOUT);
    CHECK_EQ(kr_write(fds[MANY - 1][1], "x", 1, KR_FOREVER), 1);
    CHECK_EQ(kri_wait_fds(list, MANY, kri_deadline(kr_sec(60))), 1);
    CHECK(list[MANY - 1].ready != 0);
    for (int i = 0; i < MANY; i++) {
        CHECK_EQ(kr_close(fds[i][1]), 0);
        if (i != MANY / 2)
            CHECK_EQ(kr_close(fds[i][0]), 0);
    }
    return 0;
}

TEST(test_one_of_many_is_closed)
{
    CHECK_EQ(kr_run(wait_for_many_while_closed, NULL), 0);
}

/* Who is answered faster than he asks gives way to others with each message all the same. */
static int count_turns(const void *arg, void *result)
{
    const bool *over = *(bool *const *)arg;
    int turns = 0;
    while (!*over) {
        CHECK_EQ(kr_yield(), 0);
        turns++;
    }
    *(int *)result = turns;
    return 0;
}

static int read_what_is_always_there(void *arg)
{
    enum { MESSAGES = 200 };
    int fds[2], turns;
    char bytes[16];
    bool over = false, *p = &over;
    kr_future *counter;
    (void)arg;
    io_tcp_pair(fds);
    CHECK_EQ(kr_spawn(&counter, count_turns, &p, sizeof p, sizeof turns, NULL), 0);
    for (int i = 0; i < MESSAGES; i++) {
        CHECK_EQ(write(fds[1], "abc", 3), 3);
        CHECK_EQ(kr_read(fds[0], bytes, sizeof bytes, KR_FOREVER), 3);
    }
    over = true;
    CHECK_EQ(kr_future_result(counter, &turns, sizeof turns, NULL, KR_FOREVER), 0);
    kr_future_release(counter);
    CHECK_GE(turns, MESSAGES - 4);
    end(fds);
    return 0;
}

TEST(test_always_answered_gives_way)
{
    CHECK_EQ(kr_run(read_what_is_always_there, NULL), 0);
}
