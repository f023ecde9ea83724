/* Scopes of the library's own, which join the tree only where somebody sleeps: under every
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
    kr_cancel_scope group;
    kr_word word;
    kr_word told;
    int results[3];
} s;

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    kr_explore_name(&s.root, sizeof s.root, "root");
    kr_explore_name(&s.group, sizeof s.group, "group");
    kr_explore_name(&s.word, sizeof s.word, "word");
}

static void cancel_root(void *arg)
{
    (void)arg;
    kr_cancel(&s.root);
}

/* A job of the group on a thread of its own, inside a scope of its task. */
static void wait_as_job(void *arg)
{
    kri_party *self = kri_party_self();
    kr_cancel_scope task;

    self->scope = &s.group;
    kri_scope_begin(self, &task);
    *(int *)arg = kri_wait(&s.word, 0, KRI_NEVER, 0);
    kri_scope_end(self, &task);
    kr_explore_check(self->scope == &s.group);
    self->scope = NULL;
}

/* The scenario itself is the runner that stands in the root and has opened the group. */
static void open_group(void)
{
    fresh();
    kr_explore_check(kr_cancel_scope_enter(&s.root, KR_FOREVER) == 0);
    kri_scope_begin(kri_party_self(), &s.group);
}

static void close_group(int outcome)
{
    kri_scope_end(kri_party_self(), &s.group);
    int err = kr_cancel_scope_exit(&s.root);
    kr_explore_check(outcome == err);
}

/* Two jobs join the same chain, while the root is cancelled. */
SCENARIO(lazy_two_join_against_cancel, .stale = 1)
{
    open_group();
    kr_explore_spawn(wait_as_job, &s.results[0]);
    kr_explore_spawn(wait_as_job, &s.results[1]);
    kr_cancel(&s.root);
    kr_explore_join_all();
    kr_explore_check(s.results[0] == -ECANCELED);
    kr_explore_check(s.results[1] == -ECANCELED);
    close_group(-ECANCELED);
}

/* One sleeps or goes to sleep in a chain longer than what joins at one go. */
static void wait_deep(void *arg)
{
    kri_party *self = kri_party_self();
    kr_cancel_scope chain[4];

    self->scope = &s.group;
    for (int i = 0; i < 4; i++)
        kri_scope_begin(self, &chain[i]);
    *(int *)arg = kri_wait(&s.word, 0, KRI_NEVER, 0);
    kr_explore_check(kr_cancelled());
    for (int i = 3; i >= 0; i--)
        kri_scope_end(self, &chain[i]);
    self->scope = NULL;
}

SCENARIO(lazy_deep_against_cancel)
{
    open_group();
    kr_explore_spawn(wait_deep, &s.results[0]);
    kr_cancel(&s.root);
    kr_explore_join_all();
    kr_explore_check(s.results[0] == -ECANCELED);
    close_group(-ECANCELED);
}

/* Who knows that the root was cancelled is told so inside, whoever else is joining the chain. */
static void cancel_and_tell(void *arg)
{
    (void)arg;
    kr_cancel(&s.root);
    kri_store_rel(&s.told, 1);
}

static void ask_when_told(void *arg)
{
    kri_party *self = kri_party_self();
    kr_cancel_scope task;

    (void)arg;
    self->scope = &s.group;
    kri_scope_begin(self, &task);
    bool told = kri_load_acq(&s.told) != 0;
    bool cancelled = kr_cancelled();
    kr_explore_check(!told || cancelled);
    kri_scope_end(self, &task);
    self->scope = NULL;
}

SCENARIO(lazy_asked_while_joined)
{
    open_group();
    kr_explore_spawn(cancel_and_tell, NULL);
    kr_explore_spawn(ask_when_told, NULL);
    kr_explore_check(kri_wait(&s.word, 0, KRI_NEVER, 0) == -ECANCELED);
    kr_explore_check(kr_cancelled());
    kr_explore_join_all();
    close_group(-ECANCELED);
}

/* A scope that has been left may be freed at once, whoever was about to cancel one around it. */
static void come_and_go(bool sleeps)
{
    kri_party *self = kri_party_self();
    kr_cancel_scope *scope = kr_explore_alloc(sizeof *scope);

    kri_scope_begin(self, scope);
    if (sleeps) {
        int err = kri_wait(&s.word, 0, kri_deadline(kr_ms(1)), 0);
        kr_explore_check(err == -ETIMEDOUT || err == -ECANCELED);
    }
    kri_scope_end(self, scope);
    kr_explore_free(scope);
}

static void check_against_end(bool sleeps)
{
    open_group();
    kr_explore_spawn(cancel_root, NULL);
    come_and_go(sleeps);
    kri_scope_end(kri_party_self(), &s.group);
    kr_cancel_scope_exit(&s.root);
    kr_explore_join_all();
}

SCENARIO(lazy_end_against_cancel)
{
    check_against_end(false);
}

SCENARIO(lazy_end_of_joined_against_cancel)
{
    check_against_end(true);
}

/* Jobs come and go below one group; what one leaves behind the other finds whole. */
static void wait_shortly(void *arg)
{
    kri_party *self = kri_party_self();

    (void)arg;
    self->scope = &s.group;
    come_and_go(true);
    self->scope = NULL;
}

SCENARIO(lazy_siblings, .stale = 1)
{
    open_group();
    int first = kr_explore_spawn(wait_shortly, NULL);
    int second = kr_explore_spawn(wait_shortly, NULL);
    kr_explore_join(first);
    kr_explore_join(second);
    close_group(0);
    kr_explore_check(s.root.children == NULL);
}

/* The group itself is cancelled, as when one of its tasks has failed. */
SCENARIO(lazy_group_cancelled, .stale = 1)
{
    open_group();
    kr_explore_spawn(wait_as_job, &s.results[0]);
    kr_explore_spawn(wait_as_job, &s.results[1]);
    kr_cancel(&s.group);
    kr_explore_join_all();
    kr_explore_check(s.results[0] == -ECANCELED);
    kr_explore_check(s.results[1] == -ECANCELED);
    close_group(0);
}

/* A joined scope that is entered below scopes that are not. */
static void enter_below(void *arg)
{
    kri_party *self = kri_party_self();
    kr_cancel_scope task;
    kr_cancel_scope own = KR_CANCEL_SCOPE_INIT;

    self->scope = &s.group;
    kri_scope_begin(self, &task);
    kr_explore_check(kr_cancel_scope_enter(&own, KR_FOREVER) == 0);
    *(int *)arg = kri_wait(&s.word, 0, KRI_NEVER, 0);
    kr_explore_check(kr_cancel_scope_cancelled(&own));
    kr_explore_check(kr_cancel_scope_exit(&own) == -ECANCELED);
    kri_scope_end(self, &task);
    self->scope = NULL;
}

SCENARIO(lazy_entered_below)
{
    open_group();
    kr_explore_spawn(enter_below, &s.results[0]);
    kr_cancel(&s.root);
    kr_explore_join_all();
    kr_explore_check(s.results[0] == -ECANCELED);
    close_group(-ECANCELED);
}

/* Waiting for a descriptor inside. */
static void poll_as_job(void *arg)
{
    kri_party *self = kri_party_self();
    int bell = os_bell_create();

    self->scope = &s.group;
    *(int *)arg = kri_wait_fd(bell, OS_READABLE, KRI_NEVER);
    self->scope = NULL;
}

SCENARIO(lazy_poll_against_cancel)
{
    open_group();
    kr_explore_spawn(poll_as_job, &s.results[0]);
    kr_cancel(&s.root);
    kr_explore_join_all();
    kr_explore_check(s.results[0] == -ECANCELED);
    close_group(-ECANCELED);
}
