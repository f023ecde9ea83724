/* Three ways in which a process comes to be, and what the child finds.
 *
 * Row 34 of docs/lessons.md.  In Python:
 *
 *     multiprocessing.set_start_method("fork")        # or "spawn", or "forkserver"
 *
 * Watch the variable.  A fork is a copy of this process as it is now.  The others are this program
 * from its beginning: they have the initial value, and what they are given.  So that they find the
 * function, it is named by KR_TASK; so that they go no further, main begins with kr_init.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

static int setting = 1;

struct question {
    char method[16];
    int setting;
};

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int answer(void *arg)
{
    const struct question *question = arg;
    printf("%-10s  the variable is %d, the argument says %d\n", question->method, setting,
           question->setting);
    return 0;
}
KR_TASK(answer);

int main(int argc, char **argv)
{
    static const struct {
        kr_start_method start;
        const char *name;
    } methods[] = {{KR_FORK, "fork"}, {KR_SPAWN, "spawn"}, {KR_FORKSERVER, "forkserver"}};

    kr_init(argc, argv); /* what stands before it runs in every process, what follows in this one */
    setting = 2;
    for (int i = 0; i < 3; i++) {
        KR_AUTO(kr_process) *child = NULL;
        struct question question = {.setting = setting};
        snprintf(question.method, sizeof question.method, "%s", methods[i].name);
        int err = kr_process_start(&child, answer, &question, sizeof question,
                                   &(kr_process_options){.start = methods[i].start});
        if (err)
            return fail(methods[i].name, err);
        err = kr_process_join(child, NULL, KR_FOREVER);
        if (err)
            return fail("join", err);
    }
    return EXIT_SUCCESS;
}
