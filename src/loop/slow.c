/* Coroutines that hold up their loop: who hears of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/loop.h"

#include <stdio.h>

#include "base/global.h"
#include "os/os.h"

static KRI_GLOBAL kri_word64 slow_hook; /* a kr_slow_hook; 0: the default */

kr_slow_hook kr_set_slow_hook(kr_slow_hook hook)
{
    return (kr_slow_hook)(uintptr_t)kri_swap_acq_rel64(&slow_hook, (uint64_t)(uintptr_t)hook);
}

static void print_report(const kr_slow_report *report)
{
    char line[256];
    char function[128];
    os_describe_function((const void *)(uintptr_t)report->task, function, sizeof function);
    snprintf(line, sizeof line, "krait: coroutine %s (%s) has held up its loop for %lld ms",
             report->name, function, (long long)(report->took / 1000000));
    os_print_error(line);
}

void kri_coroutine_runs_for(uintptr_t function)
{
    kri_runner *self = kri_runner_self();
    if (self == NULL)
        return;
    self->fn = (kr_task_fn)function;
    if (self->loop->shows)
        kri_store_rlx64(&self->loop->shown.task, function);
}

void kri_loop_look_for_slow(kri_loop *loop)
{
    kri_runner *runner = loop->running;
    kr_time took = os_now() - loop->slice_began;
    if (loop->shows)
        kri_loop_show_slice(loop, took);
    if (!loop->debug || took < loop->slow_after)
        return;
    kr_slow_report report = {.name = kri_runner_name(runner), .task = runner->fn, .took = took};
    kr_slow_hook hook = (kr_slow_hook)(uintptr_t)kri_load_acq64(&slow_hook);
    (hook != NULL ? hook : print_report)(&report);
}
