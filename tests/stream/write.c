/* Writing to streams, and ending them.
 *
 * Behaviours: section 13.7
 *
 * SPDX-License-Identifier: MIT
 */
#include "stream/help.h"
#include <fcntl.h>
#include <signal.h>

enum { MUCH = 4 * 1024 * 1024 };

static kr_stream *near, *far;

static void close_two(void)
{
    kr_stream_release(near);
    kr_stream_release(far);
}

/* The bytes of a sequence that any part of is recognised. */
static char nth(size_t i)
{
    return (char)(i * 131 >> 5 ^ i);
}

static char *sequence(size_t size)
{
    char *bytes = malloc(size);
    CHECK(bytes != NULL);
    for (size_t i = 0; i < size; i++)
        bytes[i] = nth(i);
    return bytes;
}

/* Read the sequence to the end, and say how long it was. */
static int64_t read_sequence(kr_stream *s)
{
    static char bytes[10000];
    size_t at = 0;
    int64_t n;
    while ((n = kr_stream_read(s, bytes, sizeof bytes, kr_sec(30))) > 0) {
        for (size_t i = 0; i < (size_t)n; i++)
            CHECK_EQ(bytes[i], nth(at + i));
        at += (size_t)n;
    }
    return n < 0 ? n : (int64_t)at;
}

static int write_much(const void *arg, void *result)
{
    char *bytes = sequence(MUCH);
    size_t written;
    (void)arg, (void)result;
    CHECK_EQ(kr_stream_write(near, bytes, MUCH, &written, kr_sec(60)), 0);
    CHECK_EQ(written, MUCH);
    free(bytes);
    CHECK_EQ(kr_stream_close(near, kr_sec(60)), 0);
    return 0;
}

/* Partial writes, and a close that has to wait for what is left.
 * behaviours: 13.7 test_wait_closed_on_close
 * behaviours: 13.6 test_huge_content */
BOTH_TEST(test_write_much)
{
    make_pair(&near, &far, NULL);
    beside writer = beside_start(write_much, NULL);
    CHECK_EQ(read_sequence(far), MUCH);
    CHECK_EQ(beside_end(&writer), 0);
    close_two();
}

/* behaviour: 13.7 test_wait_closed_on_close_with_unread_data */
BOTH_TEST(test_close_with_unread_bytes)
{
    const char *line;
    size_t size;
    make_pair(&near, &far, NULL);
    CHECK_EQ(kr_stream_write(far, "one\ntwo\n", 8, NULL, kr_sec(30)), 0);
    CHECK_EQ(kr_stream_read_line(near, &line, &size, kr_sec(30)), 0);
    CHECK_EQ(size, 4);
    CHECK_EQ(kr_stream_close(near, kr_sec(30)), 0);
    CHECK_EQ(kr_stream_read_line(near, &line, &size, kr_sec(30)), -EBADF);
    close_two();
}

/* In small pieces of which many are left to be sent, in order. */
static int write_pieces(const void *arg, void *result)
{
    char *bytes = sequence(MUCH);
    uint64_t random = kri_test_seed();
    (void)arg, (void)result;
    for (size_t at = 0, n; at < MUCH; at += n) {
        n = 1 + kri_test_random(&random) % 20000;
        n = n < MUCH - at ? n : MUCH - at;
        CHECK_EQ(kr_stream_write(near, bytes + at, n, NULL, kr_sec(60)), 0);
        CHECK_LE(kr_stream_unsent(near), 5000);
    }
    free(bytes);
    CHECK_EQ(kr_stream_write_eof(near, kr_sec(60)), 0);
    CHECK_EQ(kr_stream_unsent(near), 0);
    return 0;
}

BOTH_TEST(test_write_pieces)
{
    make_pair(&near, &far, &(kr_stream_options){.high_water = 5000});
    beside writer = beside_start(write_pieces, NULL);
    CHECK_EQ(read_sequence(far), MUCH);
    CHECK_EQ(beside_end(&writer), 0);
    close_two();
}

/* Until the system has no room any more. */
static size_t fill(kr_stream *s)
{
    static char bytes[4096];
    size_t total = 0, written;
    int err;
    do {
        err = kr_stream_write(s, bytes, sizeof bytes, &written, KR_NOWAIT);
        total += written;
    } while (err == 0);
    CHECK_EQ(err, -ETIMEDOUT);
    return total;
}

/* What does not fit is left to a coroutine, up to the high-water mark, and no more; a thread leaves
 * nothing. */
BOTH_TEST(test_write_leaves_up_to_high_water)
{
    static char bytes[1 << 20];
    make_pair(&near, &far, &(kr_stream_options){.high_water = 10000});
    size_t total = fill(near);
    CHECK_EQ(kr_stream_unsent(near), in_loop ? 10000 : 0);
    CHECK_EQ(kr_stream_drain(near, kr_ms(1)), in_loop ? -ETIMEDOUT : 0);
    CHECK_EQ(kr_stream_flush(near, kr_ms(1)), in_loop ? -ETIMEDOUT : 0);
    CHECK_EQ(kr_stream_read_exactly(far, bytes, total, NULL, kr_sec(30)), 0);
    CHECK_EQ(kr_stream_flush(near, kr_sec(30)), 0);
    CHECK_EQ(kr_stream_unsent(near), 0);
    CHECK_EQ(kr_stream_read(far, bytes, 1, KR_NOWAIT), -ETIMEDOUT);
    close_two();
}

/* Nobody calls anything of the writing stream any more: what was left comes all the same. */
static int leave_alone(void *arg)
{
    in_loop = true;
    make_pair(&near, &far, NULL);
    size_t total = fill(near);
    CHECK_EQ(kr_stream_unsent(near), 64 * 1024);
    CHECK_EQ(kr_stream_read_exactly(far, arg, total, NULL, kr_sec(30)), 0);
    close_two();
    return 0;
}

TEST(test_left_bytes_go_on_alone)
{
    static char bytes[1 << 20];
    CHECK_EQ(kr_run(leave_alone, bytes), 0);
}

/* Without a handle nobody can end it any more: what is left is lost, whoever does not read. */
static int release_with_bytes_left(void *arg)
{
    in_loop = true;
    make_pair(&near, &far, NULL);
    size_t total = fill(near);
    CHECK_EQ(kr_stream_unsent(near), 64 * 1024);
    CHECK_EQ(kr_yield(), 0);
    int fd = kr_stream_descriptor(near);
    kr_stream_release(near);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(kr_yield(), 0);
    CHECK_EQ(fcntl(fd, F_GETFD), -1);
    size_t got;
    CHECK_EQ(kr_stream_read_exactly(far, arg, total, &got, kr_sec(30)), KR_EOF);
    CHECK_EQ(got, total - 64 * 1024);
    kr_stream_release(far);
    return 0;
}

TEST(the_last_release_loses_what_is_left)
{
    static char bytes[1 << 20];
    CHECK_EQ(kr_run(release_with_bytes_left, bytes), 0);
}

static int drain(const void *arg, void *result)
{
    (void)arg, (void)result;
    return kr_stream_drain(near, kr_sec(30));
}

/* What was left when its loop ended is sent by who drains, and the rest then not by nobody. */
static size_t total_left;

static int fill_and_leave(void *arg)
{
    const int small = 4096; /* so that it goes in pieces */
    (void)arg;
    make_pair(&near, &far, NULL);
    CHECK_EQ(setsockopt(kr_stream_descriptor(near), SOL_SOCKET, SO_SNDBUF, &small, sizeof small),
             0);
    total_left = fill(near);
    CHECK_EQ(kr_stream_unsent(near), 64 * 1024);
    return 0;
}

static int read_all_left(const void *arg, void *result)
{
    static char bytes[1 << 20];
    (void)arg, (void)result;
    return kr_stream_read_exactly(far, bytes, total_left, NULL, kr_sec(30));
}

static int drain_and_be_read(void *arg)
{
    (void)arg;
    beside reader = beside_start(read_all_left, NULL);
    CHECK_EQ(kr_stream_drain(near, kr_sec(30)), 0);
    CHECK_EQ(beside_end(&reader), 0);
    close_two();
    return 0;
}

TEST(a_drain_leaves_nothing_to_nobody)
{
    CHECK_EQ(kr_run(fill_and_leave, NULL), 0);
    in_loop = true;
    CHECK_EQ(kr_run(drain_and_be_read, NULL), 0);
    CHECK_EQ(kr_run(fill_and_leave, NULL), 0);
    in_loop = false;
    CHECK_EQ(drain_and_be_read(NULL), 0);
}

/* Several wait, and all hear of it: also of the connection's loss. */
static void drain_together(bool lose)
{
    static char bytes[1 << 20];
    beside waiters[4];
    make_pair(&near, &far, NULL);
    size_t total = fill(near);
    for (int i = 0; i < 4; i++)
        waiters[i] = beside_start(drain, NULL);
    if (in_loop)
        CHECK_EQ(kr_yield(), 0);
    if (lose)
        kr_stream_abort(far);
    else
        CHECK_EQ(kr_stream_read_exactly(far, bytes, total, NULL, kr_sec(30)), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(beside_end(&waiters[i]), lose && in_loop ? -EPIPE : 0);
    close_two();
}

BOTH_TEST(test_multiple_drain)
{
    drain_together(false);
}

/* behaviour: 13.7 test_drain_raises */
BOTH_TEST(test_multiple_drain_of_a_lost_connection)
{
    drain_together(true);
}

BOTH_TEST(test_write_to_a_lost_connection)
{
    size_t written;
    make_pair(&near, &far, NULL);
    kr_stream_abort(far);
    CHECK_EQ(kr_stream_write(near, "x", 1, &written, kr_sec(10)), -EPIPE);
    CHECK_EQ(written, 0);
    CHECK_EQ(kr_stream_write(near, "x", 1, &written, kr_sec(10)), -EPIPE);
    CHECK_EQ(kr_stream_drain(near, kr_sec(10)), -EPIPE);
    CHECK_EQ(kr_stream_close(near, kr_sec(10)), -EPIPE);
    close_two();
}

/* behaviour: 13.7 test_async_writer_api_exception_after_close */
BOTH_TEST(test_write_after_close)
{
    char byte;
    make_pair(&near, &far, NULL);
    CHECK_EQ(kr_stream_close(near, kr_sec(10)), 0);
    CHECK_EQ(kr_stream_write(near, "x", 1, NULL, kr_sec(10)), -EBADF);
    CHECK_EQ(kr_stream_drain(near, kr_sec(10)), -EBADF);
    CHECK_EQ(kr_stream_write_eof(near, kr_sec(10)), -EBADF);
    CHECK_EQ(kr_stream_close(near, kr_sec(10)), -EBADF);
    CHECK_EQ(kr_stream_read(far, &byte, 1, kr_sec(10)), 0);
    close_two();
}

/* The other direction goes on.  behaviour: 13.7 test_eof_feed_when_closing_writer */
BOTH_TEST(test_write_eof)
{
    char byte;
    make_pair(&near, &far, NULL);
    CHECK_EQ(kr_stream_write_eof(near, kr_sec(10)), 0);
    CHECK_EQ(kr_stream_write_eof(near, kr_sec(10)), 0);
    CHECK_EQ(kr_stream_write(near, "x", 1, NULL, kr_sec(10)), -EPIPE);
    CHECK_EQ(kr_stream_read(far, &byte, 1, kr_sec(10)), 0);
    CHECK(kr_stream_at_eof(far));
    feed(far, "y");
    CHECK_EQ(kr_stream_read(near, &byte, 1, kr_sec(10)), 1);
    CHECK_EQ(byte, 'y');
    close_two();
}

/* A pipe's ends are streams, too.  behaviour: 13.7 test_read_all_from_pipe_reader */
BOTH_TEST(test_pipe)
{
    int fds[2];
    size_t got;
    char bytes[16];
    CHECK_EQ(pipe(fds), 0);
    CHECK_EQ(kr_stream_open(&far, fds[0], NULL), 0);
    CHECK_EQ(kr_stream_open(&near, fds[1], NULL), 0);
    feed(near, "data");
    CHECK_EQ(kr_stream_write_eof(near, kr_sec(10)), -EOPNOTSUPP);
    CHECK_EQ(kr_stream_close(near, kr_sec(10)), 0);
    CHECK_EQ(kr_stream_read_exactly(far, bytes, sizeof bytes, &got, kr_sec(10)), KR_EOF);
    CHECK_BYTES(bytes, got, "data");
    kr_address none;
    CHECK_EQ(kr_stream_peer_address(far, &none), -ENOTSOCK);
    close_two();
}

static int write_alone(const void *arg, void *result)
{
    char *bytes = malloc(100000);
    memset(bytes, *(const char *)arg, 100000);
    (void)result;
    int err = kr_stream_write(near, bytes, 100000, NULL, kr_sec(60));
    free(bytes);
    return err;
}

/* Without a signal, whatever is its disposition. */
BOTH_TEST(test_broken_pipe)
{
    int fds[2];
    kr_stream *s;
    signal(SIGPIPE, SIG_DFL);
    CHECK_EQ(pipe(fds), 0);
    CHECK_EQ(kr_stream_open(&s, fds[1], NULL), 0);
    feed(s, "x");
    CHECK_EQ(kr_close(fds[0]), 0);
    CHECK_EQ(kr_stream_write(s, "x", 1, NULL, kr_sec(10)), -EPIPE);
    kr_stream_release(s);
}

/* Two that write at once take turns: each one's bytes stay together. */
BOTH_TEST(test_writes_are_whole)
{
    static char bytes[400000];
    beside writers[4];
    make_pair(&near, &far, &(kr_stream_options){.high_water = 3000});
    for (int i = 0; i < 4; i++)
        writers[i] = beside_start(write_alone, &"abcd"[i]);
    CHECK_EQ(kr_stream_read_exactly(far, bytes, sizeof bytes, NULL, kr_sec(60)), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(beside_end(&writers[i]), 0);
    int changes = 0;
    for (size_t i = 1; i < sizeof bytes; i++)
        changes += bytes[i] != bytes[i - 1];
    CHECK_EQ(changes, 3);
    close_two();
}

/* What a write that timed out has written is told, and is what arrives. */
BOTH_TEST(test_write_that_times_out)
{
    size_t written;
    make_pair(&near, &far, NULL);
    char *bytes = sequence(MUCH);
    CHECK_EQ(kr_stream_write(near, bytes, MUCH, &written, kr_ms(5)), -ETIMEDOUT);
    CHECK(written > 0 && written < MUCH);
    char *received = malloc(written);
    CHECK_EQ(kr_stream_read_exactly(far, received, written, NULL, kr_sec(30)), 0);
    CHECK(memcmp(received, bytes, written) == 0);
    CHECK_EQ(kr_stream_read(far, received, 1, KR_NOWAIT), -ETIMEDOUT);
    free(bytes);
    free(received);
    close_two();
}

/* A close ends within its time, and an abort ends a write. */
BOTH_TEST(test_close_that_times_out)
{
    make_pair(&near, &far, NULL);
    size_t before = fill(near);
    CHECK(before > 0);
    CHECK_EQ(kr_stream_close(near, kr_ms(5)), in_loop ? -ETIMEDOUT : 0);
    CHECK_EQ(kr_stream_write(near, "x", 1, NULL, kr_sec(10)), -EBADF);
    close_two();
}

static int write_until_it_ends(const void *arg, void *result)
{
    char *bytes = sequence(MUCH);
    (void)arg, (void)result;
    int err = kr_stream_write(near, bytes, MUCH, NULL, kr_sec(60));
    free(bytes);
    return err;
}

BOTH_TEST(test_abort_ends_a_write)
{
    static char byte;
    make_pair(&near, &far, NULL);
    beside writer = beside_start(write_until_it_ends, NULL);
    CHECK_EQ(kr_stream_read(far, &byte, 1, kr_sec(30)), 1); /* it has begun */
    kr_stream_abort(near);
    CHECK_EQ(beside_end(&writer), -EBADF);
    close_two();
}

/* A cancel ends the call that it meets: those that come later wait as ever. */
BOTH_TEST(a_cancelled_write_spoils_no_other)
{
    static char byte;
    char *bytes = sequence(MUCH);
    size_t written;
    make_pair(&near, &far, NULL);
    for (int i = 0; i < 2; i++) {
        kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
        CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
        kr_cancel(&scope);
        CHECK_EQ(kr_stream_write(near, bytes, MUCH, &written, kr_sec(30)), -ECANCELED);
        CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
        CHECK_EQ(kr_stream_write(near, bytes, MUCH, &written, kr_ms(1)), -ETIMEDOUT);
    }
    CHECK_EQ(kr_stream_read(far, &byte, 1, kr_sec(30)), 1);
    free(bytes);
    kr_stream_abort(near);
    close_two();
}

static int read_much(const void *arg, void *result)
{
    (void)arg, (void)result;
    CHECK_EQ(read_sequence(far), MUCH);
    return 0;
}

/* What sends on what a write has left may be cancelled before it begins, as all that is listed. */
static int cancel_others(void *arg)
{
    kr_future *all[8];
    char *bytes = sequence(MUCH);
    size_t written;
    (void)arg;
    in_loop = true;
    make_pair(&near, &far, &(kr_stream_options){.high_water = MUCH});
    CHECK_EQ(kr_stream_write(near, bytes, MUCH, &written, kr_sec(30)), 0);
    CHECK_EQ(written, MUCH);
    int count = kr_task_all(all, 8);
    CHECK_EQ(count, 2);
    for (int i = 0; i < count; i++) {
        if (all[i] != kr_task_current())
            CHECK_EQ(kr_future_cancel(all[i]), 0);
        kr_future_release(all[i]);
    }
    CHECK_EQ(kr_stream_flush(near, kr_ms(1)), -ETIMEDOUT);
    beside reader = beside_start(read_much, NULL);
    CHECK_EQ(kr_stream_close(near, kr_sec(60)), 0);
    CHECK_EQ(beside_end(&reader), 0);
    close_two();
    free(bytes);
    return 0;
}

TEST(what_is_left_goes_without_the_one_that_was_to_send_it)
{
    CHECK_EQ(kr_run(cancel_others, NULL), 0);
}

/* Time-outs and cancels at random, on both sides: the sequence arrives as it is. */
static kr_time short_time(uint64_t *random)
{
    uint64_t choice = kri_test_random(random) % 4;
    return choice == 0 ? KR_NOWAIT : choice == 1 ? kr_us(20) : kr_ms(1);
}

static int write_with_interruptions(const void *arg, void *result)
{
    char *bytes = sequence(MUCH);
    uint64_t random = kri_test_seed() + 1;
    (void)arg, (void)result;
    for (size_t at = 0; at < MUCH;) {
        size_t n = 1 + kri_test_random(&random) % 60000, written;
        n = n < MUCH - at ? n : MUCH - at;
        kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
        CHECK_EQ(kr_cancel_scope_enter(&scope, short_time(&random)), 0);
        int err = kr_stream_write(near, bytes + at, n, &written, kr_sec(60));
        (void)kr_cancel_scope_exit(&scope);
        CHECK(err == -ECANCELED || (err == 0 && written == n));
        at += written;
    }
    free(bytes);
    return kr_stream_close(near, kr_sec(60));
}

BOTH_TEST(test_interruptions_lose_nothing)
{
    static char bytes[30000];
    uint64_t random = kri_test_seed();
    size_t at = 0;
    make_pair(&near, &far, &(kr_stream_options){.high_water = 20000, .read_buffer = 8000});
    beside writer = beside_start(write_with_interruptions, NULL);
    for (bool end = false; !end;) {
        size_t size = 1 + kri_test_random(&random) % sizeof bytes, got = 0;
        int64_t n;
        if (kri_test_random(&random) % 2 == 0) {
            n = kr_stream_read_exactly(far, bytes, size, &got, short_time(&random));
        } else {
            n = kr_stream_read(far, bytes, size, short_time(&random));
            got = n > 0 ? (size_t)n : 0;
            n = n > 0 ? 0 : n == 0 ? KR_EOF : n;
        }
        CHECK(n == 0 || n == -ETIMEDOUT || n == KR_EOF);
        end = n == KR_EOF;
        for (size_t i = 0; i < got; i++)
            CHECK_EQ(bytes[i], nth(at + i));
        at += got;
        if (n == -ETIMEDOUT && in_loop)
            CHECK_EQ(kr_yield(), 0);
    }
    CHECK_EQ(at, MUCH);
    CHECK_EQ(beside_end(&writer), 0);
    close_two();
}
