/* A worker on another machine runs a task that a message asks for.
 *
 * The message is signed, and so from a program with our tables; what it says of sizes is compared
 * all the same before memory is asked for.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/cluster.h"

#include "os/child.h"
#include "os/os.h"
#include "process/internal.h"

struct run {
    const kri_message *task;
    const unsigned char *arg;
    unsigned char *result;
    kr_task_fn fn;
    uint32_t generation;
    int error;
};

/* A fork that a task has made, and that returns from it, is no worker. */
static int call(const struct run *run, const void *arg, void *result)
{
    int error = run->fn(arg, result);
    if (kri_forked_since(run->generation))
        os_exit_now(0);
    return error < 0 ? error : 0;
}

static void run_batch(struct run *run)
{
    const kri_message *task = run->task;
    size_t errors_at = kri_batch_errors_at(task->items, task->item_result);
    int *errors = (int *)(void *)(run->result + errors_at);
    const unsigned char *arg = task->item_arg ? run->arg : NULL;
    unsigned char *result = task->item_result ? run->result : NULL;
    for (uint64_t i = 0; i < task->items; i++) {
        errors[i] = call(run, arg, result);
        arg = arg ? arg + task->item_arg : NULL;
        result = result ? result + task->item_result : NULL;
    }
}

static void run_here(void *arg)
{
    struct run *run = arg;
    kri_party *self = kri_party_self();
    kr_cancel_scope scope;
    kri_scope_begin(self, &scope);
    if (run->task->items)
        run_batch(run);
    else
        run->error = call(run, run->task->size ? run->arg : NULL,
                          run->task->result_size ? run->result : NULL);
    kri_scope_end(self, &scope);
}

static bool is_sound(const kri_message *task, uint64_t most)
{
    if (task->result_size > most)
        return false;
    if (!task->items)
        return true;
    uint64_t result;
    return task->items <= UINT32_MAX && task->item_result <= most && task->item_arg <= most &&
           task->item_arg * task->items == task->size &&
           !__builtin_mul_overflow(task->items, task->item_result, &result) && result <= most &&
           kri_batch_result_size(task->items, task->item_result) == task->result_size;
}

int kri_errand_run(const kri_message *task, const unsigned char *payload, uint64_t max_message,
                   unsigned char **reply, kri_message *head)
{
    struct run run = {.task = task, .arg = payload, .generation = kri_fork_generation()};
    kr_time began = os_now();
    bool sound = is_sound(task, max_message);
    size_t size = sound ? task->result_size : 0;
    *reply = os_alloc(KRI_MESSAGE_HEAD + size);
    if (!*reply && size) { /* at least the error can be told */
        size = 0;
        run.error = -ENOMEM;
        *reply = os_alloc(KRI_MESSAGE_HEAD);
    }
    if (!*reply)
        return -ENOMEM;
    run.result = *reply + KRI_MESSAGE_HEAD;
    run.fn = (kr_task_fn)kri_task_function(task->function);
    if (!sound || !run.fn)
        run.error = sound ? KR_ETASK : -EMSGSIZE;
    if (!run.error)
        kri_run_as_party(run_here, &run, NULL);
    *head = (kri_message){.kind = KRI_MESSAGE_RESULT,
                          .number = task->number,
                          .error = run.error,
                          .took = (uint64_t)(os_now() - began),
                          .size = run.error ? 0 : size};
    return 0;
}
