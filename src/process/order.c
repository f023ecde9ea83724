/* Starting this program once more, and telling what it is to do.
 *
 *     parent                                 child
 *     socketpair, posix_spawn        ->      main calls kr_init
 *     pidfd
 *     compares                       <-      hello: the sum of its table, its number
 *     order, descriptors, argument   ->      runs
 *
 * The child cannot end by itself before it has the order, so its number is its own when the pidfd
 * is made.  No order is sent to an image that is not the same program: what does not arrive is not
 * run, and what has arrived is not sent again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process/hand_over.h"
#include "trace/trace.h"
#include <stdio.h>

int kri_order_send(int channel, const kri_start *s)
{
    kri_order order = s->order;
    kri_packed_connection packed[KR_HANDED_MAX];
    int fds[KR_HANDED_MAX + 2] = {s->line};
    int first = 1;
    int trace = kri_trace_hand_over();
    if (trace >= 0) {
        order.flags |= KRI_ORDER_TRACE;
        fds[first++] = trace;
    }
    int count = kri_hand_over_pack(s->options, packed, fds + first);
    size_t size = (size_t)order.connection_count * sizeof packed[0];
    int err =
        count < 0 ? count : os_channel_send(channel, &order, sizeof order, fds, count + first);
    if (trace >= 0)
        os_close(trace);
    if (err == 0)
        err = os_channel_send(channel, packed, size, NULL, 0);
    if (err == 0)
        err = os_channel_send(channel, s->arg, (size_t)order.arg_size, NULL, 0);
    return err;
}

int kri_greet(int channel, int *pid)
{
    kri_hello hello;
    kr_time deadline = kri_deadline(kr_sec(KRI_PATIENCE));
    int err = os_channel_receive(channel, &hello, sizeof hello, NULL, NULL, deadline);
    if (err < 0)
        return err;
    *pid = hello.pid;
    if (hello.magic == KRI_ORDER_MAGIC && hello.error < 0)
        return hello.error;
    bool same = hello.magic == KRI_ORDER_MAGIC && hello.sum == kri_task_table_sum();
    return same ? 0 : KR_ETASK;
}

static int get_to_know(int pid, int *pidfd, int channel)
{
    int said = 0;
    *pidfd = os_pidfd_open(pid);
    int err = *pidfd < 0 ? *pidfd : kri_greet(channel, &said);
    return err == 0 && said != pid ? KR_ETASK : err;
}

/* Nobody else knows of it, and it ends when it looks for its order. */
static void await_by_number(int pid)
{
    kr_time deadline = os_now() + kr_sec(KRI_PATIENCE);
    while (os_child_reap(pid) == -EAGAIN && os_now() < deadline)
        (void)os_poll_some(NULL, NULL, 0, os_now() + kr_ms(1));
}

int kri_give_up(int pid, int pidfd)
{
    int code = 0;
    uint64_t unused;
    bool ready;
    if (pidfd < 0) /* there may be room for one now */
        pidfd = os_pidfd_open(pid);
    if (pidfd < 0) {
        await_by_number(pid);
        return 0;
    }
    (void)os_pidfd_signal(pidfd, SIGKILL);
    while (os_poll_some(&pidfd, &ready, 1, OS_NEVER) < 0)
        continue;
    (void)os_pidfd_reap(pidfd, &code, &unused);
    os_close(pidfd);
    return code;
}

/* It has closed the channel: because it was killed, or because main does without kr_init. */
static int why_closed(int pid, int pidfd)
{
    bool ready;
    (void)os_poll_some(&pidfd, &ready, 1, os_now() + kr_sec(1));
    return kri_give_up(pid, pidfd) < 0 ? -EPIPE : KR_EINIT;
}

int kri_launch(int *pid, int *pidfd, int *channel)
{
    int ends[2];
    int err = os_channel_create(ends);
    if (err < 0)
        return err;
    char argument[sizeof KRI_CHILD_ARGUMENT + 12];
    snprintf(argument, sizeof argument, KRI_CHILD_ARGUMENT "%d", OS_SPAWNED);
    *pid = os_spawn_self(kri_program_name(), argument, ends[1]);
    os_close(ends[1]);
    err = *pid < 0 ? *pid : get_to_know(*pid, pidfd, ends[0]);
    if (err == 0) {
        *channel = ends[0];
        return 0;
    }
    os_close(ends[0]);
    if (err == KR_EOF)
        return why_closed(*pid, *pidfd);
    if (*pid > 0)
        (void)kri_give_up(*pid, *pidfd);
    return err;
}

int kri_start_spawn(kr_process *p, kri_start *s)
{
    int channel;
    int err = kri_launch(&p->pid, &p->sentinel, &channel);
    if (err < 0) {
        p->sentinel = -1;
        return err != -EPIPE ? err : -EAGAIN;
    }
    err = kri_order_send(channel, s);
    os_close(channel);
    if (err < 0 && err != -EPIPE) { /* EPIPE: somebody has killed it, as its exit code says */
        (void)kri_give_up(p->pid, p->sentinel);
        p->sentinel = -1;
        return err;
    }
    return 0;
}
