/* A value and an array that several processes have.
 *
 * Row 36 of docs/lessons.md.  In Python:
 *
 *     value = multiprocessing.Value("i", 0)
 *     array = multiprocessing.Array("i", 4)
 *     value.value += 1                            # two steps: others come between them
 *     with value.get_lock(): value.value += 1     # whole
 *
 * Watch the two counts.  Each get and each set takes the lock, and yet updates are lost, since it
 * is free between the two.  Here all four meet there each time, so that all write the same number.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { PROCESSES = 4, TIMES = 10 };

static kr_barrier *meeting;
static kr_value *careless, *careful; /* forked children inherit the handles */
static kr_array *squares;

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int increment_carelessly(void)
{
    int value = 0;
    int err = kr_value_get(careless, &value, KR_FOREVER);
    if (err == 0)
        err = kr_barrier_wait(meeting, KR_FOREVER); /* 0 to 3, or an error */
    value++;
    if (err >= 0)
        err = kr_value_set(careless, &value, KR_FOREVER);
    if (err >= 0)
        err = kr_barrier_wait(meeting, KR_FOREVER); /* nobody reads before all have written */
    return err < 0 ? err : 0;
}

static void increment_carefully(void)
{
    kr_with (kr_value_lock(careful))
        ++*(int *)kr_value_data(careful);
}

static int work(void *arg)
{
    int number = *(const int *)arg, square = number * number;
    int err = kr_array_set(squares, (size_t)number, &square, KR_FOREVER);
    for (int i = 0; i < TIMES && !err; i++) {
        err = increment_carelessly();
        increment_carefully();
    }
    return err;
}

int main(void)
{
    kr_process *children[PROCESSES];
    int counts[2], all[PROCESSES];

    meeting = kr_shared_alloc(sizeof *meeting);
    if (!meeting)
        return fail("memory", -ENOMEM);
    *meeting = (kr_barrier)KR_BARRIER_INIT_SHARED(PROCESSES);
    int err = kr_value_create(&careless, sizeof(int), NULL, NULL); /* NULL: begins as zero */
    if (!err)
        err = kr_value_create(&careful, sizeof(int), NULL, NULL);
    if (!err)
        err = kr_array_create(&squares, sizeof(int), PROCESSES, NULL, NULL);
    if (err)
        return fail("values", err);
    for (int i = 0; i < PROCESSES; i++) {
        err = kr_process_start(&children[i], work, &i, sizeof i,
                               &(kr_process_options){.start = KR_FORK});
        if (err)
            return fail("start", err);
    }
    for (int i = 0; i < PROCESSES; i++) {
        err = kr_process_join(children[i], NULL, KR_FOREVER);
        kr_process_release(children[i]);
        if (err)
            return fail("join", err);
    }
    err = kr_value_get(careless, &counts[0], KR_FOREVER);
    if (!err)
        err = kr_value_get(careful, &counts[1], KR_FOREVER);
    if (!err)
        err = kr_array_get_slice(squares, 0, PROCESSES, all, KR_FOREVER);
    if (err)
        return fail("results", err);
    printf("Get, then set: %d of %d\n", counts[0], PROCESSES * TIMES);
    printf("With the lock held over both: %d of %d\n", counts[1], PROCESSES * TIMES);
    printf("Array: %d %d %d %d\n", all[0], all[1], all[2], all[3]);
    kr_value_release(careless);
    kr_value_release(careful);
    kr_array_release(squares);
    return EXIT_SUCCESS;
}
