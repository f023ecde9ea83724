/* The fork server, from inside; what it does is told at the top of server.c.
 *
 * It has one thread, and nothing is on its stack or in its memory but what came before kr_init in
 * main.  It ignores SIGINT, which a terminal sends to all of its group: who owns it decides.
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
    int channel;
    int bell; /* readable when one has ended */
    bool interrupt_ignored;
    uint64_t descriptor_limit;
} serving;

static serving own_serving KRI_GLOBAL;

static void remove_ward(ward **at)
{
    ward *w = *at;
    *at = w->next;
    os_close(w->channel);
    os_free(w);
}

static _Noreturn void be_child(int channel)
{
    int keep[] = {channel};
    os_close_all_but(keep, 1);
    while (own_serving.wards != NULL) {
        ward *w = own_serving.wards;
        own_serving.wards = w->next;
        os_free(w);
    }
    (void)os_signal_ignore(SIGINT, own_serving.interrupt_ignored);
    os_set_descriptor_limit(own_serving.descriptor_limit);
    kri_name_thread();
    kri_child_of_order(channel, true);
}

static int fork_child(ward *w, int channel)
{
    w->channel = channel;
    w->pid = os_fork();
    if (w->pid == 0)
        be_child(channel);
    return w->pid < 0 ? w->pid : os_pidfd_open(w->pid);
}

/* Without a reply the child gets no order, and exits. */
static void start_child(int channel)
{
    ward *w = os_alloc(sizeof *w);
    int pidfd = w != NULL ? fork_child(w, channel) : -ENOMEM;
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
        (void)os_poll_some(watched, ready, COUNT, OS_NEVER);
        if (ready[LINE])
            os_exit_now(0);
        if (ready[ENDS])
            reap();
        if (ready[REQUESTS])
            serve_request();
    }
}
