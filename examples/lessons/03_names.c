/* Who runs: the main thread, which is always there, and threads with names.
 *
 * Rows 25, 46 and 47 of docs/lessons.md.  In Python: os.getpid(), threading.active_count() == 1,
 * threading.current_thread().name == "MainThread", and threads called "Barista-1", "Barista-2".
 *
 * Watch: a thread asks krait who it is, so the function needs not be told.  What a thread is called
 * here, the system knows too: gdb, top and ps show it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { BARISTAS = 3 };

/* Both all zero at first: an event that is not set, a semaphore without permits. */
static kr_event closing = KR_EVENT_INIT;
static kr_semaphore ready = KR_SEMAPHORE_INIT(0);

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int brew(void *arg)
{
    char name[KR_THREAD_NAME_SIZE], system_name[16] = "";
    (void)arg;
    kr_thread_name(kr_thread_current(), name, sizeof name);
    prctl(PR_GET_NAME, system_name);
    printf("%s brews; the system calls it %s\n", name, system_name);
    kr_semaphore_release(&ready, 1);
    return kr_event_wait(&closing, KR_FOREVER);
}

static void print_all(void)
{
    kr_thread *threads[BARISTAS + 1];
    int count = kr_thread_enumerate(threads, BARISTAS + 1);
    printf("%d threads are alive:\n", count);
    for (int i = 0; i < count && i < BARISTAS + 1; i++) {
        char name[KR_THREAD_NAME_SIZE];
        kr_thread_name(threads[i], name, sizeof name);
        printf("    %s%s\n", name, threads[i] == kr_thread_main() ? ", the main thread" : "");
        kr_thread_release(threads[i]);
    }
}

static int start_baristas(void)
{
    char name[KR_THREAD_NAME_SIZE];
    int err = 0;
    for (int i = 1; i <= BARISTAS && !err; i++) {
        snprintf(name, sizeof name, "Barista-%d", i);
        /* No handle is wanted: the program waits for its threads when main returns. */
        err = kr_thread_start(NULL, brew, NULL, 0, &(kr_thread_options){.name = name});
    }
    for (int i = 0; i < BARISTAS && !err; i++)
        err = kr_semaphore_acquire(&ready, KR_FOREVER);
    return err;
}

int main(void)
{
    char name[KR_THREAD_NAME_SIZE];
    kr_thread_name(kr_thread_current(), name, sizeof name);
    printf("process %d with %d active thread.  Current thread: %s\n", (int)getpid(),
           kr_thread_active_count(), name);

    int err = start_baristas();
    if (!err)
        print_all();
    kr_event_set(&closing); /* in any case, or those that were started would never end */
    return err ? fail("start", err) : EXIT_SUCCESS;
}
