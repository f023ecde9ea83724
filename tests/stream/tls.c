/* TLS: bytes both ways, ends in good order and others, time and cancels.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/sanitizers.h"
#include "stream/tls_help.h"
#include <sys/resource.h>

static void read_text(kr_stream *s, const char *want)
{
    char text[64];
    CHECK(strlen(want) <= sizeof text);
    CHECK_EQ(kr_stream_read_exactly(s, text, strlen(want), NULL, kr_sec(20)), 0);
    CHECK(memcmp(text, want, strlen(want)) == 0);
}

BOTH_TEST(tls_talk)
{
    tls_ends ends;
    char text[8];
    meet_well(&ends);
    CHECK_STR(kr_tls_version_of(ends.client), "TLSv1.3");
    CHECK_STR(kr_tls_version_of(ends.server), "TLSv1.3");
    CHECK_STR(kr_tls_cipher_of(ends.client), kr_tls_cipher_of(ends.server));
    CHECK_EQ(kr_tls_protocol_of(ends.client, text, sizeof text), 0);
    CHECK_STR(text, "");
    CHECK(kr_tls_peer_certificate(ends.client, NULL, 0) > 100);
    CHECK_EQ(kr_tls_peer_certificate(ends.server, NULL, 0), 0);
    CHECK_EQ(kr_stream_descriptor(ends.client), kr_stream_descriptor(ends.below[0]));
    feed(ends.client, "from the client\n");
    feed(ends.server, "from the server\n");
    read_text(ends.client, "from the server\n");
    read_text(ends.server, "from the client\n");
    CHECK_EQ(kr_stream_close(ends.client, kr_sec(5)), 0);
    CHECK_EQ(kr_stream_read(ends.server, text, sizeof text, kr_sec(20)), 0);
    CHECK_EQ(kr_stream_read(ends.server, text, sizeof text, kr_sec(20)), 0);
    CHECK_EQ(kr_stream_close(ends.server, kr_sec(5)), 0);
    CHECK_EQ(kr_stream_descriptor(ends.below[0]), -EBADF);
    part_for_good(&ends);
}

TEST(tls_of_streams_that_are_none)
{
    kr_stream *a, *b, *s;
    char text[8];
    kr_tls_context *context = new_context(&(kr_tls_options){.insecure = true});
    make_pair(&a, &b, NULL);
    CHECK(kr_tls_version_of(a) == NULL);
    CHECK(kr_tls_cipher_of(a) == NULL);
    CHECK_EQ(kr_tls_protocol_of(a, text, sizeof text), -EINVAL);
    CHECK_EQ(kr_tls_peer_certificate(a, NULL, 0), -EINVAL);
    CHECK_EQ(kr_tls_update_keys(a), -EINVAL);
    CHECK_EQ(kr_tls_wrap(&s, context, NULL, NULL, NULL, kr_sec(1)), -EINVAL);
    CHECK_EQ(kr_tls_wrap(&s, NULL, a, NULL, NULL, kr_sec(1)), -EINVAL);
    CHECK_EQ(kr_tls_wrap(&s, context, a, "", NULL, kr_sec(1)), -EINVAL);
    CHECK_EQ(kr_tls_wrap(&s, context, a, NULL, NULL, -1), -EINVAL);
    CHECK_EQ(kr_tls_accept(&s, context, NULL, NULL, kr_sec(1)), -EINVAL);
    CHECK_EQ(kr_tls_connect(&s, context, NULL, "1", NULL, kr_sec(1)), -EINVAL);
    CHECK(s == NULL);
    kr_stream_release(a);
    kr_stream_release(b);
    kr_tls_context_release(context);
}

TEST(tls_of_closed_streams)
{
    tls_ends ends;
    char text[8];
    meet_well(&ends);
    CHECK_EQ(kr_stream_close(ends.client, kr_sec(5)), 0);
    kr_stream_abort(ends.server);
    kr_stream *closed[] = {ends.client, ends.server};
    for (int i = 0; i < 2; i++) {
        CHECK(kr_tls_version_of(closed[i]) == NULL);
        CHECK(kr_tls_cipher_of(closed[i]) == NULL);
        CHECK_EQ(kr_tls_protocol_of(closed[i], text, sizeof text), -EINVAL);
        CHECK_EQ(kr_tls_peer_certificate(closed[i], NULL, 0), -EINVAL);
        CHECK_EQ(kr_tls_update_keys(closed[i]), -EINVAL);
    }
    part_for_good(&ends);
}

/* Large transfers: each direction has a writer and a reader. */

enum { UPDATES = 8 };
#define LARGE ((size_t)(KRI_VALGRIND ? 1 << 18 : KRI_SANITIZED ? 1 << 20 : 6 << 20))

typedef struct flow {
    kr_stream *stream;
    uint64_t seed;
    bool update; /* change keys meanwhile */
} flow;

static int write_large(const void *arg, void *result)
{
    const flow *f = arg;
    uint64_t state = f->seed, sizes = f->seed + 1;
    enum { PIECE = 100000 };
    char *own = malloc(PIECE);
    size_t done = 0, updates = 0;
    (void)result;
    CHECK(own != NULL);
    while (done < LARGE) {
        size_t size = kri_test_random(&sizes) % PIECE + 1;
        if (size > LARGE - done)
            size = LARGE - done;
        for (size_t i = 0; i < size; i++)
            own[i] = (char)kri_test_random(&state);
        CHECK_EQ(kr_stream_write(f->stream, own, size, NULL, kr_sec(30)), 0);
        done += size;
        if (f->update && done / (LARGE / UPDATES) > updates) {
            updates++;
            CHECK_EQ(kr_tls_update_keys(f->stream), 0);
        }
    }
    CHECK_EQ(kr_stream_flush(f->stream, kr_sec(30)), 0);
    free(own);
    return 0;
}

static int read_large(const void *arg, void *result)
{
    const flow *f = arg;
    uint64_t state = f->seed;
    size_t done = 0;
    char *bytes = malloc(50000);
    (void)result;
    CHECK(bytes != NULL);
    while (done < LARGE) {
        int64_t got = kr_stream_read(f->stream, bytes, 50000, kr_sec(30));
        CHECK(got > 0);
        bool same = true;
        for (int64_t i = 0; i < got; i++)
            same &= bytes[i] == (char)kri_test_random(&state);
        CHECK(same);
        done += (size_t)got;
    }
    CHECK_EQ(done, LARGE);
    free(bytes);
    return 0;
}

static void both_ways(bool update)
{
    tls_ends ends;
    meet_well(&ends);
    flow flows[4] = {{ends.client, 1, update},
                     {ends.server, 1, false},
                     {ends.server, 2, update},
                     {ends.client, 2, false}};
    beside all[4];
    for (int i = 0; i < 4; i++)
        all[i] = beside_start(i % 2 ? read_large : write_large, &flows[i]);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(beside_end(&all[i]), 0);
    CHECK_EQ(kr_stream_close(ends.client, kr_sec(5)), 0);
    part_for_good(&ends);
}

BOTH_TEST(tls_large_transfers_both_ways)
{
    both_ways(false);
}

BOTH_TEST(tls_new_keys_while_writing)
{
    both_ways(true);
}

/* Ends */

BOTH_TEST(tls_half_closed)
{
    tls_ends ends;
    char text[8];
    meet_well(&ends);
    feed(ends.client, "all");
    CHECK_EQ(kr_stream_write_eof(ends.client, kr_sec(5)), 0);
    CHECK_EQ(kr_stream_write(ends.client, "x", 1, NULL, kr_sec(5)), -EPIPE);
    read_text(ends.server, "all");
    CHECK_EQ(kr_stream_read(ends.server, text, sizeof text, kr_sec(20)), 0);
    feed(ends.server, "an answer");
    read_text(ends.client, "an answer");
    CHECK_EQ(kr_stream_close(ends.server, kr_sec(5)), 0);
    CHECK_EQ(kr_stream_read(ends.client, text, sizeof text, kr_sec(20)), 0);
    part_for_good(&ends);
}

/* Who cuts the line below makes no end of it. */
BOTH_TEST(tls_cut_off)
{
    tls_ends ends;
    char text[64];
    meet_well(&ends);
    feed(ends.server, "nearly all");
    CHECK_EQ(kr_stream_flush(ends.server, kr_sec(5)), 0);
    kr_stream_abort(ends.server);
    read_text(ends.client, "nearly all");
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(kr_stream_read(ends.client, text, sizeof text, kr_sec(20)), KR_ETLS);
        CHECK(!kr_stream_at_eof(ends.client));
    }
    CHECK_STR(kr_tls_error_text(text, sizeof text), "the connection ended without a farewell");
    part_for_good(&ends);
}

/* A byte that is changed on the way is an error of the reader, and the writer hears of it. */
BOTH_TEST(tls_tampered)
{
    tls_ends ends;
    char text[64];
    meet_well(&ends);
    static const unsigned char record[] = {23, 3, 3, 0, 32, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    char bytes[37] = {0};
    memcpy(bytes, record, sizeof record);
    CHECK_EQ(kr_stream_write(ends.below[0], bytes, sizeof bytes, NULL, kr_sec(5)), 0);
    CHECK_EQ(kr_stream_read(ends.server, text, sizeof text, kr_sec(20)), KR_ETLS);
    CHECK_EQ(kr_stream_write(ends.server, "x", 1, NULL, kr_sec(5)), KR_ETLS);
    CHECK_EQ(kr_stream_read(ends.client, text, sizeof text, kr_sec(20)), KR_ETLS);
    CHECK(strstr(kr_tls_error_text(text, sizeof text), "alert") != NULL);
    part_for_good(&ends);
}

static int read_a_byte(const void *arg, void *result)
{
    kr_stream *s = (kr_stream *)(uintptr_t)arg;
    char byte;
    (void)result;
    return (int)kr_stream_read(s, &byte, 1, kr_sec(20));
}

BOTH_TEST(tls_closed_by_another)
{
    tls_ends ends;
    meet_well(&ends);
    beside reader = beside_start(read_a_byte, ends.client);
    CHECK_EQ(kr_sleep(kr_ms(20)), 0); /* likely to be in its read; it is right without, too */
    kr_stream_abort(ends.client);
    CHECK_EQ(beside_end(&reader), -EBADF);
    part_for_good(&ends);
}

BOTH_TEST(tls_closed)
{
    tls_ends ends;
    char text[8];
    meet_well(&ends);
    CHECK_EQ(kr_stream_close(ends.client, kr_sec(5)), 0);
    CHECK_EQ(kr_stream_write(ends.client, "x", 1, NULL, kr_sec(5)), -EBADF);
    CHECK_EQ(kr_stream_write_eof(ends.client, kr_sec(5)), -EBADF);
    CHECK_EQ(kr_stream_flush(ends.client, kr_sec(5)), -EBADF);
    CHECK_EQ(kr_stream_read(ends.client, text, sizeof text, kr_sec(5)), -EBADF);
    CHECK_EQ(kr_stream_close(ends.client, kr_sec(5)), -EBADF);
    part_for_good(&ends);
}

static int write_for_ever(const void *arg, void *result)
{
    kr_stream *s = (kr_stream *)(uintptr_t)arg;
    static char bytes[1 << 20];
    (void)result;
    return kr_stream_write(s, bytes, sizeof bytes, NULL, kr_sec(20));
}

static int close_in_time(const void *arg, void *result)
{
    (void)result;
    return kr_stream_close((kr_stream *)(uintptr_t)arg, kr_sec(20));
}

static int write_eof_in_time(const void *arg, void *result)
{
    (void)result;
    return kr_stream_write_eof((kr_stream *)(uintptr_t)arg, kr_sec(20));
}

/* Nobody reads, so one writes, the others wait for their turns, and have them when it is closed. */
static void abort_many(void)
{
    tls_ends ends;
    beside_fn what[] = {write_for_ever, write_for_ever, write_eof_in_time, close_in_time};
    enum { MANY = sizeof what / sizeof what[0] };
    beside all[MANY];
    meet_well(&ends);
    for (int i = 0; i < MANY; i++)
        all[i] = beside_start(what[i], ends.client);
    CHECK_EQ(kr_yield(), 0); /* each has come to its wait */
    kr_stream_abort(ends.client);
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(beside_end(&all[i]), -EBADF);
    part_for_good(&ends);
}

TEST(tls_closed_while_others_wait_for_their_turn)
{
    in_loop = true;
    CHECK_EQ(kr_run(call_body, (void *)(uintptr_t)abort_many), 0);
}

/* Somebody reads meanwhile: he is not in the child, whose copy goes. */
BOTH_TEST(tls_fork_with_a_reader)
{
    tls_ends ends;
    int status;
    meet_well(&ends);
    int fd = kr_stream_descriptor(ends.client);
    beside reader = beside_start(read_a_byte, ends.client);
    CHECK_EQ(kr_yield(), 0); /* a coroutine is in its read now, a thread perhaps */
    pid_t child = fork();
    if (child == 0) {
        kr_stream_release(ends.client);
        kr_stream_release(ends.below[0]);
        _exit(fcntl(fd, F_GETFD) >= 0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    feed(ends.server, "x");
    CHECK(beside_end(&reader) >= 0);
    part_for_good(&ends);
}

/* Time and cancels */

BOTH_TEST(tls_read_in_time)
{
    tls_ends ends;
    char text[8];
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    meet_well(&ends);
    CHECK_EQ(kr_stream_read(ends.client, text, sizeof text, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_stream_read(ends.client, text, sizeof text, kr_ms(5)), -ETIMEDOUT);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_cancel(&scope);
    CHECK_EQ(kr_stream_read(ends.client, text, sizeof text, kr_sec(20)), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    feed(ends.server, "late");
    read_text(ends.client, "late");
    part_for_good(&ends);
}

static int read_all(const void *arg, void *result)
{
    kr_stream *s = (kr_stream *)(uintptr_t)arg;
    uint64_t total = 0;
    unsigned char bytes[3000];
    int64_t got;
    (void)result;
    while ((got = kr_stream_read(s, bytes, sizeof bytes, kr_sec(20))) > 0) {
        bool same = true;
        for (int64_t i = 0; i < got; i++)
            same &= bytes[i] == (unsigned char)(total++ % 251);
        CHECK(same);
        (void)kr_yield();
    }
    CHECK_EQ(got, 0);
    CHECK(total > 0);
    return 0;
}

/* However often a write is cut short: what counts as written comes, once and in order. */
BOTH_TEST(tls_writes_cut_short)
{
    tls_ends ends;
    static unsigned char bytes[251 * 400];
    uint64_t state = kri_test_seed();
    size_t total = 0, cut = 0;
    meet_well(&ends);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i % 251);
    for (int i = 0; i < 40; i++) { /* nobody reads yet: sooner or later it is full */
        size_t written, from = total % 251;
        size_t size = kri_test_random(&state) % (sizeof bytes - 251) + 1;
        kr_time time = kri_test_random(&state) % 2 ? KR_NOWAIT : kr_us(300);
        int err = kr_stream_write(ends.client, bytes + from, size, &written, time);
        CHECK(err == 0 || err == -ETIMEDOUT);
        CHECK(err != 0 || written == size);
        cut += err != 0;
        total += written;
    }
    CHECK(cut > 0);
    beside reader = beside_start(read_all, ends.server);
    for (int i = 0; i < 200; i++) {
        size_t written, from = total % 251;
        size_t size = kri_test_random(&state) % (sizeof bytes - 251) + 1;
        int err = kr_stream_write(ends.client, bytes + from, size, &written, kr_us(200));
        CHECK(err == 0 || err == -ETIMEDOUT);
        total += written;
    }
    CHECK_EQ(kr_stream_close(ends.client, kr_sec(20)), 0);
    CHECK_EQ(beside_end(&reader), 0);
    part_for_good(&ends);
}

typedef struct share {
    kr_stream *stream;
    size_t size;
} share;

static int read_share(const void *arg, void *result)
{
    const share *all = arg;
    char *bytes = malloc(all->size);
    (void)result;
    CHECK(bytes != NULL);
    int err = kr_stream_read_exactly(all->stream, bytes, all->size, NULL, kr_sec(20));
    free(bytes);
    return err;
}

/* What counts as written and is not with the system yet is left to be sent: of the stream or of the
 * one below it. */
BOTH_TEST(tls_flush)
{
    tls_ends ends;
    static char bytes[10000];
    size_t written, total = 0;
    int err;
    meet_well(&ends);
    do {
        err = kr_stream_write(ends.client, bytes, sizeof bytes, &written, KR_NOWAIT);
        total += written;
        CHECK(err == 0 || err == -ETIMEDOUT);
    } while (err == 0 && kr_stream_unsent(ends.below[0]) == 0);
    CHECK(kr_stream_unsent(ends.client) > 0);
    CHECK_EQ(kr_stream_flush(ends.client, KR_NOWAIT), -ETIMEDOUT);
    share all = {ends.server, total};
    beside reader = beside_start(read_share, &all);
    CHECK_EQ(kr_stream_flush(ends.client, kr_sec(20)), 0);
    CHECK_EQ(kr_stream_unsent(ends.client), 0);
    CHECK_EQ(beside_end(&reader), 0);
    part_for_good(&ends);
}

/* The last write is taken though below there is room for a part of it only: the rest goes by
 * itself. */
enum { FULL = 64 * 1024 };

static void write_and_go(void)
{
    tls_ends ends;
    static char bytes[16 * 1024];
    size_t total = 0;
    meet_well(&ends);
    for (; kr_stream_unsent(ends.below[0]) < FULL; total += sizeof bytes)
        CHECK_EQ(kr_stream_write(ends.client, bytes, sizeof bytes, NULL, KR_NOWAIT), 0);
    share all = {ends.server, total};
    CHECK_EQ(read_share(&all, NULL), 0);
    part_for_good(&ends);
}

TEST(tls_writes_left_to_be_sent)
{
    in_loop = true;
    CHECK_EQ(kr_run(call_body, (void *)(uintptr_t)write_and_go), 0);
}

/* In a thread that has not waited yet, and so would need a descriptor to be ended by. */
static int write_without_descriptors(const void *arg, void *result)
{
    tls_ends *ends = (tls_ends *)(uintptr_t)arg;
    struct rlimit limit;
    static unsigned char bytes[251 * 400];
    size_t total = 0;
    int err = 0;
    (void)result;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i % 251);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &(struct rlimit){3, limit.rlim_max}), 0);
    while (err == 0) {
        size_t written;
        err = kr_stream_write(ends->client, bytes + total % 251, 251 * 100, &written, kr_sec(20));
        CHECK(err == 0 || err == -EMFILE);
        total += written;
    }
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    beside reader = beside_start(read_all, ends->server);
    CHECK_EQ(kr_stream_write(ends->client, bytes + total % 251, 251, NULL, kr_sec(20)), 0);
    CHECK_EQ(kr_stream_close(ends->client, kr_sec(20)), 0);
    return beside_end(&reader);
}

/* A write that fails for want of something has not written what it seals again. */
TEST(tls_write_without_descriptors)
{
    tls_ends ends;
    meet_well(&ends);
    beside writer = beside_start(write_without_descriptors, &ends);
    CHECK_EQ(beside_end(&writer), 0);
    part_for_good(&ends);
}

BOTH_TEST(tls_handshake_in_time)
{
    kr_stream *a, *b, *s;
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_tls_context *context = new_context(&(kr_tls_options){.insecure = true});
    make_pair(&a, &b, NULL);
    kr_time begun = kr_now();
    CHECK_EQ(kr_tls_wrap(&s, context, a, NULL, NULL, kr_ms(50)), -ETIMEDOUT);
    CHECK_TIME(kr_now() - begun, kr_ms(50));
    CHECK(s == NULL);
    CHECK_EQ(kr_cancel_scope_enter(&scope, kr_ms(20)), 0);
    CHECK_EQ(kr_tls_wrap(&s, context, a, NULL, NULL, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ETIMEDOUT);
    kr_stream_release(a);
    kr_stream_release(b);
    kr_tls_context_release(context);
}

/* The other end speaks something else, or goes away. */
BOTH_TEST(tls_with_a_stranger)
{
    kr_stream *a, *b, *s;
    char text[128];
    kr_tls_context *context = new_context(&(kr_tls_options){.insecure = true});
    make_pair(&a, &b, NULL);
    feed(b, "220 mail.example.org ESMTP\r\n");
    CHECK_EQ(kr_tls_wrap(&s, context, a, NULL, NULL, kr_sec(20)), KR_ETLS);
    CHECK_STR(kr_tls_error_text(text, sizeof text), "wrong version number");
    kr_stream_release(a);
    kr_stream_release(b);
    make_pair(&a, &b, NULL);
    CHECK_EQ(kr_stream_write_eof(b, kr_sec(5)), 0);
    CHECK_EQ(kr_tls_wrap(&s, context, a, NULL, NULL, kr_sec(20)), KR_ETLS);
    CHECK_STR(kr_tls_error_text(text, sizeof text), "the connection ended without a farewell");
    kr_stream_release(a);
    kr_stream_release(b);
    kr_tls_context_release(context);
}

/* What a client says in one breath before TLS and as its beginning may be read in one piece. */
static int upgrade(const void *arg, void *result)
{
    tls_ends *ends = (tls_ends *)(uintptr_t)arg;
    const char *line;
    size_t size;
    CHECK_EQ(kr_stream_read_line(ends->below[1], &line, &size, kr_sec(20)), 0);
    CHECK_BYTES(line, size, "STARTTLS\n");
    return be_server(arg, result);
}

BOTH_TEST(tls_on_a_stream_in_use)
{
    tls_ends ends;
    meet_well(&ends);
    part(&ends);
    make_pair(&ends.below[0], &ends.below[1], NULL);
    feed(ends.below[0], "STARTTLS\n");
    beside server = beside_start(upgrade, &ends);
    CHECK_EQ(kr_tls_wrap(&ends.client, ends.client_context, ends.below[0], "localhost", NULL,
                         kr_sec(20)),
             0);
    CHECK_EQ(beside_end(&server), 0);
    CHECK_EQ(ends.server_result, 0);
    feed(ends.server, "welcome");
    read_text(ends.client, "welcome");
    part_for_good(&ends);
}
