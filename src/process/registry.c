/* The children of this process: who they are, and what exit and fork do about them.
 *
 * Each is listed, with a reference, from its start until somebody has seen its end.  Nobody listens
 * for SIGCHLD: ends are seen by those who join, and the rest by the next start, the next
 * kr_process_active, and exit.
 *
 * Life line.  One pipe for the process, made with its first child.  Only this process has the
 * writing end: exec closes it, and a forked child closes it before it does anything else.  A child
 * gets the reading end, and asks the kernel to be killed when the pipe hangs up, which is when this
 * process, with all its threads, is gone.
 *
 * Why not the kernel's parent-death signal?  It comes when the thread that has forked is gone.
 * Why not a thread in the child that watches the parent's pidfd?  It would be in the way: of a
 * child that counts its threads, and of one that forks.
 *
 * Exit.  After the threads, since they may have children to do with.  Daemons are asked to end,
 * then all are waited for; daemons that are still alive after a second are killed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/global.h"
#include "process/internal.h"
#include "thread/thread.h"

typedef struct children {
    kri_mutex lock; /* guards all of it, held across a fork */
    kr_process *first;
    kr_process *last;
    bool begun;
    bool forks_watched;
    bool closed; /* exit has waited for all of them */
    bool has_line;
    int line[2];
} children;

static children own_children KRI_GLOBAL;
KRI_THREAD_LOCAL(bool, own_fork_starts)

void kri_fork_starts(bool starts)
{
    *own_fork_starts() = starts;
}

static void before_fork(void)
{
    kri_mutex_lock(&own_children.lock);
}

static void in_parent(void)
{
    kri_mutex_unlock(&own_children.lock);
}

static void leave_behind(kr_process *p)
{
    p->listed = false;
    p->lock = (kri_mutex){0};
    if (p->sentinel >= 0)
        os_close(p->sentinel);
    if (p->status >= 0)
        os_close(p->status);
    p->sentinel = p->status = -1;
    kr_process_release(p);
}

/* A child of krait's keeps the end that is for children; it is told its number. */
static void in_child(void)
{
    kr_process *p = own_children.first;
    while (p != NULL) {
        kr_process *next = p->next;
        leave_behind(p);
        p = next;
    }
    if (own_children.has_line) {
        os_close(own_children.line[1]);
        if (!*own_fork_starts())
            os_close(own_children.line[0]);
    }
    own_children = (children){.begun = own_children.begun, .forks_watched = true};
    kri_server_forked();
    kri_about_forked();
}

static void end_children(void);

static int watch_forks(void)
{
    int err = kri_at_fork_child(in_child);
    if (err == 0 && !own_children.forks_watched) {
        err = os_at_fork(before_fork, in_parent, NULL);
        own_children.forks_watched = err == 0;
    }
    return err;
}

/* As the threads' list has it, and after that: its lock is taken under this one. */
__attribute__((constructor)) static void watch_from_the_first(void)
{
    if (kri_threads_watch_forks() == 0)
        (void)watch_forks();
}

int kri_processes_begin(void)
{
    int err = kri_threads_begin();
    kri_mutex_lock(&own_children.lock);
    if (err == 0 && !own_children.begun) {
        err = watch_forks();
        if (err == 0)
            err = kri_at_last(end_children);
        own_children.begun = err == 0;
    }
    kri_mutex_unlock(&own_children.lock);
    return err;
}

int kri_life_line(void)
{
    int err = 0;
    kri_mutex_lock(&own_children.lock);
    if (!own_children.has_line) {
        err = os_life_create(own_children.line);
        own_children.has_line = err == 0;
    }
    int line = own_children.line[0];
    kri_mutex_unlock(&own_children.lock);
    return err < 0 ? err : line;
}

int kri_processes_add(kr_process *p)
{
    kri_mutex_lock(&own_children.lock);
    bool closed = own_children.closed;
    if (!closed) {
        kr_process_retain(p);
        p->previous = own_children.last;
        p->next = NULL;
        *(p->previous != NULL ? &p->previous->next : &own_children.first) = p;
        own_children.last = p;
        p->listed = true;
    }
    kri_mutex_unlock(&own_children.lock);
    return closed ? KR_ESHUTDOWN : 0;
}

void kri_processes_remove(kr_process *p)
{
    kri_mutex_lock(&own_children.lock);
    bool listed = p->listed;
    if (listed) {
        *(p->previous != NULL ? &p->previous->next : &own_children.first) = p->next;
        *(p->next != NULL ? &p->next->previous : &own_children.last) = p->previous;
        p->listed = false;
    }
    kri_mutex_unlock(&own_children.lock);
    if (listed)
        kr_process_release(p);
}

/* With a reference each.  How many. */
static int find_ended(kr_process **ended, int most)
{
    int count = 0;
    kri_mutex_lock(&own_children.lock);
    for (kr_process *p = own_children.first; p != NULL && count < most; p = p->next)
        if (os_pidfd_over(p->sentinel))
            ended[count++] = kr_process_retain(p);
    kri_mutex_unlock(&own_children.lock);
    return count;
}

void kri_processes_reap(void)
{
    enum { AT_ONCE = 32 };
    kr_process *ended[AT_ONCE];
    bool more = true;
    while (more) {
        int count = find_ended(ended, AT_ONCE);
        more = count == AT_ONCE;
        for (int i = 0; i < count; i++) {
            more = kri_process_settle(ended[i]) && more;
            kr_process_release(ended[i]);
        }
    }
}

int kr_process_active(kr_process **processes, int max)
{
    int count = 0;
    kri_processes_reap();
    kri_mutex_lock(&own_children.lock);
    for (kr_process *p = own_children.first; p != NULL; p = p->next) {
        if (os_pidfd_over(p->sentinel))
            continue;
        if (count < max && processes != NULL)
            processes[count] = kr_process_retain(p);
        count++;
    }
    kri_mutex_unlock(&own_children.lock);
    return count;
}

/* Exit. */

static void signal_daemons(int signo)
{
    kri_mutex_lock(&own_children.lock);
    for (kr_process *p = own_children.first; p != NULL; p = p->next)
        if (p->daemon)
            (void)os_pidfd_signal(p->sentinel, signo);
    kri_mutex_unlock(&own_children.lock);
}

/* With a reference; NULL: there is none.  Without any child left, there is to be none any more. */
static kr_process *next_child(bool daemons)
{
    kri_mutex_lock(&own_children.lock);
    kr_process *p = own_children.first;
    own_children.closed = p == NULL;
    while (p != NULL && p->daemon != daemons)
        p = p->next;
    kr_process_retain(p);
    kri_mutex_unlock(&own_children.lock);
    return p;
}

static void finish(bool daemons, kr_time deadline)
{
    for (kr_process *p = next_child(daemons); p != NULL; p = next_child(daemons)) {
        if (kri_process_finish(p, deadline) < 0) {
            signal_daemons(SIGKILL);
            deadline = OS_NEVER;
        }
        kr_process_release(p);
    }
}

static void end_children(void)
{
    kri_processes_reap();
    signal_daemons(SIGTERM);
    finish(true, os_now() + kr_sec(1));
    finish(false, OS_NEVER);
    kri_server_end();
}
