/* Threads that attach for each piece of work, beside one that stays attached.
 *
 * Shares are of time that the lock was held, by its log.  Time that the machine steals
 * from a holder is his; a guest's hold counts for MOST of it, as nobody owes more than some slices.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil/gil.h"
#include "gil/help.h"
#include "harness/sanitizers.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GUESTS = 6, PIECES = 400, PIECE_MS = 3, MOST_MS = 50, EVENTS = 1 << 16 };

static struct {
    kr_gil *gil;
    kr_word begun;
    kr_word pieces;
} s;

static void compute_for(kr_gil_thread *self, kr_time time)
{
    kr_time end = kr_now() + time;
    while (kr_now() < end)
        CHECK_EQ(kr_gil_check(self), 0);
}

/* The first to attach: its number in the log is 1. */
static int stay(void *arg)
{
    (void)arg;
    kr_gil_thread *self = gil_attach(s.gil);
    kri_store_rel(&s.begun, 1);
    while (kri_load_rlx(&s.pieces) < PIECES) {
        for (int i = 0; i < 100; i++)
            CHECK_EQ(kr_gil_check(self), 0);
    }
    CHECK_EQ(kr_gil_detach(self), 0);
    return 0;
}

static int one_piece(const void *arg, void *result)
{
    (void)arg, (void)result;
    kr_gil_thread *self = gil_attach(s.gil);
    compute_for(self, kr_ms(PIECE_MS));
    CHECK_EQ(kr_gil_detach(self), 0);
    return 0;
}

static int come_and_go(void *arg)
{
    (void)arg;
    while (kri_add_rlx(&s.pieces, 1) < PIECES)
        CHECK_EQ(one_piece(NULL, NULL), 0);
    return 0;
}

/* Each piece a coroutine of its own. */
static int spawn_each(void *arg)
{
    (void)arg;
    while (kri_add_rlx(&s.pieces, 1) < PIECES) {
        kr_future *task;
        CHECK_EQ(kr_spawn(&task, one_piece, NULL, 0, 0, NULL), 0);
        CHECK_EQ(kr_future_exception(task, NULL, KR_FOREVER), 0);
        kr_future_release(task);
    }
    return 0;
}

static int come_and_go_in_coroutines(void *arg)
{
    return kr_run(spawn_each, arg);
}

static kr_time clipped(kr_time time)
{
    return time < kr_ms(MOST_MS) ? time : kr_ms(MOST_MS);
}

/* What the one that stays has held, as a part of all. */
static double share_of_first(kr_gil *gil)
{
    kr_gil_event *events = malloc(EVENTS * sizeof *events);
    CHECK(events != NULL);
    size_t count = kr_gil_log(gil, events, EVENTS);
    kr_time all = 1;
    kr_time own = 0;
    kr_time since = 0;
    for (size_t i = 0; i < count; i++) {
        if (events[i].what == KR_GIL_TAKES)
            since = events[i].time;
        if (events[i].what < KR_GIL_DROPS || since == 0)
            continue;
        kr_time held = events[i].time - since;
        all += events[i].thread == 1 ? held : clipped(held);
        own += events[i].thread == 1 ? held : 0;
        since = 0;
    }
    free(events);
    return (double)own / (double)all;
}

static double share_beside(int (*guest)(void *arg))
{
    kr_thread *threads[GUESTS + 1];
    CHECK_EQ(kr_gil_create(&s.gil, &(kr_gil_options){.log = EVENTS}), 0);
    threads[GUESTS] = start(stay, NULL);
    while (kri_load_acq(&s.begun) == 0)
        kri_test_nap();
    for (int i = 0; i < GUESTS; i++)
        threads[i] = start(guest, NULL);
    for (int i = 0; i <= GUESTS; i++)
        CHECK_EQ(join(threads[i]), 0);
    double share = share_of_first(s.gil);
    kri_test_note("the one that stays has had %.1f %%", 100 * share);
    CHECK_EQ(kr_gil_destroy(s.gil), 0);
    return share;
}

/* Its fair share is a seventh.  If debts ended with the attachments it would have next to nothing,
 * as of so many guests some always wait. */
TEST(test_guests_leave_a_share)
{
    CHECK(share_beside(come_and_go) > 0.07);
}

TEST(test_guests_in_coroutines_leave_a_share)
{
    CHECK(share_beside(come_and_go_in_coroutines) > 0.07);
}

/* Visits. */

static int compute_beside(void *arg)
{
    (void)arg;
    kr_gil_thread *self = gil_attach(s.gil);
    kri_add_rlx(&s.begun, 1);
    while (kri_load_rlx(&s.pieces) == 0)
        CHECK_EQ(kr_gil_check(self), 0);
    CHECK_EQ(kr_gil_detach(self), 0);
    return 0;
}

enum { VISITS = 100, HALF = VISITS / 2 };

/* How many of the visits, of 20 us each, got the lock before a turn of a slice can have been over.
 * Once half of them have not, no more come. */
static int visits_served_soon(int slice_ms)
{
    enum { COMPUTE = 4 };
    kr_time turn = kr_ms(slice_ms) * 4 / 5;
    kr_thread *threads[COMPUTE];
    int soon = 0;
    s.gil = gil_create(KR_GIL_DEADLINE);
    CHECK_EQ(kr_gil_set_switch_interval(s.gil, kr_ms(slice_ms)), 0);
    kri_store_rlx(&s.begun, 0);
    kri_store_rlx(&s.pieces, 0);
    for (int i = 0; i < COMPUTE; i++)
        threads[i] = start(compute_beside, NULL);
    while (kri_load_rlx(&s.begun) < COMPUTE)
        kri_test_nap();
    for (int i = 0; i < VISITS && i - soon <= VISITS - HALF; i++) {
        kr_time came = kr_now();
        kr_gil_thread *self = gil_attach(s.gil);
        soon += kr_now() - came < turn;
        compute_for(self, kr_us(20));
        CHECK_EQ(kr_gil_detach(self), 0);
    }
    kri_store_rlx(&s.pieces, 1);
    for (int i = 0; i < COMPUTE; i++)
        CHECK_EQ(join(threads[i]), 0);
    CHECK_EQ(kr_gil_destroy(s.gil), 0);
    kri_test_note("slices of %d ms: %d of %d visits soon", slice_ms, soon, VISITS);
    return soon;
}

/* A busy machine makes waits longer, never shorter, and does so by less than the longer slices: one
 * good run of a few is enough. */
TEST(test_short_guests_are_served_soon)
{
    enum { RUNS = 6 };
    int soon = 0;
    for (int i = 0, slice_ms = 5 * KRI_TIMES; i < RUNS && soon < HALF; i++, slice_ms *= 2)
        soon = visits_served_soon(slice_ms);
    CHECK_GE(soon, HALF);
}

/* Debts.  A slice is an hour, unless time is to pass. */

enum { HOUR = 3600 };

static kr_gil *with_slices_of(kr_time slice)
{
    kr_gil *gil = gil_create(KR_GIL_DEADLINE);
    CHECK_EQ(kr_gil_set_switch_interval(gil, slice), 0);
    return gil;
}

/* So many slices more than one who is new. */
static kr_time debt_of(const kr_gil_thread *self)
{
    return self->key + self->used + kr_gil_switch_interval(self->gil) - self->gil->clock;
}

static kr_time attach_and_look(kr_gil *gil)
{
    kr_gil_thread *self = gil_attach(gil);
    kr_time debt = debt_of(self);
    CHECK_EQ(kr_gil_detach(self), 0);
    return debt;
}

/* As if it had held it for so long while others waited. */
static void hold(kr_gil *gil, kr_time time)
{
    kr_gil_thread *self = gil_attach(gil);
    self->spent += time;
    self->key += time;
    CHECK_EQ(kr_gil_detach(self), 0);
}

TEST(test_debt_stays)
{
    kr_gil *gil = with_slices_of(kr_sec(HOUR));
    kr_gil *other = with_slices_of(kr_sec(HOUR));
    CHECK_EQ(attach_and_look(gil), 0);
    hold(gil, kr_sec(3 * HOUR));
    CHECK(attach_and_look(gil) > kr_sec(2 * HOUR));
    CHECK_EQ(attach_and_look(other), 0);
    hold(gil, kr_sec(3 * HOUR));
    CHECK(attach_and_look(gil) > kr_sec(5 * HOUR));
    CHECK(attach_and_look(gil) <= kr_sec(6 * HOUR));
    hold(gil, kr_sec(100 * HOUR));
    CHECK(attach_and_look(gil) <= kr_sec(21 * HOUR));
    CHECK_EQ(kr_gil_destroy(gil), 0);
    CHECK_EQ(kr_gil_destroy(other), 0);
}

/* A part of a slice is no less: else each piece below a slice would be free. */
TEST(test_small_debts_add_up)
{
    kr_gil *gil = with_slices_of(kr_sec(HOUR));
    for (int i = 0; i < 10; i++)
        hold(gil, kr_sec(HOUR / 4));
    CHECK(attach_and_look(gil) > kr_sec(2 * HOUR));
    kr_gil_thread *self = gil_attach(gil);
    CHECK(self->used >= 0);
    CHECK(self->used < kr_sec(HOUR));
    CHECK_EQ(kr_gil_detach(self), 0);
    CHECK_EQ(kr_gil_destroy(gil), 0);
}

/* While nobody waits for the lock, and as the virtual clock goes on. */
TEST(test_debts_are_paid)
{
    kr_gil *gil = with_slices_of(kr_ms(1));
    hold(gil, kr_ms(5));
    CHECK_EQ(kr_sleep(kr_ms(6)), 0);
    CHECK_EQ(attach_and_look(gil), 0);
    CHECK_EQ(kr_gil_destroy(gil), 0);

    gil = with_slices_of(kr_sec(HOUR));
    hold(gil, kr_sec(2 * HOUR));
    gil->clock += kr_sec(3 * HOUR);
    CHECK_EQ(attach_and_look(gil), 0);
    CHECK_EQ(kr_gil_destroy(gil), 0);
}

/* While others wait it stays: the lock has been held for an hour, and somebody waited. */
TEST(test_debt_is_not_paid_by_waiting)
{
    kr_gil *gil = with_slices_of(kr_sec(HOUR));
    hold(gil, kr_sec(3 * HOUR));
    gil->debts.all[kri_party_self()->id % gil->debts.room].since -= kr_sec(HOUR);
    gil->contested += kr_sec(HOUR);
    CHECK(attach_and_look(gil) > kr_sec(2 * HOUR));
    gil->debts.all[kri_party_self()->id % gil->debts.room].since -= kr_sec(HOUR);
    CHECK(attach_and_look(gil) <= kr_sec(2 * HOUR));
    CHECK_EQ(kr_gil_destroy(gil), 0);
}

/* As other threads, one after the other, which owe an hour each. */
static void hold_as_others(kr_gil *gil, int count)
{
    uint64_t own = kri_party_id(kri_party_self());
    for (int i = 0; i < count; i++) {
        kri_party_self()->id = kri_party_new_id();
        hold(gil, kr_sec(HOUR));
        CHECK(attach_and_look(gil) > 0);
    }
    kri_party_self()->id = own;
}

TEST(test_many_debts)
{
    kr_gil *gil = with_slices_of(kr_sec(HOUR));
    hold(gil, kr_sec(3 * HOUR));
    hold_as_others(gil, 500);
    CHECK(attach_and_look(gil) > kr_sec(2 * HOUR));
    hold_as_others(gil, 10000); /* too many: some are forgotten, but not the newest */
    CHECK(gil->debts.room <= 2048);
    CHECK_EQ(kr_gil_destroy(gil), 0);
}

/* In the child nobody else is left to whom anything could be owed. */
TEST(test_debts_across_a_fork)
{
    kr_gil *gil = with_slices_of(kr_sec(HOUR));
    hold(gil, kr_sec(3 * HOUR));
    pid_t id = fork();
    CHECK_GE(id, 0);
    if (id == 0) {
        CHECK_EQ(attach_and_look(gil), 0);
        hold(gil, kr_sec(3 * HOUR));
        CHECK(attach_and_look(gil) > kr_sec(2 * HOUR));
        CHECK_EQ(kr_gil_destroy(gil), 0);
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(id, &status, 0), id);
    CHECK_EQ(status, 0);
    CHECK(attach_and_look(gil) > kr_sec(2 * HOUR));
    CHECK_EQ(kr_gil_destroy(gil), 0);
}
