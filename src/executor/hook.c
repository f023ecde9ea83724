/* The task hook: who hears of errors that nobody asked for.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/pool.h"

#include <stdio.h>
#include <string.h>

#include "base/global.h"
#include "base/result.h"
#include "os/os.h"

static KRI_GLOBAL kri_word64 task_hook; /* a kr_task_hook; 0: the default */

kr_task_hook kr_set_task_hook(kr_task_hook hook)
{
    uint64_t before = kri_swap_acq_rel64(&task_hook, (uint64_t)(uintptr_t)hook);
    return (kr_task_hook)(uintptr_t)before;
}

static void print_report(const kr_task_report *report)
{
    char line[256];
    snprintf(line, sizeof line, "krait: %s%s%s: nobody asked for the error of %s %s: %s (%s)",
             report->pool ? "pool " : "", report->pool ? report->pool : "",
             report->pool ? "" : "future", strchr("aeiou", report->where[0]) ? "an" : "a",
             report->where, kr_strerror(report->error), kr_errname(report->error));
    os_print_error(line);
}

void kri_task_report_error(int error, const char *where, const char *pool)
{
    if (kri_is_orderly_end(error))
        return;
    kr_task_report report = {.error = error, .where = where, .pool = pool};
    kr_task_hook hook = (kr_task_hook)(uintptr_t)kri_load_acq64(&task_hook);
    if (hook)
        hook(&report);
    else
        print_report(&report);
}

/* The pool may be gone when the future is released. */
void kri_task_report_future(const kr_future *f, int error, const char *where)
{
    char pool[KRI_POOL_NAME];
    bool known = f->executor && kri_registry_name(f->executor, f->pool, pool);
    kri_task_report_error(error, where, known ? pool : NULL);
}
