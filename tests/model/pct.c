/* A bigger program, explored at random with the guarantee of PCT: a bounded buffer between two
 * producers and two consumers, on a lock with two conditions; a pool of permits; a gate.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include <krait/condition.h>
#include <krait/event.h>
#include <krait/semaphore.h>

enum { ITEMS = 3, ROOM = 1 };

static struct {
    kr_lock lock;
    kr_condition not_empty;
    kr_condition not_full;
    int stored; /* guarded by lock, as the next */
    int sum;
    kr_semaphore permits;
    int inside; /* guarded by the permit */
    kr_event gate;
} s;

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    (void)kr_condition_init(&s.not_empty, &(kr_condition_options){.lock = &s.lock});
    (void)kr_condition_init(&s.not_full, &(kr_condition_options){.lock = &s.lock});
    kr_explore_check(kr_semaphore_init(&s.permits, 1, &(kr_semaphore_options){.bound = 1}) == 0);
}

static void put(void *arg)
{
    (void)arg;
    kr_explore_check(kr_event_wait(&s.gate, KR_FOREVER) == 0);
    for (int i = 0; i < ITEMS; i++)
        kr_with (&s.lock) {
            while (s.stored == ROOM)
                kr_explore_check(kr_condition_wait(&s.not_full, KR_FOREVER) == 0);
            s.stored++;
            kr_condition_notify(&s.not_empty, 1);
        }
}

static void get(void *arg)
{
    (void)arg;
    for (int i = 0; i < ITEMS; i++) {
        kr_with (&s.lock) {
            while (s.stored == 0)
                kr_explore_check(kr_condition_wait(&s.not_empty, KR_FOREVER) == 0);
            s.stored--;
            s.sum++;
            kr_condition_notify(&s.not_full, 1);
        }
        kr_explore_check(kr_semaphore_acquire(&s.permits, KR_FOREVER) == 0);
        s.inside++;
        kr_explore_check(s.inside == 1);
        s.inside--;
        kr_explore_check(kr_semaphore_release(&s.permits, 1) == 0);
    }
}

static void bounded_buffer(void)
{
    fresh();
    kr_explore_spawn(put, NULL);
    kr_explore_spawn(put, NULL);
    kr_explore_spawn(get, NULL);
    kr_explore_spawn(get, NULL);
    kr_event_set(&s.gate);
    kr_explore_join_all();
    kr_explore_check(s.stored == 0 && s.sum == 2 * ITEMS);
}

SCENARIO(bounded_buffer_pct, .mode = KR_EXPLORE_PCT, .depth = 4, .schedules = 20000)
{
    bounded_buffer();
}

SCENARIO(bounded_buffer_random, .mode = KR_EXPLORE_RANDOM, .schedules = 20000)
{
    bounded_buffer();
}

SCENARIO(bounded_buffer_pct_spinning, .mode = KR_EXPLORE_PCT, .depth = 4, .schedules = 5000,
         .processors = 2)
{
    bounded_buffer();
}

/* One condition for both sides and a notify of one is the known error: found. */
static void put_one_condition(void *arg)
{
    (void)arg;
    for (int i = 0; i < ITEMS; i++)
        kr_with (&s.lock) {
            while (s.stored == ROOM)
                kr_explore_check(kr_condition_wait(&s.not_empty, KR_FOREVER) == 0);
            s.stored++;
            kr_condition_notify(&s.not_empty, 1);
        }
}

static void get_one_condition(void *arg)
{
    (void)arg;
    for (int i = 0; i < ITEMS; i++)
        kr_with (&s.lock) {
            while (s.stored == 0)
                kr_explore_check(kr_condition_wait(&s.not_empty, KR_FOREVER) == 0);
            s.stored--;
            kr_condition_notify(&s.not_empty, 1);
        }
}

FAULTY(one_condition_for_both, KR_EXPLORE_DEADLOCK, .mode = KR_EXPLORE_PCT, .depth = 4,
       .schedules = 50000)
{
    fresh();
    kr_explore_spawn(put_one_condition, NULL);
    kr_explore_spawn(put_one_condition, NULL);
    kr_explore_spawn(get_one_condition, NULL);
    kr_explore_spawn(get_one_condition, NULL);
    kr_explore_join_all();
}
