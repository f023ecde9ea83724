/* The explorer's own memory: the known small programs, each with what C11 allows and forbids.
 *
 * A relaxed result that is allowed must be found, one that is forbidden must not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "model/scenario.h"

static kr_word x, y, z;
static uint32_t r0, r1, r2, r3;

static void start(void)
{
    x.bits = y.bits = z.bits = 0;
    r0 = r1 = r2 = r3 = 0;
}

static void run2(void (*a)(void *), void (*b)(void *))
{
    start();
    kr_explore_spawn(a, NULL);
    kr_explore_spawn(b, NULL);
    kr_explore_join_all();
}

#define BODY(name, statements)                                                                     \
    static void name(void *arg)                                                                    \
    {                                                                                              \
        (void)arg;                                                                                 \
        statements                                                                                 \
    }

/* Store buffering. */
BODY(sb_sc_0, {
    kri_store_sc(&x, 1);
    r0 = kri_load_sc(&y);
})
BODY(sb_sc_1, {
    kri_store_sc(&y, 1);
    r1 = kri_load_sc(&x);
})
BODY(sb_weak_1, {
    kri_store_rel(&y, 1);
    r1 = kri_load_sc(&x);
})
BODY(sb_weak_load_1, {
    kri_store_sc(&y, 1);
    r1 = kri_load_acq(&x);
})

SCENARIO(store_buffering_sc)
{
    run2(sb_sc_0, sb_sc_1);
    kr_explore_check(r0 == 1 || r1 == 1);
}

FAULTY(store_buffering_one_store_weaker, KR_EXPLORE_CHECK)
{
    run2(sb_sc_0, sb_weak_1);
    kr_explore_check(r0 == 1 || r1 == 1);
}

FAULTY(store_buffering_one_load_weaker, KR_EXPLORE_CHECK)
{
    run2(sb_sc_0, sb_weak_load_1);
    kr_explore_check(r0 == 1 || r1 == 1);
}

/* Message passing. */
BODY(mp_send, {
    kri_store_rlx(&x, 1);
    kri_store_rel(&y, 1);
})
BODY(mp_send_rlx, {
    kri_store_rlx(&x, 1);
    kri_store_rlx(&y, 1);
})
BODY(mp_receive, {
    r0 = kri_load_acq(&y);
    r1 = kri_load_rlx(&x);
})
BODY(mp_receive_rlx, {
    r0 = kri_load_rlx(&y);
    r1 = kri_load_rlx(&x);
})

SCENARIO(message_passing)
{
    run2(mp_send, mp_receive);
    kr_explore_check(r0 == 0 || r1 == 1);
}

FAULTY(message_passing_relaxed_store, KR_EXPLORE_CHECK)
{
    run2(mp_send_rlx, mp_receive);
    kr_explore_check(r0 == 0 || r1 == 1);
}

FAULTY(message_passing_relaxed_load, KR_EXPLORE_CHECK)
{
    run2(mp_send, mp_receive_rlx);
    kr_explore_check(r0 == 0 || r1 == 1);
}

/* Load buffering: C11 allows it, no machine of ours shows it, and the explorer does not make it. */
BODY(lb_0, {
    r0 = kri_load_rlx(&y);
    kri_store_rlx(&x, 1);
})
BODY(lb_1, {
    r1 = kri_load_rlx(&x);
    kri_store_rlx(&y, 1);
})

SCENARIO(load_buffering_is_not_made)
{
    run2(lb_0, lb_1);
    kr_explore_check(r0 == 0 || r1 == 0);
}

/* Independent reads of independent writes. */
BODY(iriw_x, { kri_store_sc(&x, 1); })
BODY(iriw_y, { kri_store_sc(&y, 1); })
BODY(iriw_x_rel, { kri_store_rel(&x, 1); })
BODY(iriw_y_rel, { kri_store_rel(&y, 1); })
BODY(iriw_xy, {
    r0 = kri_load_sc(&x);
    r1 = kri_load_sc(&y);
})
BODY(iriw_yx, {
    r2 = kri_load_sc(&y);
    r3 = kri_load_sc(&x);
})
BODY(iriw_xy_acq, {
    r0 = kri_load_acq(&x);
    r1 = kri_load_acq(&y);
})
BODY(iriw_yx_acq, {
    r2 = kri_load_acq(&y);
    r3 = kri_load_acq(&x);
})

SCENARIO(independent_reads_sc)
{
    start();
    kr_explore_spawn(iriw_x, NULL);
    kr_explore_spawn(iriw_y, NULL);
    kr_explore_spawn(iriw_xy, NULL);
    kr_explore_spawn(iriw_yx, NULL);
    kr_explore_join_all();
    kr_explore_check(!(r0 == 1 && r1 == 0 && r2 == 1 && r3 == 0));
}

FAULTY(independent_reads_acquire, KR_EXPLORE_CHECK)
{
    start();
    kr_explore_spawn(iriw_x_rel, NULL);
    kr_explore_spawn(iriw_y_rel, NULL);
    kr_explore_spawn(iriw_xy_acq, NULL);
    kr_explore_spawn(iriw_yx_acq, NULL);
    kr_explore_join_all();
    kr_explore_check(!(r0 == 1 && r1 == 0 && r2 == 1 && r3 == 0));
}

/* Coherence: two reads of one word never go back, however weak. */
BODY(corr_write, {
    kri_store_rlx(&x, 1);
    kri_store_rlx(&x, 2);
})
BODY(corr_read, {
    r0 = kri_load_rlx(&x);
    r1 = kri_load_rlx(&x);
})

SCENARIO(coherence_read_read)
{
    run2(corr_write, corr_read);
    kr_explore_check(r0 <= r1);
}

/* A release sequence goes on through another thread's relaxed change, not through its store. */
BODY(rs_begin, {
    kri_store_rlx(&x, 1);
    kri_store_rel(&y, 1);
})
BODY(rs_change, {
    uint32_t seen = 1;
    kri_cas_rlx(&y, &seen, 2);
})
BODY(rs_store, {
    if (kri_load_rlx(&y) == 1)
        kri_store_rlx(&y, 2);
})
BODY(rs_end, {
    r0 = kri_load_acq(&y);
    r1 = kri_load_rlx(&x);
})

static void run3(void (*a)(void *), void (*b)(void *), void (*c)(void *))
{
    start();
    kr_explore_spawn(a, NULL);
    kr_explore_spawn(b, NULL);
    kr_explore_spawn(c, NULL);
    kr_explore_join_all();
}

SCENARIO(release_sequence)
{
    run3(rs_begin, rs_change, rs_end);
    kr_explore_check(r0 != 2 || r1 == 1);
}

FAULTY(release_sequence_cut, KR_EXPLORE_CHECK)
{
    run3(rs_begin, rs_store, rs_end);
    kr_explore_check(r0 != 2 || r1 == 1);
}

/* The order of a compare-and-swap that fails. */
BODY(cas_fails_rel, {
    uint32_t seen = 7;
    kri_cas_rel(&y, &seen, 9);
    r0 = seen;
    r1 = kri_load_rlx(&x);
})
BODY(cas_fails_acq, {
    uint32_t seen = 7;
    kri_cas_acq(&y, &seen, 9);
    r0 = seen;
    r1 = kri_load_rlx(&x);
})

SCENARIO(cas_failure_acquires)
{
    run2(mp_send, cas_fails_acq);
    kr_explore_check(r0 != 1 || r1 == 1);
}

FAULTY(cas_failure_relaxed, KR_EXPLORE_CHECK)
{
    run2(mp_send, cas_fails_rel);
    kr_explore_check(r0 != 1 || r1 == 1);
}

/* Changes are never lost and never read a stale value. */
BODY(add_twice, {
    kri_add_rlx(&x, 1);
    kri_add_rlx(&x, 1);
})

SCENARIO(changes_are_atomic)
{
    run2(add_twice, add_twice);
    kr_explore_check(kri_load_rlx(&x) == 4);
}

BODY(add_by_hand, { kri_store_rlx(&x, kri_load_rlx(&x) + 1); })

FAULTY(load_and_store_are_not, KR_EXPLORE_CHECK)
{
    run2(add_by_hand, add_by_hand);
    kr_explore_check(kri_load_rlx(&x) == 2);
}

/* Reading what was written before in another thread, at one remove. */
BODY(wrc_0, {
    kri_store_rlx(&z, 1);
    kri_store_rel(&x, 1);
})
BODY(wrc_1, {
    r2 = kri_load_acq(&x);
    if (r2)
        kri_store_rel(&y, 1);
})
BODY(wrc_1_rlx, {
    r2 = kri_load_rlx(&x);
    if (r2)
        kri_store_rel(&y, 1);
})
BODY(wrc_2, {
    r0 = kri_load_acq(&y);
    r1 = kri_load_rlx(&z);
})

SCENARIO(causality)
{
    run3(wrc_0, wrc_1, wrc_2);
    kr_explore_check(r0 == 0 || r1 == 1);
}

FAULTY(causality_relaxed, KR_EXPLORE_CHECK)
{
    run3(wrc_0, wrc_1_rlx, wrc_2);
    kr_explore_check(r0 == 0 || r1 == 1);
}

/* Plain memory. */
static long plain;
BODY(plain_send, {
    plain = 1;
    kri_store_rel(&y, 1);
})
BODY(plain_send_rlx, {
    plain = 1;
    kri_store_rlx(&y, 1);
})
BODY(plain_receive, {
    if (kri_load_acq(&y))
        r0 = (uint32_t)plain;
})
BODY(plain_receive_early, { r0 = (uint32_t)plain; })

SCENARIO(race_free)
{
    run2(plain_send, plain_receive);
}

FAULTY(race_relaxed, KR_EXPLORE_RACE)
{
    run2(plain_send_rlx, plain_receive);
}

FAULTY(race_read_write, KR_EXPLORE_RACE)
{
    run2(plain_send, plain_receive_early);
}

/* The same said by hand, where the compiler does not announce accesses. */
BODY(hand_write, { kr_explore_write(&plain, sizeof plain); })

FAULTY(race_by_hand, KR_EXPLORE_RACE)
{
    run2(hand_write, hand_write);
}

/* A word that is set up as plain memory must be handed over too. */
BODY(init_late, {
    y.bits = 0;
    kri_store_rlx(&x, 1);
})
BODY(init_use, {
    if (kri_load_rlx(&x))
        kri_add_rlx(&y, 1);
})

FAULTY(race_atomic_with_plain, KR_EXPLORE_RACE)
{
    run2(init_late, init_use);
}
