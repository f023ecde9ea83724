/* What a copy to or from another process costs at least: blocks in shared memory, numbers that both
 * sides look at without ever sleeping, and nothing else: no queue, no death, no room to be found.
 *
 * SPDX-License-Identifier: MIT
 */
#include "party.h"
#include "process_pool.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

struct blocks {
    _Alignas(128) _Atomic uint64_t asked;
    _Alignas(128) _Atomic uint64_t done;
    _Alignas(128) uint64_t results[BENCH_IN_FLIGHT];
    _Alignas(4096) unsigned char bytes[BENCH_IN_FLIGHT][BENCH_LARGE];
};

static struct blocks *blocks;
static unsigned char *own;

static void wait_for(const _Atomic uint64_t *number, uint64_t least)
{
    for (unsigned looks = 1; atomic_load(number) < least; looks++) {
        if (looks % 64 == 0)
            sched_yield();
    }
}

_Noreturn static void serve(enum bench_load load)
{
    for (uint64_t i = 0;; i++) {
        wait_for(&blocks->asked, i + 1);
        unsigned char *block = blocks->bytes[i % BENCH_IN_FLIGHT];
        uint64_t *number = &blocks->results[i % BENCH_IN_FLIGHT];
        if (load == BENCH_LARGE_ARGS)
            *number = bench_stamp_of(block);
        else
            bench_stamp(block, *number);
        atomic_store(&blocks->done, i + 1);
    }
}

static void open_blocks(int workers, enum bench_load load)
{
    (void)workers;
    blocks = mmap(NULL, sizeof *blocks, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (blocks == MAP_FAILED)
        bench_fail("mmap");
    memset(blocks->bytes, 1, sizeof blocks->bytes);
    own = bench_large_room();
    pid_t worker = fork();
    BENCH_MUST(worker);
    if (worker == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(load);
    }
}

static void ask(enum bench_load load, uint64_t begun, uint64_t number)
{
    if (load == BENCH_LARGE_ARGS) {
        bench_stamp(own, number);
        memcpy(blocks->bytes[begun % BENCH_IN_FLIGHT], own, BENCH_LARGE);
    } else {
        blocks->results[begun % BENCH_IN_FLIGHT] = number;
    }
    atomic_store(&blocks->asked, begun + 1);
}

static uint64_t take(enum bench_load load, uint64_t ended)
{
    wait_for(&blocks->done, ended + 1);
    if (load == BENCH_LARGE_ARGS)
        return blocks->results[ended % BENCH_IN_FLIGHT];
    memcpy(own, blocks->bytes[ended % BENCH_IN_FLIGHT], BENCH_LARGE);
    return bench_stamp_of(own);
}

static uint64_t move_blocks(enum bench_load load, unsigned long count)
{
    static uint64_t begun, ended;
    uint64_t sum = 0, end = ended + count;
    for (uint64_t number = 1; ended < end; ended++) {
        for (; begun < end && begun < ended + BENCH_IN_FLIGHT; begun++, number++)
            ask(load, begun, number);
        sum += take(load, ended);
    }
    return sum;
}

const struct bench_process_pool bench_shared_copy = {.open = open_blocks,
                                                     .move_large = move_blocks};
