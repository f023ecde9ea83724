/* Cancel scopes: trees, exits and time limits under every schedule.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "model/scenario.h"
#include "os/os.h"
#include "wait/wait.h"
#include <krait/cancel.h>
#include <krait/event.h>

static struct {
    kr_cancel_scope outer;
    kr_event event;
    kr_word word;
    int results[4];
    int bell;
} s;

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    kr_explore_name(&s.outer, sizeof s.outer, "outer");
    kr_explore_name(&s.word, sizeof s.word, "word");
}

/* A scope entered while its parent is being cancelled is cancelled too. */
static void wait_in_two(void *arg)
{
    kr_cancel_scope inner = KR_CANCEL_SCOPE_INIT;

    (void)arg;
    kr_explore_check(kr_cancel_scope_enter(&s.outer, KR_FOREVER) == 0);
    kr_explore_check(kr_cancel_scope_enter(&inner, KR_FOREVER) == 0);
    s.results[0] = kri_wait(&s.word, 0, KRI_NEVER, 0);
    s.results[1] = kr_cancel_scope_exit(&inner);
    s.results[2] = kr_cancel_scope_exit(&s.outer);
}

SCENARIO(cancel_enters_late)
{
    fresh();
    kr_explore_spawn(wait_in_two, NULL);
    kr_cancel(&s.outer);
    kr_explore_join_all();
    kr_explore_check(s.results[0] == -ECANCELED);
    kr_explore_check(s.results[1] == -ECANCELED);
    kr_explore_check(s.results[2] == -ECANCELED);
}

/* A scope that has been left may be freed at once, whoever was about to cancel its parent. */
static void come_and_go(void *arg)
{
    kr_cancel_scope *inner = kr_explore_alloc(sizeof *inner);

    (void)arg;
    memset(inner, 0, sizeof *inner);
    kr_explore_check(kr_cancel_scope_enter(&s.outer, KR_FOREVER) == 0);
    kr_explore_check(kr_cancel_scope_enter(inner, KR_FOREVER) == 0);
    int err = kr_cancel_scope_exit(inner);
    kr_explore_check(err == 0 || err == -ECANCELED);
    kr_explore_free(inner);
    kr_cancel_scope_exit(&s.outer);
}

SCENARIO(cancel_against_exit)
{
    fresh();
    kr_explore_spawn(come_and_go, NULL);
    kr_cancel(&s.outer);
    kr_explore_join_all();
}

/* Who has been cancelled may leave and free the scope, while the canceller is not back yet. */
static void wait_and_free(void *arg)
{
    kr_cancel_scope *scope = arg;

    kr_explore_check(kr_cancel_scope_enter(scope, KR_FOREVER) == 0);
    kr_explore_check(kri_wait(&s.word, 0, KRI_NEVER, 0) == -ECANCELED);
    kr_explore_check(kr_cancel_scope_exit(scope) == -ECANCELED);
    kr_explore_free(scope);
}

SCENARIO(cancel_then_freed)
{
    fresh();
    kr_cancel_scope *scope = kr_explore_alloc(sizeof *scope);
    kr_explore_spawn(wait_and_free, scope);
    kr_cancel(scope);
    kr_explore_join_all();
}

/* Two at once, which is one. */
static void cancel_it(void *arg)
{
    (void)arg;
    kr_cancel(&s.outer);
}

SCENARIO(cancel_twice, .stale = 1)
{
    fresh();
    kr_explore_spawn(wait_in_two, NULL);
    kr_explore_spawn(cancel_it, NULL);
    kr_cancel(&s.outer);
    kr_explore_join_all();
    kr_explore_check(s.results[0] == -ECANCELED);
}

/* A shield keeps it out. */
static void wait_shielded(void *arg)
{
    (void)arg;
    kr_explore_check(kr_cancel_scope_enter(&s.outer, KR_FOREVER) == 0);
    kr_shield {
        s.results[0] = kr_event_wait(&s.event, KR_FOREVER);
    }
    s.results[1] = kr_cancelled();
    kr_cancel_scope_exit(&s.outer);
}

SCENARIO(cancel_shielded)
{
    fresh();
    kr_explore_spawn(wait_shielded, NULL);
    kr_cancel(&s.outer);
    kr_event_set(&s.event);
    kr_explore_join_all();
    kr_explore_check(s.results[0] == 0);
    kr_explore_check(s.results[1] == 1);
}

/* The time limit of a scope ends a wait that has none. */
static void wait_limited(void *arg)
{
    (void)arg;
    kr_explore_check(kr_cancel_scope_enter(&s.outer, kr_ms(1)) == 0);
    s.results[0] = kr_event_wait(&s.event, KR_FOREVER);
    s.results[1] = kr_cancel_scope_exit(&s.outer);
}

SCENARIO(cancel_by_time)
{
    fresh();
    kr_explore_spawn(wait_limited, NULL);
    kr_explore_join_all();
    kr_explore_check(s.results[0] == -ECANCELED);
    kr_explore_check(s.results[1] == -ETIMEDOUT);
}

SCENARIO(cancel_by_time_against_set)
{
    fresh();
    kr_explore_spawn(wait_limited, NULL);
    kr_event_set(&s.event);
    kr_explore_join_all();
    kr_explore_check(s.results[0] == 0 || s.results[0] == -ECANCELED);
    if (s.results[0] == -ECANCELED)
        kr_explore_check(s.results[1] == -ETIMEDOUT);
}

/* Waiting for a descriptor inside a scope: the descriptor, or the cancel, ends it. */
static void poll_in_scope(void *arg)
{
    (void)arg;
    kr_explore_check(kr_cancel_scope_enter(&s.outer, KR_FOREVER) == 0);
    s.results[0] = kri_wait_fd(s.bell, OS_READABLE, KRI_NEVER);
    kr_cancel_scope_exit(&s.outer);
}

SCENARIO(descriptor_becomes_ready)
{
    fresh();
    s.bell = os_bell_create();
    kr_explore_spawn(poll_in_scope, NULL);
    os_bell_ring(s.bell);
    kr_explore_join_all();
    kr_explore_check(s.results[0] == OS_READABLE);
}

SCENARIO(descriptor_cancelled)
{
    fresh();
    s.bell = os_bell_create();
    kr_explore_spawn(poll_in_scope, NULL);
    kr_cancel(&s.outer);
    kr_explore_join_all();
    kr_explore_check(s.results[0] == -ECANCELED);
}

/* No descriptor left to be cancelled by: an error, and nothing has happened. */
SCENARIO(descriptor_refused, .failures = 1)
{
    fresh();
    s.bell = os_bell_create();
    if (s.bell < 0)
        return;
    os_bell_ring(s.bell);
    poll_in_scope(NULL);
    kr_explore_check(s.results[0] == OS_READABLE || s.results[0] == -EMFILE);
}

SCENARIO(descriptor_ready_against_cancel)
{
    fresh();
    s.bell = os_bell_create();
    kr_explore_spawn(poll_in_scope, NULL);
    kr_explore_spawn(cancel_it, NULL);
    os_bell_ring(s.bell);
    kr_explore_join_all();
    kr_explore_check(s.results[0] == -ECANCELED || s.results[0] == OS_READABLE);
}

/* A wait on a word of shared memory inside a scope. */
static void wait_shared(void *arg)
{
    (void)arg;
    kr_explore_check(kr_cancel_scope_enter(&s.outer, KR_FOREVER) == 0);
    while (kri_load_acq(&s.word) == 0) {
        s.results[0] = kri_wait(&s.word, 0, KRI_NEVER, KRI_SHARED);
        if (s.results[0] == -ECANCELED)
            break;
    }
    kr_cancel_scope_exit(&s.outer);
}

SCENARIO(shared_word_woken)
{
    fresh();
    kr_explore_spawn(wait_shared, NULL);
    kri_store_sc(&s.word, 1);
    kri_wake(&s.word, 1, KRI_SHARED);
    kr_explore_join_all();
}

SCENARIO(shared_word_cancelled)
{
    fresh();
    kr_explore_spawn(wait_shared, NULL);
    kr_cancel(&s.outer);
    kr_explore_join_all();
    kr_explore_check(s.results[0] == -ECANCELED);
}
