/* Many at once: on one descriptor, on a thousand, and with signals that interrupt.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/sanitizers.h"
#include "io/channels.h"
#include "io/io.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>

/* Several readers and writers of one descriptor: every byte goes to one of them, and nobody hangs.
 */
enum { READERS = 6, WRITERS = 3, EACH = 40000 };

typedef struct side {
    int fd;
    size_t count;
    uint64_t sum;
    int64_t result;
} side;

static void read_to_the_end(void *arg)
{
    side *s = arg;
    unsigned char bytes[700];
    while ((s->result = kr_read(s->fd, bytes, sizeof bytes, kr_sec(60))) > 0) {
        for (int64_t i = 0; i < s->result; i++)
            s->sum += bytes[i];
        s->count += (size_t)s->result;
    }
}

static void write_all(void *arg)
{
    side *s = arg;
    unsigned char bytes[500];
    uint64_t state = (uint64_t)(uintptr_t)s | 1;
    while (s->count < EACH) {
        for (size_t i = 0; i < sizeof bytes; i++)
            s->sum += bytes[i] = (unsigned char)kri_test_random(&state);
        size_t written = 0;
        CHECK_EQ(kr_write_all(s->fd, bytes, sizeof bytes, &written, kr_sec(60)), 0);
        s->count += written;
    }
}

IO_TEST(test_several_readers_and_writers)
{
    for (io_channel *channel = io_channels(); channel->name != NULL; channel++) {
        side sides[READERS + WRITERS] = {{.fd = -1}};
        io_other others[READERS + WRITERS];
        uint64_t read = 0, written = 0, read_sum = 0, written_sum = 0;
        for (int i = 0; i < READERS + WRITERS; i++) {
            bool reads = i < READERS;
            sides[i].fd = reads ? channel->reader : channel->writer;
            io_start(&others[i], reads ? read_to_the_end : write_all, &sides[i]);
        }
        for (int i = READERS; i < READERS + WRITERS; i++) {
            io_join(&others[i]);
            written += sides[i].count;
            written_sum += sides[i].sum;
        }
        CHECK_EQ(kr_close(channel->writer), 0);
        for (int i = 0; i < READERS; i++) {
            io_join(&others[i]);
            CHECK(sides[i].result == 0 || sides[i].result == -EIO);
            read += sides[i].count;
            read_sum += sides[i].sum;
        }
        bool all = read == written; /* a terminal may lose the last of them as it is hung up */
        CHECK(all || sides[0].result == -EIO || strstr(channel->name, "terminal"));
        CHECK(!all || read_sum == written_sum);
        CHECK_EQ(kr_close(channel->reader), 0);
    }
}

/* Who was slower than others does not take it for a driver that refuses, and takes no nap. */
IO_TEST(test_tries_that_others_were_faster_in)
{
    int ends[2];
    int64_t result;
    CHECK_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    kri_tries tries = {.fd = ends[0], .events = KR_READABLE, .timeout = kr_sec(60)};
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK(kri_try_again(&tries, &result)); /* it is ready, and the first time no try in vain */
    CHECK_EQ(tries.vain, 0);
    for (unsigned i = 1; i < 3; i++) { /* and again, though a try was made in between */
        CHECK(kri_try_again(&tries, &result));
        CHECK_EQ(tries.vain, i);
    }
    char byte;
    CHECK_EQ(read(ends[0], &byte, 1), 1); /* another is faster */
    tries.deadline = kri_deadline(kr_ms(1));
    CHECK(!kri_try_again(&tries, &result));
    CHECK_EQ(result, -ETIMEDOUT);
    CHECK_EQ(tries.vain, 0);
    tries.deadline = kri_deadline(kr_sec(60));
    CHECK_EQ(write(ends[1], "x", 1), 1);
    for (unsigned i = 1; i < 3; i++) {
        CHECK(kri_try_again(&tries, &result));
        CHECK_EQ(tries.vain, i);
    }
    CHECK(kri_try_again(&tries, &result)); /* a nap, at last */
    CHECK_EQ(tries.vain, 4);
    CHECK_EQ(kr_close(ends[0]), 0);
    CHECK_EQ(kr_close(ends[1]), 0);
}

/* One that reads and one that writes the same socket. */
IO_TEST(test_duplex)
{
    enum { BYTES = 200 * 500 };
    for (int kind = 0; kind < 2; kind++) {
        int fds[2];
        side sides[4] = {{.fd = -1}};
        io_other others[4];
        (kind ? io_tcp_pair : io_make_pair)(fds);
        for (int i = 0; i < 4; i++) {
            sides[i].fd = fds[i % 2];
            io_start(&others[i], i < 2 ? read_to_the_end : write_all, &sides[i]);
        }
        for (int i = 2; i < 4; i++) {
            io_join(&others[i]);
            CHECK_EQ(shutdown(fds[i % 2], SHUT_WR), 0);
        }
        for (int i = 0; i < 2; i++) {
            io_join(&others[i]);
            CHECK_EQ(sides[i].result, 0);
            CHECK_EQ(sides[i].count, sides[3 - i].count);
            CHECK(sides[i].sum == sides[3 - i].sum);
            CHECK_EQ(kr_close(fds[i]), 0);
        }
    }
}

/* A message goes round: 1,000 coroutines, each between two sockets. */
enum { STATIONS = 1000, ROUNDS = 5 };

typedef struct station {
    int from;
    int to;
} station;

static int stand(const void *arg, void *result)
{
    (void)result;
    const station *s = arg;
    char bytes[64];
    int64_t got = 0;
    for (int i = 0; i < ROUNDS; i++) {
        size_t done = 0;
        while (done < sizeof bytes) {
            got = kr_read(s->from, bytes + done, sizeof bytes - done, kr_sec(60));
            CHECK_GE(got, 1);
            done += (size_t)got;
        }
        CHECK_EQ(kr_write_all(s->to, bytes, done, NULL, kr_sec(60)), 0);
    }
    return 0;
}

static int run_stations(void *arg)
{
    (void)arg;
    static int pairs[STATIONS + 1][2];
    static kr_future *futures[STATIONS];
    char bytes[64] = "round", back[64];
    for (int i = 0; i <= STATIONS; i++)
        io_make_pair(pairs[i]);
    for (int i = 0; i < STATIONS; i++) {
        station s = {pairs[i][1], pairs[i + 1][0]};
        CHECK_EQ(kr_spawn(&futures[i], stand, &s, sizeof s, 0, NULL), 0);
    }
    for (int round = 0; round < ROUNDS; round++) {
        CHECK_EQ(kr_write_all(pairs[0][0], bytes, sizeof bytes, NULL, KR_FOREVER), 0);
        CHECK_EQ(kr_read(pairs[STATIONS][1], back, sizeof back, kr_sec(60)), sizeof back);
        CHECK(memcmp(bytes, back, sizeof back) == 0);
    }
    for (int i = 0; i < STATIONS; i++) {
        CHECK_EQ(kr_future_exception(futures[i], NULL, kr_sec(60)), 0);
        kr_future_release(futures[i]);
    }
    for (int i = 0; i <= STATIONS; i++) {
        CHECK_EQ(kr_close(pairs[i][0]), 0);
        CHECK_EQ(kr_close(pairs[i][1]), 0);
    }
    return 0;
}

TEST(test_a_thousand_coroutines)
{
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    if (limit.rlim_max < 2 * STATIONS + 64)
        SKIP("too few descriptors");
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK_EQ(kr_run(run_stations, NULL), 0);
}

/* Signals that interrupt every system call that they can. */
static void on_alarm(int signo)
{
    (void)signo;
}

static void begin_storm(void)
{
    struct sigaction action = {.sa_handler = on_alarm}; /* without SA_RESTART */
    struct itimerval often = {.it_interval.tv_usec = 200, .it_value.tv_usec = 200};
    CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
    CHECK_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
}

static void end_storm(void)
{
    struct itimerval none = {.it_value.tv_usec = 0};
    CHECK_EQ(setitimer(ITIMER_REAL, &none, NULL), 0);
}

IO_TEST(test_storm_of_signals)
{
    io_channel *channel = io_channels();
    begin_storm();
    for (; channel->name != NULL; channel++) {
        side sides[2] = {{.fd = channel->reader}, {.fd = channel->writer}};
        io_other others[2];
        char byte;
        kr_time began = kr_now();
        CHECK_EQ(kr_read(channel->reader, &byte, 1, kr_ms(20)), -ETIMEDOUT);
        CHECK_TIME(kr_now() - began, kr_ms(20));
        io_start(&others[0], read_to_the_end, &sides[0]);
        io_start(&others[1], write_all, &sides[1]);
        io_join(&others[1]);
        CHECK_EQ(kr_close(channel->writer), 0);
        io_join(&others[0]);
        CHECK(sides[0].result == 0 || sides[0].result == -EIO);
        CHECK_EQ(kr_close(channel->reader), 0);
    }
    struct sockaddr_in at;
    int listener = io_listen(&at, 5);
    for (int i = 0; i < 50; i++) {
        int client = socket(AF_INET, SOCK_STREAM, 0);
        CHECK_EQ(kr_connect(client, io_address_of(&at), sizeof at, KR_FOREVER), 0);
        int server = kr_accept(listener, NULL, NULL, KR_FOREVER);
        CHECK_GE(server, 0);
        CHECK_EQ(kr_close(server), 0);
        CHECK_EQ(kr_close(client), 0);
    }
    end_storm();
}

/* Descriptors come and go, with time-outs, cancels and closes at random; the sums agree and nobody
 * hangs. */
typedef struct chaos {
    int fds[2];
    uint64_t random;
    size_t sent;
    size_t received;
    kr_cancel_scope scope;
} chaos;

static void receive_chaos(void *arg)
{
    chaos *c = arg;
    char bytes[256];
    int64_t got = 1;
    CHECK_EQ(kr_cancel_scope_enter(&c->scope, KR_FOREVER), 0);
    while (got > 0 || got == -ETIMEDOUT) {
        got = kr_read(c->fds[0], bytes, sizeof bytes, kr_us(300));
        c->received += got > 0 ? (size_t)got : 0;
    }
    CHECK(got == 0 || got == -ECANCELED || got == -EBADF);
    (void)kr_cancel_scope_exit(&c->scope);
}

static void send_chaos(void *arg)
{
    chaos *c = arg;
    char bytes[256] = "";
    for (int i = 0; i < 50; i++) {
        size_t size = 1 + kri_test_random(&c->random) % sizeof bytes;
        int64_t sent = kr_write(c->fds[1], bytes, size, kr_us(300));
        CHECK(sent > 0 || sent == -ETIMEDOUT || sent == -EPIPE || sent == -ECONNRESET);
        c->sent += sent > 0 ? (size_t)sent : 0;
        if (kri_test_random(&c->random) % 8 == 0)
            CHECK_EQ(kr_sleep(kr_us(200)), 0);
    }
    switch (kri_test_random(&c->random) % 3) {
    case 0:
        kr_cancel(&c->scope);
        break;
    case 1:
        CHECK_EQ(shutdown(c->fds[1], SHUT_WR), 0);
        break;
    default: /* not where a thread is just about to use it */
        if (!io_in_coroutine()) {
            kr_cancel(&c->scope);
        } else {
            CHECK_EQ(kr_close(c->fds[0]), 0);
            c->fds[0] = -1;
        }
        break;
    }
}

IO_TEST(test_chaos)
{
    enum { THEY = 20 };
    const int times = KRI_VALGRIND ? 2 : 10;
    static chaos all[THEY];
    static io_other others[THEY][2];
    uint64_t state = kri_test_seed();
    for (int round = 0; round < times; round++) {
        for (int i = 0; i < THEY; i++) {
            all[i] = (chaos){.random = kri_test_random(&state)};
            (i % 2 ? io_tcp_pair : io_make_pair)(all[i].fds);
            io_start(&others[i][0], receive_chaos, &all[i]);
            io_start(&others[i][1], send_chaos, &all[i]);
        }
        for (int i = 0; i < THEY; i++) {
            io_join(&others[i][0]);
            io_join(&others[i][1]);
            CHECK_LE(all[i].received, all[i].sent);
            for (int k = 0; k < 2; k++)
                CHECK(all[i].fds[k] < 0 || kr_close(all[i].fds[k]) == 0);
        }
    }
}

/* A coroutine that never has to wait: a sleeper wakes beside it all the same. */
static bool slept;

static int sleep_beside(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    int err = kr_sleep(kr_us(100));
    slept = true;
    return err;
}

static int write_and_read_until_then(void *arg)
{
    int fds[2];
    char byte = 0;
    (void)arg;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    CHECK_EQ(kr_spawn(NULL, sleep_beside, NULL, 0, 0, NULL), 0);
    while (!slept) {
        CHECK_EQ(kr_write(fds[0], &byte, 1, KR_FOREVER), 1);
        CHECK_EQ(kr_read(fds[1], &byte, 1, KR_FOREVER), 1);
    }
    CHECK_EQ(kr_close(fds[0]), 0);
    CHECK_EQ(kr_close(fds[1]), 0);
    return 0;
}

TEST(test_who_never_waits_gives_way)
{
    CHECK_EQ(kr_run(write_and_read_until_then, NULL), 0);
}

static int poll_until_then(void *arg)
{
    int fds[2];
    (void)arg;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    CHECK_EQ(kr_spawn(NULL, sleep_beside, NULL, 0, 0, NULL), 0);
    while (!slept)
        CHECK_EQ(kr_poll(fds[0], KR_WRITABLE, KR_FOREVER), KR_WRITABLE);
    CHECK_EQ(kr_close(fds[0]), 0);
    CHECK_EQ(kr_close(fds[1]), 0);
    return 0;
}

TEST(test_who_polls_what_is_ready_gives_way)
{
    CHECK_EQ(kr_run(poll_until_then, NULL), 0);
}

/* What it has given way to may take what it polls for: it asks thereafter. */
static int read_beside(const void *arg, void *result)
{
    char byte;
    (void)result;
    return (int)kr_read(*(const int *)arg, &byte, 1, KR_NOWAIT) - 1;
}

static int poll_beside_a_reader(void *arg)
{
    int fds[2], ready;
    char byte = 0;
    kr_future *reader;
    (void)arg;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    CHECK_EQ(kr_write(fds[1], &byte, 1, KR_NOWAIT), 1);
    CHECK_EQ(kr_spawn(&reader, read_beside, &fds[0], sizeof fds[0], 0, NULL), 0);
    while ((ready = kr_poll(fds[0], KR_READABLE, kr_ms(1))) > 0)
        CHECK_EQ(kr_poll(fds[0], KR_READABLE, KR_NOWAIT), ready);
    CHECK_EQ(ready, -ETIMEDOUT);
    CHECK_EQ(kr_future_exception(reader, NULL, KR_FOREVER), 0);
    kr_future_release(reader);
    CHECK_EQ(kr_close(fds[0]), 0);
    CHECK_EQ(kr_close(fds[1]), 0);
    return 0;
}

TEST(test_who_has_given_way_asks_anew)
{
    CHECK_EQ(kr_run(poll_beside_a_reader, NULL), 0);
}
