/* One thread serves a hundred clients at a time.
 *
 * Rows 52 and 53 of docs/lessons.md.  In Python:
 *
 *     server = await asyncio.start_server(greet, "127.0.0.1", 0)
 *
 * Below it lies epoll, which tells the loop whose bytes have come; the loop then goes on with the
 * coroutine that waits for them.  Watch the barrier: no client gets an answer before all hundred
 * have asked, so a hundred conversations are under way at once, and all in this one thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENTS = 100 };

static kr_barrier all_have_asked = KR_BARRIER_INIT(CLIENTS);

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

/* The server's side of one connection: a coroutine. */
static int greet(kr_stream *s, void *arg)
{
    const char *line;
    char answer[64];
    size_t size;
    (void)arg;
    int err = kr_stream_read_line(s, &line, &size, kr_sec(30));
    if (err)
        return err;
    int length = snprintf(answer, sizeof answer, "hello, %.*s", (int)size, line);
    err = kr_barrier_wait(&all_have_asked, kr_sec(30));
    if (err < 0)
        return err;
    return kr_stream_write(s, answer, (size_t)length, NULL, kr_sec(30));
}

/* A client, another coroutine of the same loop.  Its result: did it get its own answer? */
static int ask(const void *arg, void *result)
{
    const int number = ((const int *)arg)[0], port = ((const int *)arg)[1];
    KR_AUTO(kr_stream) *s = NULL;
    char service[8], question[32], wanted[64];
    const char *line;
    size_t size;
    snprintf(service, sizeof service, "%d", port);
    int length = snprintf(question, sizeof question, "client %d\n", number);
    snprintf(wanted, sizeof wanted, "hello, %s", question);

    int err = kr_stream_connect(&s, "127.0.0.1", service, NULL, kr_sec(30));
    if (!err)
        err = kr_stream_write(s, question, (size_t)length, NULL, kr_sec(30));
    if (!err)
        err = kr_stream_read_line(s, &line, &size, kr_sec(30));
    if (!err)
        *(bool *)result = size == strlen(wanted) && memcmp(line, wanted, size) == 0;
    return err;
}

static int program(void *arg)
{
    KR_AUTO(kr_server) *server = NULL;
    kr_future *clients[CLIENTS];
    int answered = 0;
    (void)arg;
    int err = kr_server_open(&server, "127.0.0.1", 0, greet, NULL, NULL);
    for (int i = 0; i < CLIENTS && !err; i++) {
        int job[] = {i, kr_server_port(server)};
        err = kr_spawn(&clients[i], ask, job, sizeof job, sizeof(bool), NULL);
    }
    for (int i = 0; i < CLIENTS && !err; i++) {
        bool right = false;
        err = kr_future_result(clients[i], &right, sizeof right, NULL, KR_FOREVER);
        kr_future_release(clients[i]);
        answered += right;
    }
    printf("%d clients got their own answer, from %d thread\n", answered, kr_thread_active_count());
    return err;
}

int main(void)
{
    int err = kr_run(program, NULL);
    return err ? fail("program", err) : EXIT_SUCCESS;
}
