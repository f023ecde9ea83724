/* Reading from streams.
 *
 * Behaviours: section 13.7
 *
 * SPDX-License-Identifier: MIT
 */
#include "stream/help.h"
#include <sys/wait.h>

static kr_stream *in, *out; /* out is written to, in is read from */
static const char *data;
static size_t size;
static char bytes[256];

static void open_two(const kr_stream_options *options)
{
    make_pair(&in, &out, options);
}

static void close_two(void)
{
    kr_stream_release(in);
    kr_stream_release(out);
}

static void end_of_input(void)
{
    CHECK_EQ(kr_stream_write_eof(out, kr_sec(10)), 0);
}

/* behaviour: 13.7 test_feed_empty_data */
BOTH_TEST(test_read_zero)
{
    open_two(NULL);
    feed(out, "");
    CHECK_EQ(kr_stream_read(in, bytes, 0, KR_FOREVER), 0);
    CHECK_EQ(kr_stream_read(in, bytes, 1, KR_NOWAIT), -ETIMEDOUT);
    CHECK(!kr_stream_at_eof(in));
    close_two();
}

/* behaviour: 13.7 test_feed_nonempty_data, test_read_limit */
BOTH_TEST(test_read)
{
    open_two(&(kr_stream_options){.limit = 3});
    feed(out, "line1line2");
    CHECK_EQ(kr_stream_read(in, bytes, 4, kr_sec(10)), 4);
    CHECK_BYTES(bytes, 4, "line");
    CHECK_EQ(kr_stream_read(in, bytes, sizeof bytes, kr_sec(10)), 6);
    CHECK_BYTES(bytes, 6, "1line2");
    close_two();
}

BOTH_TEST(test_read_eof)
{
    open_two(NULL);
    end_of_input();
    CHECK_EQ(kr_stream_read(in, bytes, sizeof bytes, kr_sec(10)), 0);
    CHECK_EQ(kr_stream_read(in, bytes, sizeof bytes, KR_NOWAIT), 0);
    CHECK(kr_stream_at_eof(in));
    close_two();
}

BOTH_TEST(test_read_until_eof)
{
    size_t got;
    open_two(NULL);
    feed(out, "chunk1\n");
    feed(out, "chunk2");
    end_of_input();
    CHECK_EQ(kr_stream_read_exactly(in, bytes, sizeof bytes, &got, kr_sec(10)), KR_EOF);
    CHECK_BYTES(bytes, got, "chunk1\nchunk2");
    close_two();
}

/* A reset connection: what came before it is still read.
 * behaviour: 13.7 test_readline_exception, test_readexactly_exception, test_exception,
 * test_exception_waiter, test_drain_raises */
BOTH_TEST(test_read_exception)
{
    kr_stream *reset;
    int fds[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    CHECK_EQ(kr_stream_open(&reset, fds[0], NULL), 0);
    CHECK_EQ(write(fds[0], "unread", 6), 6);
    CHECK_EQ(write(fds[1], "line\nrest", 9), 9);
    CHECK_EQ(kr_stream_read_line(reset, &data, &size, kr_sec(10)), 0);
    CHECK_BYTES(data, size, "line\n");
    close(fds[1]);
    CHECK_EQ(kr_stream_read_line(reset, &data, &size, kr_sec(10)), -ECONNRESET);
    CHECK_EQ(kr_stream_read_exactly(reset, bytes, 9, NULL, kr_sec(10)), -ECONNRESET);
    CHECK_EQ(kr_stream_read(reset, bytes, sizeof bytes, kr_sec(10)), 4);
    CHECK_EQ(kr_stream_read(reset, bytes, sizeof bytes, kr_sec(10)), -ECONNRESET);
    CHECK_EQ(kr_stream_drain(reset, kr_sec(10)), -ECONNRESET);
    kr_stream_release(reset);
}

/* behaviour: 13.7 test_readuntil_invalid_separator */
BOTH_TEST(test_invalid_limit)
{
    kr_stream *none;
    CHECK_EQ(kr_stream_open(&none, 0, &(kr_stream_options){.high_water = 4, .low_water = 5}),
             -EINVAL);
    CHECK(none == NULL);
    CHECK_EQ(kr_stream_open(&none, 0, &(kr_stream_options){.reserved = {1}}), -EINVAL);
    CHECK_EQ(kr_stream_open(&none, -1, NULL), -EINVAL);
    open_two(NULL);
    CHECK_EQ(kr_stream_read(in, bytes, 1, -1), -EINVAL);
    CHECK_EQ(kr_stream_read_until(in, "", 0, &data, &size, kr_sec(10)), -EINVAL);
    CHECK_EQ(kr_stream_read_until_any(in, NULL, 0, &data, &size, kr_sec(10)), -EINVAL);
    CHECK_EQ(kr_stream_write(in, "x", 1, NULL, -1), -EINVAL);
    close_two();
}

/* behaviour: 13.7 test_read_line_breaks */
BOTH_TEST(test_readline)
{
    open_two(NULL);
    feed(out, "chunk1 ");
    CHECK_EQ(kr_stream_read_line(in, &data, &size, kr_ms(1)), -ETIMEDOUT);
    feed(out, "chunk2 ");
    CHECK_EQ(kr_stream_read_line(in, &data, &size, kr_ms(1)), -ETIMEDOUT);
    feed(out, "chunk3\nmore");
    CHECK_EQ(kr_stream_read_line(in, &data, &size, kr_sec(10)), 0);
    CHECK_BYTES(data, size, "chunk1 chunk2 chunk3\n");
    CHECK_EQ(kr_stream_peek(in, &data, &size, kr_sec(10)), 0);
    CHECK_BYTES(data, size, "more");
    close_two();
}

/* Too long: nothing is consumed, however much is there.
 * behaviour: 13.7 test_readline_limit, test_readuntil_limit_found_sep */
BOTH_TEST(test_readline_limit_with_existing_data)
{
    open_two(&(kr_stream_options){.limit = 3});
    feed(out, "li");
    CHECK_EQ(kr_stream_read_line(in, &data, &size, KR_NOWAIT), -ETIMEDOUT);
    feed(out, "ne1\nabc\nxyzw");
    CHECK_EQ(kr_stream_read_line(in, &data, &size, kr_sec(10)), -EMSGSIZE);
    CHECK_EQ(size, 5); /* the separator is there, too late */
    CHECK_EQ(kr_stream_skip(in, size + 1, &size, kr_sec(10)), 0);
    CHECK_EQ(size, 6);
    CHECK_EQ(kr_stream_read_line(in, &data, &size, kr_sec(10)), 0); /* just the limit */
    CHECK_BYTES(data, size, "abc\n");
    CHECK_EQ(kr_stream_read_line(in, &data, &size, kr_sec(10)), -EMSGSIZE); /* not there at all */
    CHECK_EQ(size, 4);
    CHECK_EQ(kr_stream_read(in, bytes, sizeof bytes, kr_sec(10)), 4);
    close_two();
}

/* behaviour: 13.7 test_readline_empty_eof */
BOTH_TEST(test_readline_eof)
{
    open_two(NULL);
    feed(out, "some data");
    end_of_input();
    CHECK_EQ(kr_stream_read_line(in, &data, &size, kr_sec(10)), 0);
    CHECK_BYTES(data, size, "some data");
    CHECK_EQ(kr_stream_read_line(in, &data, &size, kr_sec(10)), KR_EOF);
    CHECK_EQ(size, 0);
    close_two();
}

/* behaviour: 13.7 test_readline_nolimit_nowait */
BOTH_TEST(test_readline_read_byte_count)
{
    open_two(NULL);
    feed(out, "line1\nline2\nline3\n");
    CHECK_EQ(kr_stream_read_line(in, &data, &size, kr_sec(10)), 0);
    CHECK_EQ(kr_stream_read(in, bytes, 7, kr_sec(10)), 7);
    CHECK_BYTES(bytes, 7, "line2\nl");
    CHECK_EQ(kr_stream_read_line(in, &data, &size, KR_NOWAIT), 0);
    CHECK_BYTES(data, size, "ine3\n");
    close_two();
}

BOTH_TEST(test_readuntil_separator)
{
    open_two(NULL);
    feed(out, "some dataABCrest");
    CHECK_EQ(kr_stream_read_until(in, "ABC", 3, &data, &size, kr_sec(10)), 0);
    CHECK_BYTES(data, size, "some dataABC");
    CHECK_EQ(kr_stream_read(in, bytes, sizeof bytes, kr_sec(10)), 4);
    close_two();
}

/* A separator that comes in pieces.  behaviour: 13.7 test_readuntil_multi_chunks_1 */
BOTH_TEST(test_readuntil_multi_chunks)
{
    open_two(&(kr_stream_options){.limit = 5, .read_buffer = 2});
    const char *parts[] = {"QW", "X", "Y", "ZA", "aa", "aA", "aa"};
    for (int i = 0; i < 3; i++) {
        feed(out, parts[i]);
        CHECK_EQ(kr_stream_read_until(in, "XYZ", 3, &data, &size, KR_NOWAIT), -ETIMEDOUT);
    }
    feed(out, parts[3]);
    CHECK_EQ(kr_stream_read_until(in, "XYZ", 3, &data, &size, kr_sec(10)), 0);
    CHECK_BYTES(data, size, "QWXYZ");
    feed(out, parts[4]);
    feed(out, parts[5]);
    CHECK_EQ(kr_stream_read_until(in, "aaa", 3, &data, &size, kr_sec(10)), 0);
    CHECK_BYTES(data, size, "Aaaa");
    close_two();
}

BOTH_TEST(test_readuntil_eof)
{
    open_two(NULL);
    feed(out, "datA");
    end_of_input();
    CHECK_EQ(kr_stream_read_until(in, "AA", 2, &data, &size, kr_sec(10)), KR_EOF);
    CHECK_BYTES(data, size, "datA");
    CHECK_EQ(kr_stream_read_until(in, "AA", 2, &data, &size, kr_sec(10)), KR_EOF);
    CHECK_EQ(size, 0);
    close_two();
}

/* Whichever ends first.  behaviour: 13.7 test_readuntil_multi_separator_negative_offset,
 * test_readuntil_multi_separator_limit */
BOTH_TEST(test_readuntil_multi_separator)
{
    kr_separator separators[] = {{"MMMM", 4}, {"\r\n", 2}, {"\n", 1}};
    open_two(&(kr_stream_options){.limit = 4, .read_buffer = 1});
    feed(out, "a\nb\r\ncMMMMdefghi");
    CHECK_EQ(kr_stream_read_until_any(in, separators, 3, &data, &size, kr_sec(10)), 0);
    CHECK_BYTES(data, size, "a\n");
    CHECK_EQ(kr_stream_read_until_any(in, separators, 3, &data, &size, kr_sec(10)), 0);
    CHECK_BYTES(data, size, "b\r\n");
    CHECK_EQ(kr_stream_read_until_any(in, separators, 3, &data, &size, kr_sec(10)), 0);
    CHECK_BYTES(data, size, "cMMMM");
    CHECK_EQ(kr_stream_read_until_any(in, separators, 3, &data, &size, KR_NOWAIT), -ETIMEDOUT);
    feed(out, "jk");
    CHECK_EQ(kr_stream_read_until_any(in, separators, 3, &data, &size, kr_sec(10)), -EMSGSIZE);
    CHECK_EQ(size, 5); /* the last three may begin a separator */
    close_two();
    open_two(NULL);
    feed(out, "d\neMMMM");
    CHECK_EQ(kr_stream_read_until_any(in, separators, 3, &data, &size, kr_sec(10)), 0);
    CHECK_BYTES(data, size, "d\n");
    close_two();
}

/* behaviour: 13.7 test_readexactly_limit */
BOTH_TEST(test_readexactly)
{
    size_t got;
    open_two(&(kr_stream_options){.limit = 3, .read_buffer = 5});
    feed(out, "0123456789");
    CHECK_EQ(kr_stream_read_exactly(in, bytes, 4, &got, kr_sec(10)), 0);
    CHECK_BYTES(bytes, got, "0123");
    CHECK_EQ(kr_stream_read_exactly(in, bytes, 6, &got, kr_sec(10)), 0);
    CHECK_BYTES(bytes, got, "456789");
    close_two();
}

BOTH_TEST(test_readexactly_zero_or_less)
{
    size_t got = 1;
    open_two(NULL);
    CHECK_EQ(kr_stream_read_exactly(in, bytes, 0, &got, KR_NOWAIT), 0);
    CHECK_EQ(got, 0);
    close_two();
}

BOTH_TEST(test_readexactly_eof)
{
    size_t got;
    open_two(NULL);
    feed(out, "some");
    end_of_input();
    CHECK_EQ(kr_stream_read_exactly(in, bytes, 8, &got, kr_sec(10)), KR_EOF);
    CHECK_BYTES(bytes, got, "some");
    CHECK(kr_stream_at_eof(in));
    close_two();
}

BOTH_TEST(test_at_eof)
{
    open_two(NULL);
    CHECK(!kr_stream_at_eof(in));
    feed(out, "some data\n");
    CHECK_EQ(kr_stream_read_line(in, &data, &size, kr_sec(10)), 0);
    CHECK(!kr_stream_at_eof(in));
    end_of_input();
    CHECK_EQ(kr_stream_read_line(in, &data, &size, kr_sec(10)), KR_EOF);
    CHECK(kr_stream_at_eof(in));
    close_two();
}

/* What a call has read that then times out or is cancelled is there for the next one: also where it
 * went to the caller's memory past the buffer.  behaviour: 13.7 test_exception_cancel */
BOTH_TEST(interrupted_reads_lose_nothing)
{
    char large[64];
    size_t got;
    open_two(&(kr_stream_options){.read_buffer = 8});
    feed(out, "0123456789abcdef");
    CHECK_EQ(kr_stream_read_exactly(in, bytes, 2, &got, kr_sec(10)), 0);
    for (int i = 0; i < 3; i++) {
        kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
        CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
        if (i > 0)
            kr_cancel(&scope);
        CHECK_EQ(kr_stream_read_exactly(in, large, sizeof large, &got, kr_ms(i == 0 ? 1 : 10000)),
                 i == 0 ? -ETIMEDOUT : -ECANCELED);
        CHECK_EQ(got, 0);
        CHECK_EQ(kr_stream_read_until(in, "x", 1, &data, &size, kr_ms(i == 0 ? 1 : 10000)),
                 i == 0 ? -ETIMEDOUT : -ECANCELED);
        (void)kr_cancel_scope_exit(&scope);
    }
    feed(out, "ghx");
    CHECK_EQ(kr_stream_read_until(in, "x", 1, &data, &size, kr_sec(10)), 0);
    CHECK_BYTES(data, size, "23456789abcdefghx");
    close_two();
}

static int read_byte(const void *arg, void *result)
{
    char byte;
    (void)result;
    (void)arg;
    int64_t n;
    while ((n = kr_stream_read(in, &byte, 1, kr_sec(30))) == -EBUSY) /* who looks reads too */
        CHECK_EQ(in_loop ? kr_yield() : (kri_test_nap(), 0), 0);
    if (n == 1)
        CHECK_EQ(byte, '!');
    return n == 1 ? 0 : (int)n;
}

static void wait_until_busy(void)
{
    kr_time end = kr_now() + kr_sec(20);
    while (kr_stream_read(in, bytes, 1, KR_NOWAIT) != -EBUSY && kr_now() < end)
        CHECK_EQ(in_loop ? kr_yield() : (kri_test_nap(), 0), 0);
    CHECK_LE(kr_now(), end);
}

/* Python's "called while another coroutine is already waiting for incoming data". */
BOTH_TEST(two_readers_at_once_are_refused)
{
    open_two(NULL);
    beside reader = beside_start(read_byte, NULL);
    wait_until_busy();
    CHECK_EQ(kr_stream_read_line(in, &data, &size, kr_sec(10)), -EBUSY);
    CHECK_EQ(kr_stream_read_exactly(in, bytes, 1, NULL, kr_sec(10)), -EBUSY);
    CHECK_EQ(kr_stream_peek(in, &data, &size, kr_sec(10)), -EBUSY);
    CHECK(!kr_stream_at_eof(in));
    feed(out, "!");
    CHECK_EQ(beside_end(&reader), 0);
    close_two();
}

static void be_cancelled(void)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_cancel(&scope);
    CHECK_EQ(kr_stream_read(in, bytes, 1, kr_sec(30)), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
}

/* A cancel ends the call that it meets: those that come later wait as ever, and a close ends them.
 */
BOTH_TEST(a_cancelled_read_spoils_no_other)
{
    open_two(NULL);
    for (int i = 0; i < 2; i++) {
        be_cancelled();
        CHECK_EQ(kr_stream_read(in, bytes, 1, kr_ms(1)), -ETIMEDOUT);
    }
    beside reader = beside_start(read_byte, NULL);
    wait_until_busy();
    feed(out, "!");
    CHECK_EQ(beside_end(&reader), 0);
    be_cancelled();
    reader = beside_start(read_byte, NULL);
    wait_until_busy();
    kr_stream_abort(in);
    CHECK_EQ(beside_end(&reader), -EBADF);
    close_two();
}

/* A close by another runner ends a read, and whoever reads after it. */
BOTH_TEST(close_ends_a_read)
{
    open_two(NULL);
    beside reader = beside_start(read_byte, NULL);
    wait_until_busy();
    CHECK_EQ(kr_stream_close(in, kr_sec(10)), 0);
    CHECK_EQ(beside_end(&reader), -EBADF);
    CHECK_EQ(kr_stream_read(in, bytes, 1, kr_sec(10)), -EBADF);
    CHECK_EQ(kr_stream_descriptor(in), -EBADF);
    CHECK_EQ(kr_stream_close(in, kr_sec(10)), -EBADF);
    close_two();
}

/* Lines of random lengths in random pieces, with a buffer that has to grow and to be moved. */
BOTH_TEST(random_lines_arrive_whole)
{
    uint64_t random = kri_test_seed();
    static char text[600];
    open_two(&(kr_stream_options){.limit = 512, .read_buffer = 7});
    for (int round = 0; round < 200; round++) {
        size_t lengths[4], total = 0;
        for (int i = 0; i < 4; i++) {
            lengths[i] = kri_test_random(&random) % 128;
            memset(text + total, 'a' + i, lengths[i]);
            text[total + lengths[i]] = '\n';
            total += lengths[i] + 1;
        }
        for (size_t at = 0, n; at < total; at += n) {
            n = 1 + kri_test_random(&random) % 99;
            n = n < total - at ? n : total - at;
            CHECK_EQ(kr_stream_write(out, text + at, n, NULL, kr_sec(10)), 0);
        }
        for (int i = 0; i < 4; i++) {
            CHECK_EQ(kr_stream_read_line(in, &data, &size, kr_sec(10)), 0);
            CHECK_EQ(size, lengths[i] + 1);
            CHECK(size == 1 || (data[0] == 'a' + i && data[size - 2] == 'a' + i));
        }
    }
    close_two();
}

static int read_one(const void *arg, void *result)
{
    char byte;
    int64_t n;
    (void)arg, (void)result;
    while ((n = kr_stream_read(in, &byte, 1, kr_sec(20))) == -EBUSY)
        CHECK_EQ(kr_yield(), 0);
    return n == 1 ? 0 : -EIO;
}

/* Somebody reads meanwhile: he is not in the child, whose copy goes. */
BOTH_TEST(fork_with_a_reader)
{
    char byte;
    int status;
    open_two(NULL);
    int fd = kr_stream_descriptor(in);
    beside reader = beside_start(read_one, NULL);
    while (kr_stream_read(in, &byte, 1, KR_NOWAIT) != -EBUSY)
        CHECK_EQ(kr_yield(), 0);
    pid_t child = fork();
    if (child == 0) {
        kr_stream_release(in);
        _exit(fcntl(fd, F_GETFD) >= 0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_EQ(kr_stream_write(out, "x", 1, NULL, kr_sec(10)), 0);
    CHECK_EQ(beside_end(&reader), 0);
    close_two();
}
