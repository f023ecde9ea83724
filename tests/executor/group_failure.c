/* Groups whose tasks fail, or that are cancelled: by a task, a thread, an outer scope, its time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/help.h"

#include <krait/group.h>

/* A task that says that it runs, waits until it is let go or cancelled, and returns an error of its
 * own, or with 0 what its wait returned. */
struct member {
    kr_group_task task;
    struct gate *gate;
    kr_event go;
    int error;
    int waited;
    kr_word begun;
};

static int take_part(const void *arg, void *result)
{
    struct member *member = (struct member *)(uintptr_t)arg;
    (void)result;
    kri_add_sc(&member->begun, 1);
    CHECK_EQ(kr_semaphore_release(&member->gate->entered, 1), 0);
    member->waited = kr_event_wait(&member->go, KR_FOREVER);
    return member->error ? member->error : member->waited;
}

enum { MEMBERS = 6 };

struct team {
    kr_executor *executor; /* the group's, NULL inside a task */
    struct gate gate;
    kr_event never;
    kr_group group;
    struct member members[MEMBERS];
    int running; /* how many begin; the others find no worker */
};

static void prepare(struct team *team, kr_executor *executor)
{
    memset(team, 0, sizeof *team);
    memset(&team->group, 0xa5, sizeof team->group);
    team->executor = executor;
    for (int i = 0; i < MEMBERS; i++) {
        memset(&team->members[i].task, 0xa5, sizeof team->members[i].task);
        team->members[i].gate = &team->gate;
        team->members[i].waited = 1;
    }
}

static int start_member(struct team *team, int i)
{
    struct member *member = &team->members[i];
    return kr_group_start(&team->group, &member->task, take_part, member, NULL);
}

/* Open the group, with the first three members running and `queued` more that find no worker. */
static void begin(struct team *team, int queued)
{
    CHECK_EQ(kr_group_open(&team->group, team->executor), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(start_member(team, i), 0);
    wait_entered(&team->gate, 3);
    for (int i = 3; i < 3 + queued; i++)
        CHECK_EQ(start_member(team, i), 0);
}

static int error_at(const struct team *team, int i)
{
    return kr_group_task_error(&team->members[i].task);
}

static void check_never_begun(struct team *team, int i)
{
    CHECK_EQ(kri_load_sc(&team->members[i].begun), 0);
    CHECK_EQ(error_at(team, i), -ECANCELED);
}

static void check_cut(struct team *team, int i)
{
    CHECK_EQ(kri_load_sc(&team->members[i].begun), 1);
    CHECK_EQ(team->members[i].waited, -ECANCELED);
}

static int run_block(const void *arg, void *result)
{
    (void)result;
    struct team team;
    prepare(&team, NULL);
    (*(void (*const *)(struct team *))arg)(&team);
    CHECK(!kr_cancelled());
    return 0;
}

/* Run block(team) outside the pool, and in a task of it: each with three workers for members. */
static void check_both(void (*block)(struct team *team))
{
    struct team team;
    kr_executor *pool;
    kr_pool_options options = {.workers = 3, .no_outside_help = true};
    CHECK_EQ(kr_thread_pool(&pool, &options), 0);
    prepare(&team, pool);
    block(&team);
    CHECK(!kr_cancelled());
    end(pool);
    pool = pool_of(4);
    CHECK_EQ(run_in_worker(pool, run_block, &block), 0);
    end(pool);
}

static void fail_one(struct team *team)
{
    begin(team, 2);
    team->members[0].error = -EIO; /* after it was cancelled, so that it does not count */
    team->members[1].error = -EDOM;
    kr_event_set(&team->members[1].go);
    CHECK_EQ(kr_event_wait(&team->never, KR_FOREVER), -ECANCELED);
    CHECK(kr_cancelled());
    CHECK_EQ(start_member(team, 5), -ECANCELED);
    CHECK_EQ(kr_group_close(&team->group), -EDOM);
    CHECK_EQ(team->members[1].waited, 0);
    CHECK_EQ(error_at(team, 1), -EDOM);
    check_cut(team, 0);
    CHECK_EQ(error_at(team, 0), -EIO);
    check_cut(team, 2);
    CHECK_EQ(error_at(team, 2), -ECANCELED);
    for (int i = 3; i < 6; i++)
        check_never_begun(team, i);
}

TEST(the_first_failure_cancels_siblings_and_block)
{
    check_both(fail_one);
}

static void fail_in_turn(struct team *team)
{
    const int errors[3] = {-ENOENT, -ESRCH, -EINTR};
    begin(team, 0);
    for (int i = 0; i < 3; i++)
        team->members[i].error = errors[i];
    kr_event_set(&team->members[2].go);
    CHECK_EQ(kr_group_close(&team->group), -EINTR);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(error_at(team, i), errors[i]);
}

TEST(close_returns_the_first_failure_by_time_and_all_are_kept)
{
    check_both(fail_in_turn);
}

static void fail_while_closing(struct team *team)
{
    begin(team, 0);
    team->members[0].error = -EPIPE;
    kr_event_set(&team->members[0].go);
    CHECK_EQ(kr_group_close(&team->group), -EPIPE);
    check_cut(team, 1);
    check_cut(team, 2);
}

TEST(a_failure_ends_the_close)
{
    check_both(fail_while_closing);
}

/* Those that were done before the failure keep what they returned. */
static void succeed_then_fail(struct team *team)
{
    begin(team, 0);
    kr_event_set(&team->members[0].go);
    kr_event_set(&team->members[1].go);
    /* A fourth finds a worker only when one of the others has ended. */
    CHECK_EQ(start_member(team, 3), 0);
    wait_entered(&team->gate, 1);
    team->members[2].error = -ERANGE;
    team->members[3].error = -EXDEV;
    kr_event_set(&team->members[2].go);
    CHECK_EQ(kr_group_close(&team->group), -ERANGE);
    CHECK_EQ(team->members[2].waited, 0);
    CHECK_EQ(error_at(team, 2), -ERANGE);
    CHECK_EQ(error_at(team, 3), -EXDEV);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(error_at(team, i), 0);
}

TEST(tasks_that_were_done_before_a_failure)
{
    check_both(succeed_then_fail);
}

/* Cancelling */

static void cancel_group(void *arg)
{
    kr_group_cancel(arg);
}

static void check_all_cut(struct team *team)
{
    for (int i = 0; i < 3; i++) {
        check_cut(team, i);
        CHECK_EQ(error_at(team, i), -ECANCELED);
    }
    for (int i = 3; i < 5; i++)
        check_never_begun(team, i);
}

static void cancel_from_thread(struct team *team)
{
    kri_bunch bunch;
    begin(team, 2);
    kri_bunch_start(&bunch, 1, cancel_group, &team->group);
    CHECK_EQ(kr_event_wait(&team->never, KR_FOREVER), -ECANCELED);
    kri_bunch_end(&bunch);
    CHECK_EQ(start_member(team, 5), -ECANCELED);
    CHECK_EQ(kr_group_close(&team->group), -ECANCELED);
    check_all_cut(team);
    check_never_begun(team, 5);
}

TEST(cancel_from_another_thread)
{
    check_both(cancel_from_thread);
}

static void cancel_oneself(struct team *team)
{
    begin(team, 2);
    kr_group_cancel(&team->group);
    kr_group_cancel(&team->group);
    CHECK(kr_cancelled());
    CHECK_EQ(kr_group_close(&team->group), -ECANCELED);
    check_all_cut(team);
}

TEST(cancel_by_the_opener)
{
    check_both(cancel_oneself);
}

/* One of the tasks cancels all, itself included, and says so by its wait. */
static int cancel_and_wait(const void *arg, void *result)
{
    struct team *team = (struct team *)(uintptr_t)arg;
    (void)result;
    kr_group_cancel(&team->group);
    CHECK(kr_cancelled());
    return kr_event_wait(&team->never, KR_FOREVER);
}

static void cancel_in_task(struct team *team)
{
    kr_group_task task;
    CHECK_EQ(kr_group_open(&team->group, team->executor), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(start_member(team, i), 0);
    wait_entered(&team->gate, 2);
    CHECK_EQ(kr_group_start(&team->group, &task, cancel_and_wait, team, NULL), 0);
    CHECK_EQ(kr_group_close(&team->group), -ECANCELED);
    check_cut(team, 0);
    check_cut(team, 1);
    CHECK_EQ(kr_group_task_error(&task), -ECANCELED);
}

TEST(cancel_by_a_task_of_the_group)
{
    check_both(cancel_in_task);
}

static int say_done(const void *arg, void *result)
{
    (void)result;
    kr_event_set((kr_event *)(uintptr_t)arg);
    return 0;
}

static void cancel_too_late(struct team *team)
{
    kr_event done = KR_EVENT_INIT;
    kr_group_task task;
    CHECK_EQ(kr_group_open(&team->group, team->executor), 0);
    CHECK_EQ(kr_group_start(&team->group, &task, say_done, &done, NULL), 0);
    CHECK_EQ(kr_event_wait(&done, KR_FOREVER), 0);
    kr_group_cancel(&team->group);
    CHECK_EQ(kr_group_close(&team->group), 0);
    CHECK_EQ(kr_group_task_error(&task), 0);
}

TEST(a_cancel_after_all_returned_0_changes_nothing)
{
    check_both(cancel_too_late);
}

static void cancel_first(struct team *team)
{
    CHECK_EQ(kr_group_open(&team->group, team->executor), 0);
    kr_group_cancel(&team->group);
    for (int i = 0; i < MEMBERS; i++)
        CHECK_EQ(start_member(team, i), -ECANCELED);
    CHECK_EQ(kr_group_close(&team->group), -ECANCELED);
    for (int i = 0; i < MEMBERS; i++)
        check_never_begun(team, i);
}

TEST(starts_after_a_cancel_count_as_cancelled)
{
    check_both(cancel_first);
}

static void cancel_scope(void *arg)
{
    kr_cancel(arg);
}

static void cancel_outer(struct team *team)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kri_bunch bunch;
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    begin(team, 2);
    kri_bunch_start(&bunch, 1, cancel_scope, &scope);
    CHECK_EQ(kr_event_wait(&team->never, KR_FOREVER), -ECANCELED); /* for the close runs the rest */
    CHECK_EQ(kr_group_close(&team->group), -ECANCELED);
    kri_bunch_end(&bunch);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    check_all_cut(team);
}

TEST(cancel_of_an_outer_scope)
{
    check_both(cancel_outer);
}

static void time_out(struct team *team)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_scope_enter(&scope, kr_ms(300)), 0);
    CHECK_EQ(kr_group_open(&team->group, team->executor), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(start_member(team, i), 0);
    CHECK_EQ(kr_group_close(&team->group), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ETIMEDOUT);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(error_at(team, i), -ECANCELED);
}

TEST(the_time_of_an_outer_scope_ends_the_tasks)
{
    check_both(time_out);
}

static kr_word all_have_begun;

static int close_in_task(const void *arg, void *result)
{
    struct team *team = (struct team *)(uintptr_t)arg;
    (void)result;
    begin(team, 0);
    kri_store_sc(&all_have_begun, 1);
    int err = kr_group_close(&team->group);
    CHECK(kr_cancelled());
    return err;
}

TEST(cancelling_the_opener_cancels_its_group)
{
    struct team team;
    kr_executor *pool = pool_of(4);
    kr_future *f;
    prepare(&team, NULL);
    CHECK_EQ(kr_submit(pool, &f, close_in_task, &team, 0, 0), 0);
    while (!kri_load_sc(&all_have_begun))
        kri_test_nap();
    CHECK_EQ(kr_future_cancel(f), KR_ASKED);
    CHECK_EQ(error_from_worker(f), -ECANCELED);
    for (int i = 0; i < 3; i++)
        check_cut(&team, i);
    end(pool);
}

/* Nested groups */

static int fail_inner(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return -EBADF;
}

static void fail_nested(struct team *team)
{
    kr_group inner;
    kr_group_task task;
    begin(team, 0);
    CHECK_EQ(kr_group_open(&inner, team->executor), 0);
    kr_event_set(&team->members[0].go); /* gives its worker back */
    CHECK_EQ(kr_group_start(&inner, &task, fail_inner, NULL, NULL), 0);
    CHECK_EQ(kr_event_wait(&team->never, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_group_close(&inner), -EBADF);
    CHECK(!kr_cancelled());
    kr_event_set(&team->members[1].go);
    kr_event_set(&team->members[2].go);
    CHECK_EQ(kr_group_close(&team->group), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(error_at(team, i), 0);
}

TEST(a_failure_in_an_inner_group_stays_there)
{
    check_both(fail_nested);
}

struct nested {
    struct team team;
    kr_event never;
};

static int close_inner(const void *arg, void *result)
{
    struct nested *nested = (struct nested *)(uintptr_t)arg;
    (void)result;
    begin(&nested->team, 0);
    kr_event_set(&nested->never); /* the inner tasks run */
    int err = kr_group_close(&nested->team.group);
    CHECK_EQ(err, -ECANCELED);
    return err;
}

static int fail_later(const void *arg, void *result)
{
    (void)result;
    CHECK_EQ(kr_event_wait((kr_event *)(uintptr_t)arg, KR_FOREVER), 0);
    return -ENODEV;
}

TEST(a_failure_in_the_outer_group_reaches_tasks_of_the_inner_one)
{
    kr_executor *pool = pool_of(5); /* the closer, the failing one, three members */
    struct nested nested = {.never = KR_EVENT_INIT};
    kr_group group;
    kr_group_task tasks[2];
    prepare(&nested.team, NULL);
    CHECK_EQ(kr_group_open(&group, pool), 0);
    CHECK_EQ(kr_group_start(&group, &tasks[0], close_inner, &nested, NULL), 0);
    CHECK_EQ(kr_group_start(&group, &tasks[1], fail_later, &nested.never, NULL), 0);
    CHECK_EQ(kr_group_close(&group), -ENODEV);
    CHECK_EQ(kr_group_task_error(&tasks[0]), -ECANCELED);
    for (int i = 0; i < 3; i++)
        check_cut(&nested.team, i);
    end(pool);
}

/* Where one worker, the opener, is all there is. */

enum { MANY = 100 };

static kr_word failed;

static int fail_one_of_many(const void *arg, void *result)
{
    (void)result;
    kri_add_rlx(&failed, 1);
    return *(const int *)arg;
}

static int many_failures(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    kr_group group;
    kr_group_task tasks[MANY];
    int errors[MANY], own = 0;
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    for (int i = 0; i < MANY; i++) {
        errors[i] = -1000 - i;
        CHECK_EQ(kr_group_start(&group, &tasks[i], fail_one_of_many, &errors[i], NULL), 0);
    }
    int err = kr_group_close(&group);
    for (int i = 0; i < MANY; i++)
        if (kr_group_task_error(&tasks[i]) != -ECANCELED) {
            CHECK_EQ(kr_group_task_error(&tasks[i]), err);
            CHECK_EQ(err, errors[i]);
            own++;
        }
    CHECK_EQ(own, 1);
    CHECK_EQ(kri_load_rlx(&failed), 1);
    return 0;
}

TEST(one_that_the_close_runs_fails_and_the_rest_never_begins)
{
    kr_executor *pool = pool_of(1);
    CHECK_EQ(run_in_worker(pool, many_failures, NULL), 0);
    end(pool);
}

/* Who asks for a task's error has it: none goes to the hook. */

static kr_word reports;

static void note_report(const kr_task_report *report)
{
    (void)report;
    kri_add_sc(&reports, 1);
}

TEST(errors_of_group_tasks_are_not_reported)
{
    kr_set_task_hook(note_report);
    check_both(fail_one);
    check_both(fail_in_turn);
    CHECK_EQ(kri_load_sc(&reports), 0);
}

/* Failures at every moment, from several threads at once: nothing runs after the close. */

struct member_of_storm {
    kr_group_task task;
    kr_word *closed;
    int error;
};

static int storm(const void *arg, void *result)
{
    const struct member_of_storm *member = arg;
    (void)result;
    CHECK_EQ(kri_load_sc(member->closed), 0);
    return member->error;
}

static void open_storm(uint64_t *random, kr_executor *executor)
{
    struct member_of_storm members[24];
    kr_word closed = {0};
    kr_group group;
    int failing = (int)(kri_test_random(random) % 24), err = 0, found = 0;
    memset(&group, 0xa5, sizeof group);
    CHECK_EQ(kr_group_open(&group, executor), 0);
    for (int i = 0; i < 24; i++) {
        int error = i == failing ? -2000 : kri_test_random(random) % 8 == 0 ? -3000 - i : 0;
        members[i] = (struct member_of_storm){.closed = &closed, .error = error};
        err = kr_group_start(&group, &members[i].task, storm, &members[i], NULL);
        CHECK(err == 0 || err == -ECANCELED);
    }
    err = kr_group_close(&group);
    kri_store_sc(&closed, 1);
    CHECK(err == -2000 || (err <= -3000 && err > -3024));
    for (int i = 0; i < 24; i++) {
        int error = kr_group_task_error(&members[i].task);
        CHECK(error == members[i].error || error == -ECANCELED);
        found += error == err;
    }
    CHECK_EQ(found, 1);
}

static int storm_in_task(const void *arg, void *result)
{
    uint64_t random = kri_test_seed() + (uintptr_t)arg;
    (void)result;
    for (int i = 0; i < 300; i++)
        open_storm(&random, NULL);
    return 0;
}

TEST(failures_at_every_moment)
{
    kr_executor *pool = pool_of(3);
    uint64_t random = kri_test_seed();
    kr_future *futures[2];
    for (uintptr_t i = 0; i < 2; i++)
        CHECK_EQ(kr_submit(pool, &futures[i], storm_in_task, (void *)(i + 1), 0, 0), 0);
    for (int i = 0; i < 300; i++)
        open_storm(&random, pool);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(error_from_worker(futures[i]), 0);
    end(pool);
}
