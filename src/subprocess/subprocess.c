/* Handles of other programs that run.
 *
 * State.  A child runs until its pidfd is readable.  It is `over` once its exit code has been taken
 * from the kernel, which reaps it, by whoever comes first under its lock.
 *
 * Fields.
 *     references   anybody who holds one
 *     over, code   whoever holds the lock
 *     pipes, written, gathered   whoever holds the lock while it is not busy; else who made it busy
 *     the rest     const once started
 *
 * Protocol.  As with kr_process: those who wait poll the pidfd, so that any number of them can, and
 * its number is never used for anything.  A pidfd becomes readable before the child can be reaped
 * by us, so who finds it readable finds the code there too, unless another has waited for all
 * children, or SIGCHLD is ignored: KR_EXIT_UNKNOWN.
 *
 *     Release.  Who gives the last reference back is alone with the child: he kills it and waits,
 *     so that there is no zombie once he returns, and nobody has to look after children later.
 *
 * Why not a thread, or a handler of SIGCHLD, that reaps?  It would take the codes of children that
 * are not ours, and SIGCHLD belongs to the program.
 *
 * SPDX-License-Identifier: MIT
 */
#include "subprocess/internal.h"
#include "base/atomic.h"
#include <krait/io.h>

int kri_subprocess_check(const kr_subprocess *p)
{
    if (p == NULL)
        return -EINVAL;
    return kri_forked_since(p->generation) ? KR_EFORKED : 0;
}

/* Is it over, its code taken? */
static bool settle(kr_subprocess *p)
{
    uint64_t max_rss;
    kri_mutex_lock(&p->lock);
    if (!p->over && os_pidfd_over(p->sentinel)) {
        int code;
        int err = os_pidfd_reap(p->sentinel, &code, &max_rss);
        p->over = err != -EAGAIN;
        p->code = err == 0 ? code : KR_EXIT_UNKNOWN;
    }
    bool over = p->over;
    kri_mutex_unlock(&p->lock);
    return over;
}

int kri_subprocess_await(kr_subprocess *p, kr_time deadline)
{
    while (!settle(p)) {
        int ready = kri_wait_fd(p->sentinel, OS_READABLE, deadline);
        if (ready < 0 && !settle(p))
            return ready;
    }
    return 0;
}

int kr_subprocess_wait(kr_subprocess *p, int *code, kr_time timeout)
{
    int err = timeout < 0 ? -EINVAL : kri_subprocess_check(p);
    if (err == 0)
        err = kri_subprocess_await(p, kri_deadline(timeout));
    if (err == 0 && code != NULL)
        *code = p->code;
    return err;
}

int kr_subprocess_returncode(kr_subprocess *p, int *code)
{
    int err = code == NULL ? -EINVAL : kri_subprocess_check(p);
    if (err == 0)
        err = settle(p) ? 0 : -EAGAIN;
    if (err == 0)
        *code = p->code;
    return err;
}

int kr_subprocess_pid(const kr_subprocess *p)
{
    int err = kri_subprocess_check(p);
    return err < 0 ? err : p->pid;
}

int kr_subprocess_sentinel(const kr_subprocess *p)
{
    int err = kri_subprocess_check(p);
    return err < 0 ? err : p->sentinel < 0 ? -EBADF : p->sentinel;
}

/* Signals. */

int kr_subprocess_signal(kr_subprocess *p, int signo)
{
    int err = signo < 1 || signo > OS_SIGNALS ? -EINVAL : kri_subprocess_check(p);
    if (err < 0 || p->sentinel < 0)
        return err;
    err = os_pidfd_signal(p->sentinel, signo);
    return err == -ESRCH ? 0 : err;
}

int kr_subprocess_terminate(kr_subprocess *p)
{
    return kr_subprocess_signal(p, SIGTERM);
}

int kr_subprocess_kill(kr_subprocess *p)
{
    return kr_subprocess_signal(p, SIGKILL);
}

/* Pipes. */

void kri_subprocess_close(kr_subprocess *p, int stream)
{
    if (p->pipes[stream] >= 0)
        (void)kr_close(p->pipes[stream]);
    p->pipes[stream] = -1;
}

/* Which one; it is taken out where the handle is to have it no longer. */
static int pipe_of(kr_subprocess *p, int stream, bool take)
{
    int err = stream < 0 || stream > 2 ? -EINVAL : kri_subprocess_check(p);
    if (err < 0)
        return err;
    kri_mutex_lock(&p->lock);
    int fd = p->busy ? -EBUSY : p->pipes[stream] < 0 ? -EBADF : p->pipes[stream];
    if (take && fd >= 0)
        p->pipes[stream] = -1;
    kri_mutex_unlock(&p->lock);
    return fd;
}

int kr_subprocess_pipe(kr_subprocess *p, int stream)
{
    return pipe_of(p, stream, false);
}

int kr_subprocess_take_pipe(kr_subprocess *p, int stream)
{
    return pipe_of(p, stream, true);
}

int kr_subprocess_close_pipe(kr_subprocess *p, int stream)
{
    int fd = pipe_of(p, stream, true);
    if (fd >= 0)
        (void)kr_close(fd);
    return fd < 0 ? fd : 0;
}

/* References. */

kr_subprocess *kr_subprocess_retain(kr_subprocess *p)
{
    if (p != NULL)
        kri_add_rlx(&p->references, 1);
    return p;
}

static void finish(kr_subprocess *p)
{
    if (settle(p))
        return;
    (void)os_pidfd_signal(p->sentinel, SIGKILL);
    kr_shield {
        while (kri_subprocess_await(p, KRI_NEVER) < 0)
            (void)os_poll(p->sentinel, OS_READABLE, -1, KRI_NEVER); /* no descriptor for a bell */
    }
}

void kr_subprocess_release(kr_subprocess *p)
{
    if (p == NULL || kri_sub_acq_rel(&p->references, 1) != 1)
        return;
    for (int i = 0; i < 3; i++)
        kri_subprocess_close(p, i);
    if (!kri_forked_since(p->generation))
        finish(p);
    if (p->sentinel >= 0)
        kri_descriptor_close(p->sentinel);
    for (int i = 0; i < 2; i++)
        os_free(p->gathered[i].bytes);
    os_free(p);
}

void kr_subprocess_auto(kr_subprocess **p)
{
    kr_subprocess_release(*p);
}
