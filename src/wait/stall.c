/* Stalls: when nobody is left who could wake anybody, say who waits for what.
 *
 * State.  `census` holds in its lower half how many may act, less one: main is counted from the
 * first, without having been met, so zero is right at the start, and -1 is a stall.  A thread that
 * may act sleeps nowhere, or with a time limit, or on a descriptor or shared memory.  The upper
 * half counts the changes, so that equal censuses say that nobody has moved between.
 *
 * Fields.
 *     census      atomic; a thread counts itself out before it sleeps for ever, whoever wakes it
 *                 counts it in again; the rest as stall.h says
 *     reported    atomic: the census that was reported last
 *     reporting   atomic: 1 while somebody reports, and so also inside the hook
 *     standing    its thread
 *
 * Protocol.
 *     The bit ENDLESS in the waiter's state (park.c) says that the waiter counts itself out, and so
 *     that its waker must count it in.  The waker does it, not the woken: else two that take turns
 *     on one processor would look like a stall at each turn.
 *     Whoever brings the census to -1 by going to sleep watches: it sleeps for a second only, and
 *     if nothing has moved then, it reports and sleeps on, without a limit.  A thread that brings
 *     it there by ending cannot; it nudges one of the sleepers, who looks at the census again.
 *     So nothing wakes for this but in what looks like a stall, and there once.
 *     While it reports, the thread counts as acting, since the hook may do anything.
 *
 *     A thread is met when it first waits or wakes somebody, and leaves when it ends.  Those that
 *     krait starts are counted by their starter, else they would be missed until they run.
 *
 * Ordering.  All operations on the census are relaxed: only their order among each other counts.
 * What the report reads of a waiter was written before it queued, under its bucket's lock, and the
 * report holds them all.
 *
 * Why not a list of the sleepers?  They stand in the parking table already; a second one would cost
 * a lock at both ends of each sleep.  Why no thread that watches?  It would be one more in every
 * process, and would have to be woken.
 *
 * Under the explorer, which finds deadlocks itself and has no time that passes, all this is off.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wait/stall.h"

#include "base/atomic.h"
#include "base/global.h"
#include "os/os.h"
#include "wait/internal.h"
#include <krait/stall.h>
#include <stdarg.h>
#include <stdio.h>

static kri_word64 stall_hook KRI_GLOBAL; /* a kr_stall_hook; 0: the default */
static kri_word64 thread_name KRI_GLOBAL;

kr_stall_hook kr_set_stall_hook(kr_stall_hook hook)
{
    uint64_t before = kri_swap_acq_rel64(&stall_hook, (uint64_t)(uintptr_t)hook);
    return (kr_stall_hook)(uintptr_t)before;
}

void kri_stall_name_with(bool (*name)(int thread, kri_text *text))
{
    kri_store_rel64(&thread_name, (uint64_t)(uintptr_t)name);
}

/* Text. */

void kri_text_add(kri_text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text->end, text->room, format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= text->room)
        length = text->room > 0 ? (int)text->room - 1 : 0;
    text->end += length;
    text->room -= (size_t)length;
}

static const kri_party *thread_of(const kri_party *party)
{
    while (party->outer != NULL)
        party = party->outer;
    return party;
}

int kri_party_thread(const kri_party *party)
{
    return thread_of(party)->thread;
}

void kri_text_add_thread(kri_text *text, int thread)
{
    bool (*name)(int, kri_text *) =
        (bool (*)(int, kri_text *))(uintptr_t)kri_load_acq64(&thread_name);
    if (name != NULL && name(thread, text))
        return;
    if (thread == os_process_id())
        kri_text_add(text, "MainThread");
    else
        kri_text_add(text, "thread %d", thread);
}

static void add_name(kri_text *text, const kri_party *party)
{
    kri_text_add_thread(text, kri_party_thread(party));
}

static bool is_inside(const kri_party *party, const kr_cancel_scope *wanted)
{
    for (; party != NULL; party = party->outer) {
        for (const kr_cancel_scope *scope = party->scope; scope != NULL; scope = scope->outer) {
            if (scope == wanted)
                return true;
        }
    }
    return false;
}

struct search {
    const kr_cancel_scope *scope;
    const kri_party *found;
};

static bool look_inside(kri_waiter *w, void *arg)
{
    struct search *search = arg;
    if (!is_inside(w->party, search->scope))
        return true;
    search->found = w->party;
    return false;
}

bool kri_text_add_runner(kri_text *text, const char *before, const kr_cancel_scope *scope)
{
    struct search search = {.scope = scope};
    if (text->brief)
        return false;
    kri_park_each(look_inside, &search);
    if (search.found == NULL)
        return false;
    kri_text_add(text, "%s", before);
    add_name(text, search.found);
    return true;
}

#ifdef KRI_MODEL

void kri_stall_may_act(int more)
{
    (void)more;
}

void kri_stall_came(void)
{
}

void kri_stall_gone(void)
{
}

void kri_stall_serve(void)
{
}

#else

enum { REPORT_SIZE = 16384, LAST_LINE = 64 };

/* What the calling thread is in the census. */
enum standing {
    UNKNOWN,
    MAIN,    /* always counted */
    MET,     /* counted when it was met */
    STARTED, /* counted by who started it */
    SERVING, /* not counted */
    GONE,
};

KRI_THREAD_LOCAL(enum standing, own_standing)

static const uint64_t ONE_CHANGE = (uint64_t)1 << 32;

static kri_word64 census KRI_GLOBAL;
static kri_word64 reported KRI_GLOBAL;
static kr_word reporting KRI_GLOBAL;

static uint64_t change(int more)
{
    uint64_t by = ONE_CHANGE + (uint64_t)(int64_t)more;
    return kri_add_rlx64(&census, by) + by;
}

static bool nobody_acts(uint64_t count)
{
    return (int32_t)(uint32_t)count < 0;
}

/* Who counts. */

static bool nudge(kri_waiter *w, void *arg)
{
    (void)arg;
    return !kri_waiter_nudge(w);
}

void kri_stall_may_act(int more)
{
    if (!nobody_acts(change(more)) || more >= 0)
        return;
    kri_park_freeze();
    kri_park_each(nudge, NULL);
    kri_park_thaw();
}

void kri_stall_meet(void)
{
    if (*own_standing() != UNKNOWN && *own_standing() != GONE)
        return;
    if (os_thread_id() == os_process_id()) {
        *own_standing() = MAIN;
        return;
    }
    *own_standing() = MET;
    (void)change(1);
    os_at_thread_end(kri_party_end);
}

void kri_stall_came(void)
{
    *own_standing() = STARTED;
}

void kri_stall_serve(void)
{
    bool counted = *own_standing() == MET || *own_standing() == STARTED;
    *own_standing() = SERVING;
    if (counted)
        kri_stall_may_act(-1);
}

void kri_stall_gone(void)
{
    if (*own_standing() != MET && *own_standing() != STARTED)
        return;
    *own_standing() = GONE;
    kri_stall_may_act(-1);
}

/* One of krait's own is not gone before all that it does at its end is done. */
void kri_stall_party_ended(void)
{
    if (*own_standing() == MET)
        kri_stall_gone();
}

bool kri_stall_counts(void)
{
    if (*own_standing() == GONE)
        kri_stall_meet();
    return *own_standing() != UNKNOWN && *own_standing() != SERVING;
}

void kri_stall_forked(void)
{
    kri_store_rlx64(&census, 0);
    kri_store_rlx64(&reported, 0);
    kri_store_rlx(&reporting, 0);
    *own_standing() = MAIN;
}

/* The report. */

struct report {
    kri_text text;
    int lines;
    int omitted;
};

static bool add_line(kri_waiter *w, void *arg)
{
    struct report *report = arg;
    if (w->waits_for == NULL)
        return true;
    kri_text before = report->text;
    kri_text_add(&report->text, "\n  ");
    add_name(&report->text, w->party);
    kri_text_add(&report->text, " waits for ");
    if (w->describe != NULL)
        w->describe(w->waits_for, &report->text);
    else
        kri_text_add(&report->text, "something at %p", (void *)w->waits_for);
    report->lines++;
    if (report->text.room <= LAST_LINE) {
        report->text = before;
        report->omitted++;
    }
    return true;
}

static int write_report(char *text, size_t size)
{
    struct report report = {.text = {.end = text, .room = size}};
    kri_text_add(&report.text, "krait: every thread waits for ever:");
    kri_park_freeze();
    kri_park_each(add_line, &report);
    kri_park_thaw();
    if (report.omitted > 0) {
        *report.text.end = '\0';
        kri_text_add(&report.text, "\n  and %d more", report.omitted);
    }
    return report.lines;
}

static void give_report(const char *text)
{
    kr_stall_hook hook = (kr_stall_hook)(uintptr_t)kri_load_acq64(&stall_hook);
    if (hook != NULL)
        hook(text);
    else
        os_print_error(text);
}

static void make_report(void)
{
    char *text = os_alloc(REPORT_SIZE);
    if (text == NULL)
        give_report("krait: every thread waits for ever");
    else if (write_report(text, REPORT_SIZE) > 0)
        give_report(text);
    os_free(text);
}

/* Watching. */

static void watch_from(kri_stall_watch *watch, uint64_t now)
{
    bool stalled = nobody_acts(now) && now != kri_load_rlx64(&reported);
    watch->seen = now;
    watch->until = stalled ? kri_deadline(kr_sec(1)) : KRI_NEVER;
}

/* When nothing has moved but the reporter, the stall is the one it has told of. */
static void report(kri_stall_watch *watch)
{
    watch->until = KRI_NEVER;
    if (kri_swap_acq(&reporting, 1) != 0)
        return;
    uint64_t before = watch->seen;
    if (change(1) == before + ONE_CHANGE + 1)
        make_report();
    uint64_t after = change(-1);
    if (after == before + 2 * ONE_CHANGE)
        kri_store_rlx64(&reported, after);
    kri_store_rel(&reporting, 0);
    watch_from(watch, after);
}

void kri_stall_enter(kri_stall_watch *watch)
{
    watch_from(watch, change(-1));
}

void kri_stall_leave(void)
{
    (void)change(1);
}

void kri_stall_look(kri_stall_watch *watch)
{
    uint64_t now = kri_load_rlx64(&census);
    if (now != watch->seen)
        watch_from(watch, now);
    else if (os_now() >= watch->until)
        report(watch);
}

#endif
