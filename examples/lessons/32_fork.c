/* fork(2) in a program with threads: what the child has, and what it has not.
 *
 * Rows 35 and 76 of docs/lessons.md.  In Python:
 *
 *     pid = os.fork()
 *     if pid == 0: ...                # the child, with both pids
 *     else: os.waitpid(pid, 0)
 *
 * Watch the child: it has one thread, the one that forked.  The other did not follow, and krait
 * says so at once, where a wait for it would never end.  What that thread held stays held in the
 * child: so fork before there are threads, or start children in another way (33_start_methods.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static kr_event begun = KR_EVENT_INIT, enough = KR_EVENT_INIT;

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int keep_company(void *arg)
{
    (void)arg;
    kr_event_set(&begun);
    return kr_event_wait(&enough, KR_FOREVER);
}

/* What the child does.  It leaves by _exit: what is registered for exit() is its parent's. */
static _Noreturn void child_process(kr_thread *company)
{
    int result = 0;
    printf("I am the child process (%d) and my parent is (%d)\n", (int)getpid(), (int)getppid());
    int err = kr_thread_join(company, &result, KR_FOREVER);
    if (err)
        _exit(fail("join in the child", err));
    printf("In the child: %d thread; the other one: %s\n", kr_thread_active_count(),
           kr_errname(result));
    fflush(stdout);
    _exit(EXIT_SUCCESS);
}

int main(void)
{
    KR_AUTO(kr_thread) *company = NULL;
    int status = 0;

    int err = kr_thread_start(&company, keep_company, NULL, 0, NULL);
    if (!err)
        err = kr_event_wait(&begun, KR_FOREVER); /* it holds nothing now, not even in malloc */
    if (err)
        return fail("start", err);
    printf("Process (%d) start, with %d threads\n", (int)getpid(), kr_thread_active_count());
    fflush(stdout); /* or the child has the line in its copy of the buffer, and prints it again */

    pid_t pid = fork();
    if (pid < 0)
        return fail("fork", -errno);
    if (pid == 0)
        child_process(company);

    if (waitpid(pid, &status, 0) != pid)
        return fail("waitpid", -errno);
    printf("I (%d) had created the child process (%d); it ended with %d\n", (int)getpid(), (int)pid,
           WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    kr_event_set(&enough);
    err = kr_thread_join(company, NULL, KR_FOREVER);
    if (err)
        return fail("join", err);
    printf("Main process completed\n");
    return EXIT_SUCCESS;
}
