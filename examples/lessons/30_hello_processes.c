/* A child process is started with an argument, joined, and has a memory of its own.
 *
 * Rows 37, 46 and 49 of docs/lessons.md.  In Python:
 *
 *     child = multiprocessing.Process(target=hello, args=("test",))
 *     child.start()
 *     child.join()
 *
 * Watch the order: the parent's line comes first, since a start flushes stdout, and the last two
 * come after the child's end, since a join waits for it.  What the child has counted the parent
 * does not see.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int greetings; /* each process has one of its own */

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int hello(void *arg)
{
    printf("Hello from child process %d, a child of %d\n", (int)getpid(), (int)getppid());
    printf("It was given '%s', and has said hello %d time\n", (const char *)arg, ++greetings);
    return 0;
}
KR_TASK(hello); /* it may run in another process */

int main(int argc, char **argv)
{
    KR_AUTO(kr_process) *child = NULL;
    int exit_code = 0;

    kr_init(argc, argv); /* a child that is a new program begins here, and goes no further */
    printf("Hello from parent process %d\n", (int)getpid());
    int err = kr_process_start(&child, hello, "test", sizeof "test", NULL);
    if (err)
        return fail("start", err);
    err = kr_process_join(child, &exit_code, KR_FOREVER);
    if (err)
        return fail("join", err);
    printf("Child process end, with exit code %d\n", exit_code);
    printf("The parent has said hello %d times\n", greetings);
    return EXIT_SUCCESS;
}
