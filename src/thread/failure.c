/* The failure hook: who hears of a thread whose function failed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "thread/thread.h"
#include <stdio.h>

void kr_thread_set_failure_hook(kr_failure_hook hook, void *arg)
{
    kri_mutex_lock(&kri_threads.lock);
    kri_threads.hook = hook;
    kri_threads.hook_arg = hook != NULL ? arg : NULL;
    kri_mutex_unlock(&kri_threads.lock);
}

static void print_failure(const char *what, kr_thread *t, int error)
{
    char name[KR_THREAD_NAME_SIZE];
    char line[256];
    kr_thread_name(t, name, sizeof name);
    snprintf(line, sizeof line, "krait: %sthread \"%s\" failed: %s (%s)", what, name,
             kr_errname(error), kr_strerror(error));
    os_print_error(line);
}

void kri_thread_failed(kr_thread *t, int error)
{
    kri_mutex_lock(&kri_threads.lock);
    kr_failure_hook hook = kri_threads.hook;
    void *arg = kri_threads.hook_arg;
    kri_mutex_unlock(&kri_threads.lock);
    if (hook == NULL) {
        print_failure("", t, error);
        return;
    }
    int failed = hook(t, error, arg);
    if (failed < 0)
        print_failure("the failure hook of ", t, failed);
}
