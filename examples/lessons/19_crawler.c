/* A crawler that fetches ten pages, three at a time.
 *
 * Row 69 of docs/lessons.md.  In Python a thread goes through ten URLs; for each it takes a permit
 * of Semaphore(3) and starts a thread, which fetches for 2 s and gives the permit back.  So the
 * pages come after 2, 2, 2, 4, 4, 4, 6, 6, 6 and 8 s.
 *
 * Watch who takes and who gives: a permit belongs to nobody, so one thread may acquire it and
 * another release it.  And there are never more than three fetching threads, where the lesson
 * before had ten of which seven waited.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { PAGES = 10, AT_ONCE = 3 };

static kr_semaphore permits = KR_SEMAPHORE_INIT(AT_ONCE);
static kr_time begin;

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int fetch(void *arg)
{
    const int *page = arg;
    int err = kr_sleep(kr_ms(200));
    if (!err)
        printf("%.2f s  page %d\n", (double)(kr_now() - begin) / 1e9, *page);
    kr_semaphore_release(&permits, 1);
    return err;
}

/* Python's UrlProducer. */
static int crawl(void *arg)
{
    (void)arg;
    for (int page = 0; page < PAGES; page++) {
        int err = kr_semaphore_acquire(&permits, KR_FOREVER);
        if (err)
            return err;
        err = kr_thread_start(NULL, fetch, &page, sizeof page, NULL);
        if (err) {
            kr_semaphore_release(&permits, 1);
            return err;
        }
    }
    /* All have ended when all permits are back. */
    for (int i = 0; i < AT_ONCE; i++) {
        int err = kr_semaphore_acquire(&permits, KR_FOREVER);
        if (err)
            return err;
    }
    return 0;
}

int main(void)
{
    KR_AUTO(kr_thread) *crawler = NULL;
    int result = 0;
    begin = kr_now();

    int err = kr_thread_start(&crawler, crawl, NULL, 0, NULL);
    if (!err)
        err = kr_thread_join(crawler, &result, KR_FOREVER);
    if (err || result)
        return fail("crawl", err ? err : result);
    printf("%.2f s  that was all\n", (double)(kr_now() - begin) / 1e9);
    return EXIT_SUCCESS;
}
