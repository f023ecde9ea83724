/* The system as logical threads see it: the whole of src/os/os.h.
 *
 *     words        futex.c
 *     clock        virtual; moves when a deadline fires, a little at each yield and look, and, as
 *                  one of the `early` time-outs, by a long way before a look
 *     descriptors  bells only
 *     memory       arena.c
 *
 * A sleep and a wake order nothing in C11's sense; starting and joining a thread do, and a bell.
 *
 * SPDX-License-Identifier: MIT
 */
#include "explore/engine.h"
#include "os/events.h"
#include "os/message.h"
#include "os/segment.h"

#include <stdio.h>
#include <string.h>

enum { BELL_BASE = 1000, FIRST_ID = 1000, LASTS = 6 };
_Static_assert(BELL_BASE + EX_BELLS <= EX_EVENTS_BASE, "each number is one descriptor");

static struct {
    bool open;
    bool rung;
    uint64_t rings; /* not taken yet */
    struct ex_message *message;
} bells[EX_BELLS];
/* Longer than any time limit of a scenario. */
#define LEAP ((kr_time)3600 * 1000000000)

static int bell_count;
static void (*lasts[LASTS])(void);
static unsigned last_count;

void kri_ex_os_begin(void)
{
    kri_ex_arena_begin();
    kri_ex_events_begin();
    bell_count = 0;
    last_count = 0;
}

/* Time */

kr_time os_now(void)
{
    if (!kri_ex.active)
        return 1000000000;
    EX_SITE(&EX_SELF->site);
    kri_ex_point(true);
    kri_ex.now += kri_ex_time_passes() ? LEAP : 100;
    EX_TRACE("clock", NULL, (uint64_t)kri_ex.now, "");
    return kri_ex.now;
}

/* The processor */

void os_yield(void)
{
    os_pause();
}

void os_pause(void)
{
    if (kri_ex.active) {
        EX_SITE(&EX_SELF->site);
        kri_ex_yield();
    }
}

/* Of one processor its number says nothing, and a waiter that compares it would only spin. */
int os_cpu_current(void)
{
    if (os_cpu_affinity() == 1)
        return -1;
    return kri_ex.active ? (int)kri_ex.self : 0;
}

int os_cpu_affinity(void)
{
    return kri_ex.o.processors ? (int)kri_ex.o.processors : 1;
}

uint64_t os_cpu_mask(void)
{
    return ((uint64_t)1 << os_cpu_affinity()) - 1;
}

int os_cpu_quota(void)
{
    return 0;
}

int os_cpu_quota_below(const char *root)
{
    (void)root;
    return 0;
}

/* Threads */

int os_thread_start(os_thread *thread, void (*run)(void *), void *arg, bool block_signals,
                    const os_thread_options *options)
{
    (void)block_signals;
    (void)options;
    if (kri_ex_refused())
        return -EAGAIN;
    int id = kri_ex_start(EX_SELF->process, run, arg);
    if (id < 0)
        return id;
    EX_TRACE("starts", NULL, (uint64_t)id, "");
    thread->handle = (uintptr_t)id;
    return 0;
}

void os_thread_join(os_thread thread)
{
    EX_SITE(&EX_SELF->site);
    kri_ex_join((unsigned)thread.handle);
}

void os_thread_detach(os_thread thread)
{
    kri_ex_detach((unsigned)thread.handle);
}

pid_t os_thread_id(void)
{
    return FIRST_ID + (kri_ex.active && kri_ex.self != 0 ? 1000 + (pid_t)kri_ex.self : 0);
}

void os_thread_set_name(pid_t id, const char *name)
{
    (void)id;
    (void)name;
}

void os_thread_name(char *name, size_t size)
{
    snprintf(name, size, "t%u", kri_ex.active ? kri_ex.self : 0);
}

int os_thread_set_affinity(pid_t id, const uint64_t *cpus, size_t words)
{
    (void)id;
    (void)cpus;
    (void)words;
    return 0;
}

int os_thread_get_affinity(pid_t id, uint64_t *cpus, size_t words)
{
    (void)id;
    memset(cpus, 0, words * sizeof *cpus);
    if (words > 0)
        cpus[0] = 3;
    return 0;
}

size_t os_thread_stack_minimum(void)
{
    return 16384;
}

size_t os_thread_stack_left(void)
{
    return 65536;
}

void os_at_thread_end(void (*last)(void))
{
    unsigned i = 0;

    if (!kri_ex.active || kri_ex.self == 0)
        return;
    while (i < last_count && lasts[i] != last)
        i++;
    if (i == LASTS)
        kri_ex_fail(KR_EXPLORE_CHECK, "too many functions for the end of a thread");
    if (i == last_count)
        lasts[last_count++] = last;
    EX_SELF->last |= 1u << i;
}

/* Those that are asked for meanwhile are called too. */
void kri_ex_thread_end(void)
{
    while (EX_SELF->last != 0)
        for (unsigned i = 0; i < last_count; i++)
            if (EX_SELF->last & (1u << i)) {
                EX_SELF->last &= ~(1u << i);
                lasts[i]();
            }
}

/* Processes */

pid_t os_process_id(void)
{
    return FIRST_ID + (pid_t)(kri_ex.active ? EX_SELF->process : 0);
}

const char *os_program_name(void)
{
    return "model";
}

uint64_t os_process_start(pid_t id)
{
    return (uint64_t)id + 1;
}

bool os_process_ended(pid_t id)
{
    EX_SITE(&EX_SELF->site);
    bool ended = !kr_explore_alive((unsigned)(id - FIRST_ID));
    EX_TRACE(ended ? "has ended" : "lives", NULL, (uint64_t)id, "");
    return ended;
}

int os_at_fork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
    (void)prepare;
    (void)parent;
    (void)child;
    return 0;
}

int os_at_exit(void (*fn)(void))
{
    (void)fn;
    return 0;
}

/* No signal comes here. */
int os_signal_catch(int signo, void (*handler)(int signo))
{
    (void)handler;
    return signo > 0 && signo <= OS_SIGNALS ? 0 : -EINVAL;
}

int os_signal_release(int signo)
{
    return signo > 0 && signo <= OS_SIGNALS ? 0 : -EINVAL;
}

bool os_signal_can_be_caught(int signo)
{
    return signo > 0 && signo <= OS_SIGNALS;
}

/* A program's own affair. */
bool os_signal_is_default(int signo)
{
    (void)signo;
    return false;
}

void os_signal_send(int signo)
{
    (void)signo;
}

/* Descriptors */

static bool is_open(int fd)
{
    return fd >= BELL_BASE && fd < BELL_BASE + bell_count && bells[fd - BELL_BASE].open;
}

bool kri_ex_bell_open(int fd)
{
    return is_open(fd);
}

bool kri_ex_bell_ready(int fd)
{
    return is_open(fd) && bells[fd - BELL_BASE].rung;
}

static bool poll_ready(int fd)
{
    if (fd < 0 || !kri_ex_bell_ready(fd))
        return false;
    if (bells[fd - BELL_BASE].message)
        kri_ex_receive(bells[fd - BELL_BASE].message);
    return true;
}

int os_poll(int first, unsigned events, int second, kr_time deadline)
{
    ex_thread *self = EX_SELF;

    EX_SITE(&self->site);
    kri_ex_point(true);
    for (;;) {
        if (!is_open(first) || (second >= 0 && !is_open(second)))
            return -EBADF;
        if ((events & OS_READABLE) && poll_ready(first))
            return OS_READABLE;
        if (second >= 0 && poll_ready(second))
            return 0;
        if (deadline <= kri_ex.now)
            return -ETIMEDOUT;
        EX_TRACE("polls", NULL, (uint64_t)first, "");
        self->fds[0] = (events & OS_READABLE) ? first : -1;
        self->fds[1] = second;
        self->deadline = deadline;
        self->state = EX_POLLING;
        kri_ex_block();
        if (self->result == -ETIMEDOUT)
            return -ETIMEDOUT;
    }
}

/* What travels between processes is not explored. */
int os_poll_many(os_polled *list, size_t count, kr_time deadline)
{
    (void)list, (void)count, (void)deadline;
    return -ENOSYS;
}

int os_call_hear(int hears)
{
    (void)hears;
    return -ENOSYS;
}

int os_call_take(int hears)
{
    (void)hears;
    return -ENOSYS;
}

int os_bell_create(void)
{
    if (kri_ex_refused() || bell_count == EX_BELLS)
        return -EMFILE;
    bells[bell_count].open = true;
    bells[bell_count].rung = false;
    bells[bell_count].rings = 0;
    bells[bell_count].message = NULL;
    return BELL_BASE + bell_count++;
}

void os_bell_ring(int bell)
{
    EX_SITE(&EX_SELF->site);
    kri_ex_point(true);
    if (!is_open(bell))
        kri_ex_fail(KR_EXPLORE_CHECK, "a bell is rung that is closed");
    EX_TRACE("rings", NULL, (uint64_t)bell, "");
    bells[bell - BELL_BASE].rung = true;
    bells[bell - BELL_BASE].rings++;
    bells[bell - BELL_BASE].message = kri_ex_message(bells[bell - BELL_BASE].message);
    for (unsigned i = 0; i < kri_ex.thread_count; i++) {
        const ex_thread *t = &kri_ex.threads[i];

        if (t->state == EX_POLLING && (t->fds[0] == bell || t->fds[1] == bell))
            kri_ex_ready(i, 0);
    }
    kri_ex_events_rung(bell);
}

void os_bell_clear(int bell)
{
    kri_ex_point(true);
    if (is_open(bell)) {
        bells[bell - BELL_BASE].rung = false;
        bells[bell - BELL_BASE].rings = 0;
        EX_TRACE("clears bell", NULL, (uint64_t)bell, "");
    }
}

uint64_t os_bell_take(int bell)
{
    kri_ex_point(true);
    if (!poll_ready(bell))
        return 0;
    uint64_t rings = bells[bell - BELL_BASE].rings;
    EX_TRACE("takes rings", NULL, rings, "");
    bells[bell - BELL_BASE].rung = false;
    bells[bell - BELL_BASE].rings = 0;
    return rings;
}

void os_close(int fd)
{
    if (is_open(fd))
        bells[fd - BELL_BASE].open = false;
    kri_ex_events_closed(fd);
}

/* Places */

int os_backtrace(const void **frames, int most)
{
    (void)frames;
    (void)most;
    return 0;
}

void os_describe_place(const void *address, char *text, size_t size)
{
    snprintf(text, size, "%p", address);
}

void os_describe_function(const void *function, char *text, size_t size)
{
    os_describe_place(function, text, size);
}

/* Last words */

void os_random(void *bytes, size_t count)
{
    memset(bytes, 0x5a, count); /* the same in each run */
}

void os_print_error(const char *line)
{
    EX_TRACE(line, NULL, 0, "");
}

void os_exit(int status)
{
    (void)status;
    os_abort("krait: the model has no exit");
}

void os_abort(const char *sentence)
{
    if (kri_ex.active)
        kri_ex_fail(KR_EXPLORE_CHECK, "abort: %s", sentence);
    fprintf(stderr, "%s\n", sentence);
    __builtin_trap();
}

/* Segments: a scenario has its memory of the program, and only what it costs is asked for here. */

int os_segment_reserve_part(int fd, uint64_t from, uint64_t size)
{
    (void)fd, (void)from, (void)size;
    kri_ex_point(true);
    return kri_ex_refused() ? -ENOSPC : 0;
}

int os_segment_discard(void *memory, size_t size)
{
    kri_ex_point(true);
    memset(memory, 0, size);
    return 0;
}
