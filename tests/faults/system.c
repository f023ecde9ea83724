/* Loops, descriptors, streams and programs where the system refuses something: see refuse.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "faults/refuse.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* Coroutines */

static int nap(const void *arg, void *result)
{
    (void)arg, (void)result;
    return kr_sleep(kr_us(1));
}

static int result_of(kr_future *f)
{
    int error = 0;
    int err = kr_future_exception(f, &error, KR_FOREVER);
    kr_future_release(f);
    return err != 0 ? err : error;
}

static int coroutines(void)
{
    static const kr_spawn_options own = {.name = "own", .stack_size = 64 * 1024};
    static const kr_spawn_options eager = {.eager = true};
    const kr_spawn_options *const options[] = {NULL, &own, &eager};
    kr_future *f[3];
    int err = 0;
    for (int i = 0; i < 3; i++)
        err = worse(err, kr_spawn(&f[i], nap, NULL, 0, 0, options[i]));
    for (int i = 0; i < 3; i++)
        err = f[i] != NULL ? worse(err, result_of(f[i])) : err;
    return err;
}

LOOPS_REFUSE(coroutines)

static void note_call(void *arg)
{
    kr_event_set(arg);
}

static int calls(void)
{
    kr_event soon = KR_EVENT_INIT, later = KR_EVENT_INIT, others = KR_EVENT_INIT;
    kr_call first = {.fn = NULL}, second = {.fn = NULL};
    int err = kr_call_soon(&first, note_call, &soon);
    int failed = kr_call_later(&second, kr_us(1), note_call, &later);
    int refused = kr_call_soon_threadsafe(kr_running_loop(), note_call, &others);
    if (err == 0)
        CHECK_EQ(kr_event_wait(&soon, KR_FOREVER), 0);
    if (failed == 0)
        CHECK_EQ(kr_event_wait(&later, KR_FOREVER), 0);
    if (refused == 0)
        CHECK_EQ(kr_event_wait(&others, KR_FOREVER), 0);
    return worse(err, worse(failed, refused));
}

LOOPS_REFUSE(calls)

static int loop_pool(void)
{
    kr_executor *pool;
    kr_future *f = NULL;
    int err = kr_loop_pool(&pool, &(kr_pool_options){.workers = 2});
    CHECK_EQ(pool != NULL, err == 0);
    if (err != 0)
        return err;
    err = kr_submit(pool, &f, nap, NULL, 0, 0);
    CHECK_EQ(f != NULL, err == 0);
    if (err == 0)
        err = result_of(f);
    kr_executor_release(pool);
    return err;
}

ALL_REFUSE(loop_pool)
MEMORY_REFUSED(loop_pool)

/* At a shared object, for which a thread of the library's own sleeps. */
static int acquire(const void *arg, void *result)
{
    kr_lock *lock = *(kr_lock *const *)arg;
    (void)result;
    int err = kr_lock_acquire(lock, KR_FOREVER);
    return err != 0 ? err : kr_lock_release(lock);
}

static int shared_lock(void)
{
    kr_lock lock;
    kr_future *f;
    const kr_lock *at = &lock;
    CHECK_EQ(kr_lock_init(&lock, KR_SHARED), 0);
    CHECK_EQ(kr_lock_acquire(&lock, KR_FOREVER), 0);
    int err = kr_spawn(&f, acquire, &at, sizeof at, 0, NULL);
    (void)kr_yield(); /* it has come to its wait */
    CHECK_EQ(kr_lock_release(&lock), 0);
    return err == 0 ? result_of(f) : err;
}

LOOPS_REFUSE(shared_lock)

/* Descriptors */

static int read_byte(const void *arg, void *result)
{
    char byte;
    (void)result;
    int64_t n = kr_read(*(const int *)arg, &byte, 1, KR_FOREVER);
    return n == 1 ? 0 : n < 0 ? (int)n : KR_EOF;
}

static int reading(void)
{
    int ends[2];
    kr_future *f;
    CHECK_EQ(pipe(ends), 0);
    int err = kr_spawn(&f, read_byte, &ends[0], sizeof ends[0], 0, NULL);
    (void)kr_yield();
    CHECK_EQ(kr_write(ends[1], "x", 1, KR_FOREVER), 1);
    err = err == 0 ? result_of(f) : err;
    CHECK_EQ(kr_close(ends[0]), 0);
    CHECK_EQ(kr_close(ends[1]), 0);
    return err;
}

LOOPS_REFUSE(reading)

/* In a scope, for which a thread has a descriptor of its own. */
static int polling(void)
{
    int ends[2];
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(kr_cancel_scope_enter(&scope, kr_ms(20 * KRI_TIMES)), 0);
    int err = kr_poll(ends[0], KR_READABLE, KR_FOREVER);
    if (err == -ECANCELED)
        err = 0;
    else
        CHECK_LE(err, -1);
    (void)kr_cancel_scope_exit(&scope);
    CHECK_EQ(kr_close(ends[0]), 0);
    CHECK_EQ(kr_close(ends[1]), 0);
    return err;
}

ALL_REFUSE(polling)

static int file(void)
{
    char bytes[4];
    int fd = kr_open("/proc/self/exe", O_RDONLY, 0, KR_FOREVER);
    if (fd < 0)
        return fd;
    int64_t n = kr_pread(fd, bytes, sizeof bytes, 0, KR_FOREVER);
    CHECK_EQ(kr_close(fd), 0);
    return n == sizeof bytes ? 0 : n < 0 ? (int)n : -EIO;
}

ALL_REFUSE(file)

static int open_listener(struct sockaddr_in *at)
{
    socklen_t size = sizeof *at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK_EQ(bind(listener, (struct sockaddr *)(void *)at, size), 0);
    CHECK_EQ(getsockname(listener, (struct sockaddr *)(void *)at, &size), 0);
    CHECK_EQ(listen(listener, 5), 0);
    return listener;
}

static int sockets(void)
{
    struct sockaddr_in at;
    int listener = open_listener(&at);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int err = kr_connect(client, (struct sockaddr *)(void *)&at, sizeof at, KR_FOREVER);
    int peer = err == 0 ? kr_accept(listener, NULL, NULL, KR_FOREVER) : err;
    if (peer >= 0)
        CHECK_EQ(kr_close(peer), 0);
    CHECK_EQ(kr_close(client), 0);
    CHECK_EQ(kr_close(listener), 0);
    return peer < 0 ? peer : 0;
}

LOOPS_REFUSE(sockets)

/* Messages */

static int send_message(const void *arg, void *result)
{
    (void)result;
    return kr_connection_send(*(kr_connection *const *)arg, "x", 1, KR_FOREVER);
}

static int messages(void)
{
    kr_connection *here, *there;
    kr_future *f = NULL;
    char byte;
    int err = kr_pipe(&here, &there, NULL);
    if (err != 0)
        return err;
    int early = kr_connection_poll(here, kr_ms(1));
    CHECK(early == -ETIMEDOUT || early < 0);
    err = kr_spawn(&f, send_message, &there, sizeof there, 0, NULL);
    if (err == 0)
        err = kr_connection_recv_into(here, &byte, 1, NULL, KR_FOREVER);
    if (f != NULL)
        err = worse(err, result_of(f));
    kr_connection_release(here);
    kr_connection_release(there);
    return worse(early == -ETIMEDOUT ? 0 : early, err);
}

LOOPS_REFUSE(messages)

/* Streams */

static int answer(kr_stream *s, void *arg)
{
    char byte;
    (void)arg;
    int64_t n = kr_stream_read(s, &byte, 1, KR_FOREVER);
    if (n != 1)
        return n < 0 ? (int)n : KR_EOF;
    return kr_stream_write(s, "answer", 6, NULL, KR_FOREVER);
}

static int ask(kr_stream *s)
{
    char bytes[6];
    int err = kr_stream_write(s, "?", 1, NULL, KR_FOREVER);
    err = err == 0 ? kr_stream_read_exactly(s, bytes, sizeof bytes, NULL, KR_FOREVER) : err;
    return worse(err, kr_stream_close(s, KR_FOREVER));
}

/* A server looks again after a while, until when its clients wait. */
static void note_report(const kr_task_report *report)
{
    if (faulty_failed() > 0)
        end_faults(report->error);
}

static int serve(kr_server *server, int err, kr_stream *s)
{
    if (err == 0)
        err = ask(s);
    kr_stream_release(s);
    kr_server_close(server);
    int closed = kr_server_wait_closed(server, KR_FOREVER);
    kr_server_release(server);
    return worse(err, closed);
}

static int tcp_server(void)
{
    kr_server *server;
    kr_stream *s = NULL;
    char port[8];
    (void)kr_set_task_hook(note_report);
    int err = kr_server_open(&server, "127.0.0.1", 0, answer, NULL, NULL);
    CHECK_EQ(server != NULL, err == 0);
    if (err != 0)
        return err;
    snprintf(port, sizeof port, "%d", kr_server_port(server));
    err = kr_stream_connect(&s, "127.0.0.1", port, NULL, KR_FOREVER);
    CHECK_EQ(s != NULL, err == 0);
    return serve(server, err, s);
}

ALL_REFUSE(tcp_server)
MEMORY_REFUSED(tcp_server)

static int unix_server(void)
{
    kr_server *server;
    kr_stream *s = NULL;
    char name[64];
    (void)kr_set_task_hook(note_report);
    snprintf(name, sizeof name, "@krait-faults-%d", (int)getpid());
    int err = kr_server_open_unix(&server, name, answer, NULL, NULL);
    CHECK_EQ(server != NULL, err == 0);
    if (err != 0)
        return err;
    err = kr_stream_connect_unix(&s, name, NULL, KR_FOREVER);
    CHECK_EQ(s != NULL, err == 0);
    return serve(server, err, s);
}

ALL_REFUSE(unix_server)
MEMORY_REFUSED(unix_server)

static int datagrams(void)
{
    kr_datagram *d, *e;
    kr_address at;
    char port[8], byte;
    int err = kr_datagram_open(&d, "127.0.0.1", "0", NULL, KR_FOREVER);
    CHECK_EQ(d != NULL, err == 0);
    if (err != 0)
        return err;
    CHECK_EQ(kr_datagram_local_address(d, &at), 0);
    snprintf(port, sizeof port, "%d", kr_address_port(&at));
    err = kr_datagram_connect(&e, "127.0.0.1", port, NULL, KR_FOREVER);
    CHECK_EQ(e != NULL, err == 0);
    if (err == 0)
        err = kr_datagram_send(e, "x", 1, KR_FOREVER);
    int64_t n = err == 0 ? kr_datagram_recv(d, &byte, 1, KR_FOREVER) : err;
    kr_datagram_release(e);
    kr_datagram_release(d);
    return n == 1 ? 0 : (int)n;
}

ALL_REFUSE(datagrams)
MEMORY_REFUSED(datagrams)

/* Programs */

static int program(void)
{
    kr_subprocess_data data = {.input = "text", .input_size = 4};
    int code = -1;
    int err = kr_subprocess_run((const char *const[]){"cat", NULL}, NULL, &data, &code, KR_FOREVER);
    if (err == 0) {
        CHECK_EQ(code, 0);
        CHECK_STR(data.output, "text");
    }
    free(data.output);
    free(data.error_output);
    CHECK_EQ(waitpid(-1, NULL, 0), -1); /* no child is left */
    CHECK_EQ(errno, ECHILD);
    return err;
}

ALL_REFUSE(program)
MEMORY_REFUSED(program)

static int quiet_program(void)
{
    kr_subprocess *p;
    kr_subprocess_options o = {.stdin_to = KR_TO_NULL, .stdout_to = KR_TO_NULL};
    int err = kr_subprocess_start(&p, (const char *const[]){"true", NULL}, &o);
    CHECK_EQ(p != NULL, err == 0);
    if (err == 0)
        err = kr_subprocess_wait(p, NULL, KR_FOREVER);
    kr_subprocess_release(p);
    return err;
}

ALL_REFUSE(quiet_program)
MEMORY_REFUSED(quiet_program)
