/* A semaphore: ten workers share three connections.
 *
 * Row 15 of docs/lessons.md.  In Python: pool = threading.Semaphore(3), and ten threads that do
 * `with pool:` and work for 1 s.  That makes four waves, three of three and one of one: 4 s.
 *
 * Watch the counter: never are more than three inside.  A semaphore says how many, not who is next.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { WORKERS = 10, CONNECTIONS = 3 };

static kr_semaphore pool = KR_SEMAPHORE_INIT(CONNECTIONS);

static struct {
    kr_lock lock; /* guards the rest */
    int inside, most;
} count;

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static void enter(int number)
{
    kr_with (&count.lock) {
        count.inside++;
        if (count.most < count.inside)
            count.most = count.inside;
        printf("worker %d has a connection\n", number);
    }
}

static int work(void *arg)
{
    const int *number = arg;
    int err = 0;
    kr_with (&pool) {
        enter(*number);
        err = kr_sleep(kr_ms(100));
        kr_with (&count.lock)
            count.inside--;
    }
    return err;
}

int main(void)
{
    kr_thread *workers[WORKERS] = {NULL};
    kr_time begin = kr_now();
    int err = 0;

    for (int i = 0; i < WORKERS && !err; i++)
        err = kr_thread_start(&workers[i], work, &(int){i + 1}, sizeof(int), NULL);
    if (err)
        return fail("start", err);
    for (int i = 0; i < WORKERS && !err; i++) {
        int result = 0;
        err = kr_thread_join(workers[i], &result, KR_FOREVER);
        kr_thread_release(workers[i]);
        err = err ? err : result;
    }
    if (err)
        return fail("join", err);

    printf("never more than %d at once, %u free in the end\n", count.most,
           kr_semaphore_value(&pool));
    printf("%.2f s: four waves\n", (double)(kr_now() - begin) / 1e9);
    return EXIT_SUCCESS;
}
