/* The lazy map against its pool's worker, and against a second reader.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include <krait/krait.h>

static struct {
    kr_executor *pool;
    kr_map_stream *map;
    int next;
    int end;
    int begun; /* plain: by the only worker */
    kr_event never;
    int answers[2];
} s;

static int next_number(void *arg, void *context)
{
    (void)context;
    *(int *)arg = s.next;
    return s.next++ < s.end;
}

static void open_map(kr_task_fn fn, int end, size_t window, size_t chunk)
{
    kr_map_stream_options options = {.window = window, .chunk = chunk};
    memset(&s, 0, sizeof s);
    s.end = end;
    kr_explore_check(kr_thread_pool(&s.pool, &(kr_pool_options){.workers = 1}) == 0);
    kr_explore_check(kr_map_open(&s.map, s.pool, fn, next_number, NULL, sizeof(int), sizeof(int),
                                 &options) == 0);
}

static void finish(void)
{
    kr_map_close(s.map);
    kr_explore_check(kr_executor_shutdown(s.pool, NULL, KR_FOREVER) == 0);
    kr_executor_release(s.pool);
}

static int add_one(const void *arg, void *result)
{
    *(int *)result = *(const int *)arg + 1;
    return 0;
}

SCENARIO(stream_in_order, .stale = KR_EXPLORE_NONE)
{
    int got = 0;
    open_map(add_one, 2, 1, 1);
    for (int i = 0; i < 2; i++)
        kr_explore_check(kr_map_next(s.map, &got, sizeof got, NULL) == 1 && got == i + 1);
    kr_explore_check(kr_map_next(s.map, &got, sizeof got, NULL) == 0);
    finish();
}

/* The first item waits until it is cancelled, so the second is queued or never was. */
static int wait_for_cancel(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    s.begun++;
    return kr_event_wait(&s.never, KR_FOREVER);
}

SCENARIO(stream_close_against_worker, .stale = KR_EXPLORE_NONE)
{
    open_map(wait_for_cancel, 2, 2, 1);
    finish();
    kr_explore_check(s.begun <= 1);
}

static void read_one(void *arg)
{
    int got = 0, *answer = arg;
    *answer = kr_map_next(s.map, &got, sizeof got, NULL);
    kr_explore_check(*answer == -EBUSY || (*answer == 1 && (got == 1 || got == 2)));
}

SCENARIO(stream_two_readers, .preemptions = 1, .stale = 1)
{
    open_map(add_one, 2, 2, 2);
    int other = kr_explore_spawn(read_one, &s.answers[0]);
    read_one(&s.answers[1]);
    kr_explore_join(other);
    kr_explore_check(s.answers[0] == 1 || s.answers[1] == 1);
    finish();
}

/* The system refuses memory or threads: an error in its place, and nothing is left behind. */
SCENARIO(stream_under_refusals, .preemptions = 1, .stale = KR_EXPLORE_NONE, .failures = 2,
         .schedules = 20000)
{
    kr_map_stream_options options = {.window = 2};
    int got = 0, answer, delivered = 0;
    memset(&s, 0, sizeof s);
    s.end = 3;
    if (kr_thread_pool(&s.pool, &(kr_pool_options){.workers = 1}) != 0)
        return;
    int err =
        kr_map_open(&s.map, s.pool, add_one, next_number, NULL, sizeof(int), sizeof(int), &options);
    kr_explore_check(err == 0 || err == -ENOMEM || err == -EAGAIN);
    kr_explore_check((err == 0) == (s.map != NULL));
    while (err == 0 && (answer = kr_map_next(s.map, &got, sizeof got, NULL)) == 1)
        kr_explore_check(got == ++delivered);
    kr_explore_check(err != 0 || answer == -ENOMEM || (answer == 0 && delivered == 3));
    finish();
}
