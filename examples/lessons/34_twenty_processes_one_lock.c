/* Twenty processes share one lock, and nobody joins them.
 *
 * Row 41 of docs/lessons.md.  In Python:
 *
 *     lock = multiprocessing.Lock()
 *     for number in range(20):
 *         multiprocessing.Process(target=greet, args=(lock, number)).start()
 *
 * Watch the lines: each is whole, although it is written in three pieces, and their order is the
 * system's.  main returns at once; the program ends when its children have, for they are no
 * daemons.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

static kr_lock *lock; /* in memory that forked children share */

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

/* With no buffer each of these is a system call, after which any other process may write. */
static void say_hello(int number)
{
    fputs("hello ", stdout);
    printf("from process %d", number);
    fputs(", which has the lock\n", stdout);
}

static int greet(void *arg)
{
    kr_with (lock)
        say_hello(*(const int *)arg);
    return 0;
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    lock = kr_shared_alloc(sizeof *lock);
    if (!lock)
        return fail("memory", -ENOMEM);
    int err = kr_lock_init(lock, KR_SHARED);
    if (err)
        return fail("lock", err);
    for (int number = 0; number < 20; number++) {
        /* No handle: nobody will ask for it again. */
        err = kr_process_start(NULL, greet, &number, sizeof number,
                               &(kr_process_options){.start = KR_FORK});
        if (err)
            return fail("start", err);
    }
    return EXIT_SUCCESS;
}
