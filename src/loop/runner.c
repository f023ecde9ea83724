/* Coroutines: who runs a task, and who goes on next.
 *
 * State.  A runner
 *     runs        the loop's `running`
 *     is ready    it stands in the line
 *     is parked   it is in neither, until it is notified or its timer fires
 *     is idle     it has no task, and stands among the loop's idle ones
 *
 * Fields.  All but those that say otherwise belong to the loop's thread.
 *
 * Protocol.
 *     A runner takes a task, runs it, and then takes the next new task from the line on the same
 *     stack; where there is none it becomes idle.  Who suspends himself chooses the next one that
 *     is ready and switches to it at once; the loop itself runs again when there is nothing more,
 *     or when the budget of this turn is used up, to look at what else there is.
 *     How a wait parks and wakes it is told in park.c.
 *     A runner knows whom it acted as, the innermost frame of its tasks, and its errno: they are
 *     the thread's while it runs.  Who switches to it puts them back, so that nothing is left to be
 *     done behind the switch, and the functions that suspend end in it.
 *
 * Why does a coroutine never change its thread?  Compilers keep the address of thread-locals, errno
 * among them, over calls; and what lies on one loop needs no lock against the rest of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/runners.h"

#include "base/global.h"
#include "loop/fetch.h"
#include "loop/line.h"
#include "os/os.h"
#include "trace/trace.h"

enum { BUDGET = 64 };

static kri_item item_of(kri_runner *runner)
{
    return (kri_item)runner | KRI_ITEM_RUNNER;
}

static kri_runner *runner_of(kri_timer *timer)
{
    return (kri_runner *)((char *)timer - offsetof(kri_runner, timer));
}

void kri_runner_ready(kri_runner *runner)
{
    runner->parked = false;
    kri_line_put(&runner->loop->ready, item_of(runner));
}

void kri_runner_notify(kri_runner *runner)
{
    runner->notified = true;
    if (runner->parked)
        kri_runner_ready(runner);
}

void kri_runner_time_is_up(kri_timer *timer)
{
    kri_runner *runner = runner_of(timer);
    if (runner->parked)
        kri_runner_ready(runner);
}

/* Running a task. */

static const char *name_given_to(const kri_runner *runner)
{
    return runner != NULL && runner->named ? runner->name : NULL;
}

const char *kri_runner_name_here(void)
{
    return name_given_to(kri_runner_self());
}

static _Noreturn __attribute__((noinline)) void lament(const kri_runner *runner)
{
    kri_stack_abort(&runner->stack, name_given_to(runner));
}

static inline void check_stack(const kri_runner *runner)
{
    if (__builtin_expect(runner->canary, 0) && !kri_stack_intact(&runner->stack))
        lament(runner);
}

/* false: this is a forked child of the task. */
static bool run_claimed(kri_runner *runner, kr_cancel_scope *scope)
{
    kri_loop *loop = runner->loop;
    kri_runner_begins(runner);
    runner->fn = runner->future->fn;
    kri_vars_enter(runner->future, &runner->party);
    if (__builtin_expect(loop->timed, 0))
        kri_loop_show_begin(loop);
    if (loop->broken != NULL && kri_load_acq(loop->broken)) {
        kri_scope_end(&runner->party, scope);
        kri_future_end(runner->future, KR_EBROKEN);
    } else if (!kri_run(runner->future, scope)) {
        return false;
    }
    runner->future = runner->frame.future = NULL; /* it may be gone */
    if (__builtin_expect(loop->timed, 0))
        kri_loop_look_for_slow(loop);
    if (runner->party.locals != NULL || runner->party.vars != NULL || runner->party.bell != 0)
        kri_party_clean_up(&runner->party);
    kri_runner_has_ended(runner);
    return true;
}

/* It waits no more. */
static void leave_queue(const kri_loop *loop, const kr_future *f)
{
    if (loop->queued != NULL && f->executor == loop->face)
        kri_loop_made_room(loop->queued);
}

static bool run_task(kri_runner *runner)
{
    kri_loop *loop = runner->loop;
    kr_future *f = runner->future;
    kr_cancel_scope scope;
    runner->party =
        (kri_party){.ops = &kri_coroutine_ops, .runner = runner, .outer = loop->thread_party};
    runner->frame = (kri_frame){.future = f, .executor = loop->face};
    *kri_party_current() = &runner->party;
    *kri_frame_current() = &runner->frame;
    kri_scope_begin(&runner->party, &scope);
    if (kri_trace_is_on())
        kri_trace_runs(kri_party_runner_now(&runner->party));
    leave_queue(loop, f);
    if (loop->cancels != NULL && f->executor == loop->face && kri_load_acq(loop->cancels))
        (void)kri_future_remove(f);
    if (kri_future_claim(f, (uintptr_t)&scope)) { /* [future-4] */
        if (!run_claimed(runner, &scope))
            return false;
        check_stack(runner);
    } else {
        kri_scope_end(&runner->party, &scope);
        kri_future_pass(f);
        kr_future_release(f);
    }
    runner->future = NULL;
    if (runner->named)
        kri_runner_set_name(runner, "");
    kri_loop_count(loop, -1);
    return true;
}

/* Runners. */

static inline kri_runner *choose(kri_loop *loop);

/* One that begins a task says so itself, for it has no number before. */
static __attribute__((noinline)) void trace_switch(kri_runner *target)
{
    if (target == NULL)
        kri_trace_runs(0);
    else if (target->number != 0)
        kri_trace_runs(kri_party_runner_now(&target->party));
}

/* What stands in a runner that has no task yet is of no use and does no harm: it begins with its
 * own.  The loop itself, NULL, sees to its own. */
static inline __attribute__((always_inline)) void switch_to(kri_context *from, kri_loop *loop,
                                                            kri_runner *target)
{
    KRI_PROBE(coroutine__switch, loop, target);
    if (kri_trace_is_on())
        trace_switch(target);
    loop->running = target;
    if (target == NULL) {
        kri_context_switch(from, &loop->thread);
        return;
    }
    *kri_party_current() = target->acts_as;
    *kri_frame_current() = target->innermost;
    *loop->error_number = target->error_number;
    kri_context_switch(from, &target->context);
}

void kri_runner_run(void *arg)
{
    kri_runner *self = arg;
    kri_loop *loop = self->loop;
    for (;;) {
        if (!run_task(self)) {
            switch_to(&self->context, loop, NULL);
            os_abort("krait: a coroutine of the parent process was run in a forked child");
        }
        if (self->own_size)
            kri_runner_be_spent(self);
        else
            kri_runner_be_idle(self);
        kri_runner *next = choose(loop);
        if (next != self)
            switch_to(&self->context, loop, next);
    }
}

int kri_runner_make_for(kri_loop *loop, kr_future *f, size_t stack_size, kri_runner **result)
{
    bool own_size = stack_size != 0 && stack_size != loop->stack_size;
    kri_runner *runner;
    if (own_size || loop->roster.count == 0)
        runner = kri_runner_create(loop, own_size ? stack_size : loop->stack_size);
    else
        runner = kri_runner_take_idle(loop);
    if (runner == NULL)
        return -ENOMEM;
    runner->own_size = own_size;
    runner->future = f;
    *result = runner;
    return 0;
}

/* Choosing. */

static kr_future *future_of(kri_item item)
{
    return (kr_future *)(item & ~(kri_item)KRI_ITEM_KIND);
}

/* Where many stand in the line none of them has run for a while, or is in a cache.  While others
 * run, the third comes there: its runner, its future, and the frames in which it goes on, which may
 * be far below its runner.  Of new tasks it is the second: its future, and the runner that will
 * take it, with what lies below that; of its own lines none is looked at, for it is in no cache. */
static inline __attribute__((always_inline)) void fetch_next(const kri_loop *loop)
{
    enum { MANY = 8, RUNNER = 4, FRAMES = 12, FUTURE = 2, LINE = 64 };
    if (loop->ready.count < MANY)
        return;
    kri_item second = loop->ready.first;
    const kri_runner *runner;
    const kr_future *future;
    const char *frames;
    if (kri_item_is_runner(second)) {
        kri_item third = ((const kri_runner *)second)->next;
        if (!kri_item_is_runner(third))
            return;
        runner = (const kri_runner *)third;
        future = runner->future;
        frames = runner->context.sp;
    } else if ((second & KRI_ITEM_KIND) == KRI_ITEM_TASK && loop->roster.count != 0) {
        runner = kri_runner_first_idle(&loop->roster);
        future = future_of(second);
        frames = (const char *)runner - (size_t)FRAMES * LINE;
    } else {
        return;
    }
    kri_fetch(runner, RUNNER);
    kri_fetch(frames, FRAMES);
    kri_fetch(future, FUTURE);
}

/* The first in the line; NULL: the loop itself is to see to it, or there is nothing. */
static inline __attribute__((always_inline)) kri_runner *choose(kri_loop *loop)
{
    if (loop->budget == 0 || loop->ready.count == 0)
        return NULL;
    kri_item first = loop->ready.first;
    kri_item kind = first & KRI_ITEM_KIND;
    if (kind == KRI_ITEM_POSTED || (kind == KRI_ITEM_TASK && loop->roster.count == 0))
        return NULL;
    (void)kri_line_take(&loop->ready);
    loop->budget--;
    kri_runner *runner = (kri_runner *)first;
    if (kind == KRI_ITEM_TASK) {
        runner = kri_runner_take_idle(loop);
        runner->future = future_of(first);
    }
    fetch_next(loop);
    return runner;
}

static inline __attribute__((always_inline)) void go_over(kri_runner *self, kri_loop *loop,
                                                          kri_runner *next)
{
    self->acts_as = *kri_party_current();
    self->innermost = *kri_frame_current();
    self->error_number = *loop->error_number;
    if (next != self)
        switch_to(&self->context, loop, next);
}

static __attribute__((noinline)) void check_and_go_over(kri_runner *self, kri_loop *loop,
                                                        kri_runner *next)
{
    check_stack(self);
    go_over(self, loop, next);
}

static inline __attribute__((always_inline)) void give_way(kri_runner *self, kri_loop *loop,
                                                           kri_runner *next)
{
    if (__builtin_expect(self->canary, 0))
        check_and_go_over(self, loop, next);
    else
        go_over(self, loop, next);
}

static __attribute__((noinline)) void suspend_watched(kri_loop *loop)
{
    kri_loop_look_for_slow(loop);
    give_way(loop->running, loop, choose(loop));
    kri_loop_show_begin(loop);
}

void kri_runner_suspend(kri_loop *loop)
{
    if (__builtin_expect(loop->timed, 0))
        suspend_watched(loop);
    else
        give_way(loop->running, loop, choose(loop));
}

/* Mostly the next is a runner that has yielded, too. */
void kri_runner_yield(kri_runner *self)
{
    kri_loop *loop = self->loop;
    if (loop->budget != 0 && loop->ready.count == 0) {
        loop->budget--;
    } else if (loop->budget == 0 || loop->timed || !kri_item_is_runner(loop->ready.first)) {
        kri_runner_ready(self);
        kri_runner_suspend(loop);
    } else {
        loop->budget--;
        give_way(self, loop, kri_line_exchange(&loop->ready, self));
    }
}

void kri_runner_give_way_to(kri_loop *loop, kri_runner *next)
{
    kri_line_put_first(&loop->ready, item_of(loop->running));
    give_way(loop->running, loop, next);
}

static void end_without_memory(void *f)
{
    kri_future_end(f, -ENOMEM);
}

/* Its callbacks run in the loop itself. */
static void fail(kri_loop *loop, kr_future *f)
{
    leave_queue(loop, f);
    if (kri_future_claim(f, KRI_CLAIM_SILENT)) {
        kri_loop_call(end_without_memory, f);
    } else {
        kri_future_pass(f);
        kr_future_release(f);
    }
    kri_loop_count(loop, -1);
}

/* What a runner cannot see to itself. */
static void see_to_first(kri_loop *loop)
{
    kri_item first = loop->ready.first;
    if ((first & KRI_ITEM_KIND) == KRI_ITEM_POSTED) {
        kri_posted *posted = (kri_posted *)(first & ~(kri_item)KRI_ITEM_KIND);
        (void)kri_line_take(&loop->ready);
        loop->budget--;
        posted->run(posted);
        return;
    }
    kri_runner *runner = kri_runner_create(loop, loop->stack_size);
    if (runner != NULL) {
        kri_runner_be_idle(runner);
        return;
    }
    (void)kri_line_take(&loop->ready);
    fail(loop, future_of(first));
}

void kri_runner_go_on(kri_loop *loop)
{
    kri_frame *frame = *kri_frame_current();
    loop->budget = loop->ready.count > BUDGET ? loop->ready.count : BUDGET;
    while (loop->budget > 0 && loop->ready.count > 0) {
        kri_runner *next = choose(loop);
        if (next == NULL) {
            see_to_first(loop);
            if (kri_forked_since(loop->executor.generation))
                return;
            continue;
        }
        switch_to(&loop->thread, loop, next);
        *kri_party_current() = loop->thread_party;
        *kri_frame_current() = frame;
        if (kri_forked_since(loop->executor.generation))
            return;
    }
    kri_runners_trim(loop);
}
