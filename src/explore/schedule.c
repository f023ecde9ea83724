/* Who goes on.
 *
 * Protocol.  A logical thread calls kri_ex_point before each operation that others can notice and
 * kri_ex_block when it cannot go on.  Both make the list of what could happen next, leave the
 * choice to choice.c, and switch.  Only the thread that is chosen runs until its next call.
 *
 * What could happen:
 *     a ready thread goes on.  Leaving one that could go on itself costs a preemption.
 *     a sleeper's time is up, before all others sleep: costs one of `early`, and a preemption
 *         where one is due.  The clock moves to its deadline.
 *     a sleeper wakes for nothing: the same from `spurious`
 *     the victim dies: once, when it is the one to go on or when one of its threads sleeps
 *
 * Way 0 is: go on; else the next ready thread in order of number.  A thread that yields is not
 * run again for free before all others that are ready have yielded, slept or ended; a preemption
 * may still come back to it.  So a loop that polls makes no endless runs, and polling threads
 * cannot starve the one they wait for.
 *
 * When nobody is ready the earliest deadline fires.  With none it is a deadlock, or the end.
 *
 * Why not sleep sets or other partial-order reduction?  With a bound on preemptions the usual ones
 * are unsound: the representative of a class of equal runs may lie outside the bound while another
 * member lies inside.  What is cut instead are switch points at locations of one thread
 * (memory.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include "explore/engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

ex_run kri_ex;

enum { CANDIDATES = 4 * EX_THREADS + 2, QUIET_ROUNDS = 64 };

typedef struct ways {
    unsigned codes[CANDIDATES];
    unsigned count;
} ways;

void kri_ex_fail(kr_explore_result result, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(kri_ex.message, sizeof kri_ex.message, format, args);
    va_end(args);
    kri_ex.result = result;
    kri_ex.failing = kri_ex.self;
    kri_ex.over = true;
    kri_ex_leave();
}

void kri_ex_stop_again(void)
{
    kri_ex.again = true;
    kri_ex.over = true;
    kri_ex_leave();
}

void kri_ex_begin(void)
{
    ex_run *r = &kri_ex;

    for (unsigned i = 0; i < r->thread_count; i++)
        r->threads[i].state = EX_UNUSED;
    r->thread_count = 0;
    r->now = 1000000000;
    r->steps = r->sleeps = r->changes = r->quiet_rounds = r->quiet_since = 0;
    r->dead = 0;
    r->over = r->again = false;
    r->result = KR_EXPLORE_PASSED;
    r->message[0] = '\0';
    r->self = 0;
}

/* Threads */

unsigned kri_explore_thread(void)
{
    return kri_ex.active ? kri_ex.self : 0;
}

int kri_ex_start(unsigned process, void (*run)(void *), void *arg)
{
    ex_run *r = &kri_ex;

    if (r->thread_count == EX_THREADS)
        return -EAGAIN;
    unsigned id = r->thread_count++;
    ex_thread *t = &r->threads[id];

    t->state = EX_READY;
    t->yielded = t->reaped = false;
    t->process = process;
    t->run = run;
    t->arg = arg;
    t->last = 0;
    kri_ex_forget_words(t);
    t->fds[0] = t->fds[1] = -1;
    memset(&t->site, 0, sizeof t->site);
    memset(t->failed_weakly, 0, sizeof t->failed_weakly);
    memset(t->clock, 0, sizeof t->clock);
    memset(t->view, 0, r->location_count * sizeof t->view[0]);
    if (r->active) {
        kri_ex_learn_from(id, r->self);
        EX_SELF->clock[r->self]++;
    }
    t->clock[id] = 1;
    kri_ex_stack_prepare(id);
    return (int)id;
}

void kri_ex_ready(unsigned thread, int result)
{
    ex_thread *t = &kri_ex.threads[thread];

    t->state = EX_READY;
    t->result = result;
    t->yielded = false;
    kri_ex_forget_words(t);
    kri_ex.changes++;
}

static void end_joins(unsigned thread)
{
    for (unsigned i = 0; i < kri_ex.thread_count; i++)
        if (kri_ex.threads[i].state == EX_JOINING && kri_ex.threads[i].joining == thread)
            kri_ex_ready(i, 0);
}

void kri_ex_thread_main(void)
{
    ex_thread *self = EX_SELF;

    self->run(self->arg);
    kri_ex_thread_end();
    memset(&self->site, 0, sizeof self->site);
    EX_TRACE("ends", NULL, 0, "");
    self->state = EX_DONE;
    end_joins(kri_ex.self);
    kri_ex_block();
    __builtin_unreachable();
}

void kri_ex_join(unsigned thread)
{
    ex_thread *t = &kri_ex.threads[thread];

    if (t->state != EX_DONE && t->state != EX_DEAD) {
        EX_SELF->joining = thread;
        EX_SELF->deadline = OS_NEVER;
        EX_SELF->state = EX_JOINING;
        kri_ex_block();
    }
    t->reaped = true;
    kri_ex_learn_from(kri_ex.self, thread);
}

void kri_ex_detach(unsigned thread)
{
    kri_ex.threads[thread].reaped = true;
}

/* The ways */

static bool sleeps(const ex_thread *t)
{
    return t->state == EX_SLEEPING || t->state == EX_POLLING;
}

static void add(ways *w, unsigned code)
{
    w->codes[w->count++] = code;
}

static void add_ready(ways *w, bool yielded)
{
    for (unsigned k = 1; k <= kri_ex.thread_count; k++) {
        unsigned i = (kri_ex.self + k) % kri_ex.thread_count;
        const ex_thread *t = &kri_ex.threads[i];

        if (t->state == EX_READY && t->yielded == yielded)
            add(w, EX_RUN + i);
    }
}

static void add_early(ways *w)
{
    ex_run *r = &kri_ex;

    if (r->early == 0 && r->spurious == 0)
        return;
    for (unsigned i = 0; i < r->thread_count; i++) {
        const ex_thread *t = &r->threads[i];

        if (sleeps(t) && t->deadline != OS_NEVER && r->early > 0)
            add(w, EX_TIMEOUT + i);
        if (t->state == EX_SLEEPING && r->spurious > 0)
            add(w, EX_SPURIOUS + i);
    }
}

static void add_death(ways *w, bool going)
{
    ex_run *r = &kri_ex;
    unsigned victim = r->o.victim;

    if (victim == 0 || r->deaths == 0)
        return;
    if (going && EX_SELF->process == victim) {
        add(w, EX_DIE);
        return;
    }
    for (unsigned i = 0; i < r->thread_count; i++)
        if (r->threads[i].process == victim && sleeps(&r->threads[i])) {
            add(w, EX_DIE);
            return;
        }
}

static int earliest(void)
{
    int best = -1;

    for (unsigned i = 0; i < kri_ex.thread_count; i++) {
        const ex_thread *t = &kri_ex.threads[i];

        if (sleeps(t) && t->deadline != OS_NEVER &&
            (best < 0 || t->deadline < kri_ex.threads[best].deadline))
            best = (int)i;
    }
    return best;
}

static void report_deadlock(void)
{
    char text[200];

    kri_ex_describe_sleepers(text, sizeof text);
    kri_ex_fail(KR_EXPLORE_DEADLOCK, "deadlock: %s", text);
}

/* All that are ready have yielded: let them all look again, unless they have done so often enough
 * without anything changing. */
static void wake_yielders(void)
{
    ex_run *r = &kri_ex;

    for (unsigned i = 0; i < r->thread_count; i++)
        r->threads[i].yielded = false;
    if (r->quiet_since != r->changes) {
        r->quiet_since = r->changes;
        r->quiet_rounds = 0;
    }
    if (++r->quiet_rounds > QUIET_ROUNDS && earliest() < 0)
        kri_ex_fail(KR_EXPLORE_LIVELOCK,
                    "livelock: whoever could run only waits in a loop, and nothing changes");
}

/* At the end, when nobody can go on. */
static bool is_stuck(const ex_thread *t)
{
    return t->state == EX_JOINING || (sleeps(t) && !(t->reaped && kri_ex.o.keeps_threads));
}

/* The ways for a caller that cannot go on. */
static void free_ways(ways *w)
{
    add_ready(w, false);
    if (w->count == 0) {
        add_ready(w, true);
        if (w->count > 0) {
            wake_yielders();
            if (kri_ex.quiet_rounds > 2 && earliest() >= 0) {
                w->count = 0;
                add(w, EX_TIMEOUT + (unsigned)earliest());
                return;
            }
        }
    }
    if (w->count == 0 && earliest() >= 0) {
        add(w, EX_TIMEOUT + (unsigned)earliest());
        add_death(w, false);
        return;
    }
    if (w->count == 0) {
        for (unsigned i = 0; i < kri_ex.thread_count; i++)
            if (is_stuck(&kri_ex.threads[i]))
                report_deadlock();
        kri_ex.over = true;
        kri_ex_leave();
    }
    add_early(w);
    add_death(w, false);
}

static void going_ways(ways *w)
{
    ex_run *r = &kri_ex;

    add(w, EX_RUN + r->self);
    if (r->preemptions > 0) {
        for (unsigned k = 1; k < r->thread_count; k++) {
            unsigned i = (r->self + k) % r->thread_count;

            if (r->threads[i].state == EX_READY)
                add(w, EX_RUN + i);
        }
        add_early(w);
    }
    add_death(w, true);
}

static void end_time(unsigned thread)
{
    ex_run *r = &kri_ex;
    ex_thread *t = &r->threads[thread];

    if (t->deadline > r->now)
        r->now = t->deadline;
    kri_ex_ready(thread, -ETIMEDOUT);
    EX_TRACE("(time is up)", NULL, thread, "");
}

/* The victim is gone: none of its threads runs again, memory stays as it is. */
static void die(void)
{
    ex_run *r = &kri_ex;

    EX_TRACE("(the victim dies)", NULL, r->o.victim, "");
    r->deaths--;
    r->dead |= 1u << r->o.victim;
    r->changes++;
    for (unsigned i = 0; i < r->thread_count; i++)
        if (r->threads[i].process == r->o.victim && r->threads[i].state != EX_DONE) {
            r->threads[i].state = EX_DEAD;
            end_joins(i);
        }
}

static void follow(unsigned code, bool forced);

static void choose_way(bool going)
{
    ways w;

    w.count = 0;
    if (going)
        going_ways(&w);
    else
        free_ways(&w);
    unsigned first = w.codes[0];
    unsigned code = w.codes[kri_ex_choose(w.codes, w.count)];
    if (going && code != first && code != EX_DIE)
        kri_ex.preemptions--;
    follow(code, code == first);
}

static void follow(unsigned code, bool forced)
{
    ex_run *r = &kri_ex;

    if (code == EX_DIE) {
        die();
        choose_way(EX_SELF->state == EX_READY);
        return;
    }
    unsigned thread = code & (EX_TIMEOUT - 1);
    if (code >= EX_SPURIOUS) {
        r->spurious--;
        kri_ex_ready(thread, 0);
    } else if (code >= EX_TIMEOUT) {
        if (!forced)
            r->early--;
        end_time(thread);
    }
    r->threads[thread].yielded = false;
    kri_ex_switch_to(thread);
}

void kri_ex_point(bool open)
{
    ex_run *r = &kri_ex;

    if (++r->steps > r->o.steps)
        kri_ex_fail(KR_EXPLORE_LIVELOCK, "livelock: more than %llu steps",
                    (unsigned long long)r->o.steps);
    if (!open) {
        kri_ex_choose(NULL, 0);
        return;
    }
    kri_ex_count_point();
    choose_way(true);
}

void kri_ex_before_write(void)
{
    unsigned codes[2] = {EX_RUN + kri_ex.self, EX_DIE};

    if (kri_ex.o.victim == 0 || kri_ex.deaths == 0 || EX_SELF->process != kri_ex.o.victim)
        return;
    if (kri_ex_choose(codes, 2) == 0)
        return;
    die();
    choose_way(false);
}

void kri_ex_block(void)
{
    EX_SELF->since = ++kri_ex.sleeps;
    choose_way(false);
}

void kri_ex_yield(void)
{
    if (++kri_ex.steps > kri_ex.o.steps)
        kri_ex_fail(KR_EXPLORE_LIVELOCK, "livelock: more than %llu steps",
                    (unsigned long long)kri_ex.o.steps);
    kri_ex.now += 1000;
    EX_SELF->yielded = true;
    choose_way(false);
}

/* One of two things, the second of them as often as the budget allows. */
static bool spend(unsigned code, unsigned *budget)
{
    unsigned codes[2] = {code, code + 1};

    if (kri_ex_choose(codes, *budget > 0 ? 2 : 0) == 0)
        return false;
    --*budget;
    return true;
}

bool kri_ex_refused(void)
{
    return spend(EX_REFUSE, &kri_ex.failures);
}

bool kri_ex_time_passes(void)
{
    return spend(EX_LEAP, &kri_ex.early);
}

void kri_ex_describe_sleepers(char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < kri_ex.thread_count && used < size; i++) {
        const ex_thread *t = &kri_ex.threads[i];
        char name[64];
        const char *separator = used ? ", " : "";
        int n = 0;

        if (t->state == EX_SLEEPING)
            n = snprintf(text + used, size - used, "%sT%u sleeps on %s = %u", separator, i,
                         kri_ex_name(kri_ex_sleeps_on(t), name, sizeof name),
                         kri_ex_sleeps_on(t)->bits);
        else if (t->state == EX_JOINING)
            n = snprintf(text + used, size - used, "%sT%u joins T%u", separator, i, t->joining);
        else if (t->state == EX_POLLING)
            n = snprintf(text + used, size - used, "%sT%u polls %d", separator, i, t->fds[0]);
        used += n > 0 ? (size_t)n : 0;
    }
}
