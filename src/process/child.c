/* In the child: become who the order says, run the function, exit.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/result.h"
#include "process/hand_over.h"
#include "thread/thread.h"
#include "trace/trace.h"
#include <stdio.h>
#include <string.h>

static void say_failed(const char *name, int error)
{
    char line[192];
    snprintf(line, sizeof line, "krait: process \"%s\" failed: %s (%s)", name, kr_errname(error),
             kr_strerror(error));
    os_print_error(line);
}

static int code_of(const char *name, int result)
{
    if (result >= 0)
        return result & 0xff;
    if (!kri_is_orderly_end(result))
        say_failed(name, result);
    return 1;
}

/* What can be said no only here ends the child, with a word about it. */
static int settle_in(const kri_order *order, int line)
{
    os_signal_set_mask(order->mask);
    kri_become(order, line);
    int err = 0;
    if (order->flags & KRI_ORDER_DEPEND)
        err = kri_depend(line);
    if (err == 0 && (order->flags & KRI_ORDER_AFFINITY))
        err = os_thread_set_affinity(0, order->affinity.words, KR_CPU_MAX / 64);
    if (err == 0 && order->memory_limit != 0)
        err = os_limit_memory(order->memory_limit);
    return err;
}

/* Exit handlers are those of whom it was forked from, so only krait's own part of exit is done.  In
 * a program with many libraries theirs would take longer than all the rest. */
static _Noreturn void leave_fork(int code)
{
    kri_threads_exit();
    os_flush_standard();
    os_exit_now(code);
}

static int run(kr_run_fn fn, void *arg, uint64_t traced)
{
    char name[KR_PROCESS_NAME_SIZE];
    KRI_PROBE(process__begin, traced, fn);
    if (kri_trace_is_on()) {
        (void)kr_process_name(kr_process_current(), name, sizeof name);
        kri_trace_note(kri_trace_what(KR_TRACE_PROCESS, KRI_TRACE_BEGIN), traced, (uintptr_t)fn,
                       name);
        kri_trace_name_process(name);
    }
    int result = fn(arg);
    KRI_TRACE_ENDS(process__end, PROCESS, traced, result);
    return result;
}

void kri_child_of_fork(const kri_start *s)
{
    kri_party_self()->scope = NULL;
    kri_exit_anew();
    int result = settle_in(&s->order, s->line);
    if (result == 0)
        result = kri_hand_over_forked(s->options);
    if (result == 0)
        result = run(s->run, (void *)(uintptr_t)s->arg, s->order.traced);
    leave_fork(code_of(s->order.name, result));
}

/* Another image. */

typedef struct errand {
    kri_order order;
    int line;
    void *arg;
} errand;

static int receive_body(int channel, errand *e, const int *fds, int count)
{
    size_t size = (size_t)e->order.connection_count * sizeof(kri_packed_connection);
    kri_packed_connection *packed = os_alloc(size + 1);
    if (packed == NULL)
        return -ENOMEM;
    int err = os_channel_receive(channel, packed, size, NULL, NULL, OS_NEVER);
    if (err == 0)
        err = kri_hand_over_unpack(&e->order, packed, fds, count);
    os_free(packed);
    if (err < 0 || e->order.arg_size == 0)
        return err;
    e->arg = os_alloc((size_t)e->order.arg_size);
    if (e->arg == NULL)
        return -ENOMEM;
    return os_channel_receive(channel, e->arg, (size_t)e->order.arg_size, NULL, NULL, OS_NEVER);
}

static bool order_is_sound(const kri_order *o)
{
    return o->magic == KRI_ORDER_MAGIC && o->connection_count >= 0 && o->descriptor_count >= 0 &&
           o->connection_count <= KR_HANDED_MAX && o->descriptor_count <= KR_HANDED_MAX &&
           o->arg_size < SIZE_MAX / 2;
}

/* Nobody has told us anything, so there is nobody to tell what is wrong. */
static int receive(int channel, errand *e)
{
    int fds[KR_HANDED_MAX + 2], count = KR_HANDED_MAX + 2;
    int err = os_channel_receive(channel, &e->order, sizeof e->order, fds, &count, OS_NEVER);
    int first = e->order.flags & KRI_ORDER_TRACE ? 2 : 1;
    if (err < 0 || !order_is_sound(&e->order) || count < first)
        os_exit_now(1);
    e->line = fds[0];
    kri_trace_join(first == 2 ? fds[1] : -1);
    return receive_body(channel, e, fds + first, count - first);
}

void kri_child_of_order(int channel, bool forked)
{
    errand e;
    memset(&e, 0, sizeof e);
    int result = receive(channel, &e);
    if (e.order.flags & KRI_ORDER_SERVE)
        kri_serve(channel, e.line);
    os_close(channel);
    int err = settle_in(&e.order, e.line);
    if (result == 0)
        result = err;
    (void)kr_process_set_start_method((kr_start_method)e.order.start);
    kr_run_fn fn = (kr_run_fn)kri_task_function(e.order.task);
    if (result == 0)
        result = fn != NULL ? run(fn, e.arg, e.order.traced) : KR_ETASK;
    if (forked)
        leave_fork(code_of(e.order.name, result));
    os_exit(code_of(e.order.name, result));
}
