/* What a stranger writes first: a queue, and a process pool; in C and in C++.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>
#include <stdio.h>

static int square(const void *arg, void *result)
{
    const int *n = (const int *)arg;
    *(long *)result = (long)*n * *n;
    return 0;
}
KR_TASK(square);

int main(int argc, char **argv)
{
    enum { COUNT = 10 };
    int numbers[COUNT];
    long squares[COUNT], sum = 0;
    kr_executor *pool = NULL;
    kr_queue *queue = NULL;
    kr_init(argc, argv);
    for (int i = 0; i < COUNT; i++)
        numbers[i] = i;
    int err = kr_process_pool(&pool, NULL);
    if (!err)
        err = kr_map(pool, square, numbers, sizeof numbers[0], COUNT, squares, sizeof squares[0],
                     NULL);
    if (!err)
        err = kr_queue_create(&queue, sizeof squares[0], 0, NULL);
    for (int i = 0; i < COUNT && !err; i++)
        err = kr_queue_put(queue, &squares[i], KR_NOWAIT);
    for (long next; !err && kr_queue_get(queue, &next, KR_NOWAIT) == 0;)
        sum += next;
    printf("krait %s: %ld %s\n", kr_version(), sum, kr_strerror(err));
    kr_queue_release(queue);
    kr_executor_release(pool);
    return err || sum != 285;
}
