/* A worker of a process pool, in its own process.
 *
 * See loop.c for what it does; here is how it runs a task, and how it begins.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/pool.h"

#include "base/global.h"
#include "memory/segment.h"
#include "os/child.h"
#include "os/os.h"
#include "os/segment.h"
#include "process/internal.h"
#include "trace/trace.h"

struct worker {
    kri_work work;
    kri_work_record *record;
    const kri_worker_plan *plan;
    uint32_t generation;
};

struct run {
    struct worker *worker;
    kri_work_slot *slot;
    kr_task_fn fn;
    const unsigned char *arg;
    unsigned char *result;
};

static void (*function_of(uint64_t number, bool by_address))(void)
{
    if (by_address)
        return (void (*)(void))(uintptr_t)number;
    return kri_task_function((uint32_t)(number - 1));
}

/* A fork that a task has made, and that returns from it, is no worker. */
static void leave_if_forked(const struct worker *w)
{
    if (kri_forked_since(w->generation))
        os_exit_now(0);
}

/* As if the kill that it is condemned to had come already.  The init of a namespace cannot. */
static _Noreturn void die(void)
{
    os_signal_send(SIGKILL);
    os_exit_now(128 + SIGKILL);
}

static int call(const struct run *run, const void *arg, void *result)
{
    int error = run->fn(arg, result);
    leave_if_forked(run->worker);
    return error < 0 ? error : 0;
}

static void run_batch(const struct run *run)
{
    kri_work_slot *slot = run->slot;
    kri_work_record *record = run->worker->record;
    size_t errors_at = kri_batch_errors_at(slot->items, slot->item_result);
    int *errors = (int *)(void *)(run->result + errors_at);
    for (uint32_t i = kri_load_rlx(&slot->progress); i < slot->items;) {
        const void *arg = slot->item_arg ? run->arg + i * slot->item_arg : run->arg;
        errors[i] = call(run, arg, slot->item_result ? run->result + i * slot->item_result : NULL);
        if (++i == slot->items)
            break;
        if (run->worker->plan->timed)
            kri_store_rlx64(&record->began, (uint64_t)os_now()); /* [slots-3] */
        if (!kri_slot_pass(slot))
            die();
    }
}

static void run_here(void *arg)
{
    struct run *run = arg;
    kri_party *self = kri_party_self();
    kr_cancel_scope scope;
    kri_scope_begin(self, &scope);
    if (run->slot->items)
        run_batch(run);
    else
        run->slot->error = call(run, run->arg, run->result);
    kri_scope_end(self, &scope);
}

/* A longer one is in the cache of whoever took the last result from there: to bring it all here
 * only to clear it costs more than the copy that will be made of it. */
static bool is_to_be_cleared(const kri_work_slot *slot)
{
    uint64_t each = slot->items ? slot->item_result : slot->result_size;
    return each <= KRI_WORK_CLEARED && !(slot->flags & KRI_WORK_CLEAN) &&
           kri_load_rlx(&slot->progress) == 0;
}

static void run_slot(void *arg, uint32_t number)
{
    struct worker *w = arg;
    kri_work_slot *slot = &w->work.slots[number];
    unsigned char *base = (unsigned char *)w->work.area;
    struct run run = {.worker = w, .slot = slot};
    kri_store_rlx64(&w->record->began, (uint64_t)os_now());
    kri_store_rel64(&w->record->running, kri_load_rlx64(&slot->state));
    run.fn = (kr_task_fn)function_of(slot->function, slot->flags & KRI_WORK_BY_ADDRESS);
    run.arg =
        slot->flags & KRI_WORK_ARG_ITSELF ? (const void *)(uintptr_t)slot->arg : base + slot->arg;
    run.result = slot->result ? base + slot->result : NULL;
    if (run.result && is_to_be_cleared(slot))
        memset(run.result, 0, slot->result_size);
    uint64_t traced = slot->traced != 0 ? slot->traced : (uintptr_t)slot;
    KRI_TRACE_BEGINS(task__begin, TASK, traced, (uintptr_t)run.fn);
    kri_run_as_party(run_here, &run, NULL);
    KRI_TRACE_ENDS(task__end, TASK, traced, slot->error);
    kri_store_rlx64(&w->record->tasks, kri_load_rlx64(&w->record->tasks) + 1);
}

static int initialize(const struct worker *w)
{
    const kri_worker_plan *plan = w->plan;
    if (!plan->function)
        return 0;
    int (*fn)(void *) = (int (*)(void *))function_of(plan->function, plan->by_address);
    void *arg = plan->arg_size ? (void *)(uintptr_t)plan->bytes : (void *)(uintptr_t)plan->arg;
    int err = fn(arg);
    leave_if_forked(w);
    return err < 0 ? err : 0;
}

/* A task may have closed the descriptor by which this worker dies with its parent.  Then nobody
 * would wake it any more; another takes its place. */
static void leave_if_free(void)
{
    if (!kri_depends())
        os_exit_now(0);
}

/* Between two tasks, so none finds the processors fewer than they are. */
static bool move_to_another(void)
{
    kr_cpu_set mine, others;
    size_t words = KR_CPU_MAX / 64;
    int cpu = os_cpu_current();
    if (cpu < 0 || cpu >= KR_CPU_MAX || os_thread_get_affinity(0, mine.words, words) != 0)
        return false;
    others = mine;
    others.words[cpu / 64] &= ~((uint64_t)1 << cpu % 64);
    if (os_thread_set_affinity(0, others.words, words) != 0)
        return false;
    (void)os_thread_set_affinity(0, mine.words, words);
    return true;
}

static int begin(struct worker *w)
{
    void *memory = (void *)(uintptr_t)w->plan->work;
    int err = 0;
    if (!memory) {
        int fd = kr_process_descriptor(0);
        err = kri_memfd_attach(fd, w->plan->mapped, &memory, NULL);
        if (fd >= 0)
            os_close(fd);
        if (!err)
            (void)os_segment_leave_undumped(memory, w->plan->mapped);
    }
    if (!err)
        err = kri_work_attach(&w->work, memory, w->plan->mapped);
    w->work.long_idle = leave_if_free;
    w->work.move = move_to_another;
    return err;
}

static int limit_memory(uint64_t limit)
{
    int64_t mapped = os_process_mapped(os_process_id());
    return mapped < 0 ? (int)mapped : os_limit_memory((uint64_t)mapped + limit);
}

int kri_pool_work(void *arg)
{
    struct worker w = {.plan = arg, .generation = kri_fork_generation()};
    (void)os_signal_ignore(SIGINT, true);
    os_signal_set_mask(w.plan->mask);
    int err = begin(&w);
    if (err)
        return err;
    w.record = kri_work_record_of(&w.work, w.plan->worker);
    if (w.plan->memory_limit)
        (void)limit_memory(w.plan->memory_limit);
    err = initialize(&w);
    if (err) {
        w.record->error = err;
        kri_store_rel(&w.record->status, KRI_WORKER_FAILED);
        return 1;
    }
    uint32_t starts = KRI_WORKER_STARTS;
    if (!kri_cas_acq_rel(&w.record->status, &starts, KRI_WORKER_WORKS))
        die();
    if (!kri_worker_loop(&w.work, w.plan->worker, w.plan->max_tasks, run_slot, &w))
        die();
    kri_store_rel(&w.record->status, KRI_WORKER_LEFT);
    return 0;
}

/* As KR_TASK would do it, but for a variable that begins as zero. */
static kr_task_entry pool_work_entry KRI_GLOBAL;

__attribute__((constructor)) static void may_travel(void)
{
    pool_work_entry = (kr_task_entry){
        .name = "kri_pool_work", .file = __FILE__, .fn = (void (*)(void))kri_pool_work};
    kr_task_register(&pool_work_entry);
}
