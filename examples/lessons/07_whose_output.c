/* Two threads that print: whose lines come when?
 *
 * Row 48 of docs/lessons.md.  In Python one thread prints 1 to 10 and another a to e, and the
 * article says that the output mixes.  It need not: so short a thread has often ended before the
 * next one has begun.  What is not arranged may come in any order, on every run in another.
 *
 * Three ways: as they come; in turns, by handing a permit to and fro; and each list in one piece,
 * by a lock.  Watch what is left open: in the first nearly all, in the second nothing, in the third
 * which of the two comes first.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

static const char *const numbers[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", NULL};
static const char *const letters[] = {"a", "b", "c", "d", "e", NULL};

struct list {
    const char *const *words;   /* NULL behind the last */
    kr_semaphore *mine, *other; /* permits to print the next line; NULL: no turns */
};

static kr_lock output = KR_LOCK_INIT;

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int print_lines(void *arg)
{
    const struct list *list = arg;
    for (int i = 0; list->words[i]; i++) {
        int err = list->mine ? kr_semaphore_acquire(list->mine, KR_FOREVER) : 0;
        if (err)
            return err;
        printf("    %s\n", list->words[i]);
        if (list->other)
            kr_semaphore_release(list->other, 1);
    }
    /* The other list may be longer: from now on it is always its turn. */
    return list->other ? kr_semaphore_release(list->other, 10) : 0;
}

/* One printf is never torn apart, but several are: hence the lock around all of them. */
static int print_piece(void *arg)
{
    const struct list *list = arg;
    kr_with (&output) {
        printf("   ");
        for (int i = 0; list->words[i]; i++)
            printf(" %s", list->words[i]);
        printf("\n");
    }
    return 0;
}

/* One in a thread of its own, the other in this one, which is a thread like any. */
static int run_both(kr_run_fn print, struct list *left, struct list *right)
{
    KR_AUTO(kr_thread) *thread = NULL;
    int err = kr_thread_start(&thread, print, left, sizeof *left, NULL);
    if (!err)
        err = print(right);
    if (!err)
        err = kr_thread_join(thread, NULL, KR_FOREVER);
    return err;
}

int main(void)
{
    kr_semaphore left_turn = KR_SEMAPHORE_INIT(1), right_turn = KR_SEMAPHORE_INIT(0);
    struct list left = {numbers, NULL, NULL}, right = {letters, NULL, NULL};

    puts("as they come:");
    int err = run_both(print_lines, &left, &right);
    if (err)
        return fail("as they come", err);

    puts("in turns:");
    left.mine = right.other = &left_turn;
    right.mine = left.other = &right_turn;
    err = run_both(print_lines, &left, &right);
    if (err)
        return fail("in turns", err);

    puts("in one piece:");
    err = run_both(print_piece, &left, &right);
    if (err)
        return fail("in one piece", err);
    return EXIT_SUCCESS;
}
