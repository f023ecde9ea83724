/* Spinning before sleeping: only where whoever is waited for can run meanwhile.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "os/os.h"
#include "wait/internal.h"
#include <sched.h>

/* Leave the process the first `count` of its processors; false: it has fewer. */
static bool keep_processors(int count)
{
    cpu_set_t all, kept;

    CHECK_EQ(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&kept);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&kept) < count; cpu++)
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &kept);
    CHECK_EQ(sched_setaffinity(0, sizeof kept, &kept), 0);
    return CPU_COUNT(&kept) == count;
}

TEST(nobody_spins_on_one_processor)
{
    CHECK(keep_processors(1));
    CHECK(!kri_spin_pays());
}

TEST(spinning_may_pay_on_two_processors)
{
    if (!keep_processors(2))
        SKIP("this machine has one processor");
    CHECK(kri_spin_pays());
}

static bool may_spin;

static void note_spin(kri_waiter *w, kr_time deadline)
{
    (void)deadline;
    may_spin = w->spin != NULL;
}

static bool spins(unsigned flags)
{
    static const kri_party_ops ops = {.park = note_spin};
    kri_party party = {.ops = &ops};
    kr_word word = {0};
    kri_party *previous = kri_party_enter(&party);
    CHECK_EQ(kri_wait(&word, 0, os_now() + 1000, flags), -ETIMEDOUT);
    kri_party_leave(previous);
    return may_spin;
}

TEST(who_asks_to_sleep_at_once_does_not_spin)
{
    CHECK(spins(KRI_UNCANCELLABLE));
    CHECK(!spins(KRI_UNCANCELLABLE | KRI_NO_SPIN));
}

TEST(a_nap_does_not_spin)
{
    static const kri_party_ops ops = {.park = note_spin};
    kri_party party = {.ops = &ops};
    kri_party *previous = kri_party_enter(&party);
    may_spin = true;
    kri_nap(kri_nap_calls(), os_now() + 1000);
    kri_party_leave(previous);
    CHECK(!may_spin);
}
