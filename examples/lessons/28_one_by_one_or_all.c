/* Waiting adds up, unless it is done at the same time.
 *
 * Row 43 of docs/lessons.md.  A program that fetches twenty pages, one after the other, does
 * nothing most of the time; each wait is added to those before.  In Python:
 *
 *     for url in urls: fetch(url)                      # one by one
 *     with ThreadPoolExecutor(10) as pool:
 *         pool.map(fetch, urls)                        # ten at a time
 *
 * Watch the two times: twenty waits of 20 ms, or two.  No processor has become faster, and one
 * would do; it is only that nobody waits for nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { PAGES = 20, WORKERS = 10 };

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

/* The server needs its time; the page has a thousand bytes more than the one before. */
static int fetch(const void *arg, void *result)
{
    const int *page = arg;
    *(long *)result = 1000L * *page;
    return kr_sleep(kr_ms(20));
}

static long sum(const long *sizes)
{
    long all = 0;
    for (int i = 0; i < PAGES; i++)
        all += sizes[i];
    return all;
}

static double seconds_since(kr_time begin)
{
    return (double)(kr_now() - begin) / 1e9;
}

int main(void)
{
    KR_AUTO(kr_executor) *pool = NULL;
    int pages[PAGES], err = 0;
    long sizes[PAGES] = {0};
    for (int i = 0; i < PAGES; i++)
        pages[i] = i + 1;

    kr_time begin = kr_now();
    for (int i = 0; i < PAGES && !err; i++)
        err = fetch(&pages[i], &sizes[i]);
    if (err)
        return fail("one by one", err);
    double one_by_one = seconds_since(begin);
    printf("one by one: %.2f s, %ld bytes\n", one_by_one, sum(sizes));

    begin = kr_now();
    err = kr_thread_pool(&pool, &(kr_pool_options){.workers = WORKERS});
    if (!err)
        err = kr_map(pool, fetch, pages, sizeof pages[0], PAGES, sizes, sizeof sizes[0],
                     &(kr_map_options){.chunk = 1});
    if (err)
        return fail("ten at a time", err);
    double together = seconds_since(begin);
    printf("ten at a time: %.2f s, %ld bytes\n", together, sum(sizes));
    printf("%.1f times as fast\n", one_by_one / together);
    return EXIT_SUCCESS;
}
