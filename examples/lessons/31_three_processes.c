/* Three processes wait at the same time.
 *
 * Rows 21 and 26 of docs/lessons.md.  In Python:
 *
 *     chais = [multiprocessing.Process(target=brew, args=(i,)) for i in range(3)]
 *     for chai in chais: chai.start()
 *     for chai in chais: chai.join()
 *
 * Watch the time: that of one, not of three.  Which comes first is the system's choice.  An article
 * calls such a time constant, whatever the number of processes: it is for those that wait, and for
 * those that compute only up to the number of processors (58_with_and_without_the_gil.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { CHAIS = 3, BREW_MS = 200 };

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int brew(void *arg)
{
    int number = *(const int *)arg; /* the child's copy */
    printf("Start of brewing chai %d\n", number);
    int err = kr_sleep(kr_ms(BREW_MS));
    printf("End of brewing chai %d\n", number);
    return err;
}
KR_TASK(brew);

int main(int argc, char **argv)
{
    kr_process *children[CHAIS];

    setvbuf(stdout, NULL, _IOLBF, 0); /* each line goes out at once, also into a pipe */
    kr_init(argc, argv);
    kr_time begin = kr_now();
    for (int i = 0; i < CHAIS; i++) {
        int number = i + 1;
        int err = kr_process_start(&children[i], brew, &number, sizeof number, NULL);
        if (err)
            return fail("start", err);
    }
    for (int i = 0; i < CHAIS; i++) {
        int err = kr_process_join(children[i], NULL, KR_FOREVER);
        if (err)
            return fail("join", err);
        kr_process_release(children[i]);
    }
    double seconds = (double)(kr_now() - begin) / 1e9;
    printf("All chai served in %.2f s; one after the other would be %.2f s\n", seconds,
           CHAIS * BREW_MS / 1e3);
    return EXIT_SUCCESS;
}
