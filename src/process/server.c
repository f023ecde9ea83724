/* The fork server, from outside: a helper without threads that forks this process's children.
 *
 *     process                         server                          child
 *     socketpair, one end      ->     forks, or has forked ahead      waits at the same end
 *     pid, pidfd               <-     keeps the end
 *     order, argument          ->                                     reads them, closes it, runs
 *                                     reaps it
 *     exit code                <-     closes the end
 *
 * So each child has a channel of its own, and starts and ends of several do not meet.  The server
 * is this program once more (order.c), launched at the first need, over a socketpair that nobody
 * else has an end of.
 *
 * Protocol.  A server that has died is seen by the end of a channel, and another is launched.  That
 * loses nothing: a child runs only once it has the order, which is sent when its number is known,
 * so a start is tried again only where nothing has been run.  Children of a dead server run on;
 * what is lost is their exit codes.  The server ends when this process closes its channel, or is
 * gone, which the life line tells.
 *
 * Fork.  A forked child closes its copy of the channel and has no server.  Another thread may have
 * been about to launch one; then the copy stays, and the server is told the end by the life line.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/global.h"
#include "process/internal.h"

typedef struct fork_server {
    kri_mutex lock; /* guards the rest; held for a launch, too */
    bool running;
    int pid;
    int pidfd;
    int channel;
} fork_server;

static fork_server own_server KRI_GLOBAL;

void kri_server_forked(void)
{
    if (own_server.running) {
        os_close(own_server.channel);
        os_close(own_server.pidfd);
    }
    own_server = (fork_server){.running = false};
}

/* With the lock held.  It is over, or is to be: its channel is closed. */
static void drop(kr_time patience)
{
    bool ready;
    int code;
    uint64_t unused;
    os_close(own_server.channel);
    kr_time deadline = os_now() + patience;
    while (!os_pidfd_over(own_server.pidfd)) {
        if (os_poll_some(&own_server.pidfd, &ready, 1, deadline) == -ETIMEDOUT) {
            (void)os_pidfd_signal(own_server.pidfd, SIGKILL);
            deadline = OS_NEVER;
        }
    }
    (void)os_pidfd_reap(own_server.pidfd, &code, &unused);
    os_close(own_server.pidfd);
    own_server.running = false;
}

void kri_server_end(void)
{
    kri_mutex_lock(&own_server.lock);
    if (own_server.running)
        drop(kr_sec(1));
    kri_mutex_unlock(&own_server.lock);
}

static int launch(int line)
{
    static const kr_process_options nothing;
    if (own_server.running && !os_pidfd_over(own_server.pidfd))
        return 0;
    if (own_server.running)
        drop(0);
    int err = kri_launch(&own_server.pid, &own_server.pidfd, &own_server.channel);
    if (err < 0)
        return err;
    kri_start s = {.options = &nothing, .line = line};
    s.order.magic = KRI_ORDER_MAGIC;
    s.order.flags = KRI_ORDER_SERVE;
    own_server.running = true;
    return kri_order_send(own_server.channel, &s);
}

/* -EPIPE: the server is gone.  Else *server is a pidfd of whom was asked. */
static int ask(int line, int end, int *server)
{
    char please = 0;
    kri_mutex_lock(&own_server.lock);
    int err = launch(line);
    *server = err == 0 ? os_duplicate_above(own_server.pidfd) : err;
    if (*server >= 0) {
        err = os_channel_send(own_server.channel, &please, 1, &end, 1);
        if (err < 0)
            os_close(*server);
    }
    err = *server < 0 ? *server : err;
    if (err == -EPIPE && own_server.running) /* it has closed its end and is not quite over yet */
        drop(0);
    kri_mutex_unlock(&own_server.lock);
    return err;
}

/* The channel alone does not tell that the server is dead: its child may have the end, too. */
static int await_reply(int channel, int server, kr_time deadline)
{
    enum { REPLY, DEATH, COUNT };
    const int either[COUNT] = {[REPLY] = channel, [DEATH] = server};
    bool ready[COUNT];
    int found;
    do {
        found = os_poll_some(either, ready, COUNT, deadline);
    } while (found == -EINTR);
    if (found > 0 && !ready[REPLY]) /* it may have come just before */
        found = os_poll_some(either, ready, 1, 0);
    return found == -ETIMEDOUT && os_pidfd_over(server) ? -EPIPE : found < 0 ? found : 0;
}

static int get_reply(kr_process *p, int channel, int server)
{
    kri_reply reply;
    int count = 1;
    int err = await_reply(channel, server, kri_deadline(kr_sec(KRI_PATIENCE)));
    if (err == 0)
        err = os_channel_receive(channel, &reply, sizeof reply, &p->sentinel, &count, OS_NEVER);
    if (err < 0)
        return err == KR_EOF ? -EPIPE : err;
    p->pid = reply.pid;
    if (reply.error == 0 && count == 1)
        return 0;
    p->sentinel = -1;
    return reply.error < 0 ? reply.error : -EMFILE;
}

static int get_child(kr_process *p, int line)
{
    int ends[2], server;
    int err = os_channel_create(ends);
    if (err < 0)
        return err;
    err = ask(line, ends[1], &server);
    os_close(ends[1]);
    if (err == 0) {
        err = get_reply(p, ends[0], server);
        os_close(server);
    }
    if (err == 0)
        p->status = ends[0];
    else
        os_close(ends[0]);
    return err;
}

int kri_start_by_server(kr_process *p, kri_start *s)
{
    enum { ATTEMPTS = 8 };
    int err = -EPIPE;
    for (int i = 0; err == -EPIPE && i < ATTEMPTS; i++)
        err = get_child(p, s->line);
    if (err < 0)
        return err != -EPIPE ? err : -EAGAIN;
    err = kri_order_send(p->status, s);
    if (err == 0 || err == -EPIPE) /* EPIPE: somebody has killed it, as its exit code says */
        return 0;
    (void)os_pidfd_signal(p->sentinel, SIGKILL);
    return err;
}
