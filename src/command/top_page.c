/* The status page of another process.
 *
 * What is found there was written by somebody else's program, so it is judged before it is used:
 * the file belongs to the owner of the process, or to root, as which many programs begin that give
 * their rights up then; it has the right length, and is held by somebody; the
 * counts and texts are sound.  Whoever owns the file could cut it short while it is looked at, and
 * so end the command by SIGBUS: nobody but the process's owner, of his own page.
 *
 * SPDX-License-Identifier: MIT
 */
#include "command/top.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/io.h"
#include "os/segment.h"

enum { TRIES = 1000, FEW = 4 };

static int fail(kri_top *top, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(kri_top *top, int err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(top->why, sizeof top->why, format, args);
    va_end(args);
    (void)kri_text_clean(top->why);
    return err;
}

static int has_no_page(kri_top *top)
{
    return fail(top, -ENOENT,
                "%s (process %d) shows no status page: it has to call kr_status_start, "
                "or be started with KR_STATUS=1",
                top->process.name, (int)top->pid);
}

static int has_ended(kri_top *top)
{
    return fail(top, -ESRCH, "%s (process %d) has ended", top->process.name, (int)top->pid);
}

static void name_of(pid_t pid, char name[OS_SEGMENT_NAME + 1])
{
    snprintf(name, OS_SEGMENT_NAME + 1, KRI_PAGE_NAME "%d", (int)pid);
}

/* Opening. */

static int judge_file(kri_top *top, const os_segment *about)
{
    if (!about->memory || (about->user != top->process.user && about->user != 0))
        return fail(top, -EPERM, "the status page of process %d is not its owner's, but user %u's",
                    (int)top->pid, (unsigned)about->user);
    if (os_segment_seize(top->fd) == 0) /* left by an earlier one of that number */
        return has_no_page(top);
    return 0;
}

/* By a read, for it may be shorter than it should. */
static int judge_head(kri_top *top, const os_segment *about)
{
    kri_page head;
    int64_t got = os_pread(top->fd, &head, offsetof(kri_page, sequence), 0);
    if (got != (int64_t)offsetof(kri_page, sequence) || head.magic != KRI_PAGE_MAGIC)
        return fail(top, KR_ECORRUPT, "what process %d shows is no status page", (int)top->pid);
    head.library[sizeof head.library - 1] = '\0';
    if (head.version != KRI_PAGE_VERSION)
        return fail(top, KR_ECORRUPT,
                    "%s (process %d) shows a page of version %u, of krait %s; this is krait %s, "
                    "which reads version %d",
                    top->process.name, (int)top->pid, (unsigned)head.version, head.library,
                    kr_version(), (int)KRI_PAGE_VERSION);
    if (head.size != sizeof(kri_page) || about->size != sizeof(kri_page))
        return fail(top, KR_ECORRUPT, "the status page of process %d has not the right length",
                    (int)top->pid);
    if (head.pid != (uint32_t)top->pid || head.start != top->process.start)
        return fail(top, -ENOENT, "the status page of process %d is another process's",
                    (int)top->pid);
    top->interval = head.interval;
    memcpy(top->library, head.library, sizeof top->library);
    return 0;
}

static int open_file(kri_top *top)
{
    char name[OS_SEGMENT_NAME + 1];
    name_of(top->pid, name);
    top->fd = os_segment_open(name);
    if (top->fd == -ENOENT)
        return has_no_page(top);
    if (top->fd == -EACCES || top->fd == -EPERM)
        return fail(top, top->fd,
                    "the status page of %s (process %d) is another user's; only its user and root "
                    "may read it",
                    top->process.name, (int)top->pid);
    if (top->fd < 0)
        return fail(top, top->fd, "the status page of process %d: %s", (int)top->pid,
                    kr_strerror(top->fd));
    return 0;
}

static int open_page(kri_top *top)
{
    os_segment about;
    void *memory;
    int err = os_segment_look(top->fd, &about);
    if (err != 0)
        return fail(top, err, "the status page of process %d: %s", (int)top->pid, kr_strerror(err));
    err = judge_file(top, &about);
    if (err == 0)
        err = judge_head(top, &about);
    if (err != 0)
        return err;
    err = os_segment_map(top->fd, sizeof(kri_page), &memory);
    if (err != 0)
        return fail(top, err, "the status page of process %d: %s", (int)top->pid, kr_strerror(err));
    top->page = memory;
    return 0;
}

int kri_top_open(kri_top *top, pid_t pid)
{
    *top = (kri_top){.pid = pid, .fd = -1};
    if (os_process_look(pid, &top->process) != 0)
        return fail(top, -ESRCH, "there is no process %d", (int)pid);
    if (top->process.process != pid)
        return fail(top, -ESRCH, "%d is a thread of process %d", (int)pid,
                    (int)top->process.process);
    if (top->process.over)
        return has_ended(top);
    int err = open_file(top);
    if (err != 0)
        return err;
    err = open_page(top);
    if (err != 0)
        kri_top_close(top);
    return err;
}

void kri_top_close(kri_top *top)
{
    if (top->page != NULL)
        os_shared_unmap(top->page, sizeof(kri_page));
    if (top->fd >= 0)
        os_close(top->fd);
    top->page = NULL;
    top->fd = -1;
}

/* Reading. */

/* It must be the same one. */
static int look_at_process(kri_top *top)
{
    os_process_about about;
    int err = os_process_look(top->pid, &about);
    if (err != 0 || about.over || about.start != top->process.start)
        return has_ended(top);
    top->before = top->looked;
    top->computed = top->process.computed;
    top->looked = os_now();
    top->process = about;
    return 0;
}

static int look_at_file(kri_top *top)
{
    os_segment about;
    if (os_segment_look(top->fd, &about) != 0 || about.size != sizeof(kri_page))
        return fail(top, KR_ECORRUPT, "the status page of process %d has not the right length",
                    (int)top->pid);
    if (!about.named || os_segment_seize(top->fd) == 0)
        return fail(top, -ENOENT, "%s (process %d) shows its status page no more",
                    top->process.name, (int)top->pid);
    return 0;
}

static void nap(void)
{
    kr_word never = {0};
    (void)kri_wait(&never, 0, kri_deadline(kr_ms(1)), KRI_UNCANCELLABLE);
}

static int read_page(kri_top *top)
{
    for (int i = 0; i < TRIES; i++) {
        if (kri_page_read(top->page, &top->view))
            return kri_view_judge(&top->view)
                       ? 0
                       : fail(top, KR_ECORRUPT,
                              "there is no sense in the status page of process %d", (int)top->pid);
        nap();
    }
    return fail(top, -EAGAIN, "%s (process %d) has been stopped while it wrote its status page",
                top->process.name, (int)top->pid);
}

int kri_top_look(kri_top *top)
{
    int err = look_at_process(top);
    if (err == 0)
        err = look_at_file(top);
    if (err == 0)
        err = read_page(top);
    if (err != 0 && look_at_process(top) != 0) /* it has ended meanwhile: that is why */
        return -ESRCH;
    return err;
}

int kri_top_processor(const kri_top *top)
{
    kr_time passed = top->looked - top->before;
    kr_time computed = top->process.computed - top->computed;
    return top->before != 0 && passed > 0 ? (int)(computed * 100 / passed) : -1;
}

kr_time kri_top_age(const kri_top *top)
{
    kr_time age = os_now() - top->view.at;
    return age > 0 ? age : 0;
}

bool kri_top_is_stale(const kri_top *top)
{
    kr_time few = top->interval < kr_sec(3600) ? top->interval * FEW : kr_sec(3600);
    return kri_top_age(top) > few + kr_sec(1);
}

/* Which there are. */

struct list {
    void (*each)(pid_t pid, void *arg);
    void *arg;
    int count;
};

static int consider(const char *name, void *arg)
{
    struct list *list = arg;
    size_t length = strlen(KRI_PAGE_NAME);
    char *rest;
    kri_top top;
    if (strncmp(name, KRI_PAGE_NAME, length) != 0)
        return 0;
    long pid = strtol(name + length, &rest, 10);
    if (*rest != '\0' || pid <= 0 || pid > INT32_MAX)
        return 0;
    if (kri_top_open(&top, (pid_t)pid) == 0) {
        list->each((pid_t)pid, list->arg);
        list->count++;
        kri_top_close(&top);
    }
    return 0;
}

int kri_top_list(void (*each)(pid_t pid, void *arg), void *arg)
{
    struct list list = {each, arg, 0};
    int err = os_segment_list(consider, &list);
    return err != 0 ? err : list.count;
}
