/* kr_status: the thread that writes the page.
 *
 * State.
 *     off     `shown` is NULL
 *     on      it is what there is: the file, and a thread that writes it until it is told to stop
 *
 * Fields.
 *     changing                  held while that changes, so over a start and over a stop
 *     shown                     guarded by it
 *     sources, source_count     atomic, and constant once the library is loaded
 *     kri_status_shown          atomic: 1 while it is on
 *     kri_status_considered     atomic: 1 once the environment has been looked at
 *     ends_with_threads         atomic: whoever ends the threads calls kri_status_end
 *     of a kri_show             told and over are atomic; the view and the history are the
 *                               starter's until the thread runs, then the thread's, as alone is
 *                               until over is 1
 *
 * Protocol.  The page is written once before it has its name: so whoever finds it finds it whole.
 *     The thread looks at the program by its sources, one for each kind of thing.  None of them
 *     waits for a lock: what cannot be had soon is missed, which the page says.
 *     Functions are told by their addresses.  To find their names here would take the loader's
 *     lock, which whoever loads a library keeps for long.
 *
 * Fork.  The thread is not in the child, and the page is the parent's: the child lets go of both
 * the memory and the descriptor, by which it would hold the page after its parent's death.  The
 *     environment counts as heeded there, if it was here: so a child has no page that it does not
 *     ask for, but a program that becomes a daemon before it has done anything with krait has one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "status/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/child.h"
#include "base/global.h"
#include "base/options.h"
#include "os/child.h"
#include "os/os.h"
#include "sync/contention.h"
#include "sync/internal.h"
#include "wait/stall.h"

enum { SOURCES = 8 };
#define USUAL    ((kr_time)250 * 1000 * 1000)
#define SHORTEST ((kr_time)10 * 1000 * 1000)

typedef struct kri_show {
    kri_page_file file;
    kr_time interval;
    kr_time began;
    os_thread thread;
    kr_word told; /* atomic: 1: stop */
    kr_word over; /* atomic: 1: it is at its last instructions */
    bool alone;   /* the thread's: it is the last, and exit comes in it */
    kri_view view;
    kri_history history;
} kri_show;

static kr_lock changing KRI_GLOBAL;
static kri_show *shown KRI_GLOBAL;
static kri_pointer sources[SOURCES] KRI_GLOBAL;
static kr_word source_count KRI_GLOBAL;
static kr_word ends_with_threads KRI_GLOBAL;
static kr_word exit_watched KRI_GLOBAL; /* atomic: 1: exit calls us */
kr_word kri_status_shown KRI_GLOBAL;
kr_word kri_status_considered KRI_GLOBAL;

void kri_status_source(kri_status_look look)
{
    uint32_t at = kri_add_acq_rel(&source_count, 1);
    if (at < SOURCES)
        kri_store_rel_ptr(&sources[at], (void *)(uintptr_t)look);
}

int kri_status_threads(void)
{
    return kri_load_rlx(&kri_status_shown) != 0;
}

/* Looking. */

/* The most waited for come first. */
static void add_lock(const kri_contention_count *count, void *arg)
{
    kri_view *view = arg;
    kr_time now = view->at;
    kr_time since = (kr_time)count->waiting * now - count->begun; /* of those who wait now */
    kri_lock_row row = {.address = (uintptr_t)count->lock,
                        .waits = count->waits,
                        .waited = (uint64_t)(count->waited + (since > 0 ? since : 0)),
                        .longest = (uint64_t)count->longest,
                        .waiting = count->waiting,
                        .shared = count->shared};
    for (int i = 0; i < KRI_PAGE_FRAMES; i++)
        row.places[i] = (uintptr_t)count->frames[i];
    snprintf(row.name, sizeof row.name, "%s", count->name);
    uint32_t at = view->lock_count;
    if (at == KRI_PAGE_LOCKS) {
        view->locks_dropped++;
        if (view->locks[--at].waited >= row.waited)
            return;
    } else {
        view->lock_count++;
    }
    for (; at > 0 && view->locks[at - 1].waited < row.waited; at--)
        view->locks[at] = view->locks[at - 1];
    view->locks[at] = row;
}

static void look_at_locks(kri_view *view)
{
    bool missed = false;
    view->locks_dropped += kri_contention_visit(add_lock, view, &missed);
    if (missed)
        view->missed |= KRI_MISSED_LOCKS;
}

static void look(kri_show *s)
{
    kri_view *view = &s->view;
    uint64_t looks = view->looks + 1;
    memset(view, 0, sizeof *view);
    view->at = os_now();
    view->began = s->began;
    view->looks = looks;
    for (int i = 0; i < SOURCES; i++) {
        kri_status_look source = (kri_status_look)(uintptr_t)kri_load_acq_ptr(&sources[i]);
        if (source != NULL)
            source(view);
    }
    look_at_locks(view);
    kri_history_add(&s->history, view);
    kri_page_write(s->file.page, view);
}

static void serve(void *arg)
{
    kri_show *s = arg;
    os_thread_set_name(os_thread_id(), "krait-status");
    kri_stall_serve();
    while (kri_load_acq(&s->told) == 0) {
        (void)kri_wait(&s->told, 0, kri_deadline(s->interval), KRI_UNCANCELLABLE | KRI_NO_SPIN);
        if (kri_load_acq(&s->told) != 0)
            break;
        s->alone = os_is_left_alone();
        if (s->alone)
            break; /* the process ends with this thread, and the page with it */
        look(s);
    }
    kri_store_sc(&s->over, 1);
    kri_wake(&s->over, KRI_ALL, 0);
}

/* Starting and stopping, with `changing` held. */

static void forked(void)
{
    bool whole = !kr_lock_locked(&changing);
    kr_lock_reinit(&changing);
    kri_store_rlx(&kri_status_shown, 0);
    kri_store_rlx(&exit_watched, 0);
    kri_show *s = shown;
    shown = NULL;
    if (!whole || s == NULL) /* somebody was in the midst of it: only its memory is lost */
        return;
    kri_page_file_forget(&s->file);
    os_free(s);
}

static void at_exit(void)
{
    if (kri_load_acq(&ends_with_threads) == 0)
        kri_status_end();
}

static int watch(void)
{
    int err = kri_at_fork_child(forked);
    if (err == 0 && kri_load_rlx(&exit_watched) == 0)
        err = os_at_exit(at_exit);
    if (err == 0)
        kri_store_rlx(&exit_watched, 1);
    return err;
}

static void switch_off(void)
{
    kri_store_rlx(&kri_status_shown, 0);
    kri_contention_stop();
}

static int open_page(kri_show *s)
{
    int err = kri_contention_start();
    if (err != 0)
        return err;
    kri_store_rlx(&kri_status_shown, 1);
    look(s);
    err = os_thread_start(&s->thread, serve, s, true, NULL);
    if (err == 0)
        return 0;
    switch_off();
    return err;
}

static void close_page(kri_show *s)
{
    switch_off();
    kri_store_sc(&s->told, 1);
    kri_wake(&s->told, KRI_ALL, 0);
    while (kri_load_acq(&s->over) == 0)
        (void)kri_wait(&s->over, 0, KRI_NEVER, KRI_UNCANCELLABLE);
    if (!s->alone) /* else it is us, whom musl would let wait for ourselves */
        os_thread_join(s->thread);
}

/* The name comes last: whoever finds the page finds one that is written. */
static int start(kr_time interval)
{
    int err = watch();
    if (err != 0)
        return err;
    kri_show *s = os_alloc(sizeof *s);
    if (s == NULL)
        return -ENOMEM;
    s->interval = interval;
    s->began = os_now();
    err = kri_page_file_make(&s->file, interval);
    if (err != 0) {
        os_free(s);
        return err;
    }
    err = open_page(s);
    if (err == 0) {
        err = kri_page_file_publish(&s->file);
        if (err != 0)
            close_page(s);
    }
    if (err != 0) {
        kri_page_file_forget(&s->file);
        os_free(s);
        return err;
    }
    shown = s;
    return 0;
}

static void stop(void)
{
    kri_show *s = shown;
    shown = NULL;
    close_page(s);
    kri_page_file_remove(&s->file);
    os_free(s);
}

/* The public face. */

int kr_status_start(const kr_status_options *options)
{
    static const kr_status_options defaults;
    const kr_status_options *o = options != NULL ? options : &defaults;
    if (!kri_reserved_is_clear(o->reserved) || (o->interval != 0 && o->interval < SHORTEST))
        return -EINVAL;
    kri_store_rlx(&kri_status_considered, 1);
    (void)kri_lock_take(&changing);
    int err = shown != NULL ? -EALREADY : start(o->interval != 0 ? o->interval : USUAL);
    kr_lock_release(&changing);
    return err;
}

int kr_status_stop(void)
{
    (void)kri_lock_take(&changing);
    bool on = shown != NULL;
    if (on)
        stop();
    kr_lock_release(&changing);
    return on ? 0 : -EALREADY;
}

int kr_status_name(const void *lock, const char *name)
{
    return lock != NULL ? kri_contention_name(lock, name) : -EINVAL;
}

void kri_status_end(void)
{
    if (kri_load_rlx(&kri_status_shown) != 0)
        (void)kr_status_stop();
}

void kri_status_end_with_threads(void)
{
    kri_store_rel(&ends_with_threads, 1);
}

/* Not in the children that krait starts: they show up in their parent's page. */
void kri_status_consider(void)
{
    if (kri_swap_acq_rel(&kri_status_considered, 1) != 0)
        return;
    const char *wanted = secure_getenv("KR_STATUS");
    if (wanted == NULL || wanted[0] == '\0' || (wanted[0] == '0' && wanted[1] == '\0') ||
        os_argument_begins(KRI_CHILD_ARGUMENT))
        return;
    int err = kr_status_start(NULL);
    char line[128];
    snprintf(line, sizeof line, "krait: KR_STATUS: no status page: %s", kr_strerror(err));
    if (err != 0 && err != -EALREADY)
        os_print_error(line);
}
