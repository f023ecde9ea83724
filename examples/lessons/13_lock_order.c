/* Two locks, taken in two orders: a deadlock that has not happened yet.
 *
 * Row 66 of docs/lessons.md: "locks may deadlock".  Who moves money from A to B locks A, then B;
 * who moves some from B to A at the same time locks B, then A.  Some day each has one and waits for
 * the other.  Python says nothing, neither before nor then.
 *
 * Watch: here the two never meet, one transfer is over before the other begins, and still krait
 * says that the orders differ, with the places in the program.  The cure is one order for all, such
 * as that of the accounts' numbers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

struct account {
    int number;
    kr_lock lock; /* guards the balance */
    long balance;
};

static int reports;

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

/* Called with the report in place of printing it on standard error. */
static void print_report(const char *report)
{
    reports++;
    puts(report);
}

static void transfer(struct account *from, struct account *to, long amount)
{
    kr_with (&from->lock) {
        kr_with (&to->lock) {
            from->balance -= amount;
            to->balance += amount;
        }
    }
}

static void transfer_in_one_order(struct account *from, struct account *to, long amount)
{
    struct account *first = from->number < to->number ? from : to;
    struct account *second = first == from ? to : from;
    kr_with (&first->lock) {
        kr_with (&second->lock) {
            from->balance -= amount;
            to->balance += amount;
        }
    }
}

static void print_balances(const struct account *a, const struct account *b)
{
    printf("%d has %ld, %d has %ld; reports: %d\n", a->number, a->balance, b->number, b->balance,
           reports);
}

int main(void)
{
    struct account a = {1, KR_LOCK_INIT, 100}, b = {2, KR_LOCK_INIT, 100};
    kr_set_debug_hook(print_report);

    int err = kr_debug_locks(true);
    if (err)
        return fail("watch the locks", err);
    transfer_in_one_order(&a, &b, 30);
    transfer_in_one_order(&b, &a, 10);
    print_balances(&a, &b);

    transfer(&a, &b, 30);
    transfer(&b, &a, 10);
    print_balances(&a, &b);
    return kr_debug_locks(false) ? EXIT_FAILURE : EXIT_SUCCESS;
}
