/* Waiting for several futures.
 *
 * State.  Whoever waits has a watcher on each future.  A watcher is told under its future's mutex,
 * and taken off under it, so that after the last kri_future_unwatch nobody touches the entries.
 * Most calls of kr_wait and kr_gather have a single one, which all futures share, so that the end
 * of one among thousands touches no memory that is its alone.  A future that another call has such
 * a watcher on, or that stands twice in the list, gets one of its own; and so do all where some
 * wait for the caller.
 *
 * kr_wait   `left` counts those that are not done, `others` those of them that do not wait for the
 *           caller, where some do; `ready` becomes HOLDS once the condition holds, ALL once all are
 *           done, or STUCK when the last of the others is done.
 * iterator  those that are done stand in a list, in order; `ready` is its length.
 *
 * A teller counts `left` down last, and the last of all then writes ALL, by which he lets go: who
 * sees that needs to take off no watcher, for all were told and no teller comes back.
 *
 * A failure may be told while another teller finds that the others are done: HOLDS is written over
 * STUCK, and the caller looks after the last kri_future_unwatch.
 *
 * Ordering.
 *     [completed-1]  who sees `ready` sees what the finishers before it wrote: left falls with
 *                    acquire-release, ready is written sequentially consistent, as the wake needs
 *                    it, and read with acquire
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/completed.h>

#include <limits.h>
#include <stddef.h>
#include <stdlib.h>

#include "executor/executor.h"
#include "executor/stall.h"
#include "os/os.h"

enum { OPEN, HOLDS, STUCK, ALL };

struct group {
    kri_watcher watcher; /* first; shared */
    kr_word left;
    kr_word others; /* const if some_held_up is not set */
    kr_word ready;
    kr_word failed;            /* atomic; index + 1 of the first that has an error */
    kr_wait_when when;         /* const */
    bool some_held_up;         /* const */
    kr_future *const *futures; /* const */
    size_t count;              /* const */
    struct member *members;    /* the caller's; NULL: no future has a watcher of its own */
};

struct member {
    kri_watcher watcher; /* first */
    struct group *group; /* NULL: the future has the shared one */
    bool held_up;        /* const: it does not end while the caller waits */
};

static bool ends_early(const struct group *group, const kr_future *f)
{
    if (group->when < KR_FIRST_EXCEPTION || f->error == 0)
        return group->when == KR_FIRST_COMPLETED;
    return group->when != KR_FIRST_EXCEPTION || !kr_future_cancelled(f);
}

static bool is_stuck_without(struct group *group, bool held_up)
{
    uint32_t open = OPEN;
    return group->some_held_up && !held_up && kri_sub_rlx(&group->others, 1) == 1 &&
           kri_cas_sc(&group->ready, &open, STUCK);
}

static void note_failure(struct group *group, const kr_future *f)
{
    uint32_t none = 0, at = 0;
    if (kri_load_rlx(&group->failed) != 0)
        return;
    while (group->futures[at] != f)
        at++;
    (void)kri_cas_rlx(&group->failed, &none, at + 1); /* [completed-1] */
}

static void note(struct group *group, const kr_future *f, bool held_up)
{
    bool over = ends_early(group, f);
    if (f->error != 0)
        note_failure(group, f);
    if (over)
        kri_store_sc(&group->ready, HOLDS); /* [completed-1] */
    if (is_stuck_without(group, held_up) || over)
        kri_wake(&group->ready, 1, 0);
    if (kri_sub_acq_rel(&group->left, 1) != 1) /* [completed-1] */
        return;
    kri_store_sc(&group->ready, ALL); /* [completed-1] */
    kri_wake(&group->ready, 1, 0);
}

static void told(kri_watcher *watcher, kr_future *f)
{
    note((struct group *)watcher, f, false);
}

static void told_member(kri_watcher *watcher, kr_future *f)
{
    const struct member *member = (const struct member *)watcher;
    note(member->group, f, member->held_up);
}

/* The waiter is in its wait, so all that it waits for is there. */
static void describe_wait(const kr_word *word, kri_text *text)
{
    const struct group *group =
        (const struct group *)(const void *)((const char *)word - offsetof(struct group, ready));
    size_t i = 0;
    while (i < group->count && kri_future_is_over(group->futures[i]))
        i++;
    kri_futures_describe(i < group->count ? group->futures[i] : NULL, text);
}

static bool is_ready(const struct group *group)
{
    return kri_load_acq(&group->ready); /* [completed-1] */
}

static bool has_members(struct group *group)
{
    if (!group->members)
        group->members = os_alloc(group->count * sizeof *group->members);
    return group->members;
}

/* How many there are that do not wait for the caller, at this moment; -ENOMEM. */
static int count_others(struct group *group)
{
    uint32_t others = 0;
    for (size_t i = 0; i < group->count; i++) {
        bool held_up =
            kri_frame_holds_up(group->futures[i]) && !kri_future_is_over(group->futures[i]);
        if (held_up && !has_members(group))
            return -ENOMEM;
        if (held_up)
            group->members[i].held_up = true;
        others += !held_up;
    }
    group->others.bits = others;
    group->some_held_up = others < group->count;
    return others == 0 || (group->some_held_up && group->when == KR_ALL_COMPLETED) ? -EDEADLK : 0;
}

static int watch(struct group *group, size_t i)
{
    kr_future *f = group->futures[i];
    int watching = group->some_held_up ? -EBUSY : kri_future_watch_shared(f, &group->watcher);
    if (watching == 0)
        note(group, f, false);
    if (watching >= 0)
        return 0;
    if (!has_members(group))
        return -ENOMEM;
    struct member *member = &group->members[i];
    member->group = group;
    member->watcher.tell = told_member;
    if (!kri_future_watch(f, &member->watcher))
        note(group, f, member->held_up);
    return 0;
}

static int watch_all(struct group *group)
{
    int err = 0;
    for (size_t i = 0; i < group->count && !err; i++)
        err = watch(group, i);
    return err;
}

static void unwatch_all(struct group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        if (group->members && group->members[i].group)
            kri_future_unwatch(group->futures[i], &group->members[i].watcher);
        else
            kri_future_unwatch_shared(group->futures[i], &group->watcher);
    }
}

static int wait_ready(struct group *group, kr_future *const *futures, size_t count, kr_time timeout)
{
    if (timeout == KR_FOREVER && !kri_party_shares_thread() && !kr_cancelled())
        for (size_t i = 0; i < count && !is_ready(group); i++)
            if (kri_help(futures[i], NULL) && kri_future_is_forked(futures[i]))
                return KR_EFORKED;
    kr_time deadline = kri_deadline(timeout);
    kri_frame *frame = kri_frame_innermost();
    int err = 0;
    *kri_streak() = 0;
    kri_wait_begin(frame);
    while (!is_ready(group) && (err == 0 || err == -EAGAIN))
        err = kri_wait_for(&group->ready, 0, deadline, 0, describe_wait);
    kri_wait_end(frame);
    return is_ready(group) || err == -ETIMEDOUT ? 0 : err;
}

static int count_done(kr_future *const *futures, size_t count, bool *done)
{
    int total = 0;
    for (size_t i = 0; i < count; i++) {
        bool over = kri_future_is_over(futures[i]);
        if (done)
            done[i] = over;
        total += over;
    }
    return total;
}

int kri_futures_check(kr_future *const *futures, size_t count)
{
    int err = count > INT_MAX || (count && !futures) ? -EINVAL : 0;
    for (size_t i = 0; i < count && !err; i++)
        err = kri_future_check(futures[i]);
    return err;
}

int kri_futures_wait(kr_future *const *futures, size_t count, kr_wait_when when, size_t *failed,
                     kr_time timeout)
{
    struct group group = {.watcher = {.tell = told, .shared = true},
                          .left = {(uint32_t)count},
                          .when = when,
                          .futures = futures,
                          .count = count};
    int err = count_others(&group);
    if (err) {
        os_free(group.members);
        return err;
    }
    err = watch_all(&group);
    if (!err)
        err = wait_ready(&group, futures, count, timeout);
    bool all = kri_load_acq(&group.ready) == ALL; /* [completed-1] */
    if (!all)
        unwatch_all(&group);
    os_free(group.members);
    *failed = kri_load_rlx(&group.failed);
    if (!err && kri_load_acq(&group.ready) == STUCK)
        return -EDEADLK;
    return !err && all ? KRI_ALL_DONE : err;
}

int kr_wait(kr_future *const *futures, size_t count, kr_wait_when when, bool *done, kr_time timeout)
{
    size_t failed;
    int err = kri_futures_check(futures, count);
    if (err)
        return err;
    if (timeout < 0 || when > KR_FIRST_EXCEPTION)
        return -EINVAL;
    if (timeout == KR_NOWAIT || count == 0)
        return count_done(futures, count, done);
    err = kri_futures_wait(futures, count, when, &failed, timeout);
    return err < 0 ? err : count_done(futures, count, done);
}

/* The iterator */

struct entry {
    kri_watcher watcher; /* first */
    kr_completed *completed;
    struct entry *next; /* [mutex] */
    kr_future *future;  /* NULL once delivered, or given before */
};

struct kr_completed {
    kri_mutex mutex;
    kr_word ready;        /* atomic; changed under mutex */
    struct entry *first;  /* [mutex] done and not delivered */
    struct entry *last;   /* [mutex] */
    kr_future *delivered; /* the caller's, as the rest */
    size_t unfinished;
    size_t count;
    size_t helped; /* entries that were looked at for helping */
    uint32_t generation;
    struct entry entries[];
};

static void told_entry(kri_watcher *watcher, kr_future *f)
{
    (void)f;
    struct entry *entry = (struct entry *)watcher;
    kr_completed *c = entry->completed;
    kri_mutex_lock(&c->mutex);
    entry->next = NULL;
    *(c->last ? &c->last->next : &c->first) = entry;
    c->last = entry;
    kri_add_sc(&c->ready, 1);
    kri_mutex_unlock(&c->mutex);
    kri_wake(&c->ready, 1, 0);
}

static int by_address(const void *a, const void *b)
{
    const struct entry *left = *(struct entry *const *)a;
    const struct entry *right = *(struct entry *const *)b;
    if (left->future != right->future)
        return (uintptr_t)left->future < (uintptr_t)right->future ? -1 : 1;
    return left < right ? -1 : left > right;
}

/* Keep only the first entry of each future. */
static int drop_repeated(kr_completed *c)
{
    struct entry **sorted = os_alloc((c->count ? c->count : 1) * sizeof(struct entry *));
    if (!sorted)
        return -ENOMEM;
    for (size_t i = 0; i < c->count; i++)
        sorted[i] = &c->entries[i];
    qsort(sorted, c->count, sizeof(struct entry *), by_address);
    for (size_t i = c->count; i-- > 1;)
        if (sorted[i]->future == sorted[i - 1]->future)
            sorted[i]->future = NULL;
    os_free(sorted);
    return 0;
}

static void watch_entries(kr_completed *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct entry *entry = &c->entries[i];
        if (!entry->future)
            continue;
        c->unfinished++;
        kr_future_retain(entry->future);
        if (!kri_future_watch(entry->future, &entry->watcher))
            told_entry(&entry->watcher, entry->future);
    }
}

int kr_as_completed(kr_completed **completed, kr_future *const *futures, size_t count)
{
    if (!completed)
        return -EINVAL;
    *completed = NULL;
    int err = kri_futures_check(futures, count);
    if (err)
        return err;
    kr_completed *c = os_alloc(sizeof *c + count * sizeof c->entries[0]);
    if (!c)
        return -ENOMEM;
    c->generation = kri_fork_generation();
    c->count = count;
    for (size_t i = 0; i < count; i++) {
        c->entries[i].future = futures[i];
        c->entries[i].completed = c;
        c->entries[i].watcher.tell = told_entry;
    }
    err = drop_repeated(c);
    if (err) {
        os_free(c);
        return err;
    }
    watch_entries(c);
    *completed = c;
    return 0;
}

static bool is_forked(const kr_completed *c)
{
    return kri_forked_since(c->generation);
}

static kr_future *pop(kr_completed *c)
{
    kr_future *f = NULL;
    kri_mutex_lock(&c->mutex);
    struct entry *entry = c->first;
    if (entry) {
        c->first = entry->next;
        if (!c->first)
            c->last = NULL;
        kri_sub_rlx(&c->ready, 1);
        f = entry->future;
        entry->future = NULL;
    }
    kri_mutex_unlock(&c->mutex);
    return f;
}

/* Run one of the queued ones, if it can be done here. */
static bool help_one(kr_completed *c)
{
    bool helped = false;
    while (c->helped < c->count && !helped) {
        kr_future *f = c->entries[c->helped++].future;
        helped = f && kri_help(f, NULL);
    }
    return helped;
}

/* None is left but those that wait for the caller. */
static bool is_stuck(const kr_completed *c)
{
    if (c->unfinished > kri_frame_may_hold_up())
        return false;
    for (size_t i = 0; i < c->count; i++) {
        const kr_future *f = c->entries[i].future;
        if (f && (kri_future_is_over(f) || !kri_frame_holds_up(f)))
            return false;
    }
    return true;
}

static void describe_iterator(const kr_word *word, kri_text *text)
{
    const kr_completed *c =
        (const kr_completed *)(const void *)((const char *)word - offsetof(kr_completed, ready));
    const kr_future *open = NULL;
    for (size_t i = 0; i < c->count && !open; i++)
        if (c->entries[i].future && !kri_future_is_over(c->entries[i].future))
            open = c->entries[i].future;
    kri_futures_describe(open, text);
}

static int wait_for_one(kr_completed *c, kr_time timeout, kr_time deadline)
{
    if (timeout == KR_NOWAIT)
        return -ETIMEDOUT;
    if (is_stuck(c))
        return -EDEADLK;
    if (timeout == KR_FOREVER && !kr_cancelled() && help_one(c))
        return is_forked(c) ? KR_EFORKED : 0; /* the task may have forked */
    kri_frame *frame = kri_frame_innermost();
    *kri_streak() = 0;
    kri_wait_begin(frame);
    int err = kri_wait_for(&c->ready, 0, deadline, 0, describe_iterator);
    kri_wait_end(frame);
    return err == -EAGAIN ? 0 : err;
}

int kr_completed_next(kr_completed *c, kr_future **future, kr_time timeout)
{
    if (!c || !future || timeout < 0)
        return -EINVAL;
    *future = NULL;
    if (is_forked(c))
        return KR_EFORKED;
    kr_future_release(c->delivered);
    c->delivered = NULL;
    kr_time deadline = kri_deadline(timeout);
    int err = 0;
    while (c->unfinished && !(c->delivered = pop(c)) && !err)
        err = wait_for_one(c, timeout, deadline);
    if (!c->delivered)
        return err;
    c->unfinished--;
    *future = c->delivered;
    return 1;
}

size_t kr_completed_unfinished(const kr_completed *c)
{
    return c->unfinished;
}

void kr_completed_release(kr_completed *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++) {
        kr_future *f = c->entries[i].future;
        if (!f)
            continue;
        kri_future_unwatch(f, &c->entries[i].watcher);
        kr_future_release(f);
    }
    kr_future_release(c->delivered);
    os_free(c);
}
