/* Locks on the status page: who waited, how often, how long.
 *
 * SPDX-License-Identifier: MIT
 */
#include "status/help.h"
#include "sync/contention.h"

static kr_lock lock;
static kr_word in;

static void take_and_give(void *arg)
{
    CHECK_GE(kr_lock_acquire(arg, KR_FOREVER), 0);
    CHECK_EQ(kr_lock_release(arg), 0);
}

static bool two_wait(void)
{
    const kri_lock_row *row = lock_row(&lock);
    return row != NULL && row->waiting == 2 && row->waits == 0 && row->waited > 0;
}

static bool two_have_waited(void)
{
    const kri_lock_row *row = lock_row(&lock);
    return row != NULL && row->waiting == 0 && row->waits == 2;
}

TEST(contended_lock)
{
    kri_bunch bunch;
    begin_page();
    CHECK_EQ(kr_status_name(&lock, "the results"), 0);
    CHECK_EQ(kr_lock_acquire(&lock, KR_NOWAIT), 0);
    kri_bunch_start(&bunch, 2, take_and_give, &lock);
    kri_test_wait_parked(&lock.word, 2);
    await_view(two_wait);
    uint64_t before = row_of_lock(&lock)->waited;
    CHECK_STR(row_of_lock(&lock)->name, "the results");
    CHECK_EQ(row_of_lock(&lock)->shared, 0);
    CHECK(row_of_lock(&lock)->places[0] != 0);
    do { /* those who wait still are counted in */
        read_view();
    } while (row_of_lock(&lock)->waited <= before);
    CHECK_EQ(kr_lock_release(&lock), 0);
    kri_bunch_end(&bunch);
    await_view(two_have_waited);
    CHECK(row_of_lock(&lock)->longest * 2 >= row_of_lock(&lock)->waited);
    CHECK(row_of_lock(&lock)->longest <= row_of_lock(&lock)->waited);
}

TEST(lock_that_nobody_waits_for)
{
    begin_page();
    for (int i = 0; i < 1000; i++) {
        CHECK_EQ(kr_lock_acquire(&lock, KR_FOREVER), 0);
        CHECK_EQ(kr_lock_acquire(&lock, KR_NOWAIT), -ETIMEDOUT);
        CHECK_EQ(kr_lock_release(&lock), 0);
    }
    bool missed = false;
    CHECK(kri_contention_on());
    CHECK_EQ(kri_contention_visit(NULL, NULL, &missed), 0); /* it would call NULL */
}

/* A wait of this thread alone, for a lock that it has. */
static void wait_in_vain(kr_lock *l)
{
    CHECK_EQ(kr_lock_acquire(l, KR_NOWAIT), 0);
    CHECK_EQ(kr_lock_acquire(l, kr_us(100)), -ETIMEDOUT);
    CHECK_EQ(kr_lock_release(l), 0);
}

static bool one_has_waited(void)
{
    const kri_lock_row *row = lock_row(&lock);
    return row != NULL && row->waits == 1 && row->waiting == 0;
}

TEST(wait_that_times_out)
{
    begin_page();
    wait_in_vain(&lock);
    await_view(one_has_waited);
    CHECK(row_of_lock(&lock)->waited >= (uint64_t)kr_us(100));
}

/* What began before the page, or ends after it, is not counted, and spoils no count. */
TEST(waits_over_a_start_and_a_stop)
{
    kri_bunch bunch;
    CHECK_EQ(kr_lock_acquire(&lock, KR_NOWAIT), 0);
    kri_bunch_start(&bunch, 1, take_and_give, &lock);
    kri_test_wait_parked(&lock.word, 1);
    begin_page();
    CHECK_EQ(kr_lock_release(&lock), 0);
    kri_bunch_end(&bunch);
    wait_in_vain(&lock);
    await_view(one_has_waited);

    CHECK_EQ(kr_lock_acquire(&lock, KR_NOWAIT), 0);
    kri_bunch_start(&bunch, 1, take_and_give, &lock);
    kri_test_wait_parked(&lock.word, 1);
    CHECK_EQ(kr_status_stop(), 0);
    begin_page();
    CHECK_EQ(kr_lock_release(&lock), 0);
    kri_bunch_end(&bunch);
    wait_in_vain(&lock);
    await_view(one_has_waited);
}

static kr_condition condition;

static void wait_for_notify(void *arg)
{
    (void)arg;
    CHECK_EQ(kr_condition_acquire(&condition, KR_FOREVER), 0);
    kri_store_rel(&in, 1);
    CHECK_EQ(kr_condition_wait(&condition, KR_FOREVER), 0);
    CHECK_EQ(kr_condition_release(&condition), 0);
}

static bool something_was_waited_for(void)
{
    return view.lock_count == 1 && view.locks[0].waits == 0 && view.locks[0].waiting == 1;
}

static kr_rlock rlock;
static void take_and_give_rlock(void *arg)
{
    (void)arg;
    CHECK_EQ(kr_rlock_acquire(&rlock, KR_FOREVER), 0);
    CHECK_EQ(kr_rlock_release(&rlock), 0);
}

TEST(recursive_lock_goes_by_its_address)
{
    kri_bunch bunch;
    begin_page();
    CHECK_EQ(kr_rlock_acquire(&rlock, KR_NOWAIT), 0);
    kri_bunch_start(&bunch, 1, take_and_give_rlock, NULL);
    await_view(something_was_waited_for);
    CHECK(lock_row(&rlock) == &view.locks[0]);
    CHECK_EQ(kr_rlock_release(&rlock), 0);
    kri_bunch_end(&bunch);
}

static bool shared_is_waited_for(void)
{
    return view.lock_count == 1 && view.locks[0].waiting == 1 && view.locks[0].shared == 1;
}

TEST(shared_lock)
{
    kri_bunch bunch;
    kr_lock *shared = kr_shared_alloc(sizeof *shared);
    CHECK_EQ(kr_lock_init(shared, KR_SHARED), 0);
    begin_page();
    CHECK_EQ(kr_lock_acquire(shared, KR_NOWAIT), 0);
    kri_bunch_start(&bunch, 1, take_and_give, shared);
    await_view(shared_is_waited_for);
    CHECK_EQ(kr_lock_release(shared), 0);
    kri_bunch_end(&bunch);
    kr_shared_free(shared);
}

/* Taking the lock again behind a notify. */
TEST(lock_of_a_condition)
{
    kri_bunch bunch;
    kri_bunch_start(&bunch, 1, wait_for_notify, NULL);
    while (kri_load_acq(&in) == 0)
        kri_test_nap();
    begin_page();
    CHECK_EQ(kr_condition_acquire(&condition, KR_FOREVER), 0);
    CHECK_EQ(kr_condition_notify(&condition, 1), 1);
    CHECK_EQ(kr_condition_release(&condition), 0);
    kri_bunch_end(&bunch);
}

/* More than the table and the page have room for: those waited for longest stay, in order. */
enum { MANY = 3000 };
static kr_lock many[MANY];

static bool some_were_dropped(void)
{
    return view.lock_count == KRI_PAGE_LOCKS && view.locks_dropped > 0;
}

TEST(more_locks_than_there_is_room)
{
    begin_page();
    CHECK_EQ(kr_lock_acquire(&lock, KR_NOWAIT), 0);
    CHECK_EQ(kr_lock_acquire(&lock, kr_ms(50)), -ETIMEDOUT);
    for (int i = 0; i < MANY; i++) {
        CHECK_EQ(kr_lock_acquire(&many[i], KR_NOWAIT), 0);
        CHECK_EQ(kr_lock_acquire(&many[i], kr_us(1)), -ETIMEDOUT);
    }
    await_view(some_were_dropped);
    CHECK(lock_row(&lock) != NULL);
    for (uint32_t i = 1; i < view.lock_count; i++)
        CHECK(view.locks[i - 1].waited >= view.locks[i].waited);
}

TEST(names)
{
    CHECK_EQ(kr_status_name(NULL, "nobody"), -EINVAL);
    CHECK_EQ(kr_status_name(&many[1], NULL), 0);
    int err = 0, named = 0;
    for (; named < MANY && err == 0; named++)
        err = kr_status_name(&many[named], "one of many");
    CHECK_EQ(err, -ENOMEM);
    CHECK_GE(named, 64);
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(kr_status_name(&many[i], NULL), 0);
    CHECK_EQ(kr_status_name(&lock, "a name that is much longer than there is room for it here"), 0);
    begin_page();
    wait_in_vain(&lock);
    await_view(one_has_waited);
    CHECK_STR(row_of_lock(&lock)->name, "a name that is much longer than");
    CHECK_EQ(kr_status_stop(), 0);
    begin_page(); /* counts begin again, names stay */
    wait_in_vain(&lock);
    await_view(one_has_waited);
    CHECK_STR(row_of_lock(&lock)->name, "a name that is much longer than");
}

/* While it is switched on and off, waits go on. */
TEST(waits_beside_switching)
{
    kri_bunch bunch;
    enum { TURNS = 300 };
    CHECK_EQ(kr_lock_acquire(&lock, KR_NOWAIT), 0);
    kri_bunch_start(&bunch, 2, take_and_give, &lock);
    for (int i = 0; i < TURNS; i++) {
        CHECK_EQ(kr_status_start(NULL), 0);
        wait_in_vain(&many[i % 4]);
        CHECK_EQ(kr_status_stop(), 0);
    }
    CHECK_EQ(kr_lock_release(&lock), 0);
    kri_bunch_end(&bunch);
}
