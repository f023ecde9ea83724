/* Starting a process: the options, the way, the list of children.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/global.h"
#include "base/options.h"
#include "base/utf8.h"
#include "process/hand_over.h"
#include "status/status.h"
#include "trace/trace.h"
#include <stdio.h>
#include <string.h>

static kr_word chosen KRI_GLOBAL;     /* atomic: a kr_start_method */
static kri_word64 started KRI_GLOBAL; /* atomic: children that were started so far */

/* Methods. */

int kr_process_set_start_method(kr_start_method start)
{
    if ((int)start < KR_START_DEFAULT || start > KR_FORKSERVER)
        return -EINVAL;
    kri_store_rlx(&chosen, start);
    return 0;
}

kr_start_method kr_process_start_method(void)
{
    kr_start_method start = (kr_start_method)kri_load_rlx(&chosen);
    if (start != KR_START_DEFAULT)
        return start;
    int threads = os_thread_count() - kri_status_threads();
    return kri_initialised() && threads > 1 ? KR_FORKSERVER : KR_FORK;
}

int kr_process_start_methods(kr_start_method *methods, int max)
{
    static const kr_start_method all[] = {KR_FORK, KR_FORKSERVER, KR_SPAWN};
    enum { COUNT = sizeof all / sizeof all[0] };
    kr_start_method first = kr_process_start_method();
    int count = 0;
    if (max > 0)
        methods[count++] = first;
    for (int i = 0; i < COUNT && count < max; i++)
        if (all[i] != first)
            methods[count++] = all[i];
    return COUNT;
}

/* Forking. */

/* The child waits for a word that its parent knows it, so that its number is not another's by then;
 * where the word does not come there is no parent any more. */
static int meet_child(kr_process *p, int word)
{
    char go = 0;
    p->sentinel = os_pidfd_open(p->pid);
    if (p->sentinel >= 0)
        (void)os_channel_send(word, &go, 1, NULL, 0);
    return p->sentinel < 0 ? p->sentinel : 0;
}

static _Noreturn void begin_child(const kri_start *s, const int ends[2])
{
    char go;
    os_close(ends[0]);
    if (os_channel_receive(ends[1], &go, 1, NULL, NULL, OS_NEVER) < 0)
        os_exit_now(1);
    os_close(ends[1]);
    kri_child_of_fork(s);
}

int kri_start_fork(kr_process *p, kri_start *s)
{
    int ends[2];
    int err = os_channel_create(ends);
    if (err < 0)
        return err;
    kri_fork_starts(true);
    p->pid = os_fork();
    kri_fork_starts(false);
    if (p->pid == 0)
        begin_child(s, ends);
    os_close(ends[1]);
    err = p->pid < 0 ? p->pid : meet_child(p, ends[0]);
    os_close(ends[0]);
    if (err < 0 && p->pid > 0)
        (void)kri_give_up(p->pid, -1);
    return err;
}

/* Orders. */

/* The system alone knows which processors it has to give; and the child could no more tell. */
static int check_affinity(const kr_cpu_set *set)
{
    kr_cpu_set mine;
    if (set == NULL)
        return 0;
    int err = os_thread_get_affinity(0, mine.words, KR_CPU_MAX / 64);
    if (err == 0)
        err = os_thread_set_affinity(0, set->words, KR_CPU_MAX / 64);
    if (err == 0)
        err = os_thread_set_affinity(0, mine.words, KR_CPU_MAX / 64);
    return err;
}

static int check_options(const kr_process_options *o)
{
    if (!kri_reserved_is_clear(o->reserved) || o->daemon < KR_DAEMON_NO ||
        o->daemon > KR_DAEMON_YES || (int)o->start < KR_START_DEFAULT || o->start > KR_FORKSERVER ||
        (o->die_with_parent && o->outlive_parent))
        return -EINVAL;
    int err = kri_hand_over_check(o);
    return err == 0 ? check_affinity(o->affinity) : err;
}

static bool is_daemon(const kr_process_options *o)
{
    if (o->daemon == KR_DAEMON_INHERIT)
        return kr_process_daemon(kr_process_current());
    return o->daemon == KR_DAEMON_YES;
}

void kri_count_anew(void)
{
    kri_store_rlx64(&started, 0);
}

static void name_child(kri_order *order, const char *name)
{
    unsigned long long number = kri_add_rlx64(&started, 1) + 1;
    const char *mine = kri_identity();
    int length = snprintf(order->identity, sizeof order->identity, "%s%s%llu", mine,
                          *mine != '\0' ? ":" : "", number);
    if (length >= (int)sizeof order->identity) /* children of children of children ... */
        snprintf(order->identity, sizeof order->identity, "...:%llu", number);
    if (name == NULL || name[0] == '\0')
        snprintf(order->name, sizeof order->name, "Process-%s", order->identity);
    else
        memcpy(order->name, name, kri_utf8_cut(name, sizeof order->name - 1));
}

static void write_order(kri_start *s, kr_process *p)
{
    const kr_process_options *o = s->options;
    kri_order *order = &s->order;
    order->magic = KRI_ORDER_MAGIC;
    order->parent = os_process_id();
    order->start = (int32_t)kri_load_rlx(&chosen);
    order->descriptor_count = o->descriptor_count;
    order->connection_count = o->connection_count;
    order->mask = os_signal_mask();
    order->memory_limit = o->memory_limit;
    order->arg_size = s->arg_size;
    name_child(order, o->name);
    memcpy(p->name, order->name, sizeof p->name);
    kr_process_name(kr_process_current(), order->parent_name, sizeof order->parent_name);
    p->daemon = is_daemon(o);
    if (p->daemon)
        order->flags |= KRI_ORDER_DAEMON;
    if (o->die_with_parent || (p->daemon && !o->outlive_parent))
        order->flags |= KRI_ORDER_DEPEND;
    if (o->affinity != NULL) {
        order->affinity = *o->affinity;
        order->flags |= KRI_ORDER_AFFINITY;
    }
}

/* In the image of a child that has not come to kr_init, main's work would begin again and again. */
static bool is_too_early(void)
{
    return !kri_initialised() && os_argument_begins(KRI_CHILD_ARGUMENT);
}

static int start_by(kr_start_method method, kr_process *p, kri_start *s)
{
    if (is_too_early())
        return KR_EINIT;
    if (method == KR_FORK) {
        os_flush_standard();
        return kri_start_fork(p, s);
    }
    int err = kri_task_find((void (*)(void))s->run, &s->order.task);
    if (err == 0 && s->arg_size == 0 && s->arg != NULL)
        err = -EINVAL;
    if (err < 0)
        return err;
    os_flush_standard();
    return method == KR_SPAWN ? kri_start_spawn(p, s) : kri_start_by_server(p, s);
}

/* One that is started and cannot be listed must not be. */
static int start_listed(kr_process *p, kri_start *s)
{
    kr_start_method method = s->options->start;
    s->line = kri_life_line();
    if (s->line < 0)
        return s->line;
    write_order(s, p);
    s->order.traced = kri_trace_is_on() ? kri_trace_new_id() : 0;
    KRI_TRACE_HAPPENS(process__start, START, s->order.traced, 0);
    int err = start_by(method != KR_START_DEFAULT ? method : kr_process_start_method(), p, s);
    if (err < 0)
        return err;
    err = kri_processes_add(p);
    if (err < 0) {
        (void)os_pidfd_signal(p->sentinel, SIGKILL);
        (void)kri_process_finish(p, OS_NEVER);
        return err;
    }
    kri_hand_over_done(s->options);
    return 0;
}

static kr_process *create(void)
{
    kr_process *p = os_alloc(sizeof *p);
    if (p != NULL) {
        kri_store_rlx(&p->references, 1);
        kri_store_rlx(&p->generation, kri_fork_generation());
        p->sentinel = p->status = -1;
    }
    return p;
}

int kr_process_start(kr_process **p, kr_run_fn run, const void *arg, size_t arg_size,
                     const kr_process_options *options)
{
    static const kr_process_options defaults;
    if (p != NULL)
        *p = NULL;
    if (options == NULL)
        options = &defaults;
    int err = run != NULL ? check_options(options) : -EINVAL;
    if (err == 0)
        err = kri_processes_begin();
    if (err < 0)
        return err;
    kri_processes_reap();
    kr_process *made = create();
    if (made == NULL)
        return -ENOMEM;
    kri_start s = {.run = run, .arg = arg, .arg_size = arg_size, .options = options};
    err = start_listed(made, &s);
    if (err == 0 && p != NULL)
        *p = made;
    else
        kr_process_release(made);
    return err;
}
