/* Handles of processes.
 *
 * State.  A process is alive until its pidfd is readable.  It is `over` once its exit code has been
 * taken, by whoever comes first under its lock: from the kernel for a child of ours, which is
 * reaped by that; from the fork server's channel for one of its children.
 *
 * Fields.
 *     references  anybody who holds one; the list of children has one while it is not over
 *     sentinel, status, over, code, closed   whoever holds the lock; the descriptors are also read
 *                 without it by those who hold a reference, and closed with the last, or by a close
 *                 of one that is over
 *     the rest    const once started
 *
 * Protocol.  A joiner polls the pidfd, so that any number of them can.  A number of a process is
 * never used for anything: all is done by the pidfd, which cannot come to mean another process.
 * When somebody else has waited for the child, or SIGCHLD is ignored, the kernel has no code any
 * more; when the fork server was killed, its end of the channel is closed: KR_EXIT_UNKNOWN.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process/internal.h"
#include "loop/descriptor.h"
#include <string.h>

kr_process *kr_process_retain(kr_process *p)
{
    if (p != NULL)
        kri_add_rlx(&p->references, 1);
    return p;
}

static void close_descriptors(kr_process *p)
{
    if (p->sentinel >= 0)
        kri_descriptor_close(p->sentinel);
    if (p->status >= 0)
        kri_descriptor_close(p->status);
    p->sentinel = p->status = -1;
}

void kr_process_release(kr_process *p)
{
    if (p == NULL || kri_sub_acq_rel(&p->references, 1) != 1)
        return;
    close_descriptors(p);
    os_free(p);
}

void kr_process_auto(kr_process **p)
{
    kr_process_release(*p);
}

/* Is it of this process, and usable? */
static int check(kr_process *p)
{
    if (p == NULL)
        return -EINVAL;
    if (kri_load_rlx(&p->generation) != kri_fork_generation())
        return KR_EFORKED;
    kri_mutex_lock(&p->lock);
    int err = p->closed ? -EINVAL : 0;
    kri_mutex_unlock(&p->lock);
    return err;
}

/* It has ended; what its exit code is may not be known yet. */
static bool has_ended(kr_process *p)
{
    kri_mutex_lock(&p->lock);
    bool ended = p->over || os_pidfd_over(p->sentinel);
    kri_mutex_unlock(&p->lock);
    return ended;
}

/* With its lock held.  The server's word may come a moment after the end. */
static bool take_code(kr_process *p)
{
    kri_end end = {.code = KR_EXIT_UNKNOWN};
    if (p->kind == KRI_PARENT || !os_pidfd_over(p->sentinel)) {
        p->over = p->kind == KRI_PARENT && os_pidfd_over(p->sentinel);
    } else if (p->status < 0) {
        p->over = os_pidfd_reap(p->sentinel, &end.code, &end.max_rss) != -EAGAIN;
    } else {
        int err = os_channel_receive(p->status, &end, sizeof end, NULL, NULL, os_now());
        p->over = err != -ETIMEDOUT;
        if (err < 0)
            end = (kri_end){.code = KR_EXIT_UNKNOWN};
    }
    if (p->over) {
        p->code = end.code;
        p->max_rss = end.max_rss;
    }
    return p->over;
}

bool kri_process_settle(kr_process *p)
{
    kri_mutex_lock(&p->lock);
    bool before = p->over;
    bool over = before || (p->sentinel >= 0 && take_code(p));
    kri_mutex_unlock(&p->lock);
    if (over && !before)
        kri_processes_remove(p);
    return over;
}

static void do_without_code(kr_process *p)
{
    kri_mutex_lock(&p->lock);
    if (!p->over)
        p->code = KR_EXIT_UNKNOWN;
    p->over = true;
    kri_mutex_unlock(&p->lock);
    kri_processes_remove(p);
}

/* A coroutine lets others run meanwhile, whether or not it can be cancelled. */
static int await_readable(int fd, kr_time deadline, bool cancellable)
{
    kri_party *self = kri_party_self();
    kr_cancel_scope *scope = self->scope;
    if (!cancellable)
        self->scope = NULL;
    int ready = kri_wait_fd(fd, OS_READABLE, deadline);
    self->scope = scope;
    return ready;
}

/* The kernel says that it is over, and gives no code yet: for an instant, or while somebody traces
 * it, who is told first. */
static int await_kernel(kr_time deadline, bool cancellable)
{
    kri_party *self = kri_party_self();
    kr_cancel_scope *scope = self->scope;
    kr_time soon = os_now() + kr_ms(1);
    if (!cancellable)
        self->scope = NULL;
    int err = kri_pause(deadline < soon ? deadline : soon);
    self->scope = scope;
    return err == -ETIMEDOUT && soon <= deadline ? 0 : err;
}

/* The server tells the code at once; one that somebody has stopped may never do so. */
static int wait_once(kr_process *p, kr_time deadline, bool cancellable)
{
    bool ended = os_pidfd_over(p->sentinel);
    if (ended && p->status < 0)
        return await_kernel(deadline, cancellable);
    int fd = ended ? p->status : p->sentinel;
    kr_time patience = ended ? os_now() + kr_sec(5) : OS_NEVER;
    kr_time until = deadline < patience ? deadline : patience;
    int ready = await_readable(fd, until, cancellable);
    if (ready == -ETIMEDOUT && until != deadline)
        do_without_code(p);
    return ready == -ETIMEDOUT && until != deadline ? 0 : ready;
}

int kri_process_finish(kr_process *p, kr_time deadline)
{
    while (!kri_process_settle(p)) {
        int ready = wait_once(p, deadline, false);
        if (ready == -ETIMEDOUT)
            return ready;
    }
    return 0;
}

int kr_process_join(kr_process *p, int *exit_code, kr_time timeout)
{
    int err = timeout < 0 ? -EINVAL : check(p);
    if (err < 0)
        return err;
    if (p->kind == KRI_CURRENT)
        return -EDEADLK;
    kr_time deadline = kri_deadline(timeout);
    while (!kri_process_settle(p)) {
        int ready = wait_once(p, deadline, true);
        if (ready < 0 && !kri_process_settle(p))
            return ready;
    }
    if (exit_code != NULL)
        *exit_code = p->code;
    return 0;
}

int kr_process_exit_code(kr_process *p, int *exit_code)
{
    int err = exit_code != NULL ? check(p) : -EINVAL;
    if (err < 0)
        return err;
    if (p->kind == KRI_CURRENT || !has_ended(p))
        return -EAGAIN;
    err = kri_process_finish(p, OS_NEVER);
    *exit_code = p->code;
    return err;
}

int kr_process_alive(kr_process *p)
{
    int err = check(p);
    if (err < 0)
        return err;
    if (p->kind == KRI_CURRENT)
        return 1;
    if (has_ended(p)) {
        (void)kri_process_settle(p);
        return 0;
    }
    return 1;
}

static int send_signal(kr_process *p, int signo)
{
    int err = check(p);
    if (err < 0)
        return err;
    int fd = p->kind == KRI_CURRENT ? os_pidfd_open(p->pid) : p->sentinel;
    err = fd < 0 ? fd : os_pidfd_signal(fd, signo);
    if (p->kind == KRI_CURRENT && fd >= 0)
        os_close(fd);
    return err == -ESRCH ? 0 : err;
}

int kr_process_terminate(kr_process *p)
{
    return send_signal(p, SIGTERM);
}

int kr_process_kill(kr_process *p)
{
    return send_signal(p, SIGKILL);
}

int kr_process_interrupt(kr_process *p)
{
    return send_signal(p, SIGINT);
}

int kr_process_sentinel(const kr_process *p)
{
    int err = check((kr_process *)(uintptr_t)p);
    return err < 0 ? err : p->kind == KRI_CURRENT ? -EINVAL : p->sentinel;
}

int kr_process_close(kr_process *p)
{
    int err = check(p);
    if (err < 0)
        return err == KR_EFORKED ? err : 0;
    if (p->kind != KRI_CHILD)
        return -EINVAL;
    if (!kri_process_settle(p))
        return -EBUSY;
    kri_mutex_lock(&p->lock);
    p->closed = true;
    close_descriptors(p);
    kri_mutex_unlock(&p->lock);
    return 0;
}

int kr_process_pid(const kr_process *p)
{
    return p->pid;
}

bool kr_process_daemon(const kr_process *p)
{
    return p->daemon;
}

size_t kr_process_name(const kr_process *p, char *name, size_t size)
{
    size_t length = strlen(p->name);
    if (size > 0) {
        size_t copied = length < size ? length : size - 1;
        memcpy(name, p->name, copied);
        name[copied] = '\0';
    }
    return length;
}
