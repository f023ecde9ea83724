/* A daemon thread ends with the program; any other is waited for.
 *
 * Row 62 of docs/lessons.md.  In Python: t.daemon = True, before t.start(); after it that is a
 * RuntimeError.  Here there is no such order to get wrong, because a thread is told what it is as
 * it is started.
 *
 * Watch: main returns at once.  The guest still has its say, the cleaner is cut off in the midst of
 * ten seconds of sweeping.  So a daemon must not be what saves your data.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int sweep(void *arg)
{
    (void)arg;
    for (int room = 1; room <= 250; room++) {
        printf("the cleaner sweeps room %d\n", room);
        int err = kr_sleep(kr_ms(40));
        if (err)
            return err;
    }
    puts("the cleaner has swept every room"); /* nobody will read this */
    return 0;
}

static int visit(void *arg)
{
    (void)arg;
    int err = kr_sleep(kr_ms(100));
    if (err)
        return err;
    puts("the guest leaves");
    return 0;
}

int main(void)
{
    KR_AUTO(kr_thread) *cleaner = NULL;
    KR_AUTO(kr_thread) *guest = NULL;

    int err =
        kr_thread_start(&cleaner, sweep, NULL, 0, &(kr_thread_options){.daemon = KR_DAEMON_YES});
    if (!err)
        err = kr_thread_start(&guest, visit, NULL, 0, NULL);
    if (err)
        return fail("start", err);
    printf("the cleaner %s a daemon, the guest %s\n", kr_thread_daemon(cleaner) ? "is" : "is not",
           kr_thread_daemon(guest) ? "is too" : "is not");

    puts("main returns");
    return EXIT_SUCCESS; /* the program waits for the guest here */
}
