/* libuv's uv_queue_work.  The requests are the caller's, one array for all; completion comes
 * through the loop that the caller runs, who is not one of the workers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peers.h"
#include "pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

struct request {
    uv_work_t work; /* first: the library hands back a pointer to it */
    struct bench_call call;
};

static uv_loop_t *loop;
static uint64_t sum;

static void open_uv(int workers)
{
    char number[16];
    snprintf(number, sizeof number, "%d", workers);
    setenv("UV_THREADPOOL_SIZE", number, 1);
    loop = uv_default_loop();
}

static void run(uv_work_t *work)
{
    struct bench_call *call = &((struct request *)work)->call;
    call->result = bench_task(call->arg, call->rounds);
}

static void after(uv_work_t *work, int status)
{
    if (status != 0)
        bench_fail("uv_queue_work");
    sum += ((struct request *)work)->call.result;
}

static uint64_t submit_uv(unsigned long count, unsigned rounds)
{
    struct request *requests = bench_places(count, sizeof *requests);
    sum = 0;
    for (unsigned long i = 0; i < count; i++) {
        requests[i].call = (struct bench_call){.arg = i, .rounds = rounds};
        BENCH_MUST(uv_queue_work(loop, &requests[i].work, run, after));
    }
    uv_run(loop, UV_RUN_DEFAULT);
    return sum;
}

static uint64_t round_trip_uv(uint64_t arg)
{
    static struct request request;
    request.call = (struct bench_call){.arg = arg};
    sum = 0;
    BENCH_MUST(uv_queue_work(loop, &request.work, run, after));
    uv_run(loop, UV_RUN_DEFAULT);
    return sum;
}

const struct bench_pool bench_uv_pool = {
    .open = open_uv,
    .submit = submit_uv,
    .round_trip = round_trip_uv,
};
