/* A team: one range, several runners who take pieces of it.
 *
 * State.  A team lies in its caller's frame.  The caller takes pieces itself, and once that pays it
 * submits helpers, each a task that takes pieces until there are none.  What is in flight and what
 * is allocated depends on the number of workers and not on the length of the range.
 *
 * Fields.  The legend is at the struct.
 *
 * Protocol.
 *     A runner takes a piece by moving `next` on with a compare-and-swap, until it is at the end.
 *     Pieces are a share of what is left, so that they get shorter and all end together.  Without
 *     a grain each runner measures its pieces: they grow from 1 while they are short, up to
 *     MOST_TIME, and are no shorter at the end than LEAST_TIME.
 *     Helpers are called at once, or when what is left is worth WORTH: until then the caller is
 *     alone, so a loop that is soon done wakes nobody.
 *     The caller never waits for a helper to begin: when nothing is left it removes those that are
 *     queued, and waits, which nothing ends, for those that have begun, for they use its frame.  A
 *     caller that does not lead waits for one first: a coroutine, which must not hold up its loop,
 *     and who must not run what is for the workers.
 *     All runners stand in the team's scope, which the caller has entered and which stands in the
 *     caller's: a cancel from outside, the time limit and the first error reach all at once, and
 *     need nobody to carry them.  Helpers do not enter it but act in it, as parties of their own.
 *
 * Ordering.
 *     [team-1]  next, error and failed need no order: what a helper wrote is visible to the caller
 *               once its future is done, and what the caller wrote, to a helper that was submitted
 *     Whoever removed a pending future knows that it never begins [future-2].
 *
 * Why not a future for each piece?  It costs an allocation and a way through the queue a piece, and
 * somebody awake to keep the queue filled.  Why not a scope for each helper below the team's?  It
 * takes the lock of the team's scope twice a helper, and tells nothing more.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/team.h"

#include "os/os.h"

enum { LEAST_TIME = 5000, SURE = 2000, WORTH = 50000, GROWTH = 8, SPAN = 64 };
enum { MOST_TIME = LEAST_TIME * SPAN }; /* all of them nanoseconds, but for the factors */

struct runner {
    kri_team *team;
    size_t reach; /* the longest piece that it may take, without a grain */
    bool calls;   /* it has helpers still to call */
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static bool is_forked(const kri_team *team)
{
    return team->generation != kri_fork_generation();
}

static size_t left_of(const kri_team *team)
{
    return team->count - (size_t)kri_load_rlx64(&team->next); /* [team-1] */
}

static size_t length_of_next(const kri_team *team, size_t left, size_t reach)
{
    if (team->exact)
        return smaller(team->grain, left);
    size_t share = left / (2 * team->runners);
    if (!team->grain)
        share = smaller(share, reach);
    return smaller(larger(share, team->grain ? team->grain : reach / SPAN + 1), left);
}

static bool take(kri_team *team, size_t reach, size_t *first, size_t *end)
{
    uint64_t next = kri_load_rlx64(&team->next);
    do {
        if (next >= team->count)
            return false;
        *first = (size_t)next;
        *end = *first + length_of_next(team, team->count - *first, reach);
    } while (!kri_cas_rlx64(&team->next, &next, *end)); /* [team-1] */
    return true;
}

/* The error of a piece that was cut short is no error of its own. */
static void fail(kri_team *team, int error)
{
    uint32_t none = 0;
    kri_store_rlx(&team->failed, 1); /* [team-1] */
    if (!kr_cancelled() && kri_cas_rlx(&team->error, &none, (uint32_t)error))
        kr_cancel(&team->scope);
}

size_t kri_team_learn(size_t length, kr_time took)
{
    double fitting = (double)length * MOST_TIME / (double)(took > 0 ? took : 1);
    double grown = (double)length * GROWTH;
    double reach = fitting < grown ? fitting : grown;
    const double most = (double)(SIZE_MAX / 4);
    return reach < 1 ? 1 : (size_t)(reach < most ? reach : most);
}

static bool is_worth_helpers(const kri_team *team, size_t length, kr_time took)
{
    return took >= SURE && (double)left_of(team) * (double)took > (double)length * WORTH;
}

static int help(const void *arg, void *result);

static size_t runners_wanted(const kri_team *team)
{
    size_t left = left_of(team);
    size_t most = (size_t)team->most;
    if (!most)
        most = smaller((size_t)team->executor->workers, (size_t)os_cpu_affinity());
    return smaller(most, team->grain && left ? (left - 1) / team->grain + 1 : left);
}

static void submit_helpers(kri_team *team, int wanted)
{
    kri_task task = {.fn = help, .arg = &team, .arg_size = sizeof team};
    team->helpers = os_alloc((size_t)wanted * sizeof(kr_future *));
    int err = team->helpers ? 0 : -ENOMEM;
    while (!err && team->called < wanted) {
        kr_time deadline = team->leads || team->called ? 0 : KRI_NEVER;
        err = kri_submit(team->executor, &team->helpers[team->called], &task, deadline);
        team->called += err == 0;
    }
    team->refused = team->called ? 0 : err;
}

static void call_helpers(kri_team *team, size_t reach)
{
    size_t runners = runners_wanted(team);
    size_t wanted = runners - (team->leads && runners);
    if (!wanted)
        return;
    team->reach = reach;
    team->runners = runners;
    if (!team->split || team->split(team, (size_t)kri_load_rlx64(&team->next)))
        submit_helpers(team, (int)wanted);
    else if (!team->leads)
        team->refused = -ENOMEM;
}

static void run_pieces(struct runner *runner)
{
    kri_team *team = runner->team;
    size_t first;
    size_t end;
    kr_time began = team->grain ? 0 : os_now();
    while (!kr_cancelled() && take(team, runner->reach, &first, &end)) {
        int err = team->piece(team, first, end);
        if (is_forked(team))
            return;
        if (err < 0)
            fail(team, err);
        if (team->grain)
            continue;
        kr_time now = os_now();
        runner->reach = kri_team_learn(end - first, now - began);
        if (runner->calls && is_worth_helpers(team, end - first, now - began)) {
            runner->calls = false;
            call_helpers(team, runner->reach);
            now = os_now();
        }
        began = now;
    }
}

static void lead(void *arg)
{
    run_pieces(arg);
}

static int help(const void *arg, void *result)
{
    kri_team *team = *(kri_team *const *)arg;
    kri_party *self = kri_party_self();
    kr_cancel_scope *own = self->scope;
    struct runner runner = {.team = team, .reach = team->reach};
    (void)result;
    self->scope = &team->scope;
    run_pieces(&runner);
    self->scope = own;
    return 0;
}

static void remove_queued(const kri_team *team)
{
    for (int i = 0; i < team->called; i++)
        (void)kri_future_remove(team->helpers[i]);
}

static void wait_for(kri_team *team, kr_future *helper)
{
    if (kri_future_await_here(helper, KRI_NEVER, 0) != 0)
        remove_queued(team);
    (void)kri_future_await_here(helper, KRI_NEVER, KRI_UNCANCELLABLE);
    int how = kr_future_exception(helper, NULL, KR_NOWAIT);
    if (how == 0)
        remove_queued(team);
    else if (!team->refused)
        team->refused = how == -ECANCELED ? KR_ESHUTDOWN : how;
}

/* Whoever has begun is waited for, nobody else begins. */
static void dismiss(kri_team *team)
{
    if (team->leads)
        remove_queued(team);
    for (int i = 0; i < team->called; i++)
        wait_for(team, team->helpers[i]);
    for (int i = 0; i < team->called; i++)
        kr_future_release(team->helpers[i]);
    os_free(team->helpers);
}

/* Nobody else can do it, or what is left of it. */
static void stand_in(kri_team *team, struct runner *leader)
{
    team->refused = 0;
    kri_run_while_waiting(lead, leader, &team->scope);
}

static int outcome(kri_team *team)
{
    uint32_t error = kri_load_rlx(&team->error); /* [team-1] */
    team->complete = left_of(team) == 0 && !kri_load_rlx(&team->failed);
    if (error)
        return (int)error;
    if (team->complete)
        return 0;
    return team->cut ? team->cut : team->refused;
}

int kri_team_run(kri_team *team)
{
    struct runner leader = {.team = team, .reach = 1, .calls = !team->at_once};
    kr_time timeout = team->timeout ? team->timeout : KR_FOREVER;
    team->generation = kri_fork_generation();
    team->runners = 1;
    int err = kr_cancel_scope_enter(&team->scope, timeout);
    if (err)
        return err;
    team->timed = team->scope.deadline != KRI_NEVER;
    if (team->at_once && !kr_cancelled())
        call_helpers(team, leader.reach);
    if (team->leads)
        kri_run_while_waiting(lead, &leader, &team->scope);
    bool here = !is_forked(team);
    if (here)
        dismiss(team);
    if (here && team->refused && team->stands_in) {
        stand_in(team, &leader);
        here = !is_forked(team);
    }
    team->cut = kr_cancel_scope_exit(&team->scope);
    return here ? outcome(team) : KR_EFORKED;
}
