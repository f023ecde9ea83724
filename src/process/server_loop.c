/* The fork server, from inside; what it does is told at the top of server.c.
 *
 * It has one thread, and nothing is on its stack or in its memory but what came before kr_init in
 * main.  It ignores SIGINT, which a terminal sends to all of its group: who owns it decides.
 *
 * Spare.  Two thirds of a start are the fork and what the system makes up for it in the child.  So
 * while starts follow each other one child is forked ahead: when nothing else is asked for, after a
 * start that came soon after another; and it is let go when none has come for a while, so that a
 * server that has nothing to do keeps nothing.  A spare sleeps at a channel of its own, by which it
 * gets the channel of the start that takes it.  Where that one hangs up it ends: it was let go, or
 * the server is gone.  It ignores SIGINT like the server, until it is taken.  Somebody may kill it:
 * seen before it is taken, it is no spare any more; later, the process that was started was killed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/global.h"
#include "process/internal.h"

typedef struct ward {
    struct ward *next;
    pid_t pid;
    int channel;
} ward;

typedef struct serving {
    ward *wards; /* children that are alive */
    ward *spare; /* NULL: there is none; its channel is its own */
    int spare_pidfd;
    bool spare_wanted;
    kr_time last_start;
    int channel;
    int bell; /* readable when one has ended */
    bool interrupt_ignored;
    uint64_t descriptor_limit;
} serving;

static serving own_serving KRI_GLOBAL;

#define SPARE_TIME kr_sec(2) /* between starts that follow each other */

static void remove_ward(ward **at)
{
    ward *w = *at;
    *at = w->next;
    os_close(w->channel);
    os_free(w);
}

/* In a child: be nobody's server any more. */
static void leave_serving(int channel)
{
    int keep[] = {channel};
    os_close_all_but(keep, 1);
    while (own_serving.wards != NULL) {
        ward *w = own_serving.wards;
        own_serving.wards = w->next;
        os_free(w);
    }
    kri_name_thread();
}

static _Noreturn void be_child(int channel)
{
    (void)os_signal_ignore(SIGINT, own_serving.interrupt_ignored);
    os_set_descriptor_limit(own_serving.descriptor_limit);
    kri_child_of_order(channel, true);
}

static _Noreturn void be_spare(int own)
{
    char go;
    int channel, count = 1;
    leave_serving(own);
    if (os_channel_receive(own, &go, 1, &channel, &count, OS_NEVER) < 0 || count != 1)
        os_exit_now(0);
    os_close(own);
    be_child(channel);
}

static int fork_child(ward *w, int channel)
{
    w->channel = channel;
    w->pid = os_fork();
    if (w->pid == 0) {
        leave_serving(channel);
        be_child(channel);
    }
    return w->pid < 0 ? w->pid : os_pidfd_open(w->pid);
}

/* -EAGAIN, -EMFILE, ... */
static int fork_spare(ward *w)
{
    int ends[2];
    int err = os_channel_create(ends);
    if (err < 0)
        return err;
    w->channel = ends[0];
    w->pid = os_fork();
    if (w->pid == 0) {
        os_free(w);
        be_spare(ends[1]);
    }
    os_close(ends[1]);
    int pidfd = w->pid < 0 ? w->pid : os_pidfd_open(w->pid);
    if (pidfd < 0)
        os_close(ends[0]);
    return pidfd;
}

/* Where it cannot be had, starts do without. */
static void make_spare(void)
{
    ward *w = os_alloc(sizeof *w);
    own_serving.spare_pidfd = w != NULL ? fork_spare(w) : -ENOMEM;
    if (own_serving.spare_pidfd >= 0)
        own_serving.spare = w;
    else
        os_free(w);
}

static void drop_spare(void)
{
    os_close(own_serving.spare_pidfd);
    remove_ward(&own_serving.spare);
}

/* NULL: there is none. */
static ward *take_spare(int channel, int *pidfd)
{
    char go = 0;
    ward *w = own_serving.spare;
    if (w == NULL)
        return NULL;
    if (os_channel_send(w->channel, &go, 1, &channel, 1) < 0) {
        drop_spare();
        return NULL;
    }
    os_close(w->channel);
    w->channel = channel;
    *pidfd = own_serving.spare_pidfd;
    own_serving.spare = NULL;
    return w;
}

/* When to look after the spare, if nothing else is to be done until then. */
static kr_time spare_due(void)
{
    if (own_serving.spare != NULL)
        return own_serving.last_start + SPARE_TIME;
    return own_serving.spare_wanted ? 0 : OS_NEVER;
}

static void look_after_spare(void)
{
    if (own_serving.spare != NULL)
        drop_spare();
    else
        make_spare();
    own_serving.spare_wanted = false;
}

static void want_spare(void)
{
    kr_time now = os_now();
    own_serving.spare_wanted = now - own_serving.last_start < SPARE_TIME;
    own_serving.last_start = now;
}

/* Without a reply the child gets no order, and exits. */
static void start_child(int channel)
{
    int pidfd = -ENOMEM;
    ward *w = take_spare(channel, &pidfd);
    if (w == NULL) {
        w = os_alloc(sizeof *w);
        pidfd = w != NULL ? fork_child(w, channel) : -ENOMEM;
    }
    want_spare();
    kri_reply reply = {pidfd < 0 ? pidfd : 0, w != NULL ? w->pid : 0};
    (void)os_channel_send(channel, &reply, sizeof reply, &pidfd, pidfd < 0 ? 0 : 1);
    if (pidfd >= 0)
        os_close(pidfd);
    if (w != NULL && w->pid > 0) {
        w->next = own_serving.wards;
        own_serving.wards = w;
        return;
    }
    os_close(channel);
    os_free(w);
}

static void serve_request(void)
{
    char please;
    int channel, count = 1;
    int err = os_channel_receive(own_serving.channel, &please, 1, &channel, &count, OS_NEVER);
    if (err < 0 && err != -EMFILE)
        os_exit_now(0);
    if (count == 1)
        start_child(channel);
}

static void tell_end(pid_t pid, const kri_end *end)
{
    ward **at = &own_serving.wards;
    while (*at != NULL && (*at)->pid != pid)
        at = &(*at)->next;
    if (own_serving.spare != NULL && own_serving.spare->pid == pid)
        drop_spare();
    if (*at == NULL)
        return;
    (void)os_channel_send((*at)->channel, end, sizeof *end, NULL, 0);
    remove_ward(at);
}

static void reap(void)
{
    kri_end end = {0};
    pid_t pid;
    os_child_signal_clear(own_serving.bell);
    while ((pid = os_reap_any(&end.code, &end.max_rss)) > 0)
        tell_end(pid, &end);
}

void kri_serve(int channel, int line)
{
    enum { REQUESTS, ENDS, LINE, COUNT };
    own_serving.channel = channel;
    own_serving.interrupt_ignored = os_signal_ignore(SIGINT, true);
    own_serving.bell = os_child_signal_open();
    if (own_serving.bell < 0)
        os_exit_now(1);
    os_raise_descriptor_limit(&own_serving.descriptor_limit);
    os_thread_set_name(os_thread_id(), "krait forks");
    const int watched[COUNT] = {[REQUESTS] = channel, [ENDS] = own_serving.bell, [LINE] = line};
    for (;;) {
        bool ready[COUNT] = {false};
        if (os_poll_some(watched, ready, COUNT, spare_due()) == -ETIMEDOUT)
            look_after_spare();
        if (ready[LINE])
            os_exit_now(0);
        if (ready[ENDS])
            reap();
        if (ready[REQUESTS])
            serve_request();
    }
}
