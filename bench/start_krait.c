/* krait's three ways to start a process.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_start.h"

#include <krait/process.h>

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}
KR_TASK(nothing);

static void start(kr_start_method method)
{
    kr_process *process;
    kr_process_options options = {.start = method};
    int code = 1;
    BENCH_MUST(kr_process_start(&process, nothing, NULL, 0, &options));
    BENCH_MUST(kr_process_join(process, &code, KR_FOREVER));
    if (code != 0)
        bench_fail("a process that does nothing");
    kr_process_release(process);
}

static void start_by_fork(void)
{
    start(KR_FORK);
}

static void start_by_server(void)
{
    start(KR_FORKSERVER);
}

static void start_by_spawn(void)
{
    start(KR_SPAWN);
}

const struct bench_start bench_krait_fork = {start_by_fork},
                         bench_krait_forkserver = {start_by_server},
                         bench_krait_spawn = {start_by_spawn};
