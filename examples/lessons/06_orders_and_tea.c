/* One hand takes orders while the other brews: two kinds of waiting, side by side.
 *
 * Row 20 of docs/lessons.md.  In Python take_orders() prints three orders, 2 s apart, in one
 * thread, and brew_chai() three brews, 3 s apart, in another.
 *
 * Watch the order, which follows from the times alone: order 1, brew 1, order 2 (0.2 s), brew 2
 * (0.3 s), order 3 (0.4 s), brew 3 (0.6 s).  After 0.9 s all is done; one after the other it would
 * be 1.5 s.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

static kr_time begin;

static double seconds(void)
{
    return (double)(kr_now() - begin) / 1e9;
}

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int take_orders(void *arg)
{
    (void)arg;
    for (int i = 1; i <= 3; i++) {
        printf("%.1f s  taking order %d\n", seconds(), i);
        int err = kr_sleep(kr_ms(200));
        if (err)
            return err;
    }
    return 0;
}

static int brew_tea(void *arg)
{
    (void)arg;
    for (int i = 1; i <= 3; i++) {
        printf("%.1f s  brewing tea %d\n", seconds(), i);
        int err = kr_sleep(kr_ms(300));
        if (err)
            return err;
    }
    return 0;
}

int main(void)
{
    KR_AUTO(kr_thread) *orders = NULL;
    KR_AUTO(kr_thread) *tea = NULL;
    int orders_result = 0, tea_result = 0;
    begin = kr_now();

    int err = kr_thread_start(&orders, take_orders, NULL, 0, NULL);
    if (!err)
        err = kr_thread_start(&tea, brew_tea, NULL, 0, NULL);
    if (err)
        return fail("start", err);

    err = kr_thread_join(orders, &orders_result, KR_FOREVER);
    if (!err)
        err = kr_thread_join(tea, &tea_result, KR_FOREVER);
    if (err)
        return fail("join", err);
    if (orders_result || tea_result)
        return fail("a thread", orders_result ? orders_result : tea_result);
    printf("%.1f s  all orders taken and tea brewed\n", seconds());
    return EXIT_SUCCESS;
}
