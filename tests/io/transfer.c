/* kr_read, kr_write, kr_recv and kr_send, on descriptors of all kinds.
 *
 * Behaviours: section 13.6
 *
 * SPDX-License-Identifier: MIT
 */
#include "io/channels.h"
#include "harness/sanitizers.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

typedef struct job {
    int fd;
    size_t size;
    kr_time timeout;
    int64_t result;
    size_t count;
    kr_cancel_scope scope;
    kr_event written; /* by write_job */
} job;

static void read_job(void *arg)
{
    job *j = arg;
    char bytes[64];
    CHECK_EQ(kr_cancel_scope_enter(&j->scope, KR_FOREVER), 0);
    j->result = kr_read(j->fd, bytes, j->size, j->timeout);
    (void)kr_cancel_scope_exit(&j->scope);
}

/* Writes until it cannot. */
static void fill_job(void *arg)
{
    job *j = arg;
    char bytes[8192] = "";
    CHECK_EQ(kr_cancel_scope_enter(&j->scope, KR_FOREVER), 0);
    while ((j->result = kr_write(j->fd, bytes, j->size, j->timeout)) > 0)
        j->count += (size_t)j->result;
    (void)kr_cancel_scope_exit(&j->scope);
}

IO_TEST(test_read_what_is_there)
{
    for (io_channel *channel = io_channels(); channel->name != NULL; channel++) {
        char bytes[16];
        CHECK_EQ(kr_write(channel->writer, "abcde", 5, KR_FOREVER), 5);
        CHECK_EQ(kr_read(channel->reader, bytes, 3, KR_FOREVER), 3);
        CHECK_EQ(kr_read(channel->reader, bytes + 3, sizeof bytes - 3, KR_NOWAIT), 2);
        CHECK(memcmp(bytes, "abcde", 5) == 0);
        CHECK_EQ(kr_read(channel->reader, bytes, sizeof bytes, KR_NOWAIT), -ETIMEDOUT);
        io_end_channel(channel);
    }
}

IO_TEST(test_read_waits_for_the_first_byte)
{
    for (io_channel *channel = io_channels(); channel->name != NULL; channel++) {
        io_other other;
        job j = {.fd = channel->reader, .size = 64, .timeout = KR_FOREVER};
        io_start(&other, read_job, &j);
        io_await_asleep(&other);
        CHECK_EQ(kr_write(channel->writer, "abc", 3, KR_FOREVER), 3);
        io_join(&other);
        CHECK_EQ(j.result, 3);
        io_end_channel(channel);
    }
}

IO_TEST(test_read_times_out)
{
    for (io_channel *channel = io_channels(); channel->name != NULL; channel++) {
        char byte;
        kr_time began = kr_now();
        CHECK_EQ(kr_read(channel->reader, &byte, 1, kr_ms(20)), -ETIMEDOUT);
        CHECK_TIME(kr_now() - began, kr_ms(20));
        io_end_channel(channel);
    }
}

IO_TEST(test_read_is_cancelled)
{
    for (io_channel *channel = io_channels(); channel->name != NULL; channel++) {
        io_other other;
        char bytes[4];
        job j = {.fd = channel->reader, .size = 64, .timeout = KR_FOREVER};
        io_start(&other, read_job, &j);
        io_await_asleep(&other);
        kr_cancel(&j.scope);
        io_join(&other);
        CHECK_EQ(j.result, -ECANCELED);
        CHECK_EQ(kr_write(channel->writer, "abc", 3, KR_FOREVER), 3);
        CHECK_EQ(kr_read(channel->reader, bytes, sizeof bytes, KR_FOREVER), 3);
        io_end_channel(channel);
    }
}

/* What can be done at once is done inside a cancelled scope too, and what cannot is not waited for.
 */
IO_TEST(test_cancelled_scope)
{
    for (io_channel *channel = io_channels(); channel->name != NULL; channel++) {
        kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
        char bytes[8];
        kr_cancel(&scope);
        CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
        CHECK_EQ(kr_read(channel->reader, bytes, sizeof bytes, KR_FOREVER), -ECANCELED);
        CHECK_EQ(kr_write(channel->writer, "abc", 3, KR_FOREVER), 3);
        CHECK_EQ(kr_read(channel->reader, bytes, sizeof bytes, KR_FOREVER), 3);
        CHECK_EQ(kr_read(channel->reader, bytes, sizeof bytes, KR_NOWAIT), -ETIMEDOUT);
        CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
        io_end_channel(channel);
    }
}

IO_TEST(test_scope_times_out)
{
    for (io_channel *channel = io_channels(); channel->name != NULL; channel++) {
        kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
        char byte;
        CHECK_EQ(kr_cancel_scope_enter(&scope, kr_ms(20)), 0);
        CHECK_EQ(kr_read(channel->reader, &byte, 1, KR_FOREVER), -ECANCELED);
        CHECK_EQ(kr_cancel_scope_exit(&scope), -ETIMEDOUT);
        io_end_channel(channel);
    }
}

static void write_job(void *arg)
{
    job *j = arg;
    char bytes[8192] = "";
    CHECK_EQ(kr_cancel_scope_enter(&j->scope, KR_FOREVER), 0);
    j->result = kr_write(j->fd, bytes, j->size, j->timeout);
    j->count += j->result > 0 ? (size_t)j->result : 0;
    (void)kr_cancel_scope_exit(&j->scope);
    kr_event_set(&j->written);
}

static size_t read_some(int fd)
{
    char bytes[8192];
    int64_t got = kr_read(fd, bytes, sizeof bytes, kr_ms(10));
    CHECK(got > 0 || got == -ETIMEDOUT);
    return got > 0 ? (size_t)got : 0;
}

/* What was written, and no more.  That nothing is there says nothing before: a terminal's bytes
 * come when the system finds the time to carry them over. */
static void drain(int fd, size_t count)
{
    for (size_t got = 0; got < count;) {
        got += read_some(fd);
        CHECK_LE(got, count);
    }
    CHECK_EQ(read_some(fd), 0);
}

/* A writer that finds no room times out, is cancelled, or goes on once there is some; what it says
 * it has written is what is read. */
IO_TEST(test_write_waits_for_room)
{
    for (io_channel *channel = io_channels(); channel->name != NULL; channel++) {
        io_other other;
        job j = {.fd = channel->writer, .size = 1000, .timeout = KR_NOWAIT};
        fill_job(&j);
        CHECK_EQ(j.result, -ETIMEDOUT);
        j.timeout = kr_ms(20);
        fill_job(&j);
        CHECK_EQ(j.result, -ETIMEDOUT);
        j.timeout = KR_FOREVER;
        io_start(&other, fill_job, &j);
        io_await_asleep(&other);
        kr_cancel(&j.scope);
        io_join(&other);
        CHECK_EQ(j.result, -ECANCELED);
        j.scope = (kr_cancel_scope)KR_CANCEL_SCOPE_INIT;
        io_start(&other, write_job, &j); /* what was sent may have made room meanwhile */
        size_t got = 0;
        while (!kr_event_is_set(&j.written))
            got += read_some(channel->reader);
        io_join(&other);
        CHECK_GE(j.result, 1);
        CHECK_LE(got, j.count);
        drain(channel->reader, j.count - got);
        io_end_channel(channel);
    }
}

typedef struct bulk {
    int fd;
    size_t size;
    size_t read;
    uint64_t sum;
} bulk;

static void read_bulk(void *arg)
{
    bulk *b = arg;
    unsigned char bytes[10000];
    int64_t got;
    while (b->read < b->size && (got = kr_read(b->fd, bytes, sizeof bytes, kr_sec(60))) > 0) {
        for (int64_t i = 0; i < got; i++)
            b->sum += bytes[i] * (b->read + (size_t)i);
        b->read += (size_t)got;
    }
}

/* behaviour: 13.6 test_huge_content */
IO_TEST(test_write_all)
{
    size_t size = 300 * 1000;
    unsigned char *bytes = malloc(size);
    uint64_t state = kri_test_seed(), sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += i * (bytes[i] = (unsigned char)kri_test_random(&state));
    for (io_channel *channel = io_channels(); channel->name != NULL; channel++) {
        io_other other;
        bulk b = {.fd = channel->reader, .size = size};
        size_t written = 1;
        io_start(&other, read_bulk, &b);
        CHECK_EQ(kr_write_all(channel->writer, bytes, size, &written, kr_sec(60)), 0);
        io_join(&other);
        CHECK_EQ(written, size);
        CHECK_EQ(b.read, size);
        CHECK(b.sum == sum);
        io_end_channel(channel);
    }
    free(bytes);
}

/* More than any channel takes.  valgrind looks at all that is left with each write, and pipes and
 * terminals take little with each. */
static size_t too_much_for(const io_channel *channel)
{
    struct stat about;
    CHECK_EQ(fstat(channel->writer, &about), 0);
    return (size_t)(!KRI_VALGRIND ? 20 : S_ISSOCK(about.st_mode) ? 10 : 1) << 20;
}

IO_TEST(test_write_all_says_how_much)
{
    size_t size = (size_t)20 << 20;
    const kr_time limit = kr_ms(20 * KRI_TIMES);
    char *bytes = calloc(size, 1);
    for (io_channel *channel = io_channels(); channel->name != NULL; channel++) {
        size_t written = 0;
        kr_time began = kr_now();
        CHECK_EQ(kr_write_all(channel->writer, bytes, too_much_for(channel), &written, limit),
                 -ETIMEDOUT);
        CHECK_TIME(kr_now() - began, limit);
        CHECK_EQ(kr_write_all(channel->writer, bytes, 0, NULL, KR_NOWAIT), 0);
        drain(channel->reader, written);
        io_end_channel(channel);
    }
    free(bytes);
}

IO_TEST(test_end_of_file)
{
    for (io_channel *channel = io_channels(); channel->name != NULL; channel++) {
        char bytes[8];
        CHECK_EQ(kr_write(channel->writer, "abc", 3, KR_FOREVER), 3);
        CHECK_EQ(kr_read(channel->reader, bytes, sizeof bytes, KR_FOREVER), 3);
        CHECK_EQ(kr_close(channel->writer), 0);
        int64_t end = kr_read(channel->reader, bytes, sizeof bytes, kr_sec(30));
        CHECK(end == 0 || end == -EIO); /* a terminal's */
        CHECK_EQ(kr_close(channel->reader), 0);
    }
}

IO_TEST(test_end_comes_while_waiting)
{
    for (io_channel *channel = io_channels(); channel->name != NULL; channel++) {
        io_other other;
        job j = {.fd = channel->reader, .size = 8, .timeout = KR_FOREVER};
        io_start(&other, read_job, &j);
        io_await_asleep(&other);
        CHECK_EQ(kr_close(channel->writer), 0);
        io_join(&other);
        CHECK(j.result == 0 || j.result == -EIO);
        CHECK_EQ(kr_close(channel->reader), 0);
    }
}

static kr_time sooner(kr_time a, kr_time b)
{
    return a < b ? a : b;
}

/* The last bytes and the end may come as one event.  Nobody looks again for it only after a while:
 * the quickest round counts, as another program may hold up any. */
IO_TEST(test_end_with_the_last_bytes)
{
    kr_time quickest = KR_FOREVER;
    for (int round = 0; round < 20; round++) {
        int fds[2];
        io_other other;
        io_tcp_pair(fds);
        char bytes[8];
        job j = {.fd = fds[0], .size = 8, .timeout = KR_FOREVER};
        io_start(&other, read_job, &j);
        io_await_asleep(&other);
        CHECK_EQ(send(fds[1], "abc", 3, 0), 3);
        CHECK_EQ(shutdown(fds[1], SHUT_WR), 0);
        io_join(&other);
        CHECK_EQ(j.result, 3);
        CHECK_EQ(kr_write(fds[0], "xyz", 3, KR_FOREVER), 3);
        kr_time began = kr_now();
        CHECK_EQ(kr_read(fds[0], bytes, sizeof bytes, KR_FOREVER), 0);
        quickest = sooner(quickest, kr_now() - began);
        CHECK_EQ(kr_recv(fds[1], bytes, sizeof bytes, 0, KR_FOREVER), 3);
        CHECK_EQ(kr_close(fds[0]), 0);
        CHECK_EQ(kr_close(fds[1]), 0);
    }
    CHECK_LE(quickest, kr_ms(30));
}

/* How long the rest takes to come. */
static kr_time read_past_urgent_byte(void)
{
    int fds[2];
    io_other other;
    io_tcp_pair(fds);
    char bytes[16];
    job j = {.fd = fds[0], .size = 16, .timeout = KR_FOREVER};
    io_start(&other, read_job, &j);
    io_await_asleep(&other);
    CHECK_EQ(send(fds[1], "abcX", 4, MSG_OOB), 4);
    CHECK_EQ(send(fds[1], "defg", 4, 0), 4);
    io_join(&other);
    size_t got = (size_t)j.result;
    kr_time began = kr_now();
    while (got < 7) {
        int64_t more = kr_read(fds[0], bytes, sizeof bytes, kr_sec(30));
        CHECK_GE(more, 1);
        got += (size_t)more;
    }
    kr_time took = kr_now() - began;
    CHECK_EQ(kr_close(fds[0]), 0);
    CHECK_EQ(kr_close(fds[1]), 0);
    return took;
}

/* Urgent bytes split what is received. */
IO_TEST(test_urgent_byte_is_no_end)
{
    kr_time quickest = KR_FOREVER;
    for (int round = 0; round < 10; round++)
        quickest = sooner(quickest, read_past_urgent_byte());
    CHECK_LE(quickest, kr_ms(30));
}

IO_TEST(test_half_closed)
{
    int fds[2];
    char bytes[8];
    io_tcp_pair(fds);
    CHECK_EQ(shutdown(fds[0], SHUT_WR), 0);
    CHECK_EQ(kr_read(fds[1], bytes, sizeof bytes, KR_FOREVER), 0);
    CHECK_EQ(kr_read(fds[1], bytes, sizeof bytes, KR_FOREVER), 0);
    CHECK_EQ(kr_write(fds[1], "abc", 3, KR_FOREVER), 3);
    CHECK_EQ(kr_read(fds[0], bytes, sizeof bytes, KR_FOREVER), 3);
    CHECK_EQ(kr_read(fds[0], bytes, sizeof bytes, kr_ms(10)), -ETIMEDOUT);
    CHECK_EQ(kr_send(fds[0], "x", 1, 0, KR_FOREVER), -EPIPE);
    CHECK_EQ(kr_close(fds[0]), 0);
    CHECK_EQ(kr_close(fds[1]), 0);
}

IO_TEST(test_reset)
{
    int fds[2];
    char bytes[8];
    io_other other;
    io_tcp_pair(fds);
    job j = {.fd = fds[0], .size = 8, .timeout = KR_FOREVER};
    io_start(&other, read_job, &j);
    io_await_asleep(&other);
    struct linger at_once = {.l_onoff = 1};
    CHECK_EQ(setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    CHECK_EQ(kr_close(fds[1]), 0);
    io_join(&other);
    CHECK_EQ(j.result, -ECONNRESET);
    CHECK_EQ(kr_write(fds[0], "abc", 3, KR_FOREVER), -EPIPE);
    CHECK_EQ(kr_read(fds[0], bytes, sizeof bytes, KR_FOREVER), 0);
    CHECK_EQ(kr_close(fds[0]), 0);
}

static bool is_pipe(int fd)
{
    struct stat about;
    CHECK_EQ(fstat(fd, &about), 0);
    return S_ISFIFO(about.st_mode);
}

/* No signal, though its disposition is the default one. */
IO_TEST(test_no_sigpipe)
{
    signal(SIGPIPE, SIG_DFL);
    for (io_channel *channel = io_channels(); channel->name != NULL; channel++) {
        if (channel->socket || is_pipe(channel->writer)) {
            CHECK_EQ(close(channel->reader), 0);
            int64_t written;
            do {
                written = kr_write(channel->writer, "abc", 3, KR_FOREVER);
            } while (written == 3);
            CHECK(written == -EPIPE || written == -ECONNRESET);
            CHECK_EQ(kr_send(channel->writer, "abc", 3, 0, KR_FOREVER),
                     channel->socket ? -EPIPE : -ENOTSOCK);
            size_t count;
            CHECK_EQ(kr_write_all(channel->writer, "abc", 3, &count, KR_FOREVER), -EPIPE);
            CHECK_EQ(count, 0);
        }
    }
}

IO_TEST(test_no_bytes)
{
    for (io_channel *channel = io_channels(); channel->name != NULL; channel++) {
        char byte;
        CHECK_EQ(kr_read(channel->reader, &byte, 0, KR_FOREVER), 0);
        CHECK_EQ(kr_write(channel->writer, &byte, 0, KR_FOREVER), 0);
        CHECK_EQ(kr_read(channel->reader, &byte, 1, KR_NOWAIT), -ETIMEDOUT);
        io_end_channel(channel);
    }
}

IO_TEST(test_bad_descriptors)
{
    char byte = 0;
    int closed = dup(0);
    int wrong[] = {-1, -1000, INT32_MIN, INT32_MAX, closed, 1 << 20};
    close(closed);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        int fd = wrong[i];
        CHECK_EQ(kr_read(fd, &byte, 1, KR_FOREVER), -EBADF);
        CHECK_EQ(kr_read(fd, &byte, 0, KR_FOREVER), -EBADF);
        CHECK_EQ(kr_write(fd, &byte, 1, KR_FOREVER), -EBADF);
        CHECK_EQ(kr_recv(fd, &byte, 1, 0, KR_FOREVER), -EBADF);
        CHECK_EQ(kr_send(fd, &byte, 1, 0, KR_FOREVER), -EBADF);
        CHECK_EQ(kr_accept(fd, NULL, NULL, KR_FOREVER), -EBADF);
        CHECK_EQ(kr_poll(fd, KR_READABLE, KR_FOREVER), -EBADF);
        CHECK_EQ(kr_poll(fd, KR_WRITABLE, KR_NOWAIT), -EBADF);
        CHECK_EQ(kr_pread(fd, &byte, 1, 0, KR_FOREVER), -EBADF);
        CHECK_EQ(kr_fsync(fd, KR_FOREVER), -EBADF);
        CHECK_EQ(kr_close(fd), -EBADF);
    }
}

IO_TEST(test_bad_arguments)
{
    char byte = 0;
    int ends[2];
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    io_make_pair(ends);
    int fd = ends[0];
    CHECK_EQ(kr_read(fd, &byte, 1, -1), -EINVAL);
    CHECK_EQ(kr_write(fd, &byte, 1, -1), -EINVAL);
    CHECK_EQ(kr_write_all(fd, &byte, 1, NULL, -1), -EINVAL);
    CHECK_EQ(kr_recv(fd, &byte, 1, 0, -1), -EINVAL);
    CHECK_EQ(kr_send(fd, &byte, 1, 0, -1), -EINVAL);
    CHECK_EQ(kr_recvfrom(fd, &byte, 1, 0, NULL, NULL, -1), -EINVAL);
    CHECK_EQ(kr_recvfrom(fd, &byte, 1, 0, io_address_of(&at), NULL, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_sendto(fd, &byte, 1, 0, NULL, 0, -1), -EINVAL);
    CHECK_EQ(kr_accept(fd, NULL, NULL, -1), -EINVAL);
    CHECK_EQ(kr_accept(fd, io_address_of(&at), NULL, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_connect(fd, io_address_of(&at), size, -1), -EINVAL);
    CHECK_EQ(kr_connect(fd, NULL, 0, KR_FOREVER), -EINVAL);
    CHECK_EQ(kr_poll(fd, KR_READABLE, -1), -EINVAL);
    CHECK_EQ(kr_poll(fd, 0, KR_FOREVER), -EINVAL);
    CHECK_EQ(kr_poll(fd, 4, KR_FOREVER), -EINVAL);
    CHECK_EQ(kr_pread(fd, &byte, 1, -1, KR_FOREVER), -EINVAL);
    CHECK_EQ(kr_pwrite(fd, &byte, 1, 0, -1), -EINVAL);
    CHECK_EQ(kr_fsync(fd, -1), -EINVAL);
    CHECK_EQ(kr_open(NULL, O_RDONLY, 0, KR_FOREVER), -EINVAL);
    CHECK_EQ(kr_open("/", O_RDONLY, 0, -1), -EINVAL);
    io_make_pipe(ends);
    CHECK_EQ(kr_recv(ends[0], &byte, 1, 0, KR_FOREVER), -ENOTSOCK);
    CHECK_EQ(kr_send(ends[1], &byte, 1, 0, KR_FOREVER), -ENOTSOCK);
    CHECK_EQ(kr_accept(ends[0], NULL, NULL, KR_FOREVER), -ENOTSOCK);
    CHECK_EQ(kr_connect(ends[0], io_address_of(&at), size, KR_FOREVER), -ENOTSOCK);
    CHECK_EQ(kr_read(ends[1], &byte, 1, KR_FOREVER), -EBADF);
    CHECK_EQ(kr_write(ends[0], &byte, 1, KR_FOREVER), -EBADF);
    CHECK_EQ(kr_pread(ends[0], &byte, 1, 0, KR_FOREVER), -ESPIPE);
}

IO_TEST(test_devices)
{
    char bytes[64];
    memset(bytes, 1, sizeof bytes);
    int fd = kr_open("/dev/zero", O_RDWR, 0, KR_FOREVER);
    CHECK_EQ(kr_read(fd, bytes, sizeof bytes, KR_FOREVER), sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        CHECK_EQ(bytes[i], 0);
    CHECK_EQ(kr_poll(fd, KR_READABLE | KR_WRITABLE, KR_FOREVER), KR_READABLE | KR_WRITABLE);
    CHECK_EQ(kr_close(fd), 0);
    fd = kr_open("/dev/null", O_RDWR, 0, KR_FOREVER);
    CHECK_EQ(kr_write(fd, bytes, sizeof bytes, KR_FOREVER), sizeof bytes);
    CHECK_EQ(kr_read(fd, bytes, sizeof bytes, KR_FOREVER), 0);
    CHECK_EQ(kr_close(fd), 0);
    fd = kr_open("/dev/full", O_RDWR, 0, KR_FOREVER);
    CHECK_EQ(kr_write(fd, bytes, sizeof bytes, KR_FOREVER), -ENOSPC);
    CHECK_EQ(kr_close(fd), 0);
}

static void add_one(void *arg)
{
    uint64_t one = 1;
    CHECK_EQ(kr_write(*(int *)arg, &one, sizeof one, KR_FOREVER), sizeof one);
}

IO_TEST(test_eventfd_and_timerfd)
{
    if (KRI_QEMU)
        SKIP("qemu has no preadv2, without which a read that is too short waits as any other");
    for (int flags = 0; flags <= EFD_NONBLOCK; flags += EFD_NONBLOCK) {
        uint64_t count = 0;
        io_other other;
        int fd = eventfd(0, flags);
        CHECK_EQ(kr_read(fd, &count, sizeof count, kr_ms(5)), -ETIMEDOUT);
        io_start(&other, add_one, &fd);
        CHECK_EQ(kr_read(fd, &count, sizeof count, kr_sec(30)), sizeof count);
        CHECK_EQ(count, 1);
        io_join(&other);
        CHECK_EQ(kr_read(fd, &count, 1, KR_FOREVER), -EINVAL);
        uint64_t full = UINT64_MAX - 1;
        CHECK_EQ(kr_write(fd, &full, sizeof full, KR_FOREVER), sizeof full);
        CHECK_EQ(kr_write(fd, &full, sizeof full, kr_ms(20)), -ETIMEDOUT);
        CHECK_EQ(kr_close(fd), 0);
        fd = timerfd_create(CLOCK_MONOTONIC, 0);
        struct itimerspec soon = {.it_value.tv_nsec = 10 * 1000 * 1000};
        CHECK_EQ(timerfd_settime(fd, 0, &soon, NULL), 0);
        CHECK_EQ(kr_read(fd, &count, sizeof count, kr_sec(30)), sizeof count);
        CHECK_EQ(count, 1);
        CHECK_EQ(kr_close(fd), 0);
    }
}

IO_TEST(test_recv_flags)
{
    int fds[2];
    char bytes[8];
    io_tcp_pair(fds);
    CHECK_EQ(kr_send(fds[0], "abc", 3, 0, KR_FOREVER), 3);
    CHECK_EQ(kr_recv(fds[1], bytes, sizeof bytes, MSG_PEEK, KR_FOREVER), 3);
    CHECK_EQ(kr_recv(fds[1], bytes, sizeof bytes, MSG_WAITALL, KR_FOREVER), 3);
    CHECK_EQ(kr_recv(fds[1], bytes, sizeof bytes, MSG_PEEK, kr_ms(5)), -ETIMEDOUT);
    CHECK_EQ(kr_send(fds[0], "defg", 4, 0, KR_FOREVER), 4);
    CHECK_EQ(kr_recv(fds[1], bytes, sizeof bytes, MSG_PEEK, KR_FOREVER), 4);
    CHECK_EQ(kr_read(fds[1], bytes, sizeof bytes, KR_FOREVER), 4);
    CHECK_EQ(kr_read(fds[1], bytes, sizeof bytes, MSG_DONTWAIT), -ETIMEDOUT);
}

/* errno is neither read nor set. */
IO_TEST(test_errno_is_left_alone)
{
    int fds[2];
    char byte;
    io_make_pair(fds);
    errno = ENOTTY;
    CHECK_EQ(kr_read(fds[0], &byte, 1, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_read(fds[0], &byte, 1, kr_ms(1)), -ETIMEDOUT);
    CHECK_EQ(kr_read(-1, &byte, 1, KR_FOREVER), -EBADF);
    CHECK_EQ(kr_close(-1), -EBADF);
    CHECK_EQ(kr_open("/nowhere/at/all", O_RDONLY, 0, KR_FOREVER), -ENOENT);
    CHECK_EQ(errno, ENOTTY);
}
