/* The slot of a cancel scope: who sleeps there is cancelled, or woken, or leaves, under every
 * schedule.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "model/scenario.h"
#include "os/os.h"
#include "wait/wait.h"
#include <krait/cancel.h>

static struct {
    kr_cancel_scope root;
    kr_cancel_scope scope; /* that all stand in */
    kr_word word;
    kr_word other;
    int results[3];
    int again[2];
    int woken;
} s;

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    kr_explore_name(&s.root, sizeof s.root, "root");
    kr_explore_name(&s.scope, sizeof s.scope, "scope");
    kr_explore_name(&s.word, sizeof s.word, "word");
    kr_explore_name(&s.other, sizeof s.other, "other");
    kri_scope_begin(kri_party_self(), &s.scope);
}

static void over(void)
{
    kr_explore_join_all();
    kri_scope_end(kri_party_self(), &s.scope);
}

/* What comes next stands where the first wait stood on the stack: a cancel that is late would take
 * it instead. */
static int wait_shielded(void)
{
    int err = kri_wait(&s.other, 0, KRI_NEVER, KRI_UNCANCELLABLE);
    return err == -EAGAIN ? 0 : err;
}

static void wait_inside(int number, kr_time deadline)
{
    kri_party *self = kri_party_self();
    self->scope = &s.scope;
    s.results[number] = kri_wait(&s.word, 0, deadline, 0);
    self->scope = NULL;
}

static void wait_twice(void *arg)
{
    (void)arg;
    wait_inside(0, KRI_NEVER);
    s.again[0] = wait_shielded();
}

static void wait_a_while_then_again(void *arg)
{
    (void)arg;
    wait_inside(0, kri_deadline(kr_ms(1)));
    s.again[0] = wait_shielded();
}

static void wait_first(void *arg)
{
    (void)arg;
    wait_inside(0, KRI_NEVER);
}

static void wait_second(void *arg)
{
    (void)arg;
    wait_inside(1, KRI_NEVER);
}

static void cancel(void *arg)
{
    (void)arg;
    kr_cancel(&s.scope);
}

static void wake(kr_word *word)
{
    kri_store_sc(word, 1);
    s.woken += kri_wake(word, KRI_ALL, 0);
}

static void wake_other(void)
{
    kri_store_sc(&s.other, 1);
    (void)kri_wake(&s.other, KRI_ALL, 0);
}

/* A wake and a cancel: one of them takes the waiter, and the cancel is done with it then. */
SCENARIO(slot_cancel_against_wake)
{
    fresh();
    kr_explore_spawn(wait_twice, NULL);
    kr_explore_spawn(cancel, NULL);
    wake(&s.word);
    wake_other();
    over();
    kr_explore_check(s.woken == (s.results[0] == 0));
    kr_explore_check(s.results[0] == 0 || s.results[0] == -EAGAIN || s.results[0] == -ECANCELED);
    kr_explore_check(s.again[0] == 0);
}

SCENARIO(slot_cancel_against_time_out)
{
    fresh();
    kr_explore_spawn(wait_a_while_then_again, NULL);
    kr_cancel(&s.scope);
    wake_other();
    over();
    kr_explore_check(s.results[0] == -ETIMEDOUT || s.results[0] == -ECANCELED);
    kr_explore_check(s.again[0] == 0);
}

/* The second finds the slot taken, or left by the first a moment ago. */
SCENARIO(slot_two_sleepers_cancelled, .stale = 1)
{
    fresh();
    kr_explore_spawn(wait_first, NULL);
    kr_explore_spawn(wait_second, NULL);
    kr_cancel(&s.scope);
    over();
    kr_explore_check(s.results[0] == -ECANCELED);
    kr_explore_check(s.results[1] == -ECANCELED);
}

/* The one in the slot leaves it, and the other is cancelled in the queue, or had the slot. */
static void wait_for_other(void *arg)
{
    kri_party *self = kri_party_self();
    (void)arg;
    self->scope = &s.scope;
    s.results[1] = kri_wait(&s.other, 0, KRI_NEVER, 0);
    self->scope = NULL;
}

SCENARIO(slot_second_sleeper_cancelled)
{
    fresh();
    kr_explore_spawn(wait_first, NULL);
    kr_explore_spawn(wait_for_other, NULL);
    wake(&s.word);
    kr_cancel(&s.scope);
    over();
    kr_explore_check(s.woken == (s.results[0] == 0));
    kr_explore_check(s.results[1] == -ECANCELED);
}

/* One that was woken, and sleeps again, is cancelled there. */
static void wait_for_both(void *arg)
{
    wait_first(NULL);
    wait_for_other(arg);
}

SCENARIO(slot_used_again)
{
    fresh();
    kr_explore_spawn(wait_for_both, NULL);
    wake(&s.word);
    kr_cancel(&s.scope);
    over();
    kr_explore_check(s.woken == (s.results[0] == 0));
    kr_explore_check(s.results[1] == -ECANCELED);
}

/* Who was woken ends the scope and frees it, while a cancel from further out comes to it. */
static void wait_and_free(void *arg)
{
    kri_party *self = kri_party_self();
    kr_cancel_scope *scope = kr_explore_alloc(sizeof *scope);
    (void)arg;
    kr_explore_check(kr_cancel_scope_enter(&s.root, KR_FOREVER) == 0);
    kri_scope_begin(self, scope);
    s.results[0] = kri_wait(&s.word, 0, KRI_NEVER, 0);
    kri_scope_end(self, scope);
    kr_explore_free(scope);
    s.results[1] = kr_cancel_scope_exit(&s.root);
    s.again[0] = wait_shielded();
}

static void cancel_root(void *arg)
{
    (void)arg;
    kr_cancel(&s.root);
}

SCENARIO(slot_cancel_against_end)
{
    fresh();
    kr_explore_spawn(wait_and_free, NULL);
    kr_explore_spawn(cancel_root, NULL);
    wake(&s.word);
    wake_other();
    over();
    kr_explore_check(s.woken == (s.results[0] == 0));
    kr_explore_check(s.results[1] == 0 || s.results[1] == -ECANCELED);
    kr_explore_check(s.again[0] == 0);
}

/* Two cancels, one from outside, are one. */
static void wait_below_root(void *arg)
{
    kri_party *self = kri_party_self();
    kr_cancel_scope scope;
    (void)arg;
    kr_explore_check(kr_cancel_scope_enter(&s.root, KR_FOREVER) == 0);
    kri_scope_begin(self, &scope);
    s.results[0] = kri_wait(&s.word, 0, KRI_NEVER, 0);
    kri_scope_end(self, &scope);
    s.results[1] = kr_cancel_scope_exit(&s.root);
}

SCENARIO(slot_cancelled_twice, .stale = 1)
{
    fresh();
    kr_explore_spawn(wait_below_root, NULL);
    kr_explore_spawn(cancel_root, NULL);
    kr_cancel(&s.root);
    over();
    kr_explore_check(s.results[0] == -ECANCELED);
    kr_explore_check(s.results[1] == -ECANCELED);
}
