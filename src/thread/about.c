/* What is known of a thread: its names and numbers, its processors.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/utf8.h"
#include "thread/thread.h"
#include <stdio.h>
#include <string.h>

/* pre: nobody else knows the object yet, or the registry's lock is held. */
static void copy_name(char *to, const char *name)
{
    size_t length = kri_utf8_cut(name, KR_THREAD_NAME_SIZE - 1);
    memmove(to, name, length);
    to[length] = '\0';
}

void kri_thread_rename(char *to, const char *name)
{
    if (name != NULL && name[0] != '\0') {
        copy_name(to, name);
        return;
    }
    kri_mutex_lock(&kri_threads.lock);
    uint64_t number = ++kri_threads.names;
    kri_mutex_unlock(&kri_threads.lock);
    snprintf(to, KR_THREAD_NAME_SIZE, "Thread-%llu", (unsigned long long)number);
}

size_t kr_thread_name(const kr_thread *t, char *name, size_t size)
{
    kri_mutex_lock(&kri_threads.lock);
    size_t length = strlen(t->name);
    if (size > 0) {
        size_t cut = kri_utf8_cut(t->name, size - 1);
        memcpy(name, t->name, cut);
        name[cut] = '\0';
    }
    kri_mutex_unlock(&kri_threads.lock);
    return length;
}

/* The kernel's number is the thread's as long as it is alive, which it is while we hold the lock.
 * 0: it has not got it yet, and will take its name along. */
static pid_t number_while_alive(const kr_thread *t)
{
    return kr_thread_alive(t) ? (pid_t)kri_load_acq(&t->native_id) : 0;
}

void kr_thread_set_name(kr_thread *t, const char *name)
{
    if (name == NULL || name[0] == '\0')
        return;
    kri_mutex_lock(&kri_threads.lock);
    copy_name(t->name, name);
    pid_t id = number_while_alive(t);
    if (id != 0 && id != os_process_id())
        os_thread_set_name(id, t->name);
    kri_mutex_unlock(&kri_threads.lock);
}

uint64_t kr_thread_ident(const kr_thread *t)
{
    return t->ident;
}

int kr_thread_native_id(kr_thread *t)
{
    while (kri_load_acq(&t->native_id) == 0 && kr_thread_alive(t))
        (void)kri_wait_for(&t->native_id, 0, KRI_NEVER, KRI_UNCANCELLABLE, kri_thread_describe_id);
    return (int)kri_load_acq(&t->native_id);
}

bool kr_thread_daemon(const kr_thread *t)
{
    return t->daemon;
}

/* Processors. */

int kr_cpu_set_add(kr_cpu_set *set, int cpu)
{
    if (cpu < 0 || cpu >= KR_CPU_MAX)
        return -EINVAL;
    set->words[cpu / 64] |= (uint64_t)1 << (cpu % 64);
    return 0;
}

bool kr_cpu_set_has(const kr_cpu_set *set, int cpu)
{
    return cpu >= 0 && cpu < KR_CPU_MAX && (set->words[cpu / 64] >> (cpu % 64) & 1) != 0;
}

int kr_cpu_set_count(const kr_cpu_set *set)
{
    int count = 0;
    for (int i = 0; i < KR_CPU_MAX / 64; i++)
        count += __builtin_popcountll(set->words[i]);
    return count;
}

int kr_cpu_count(void)
{
    int allowed = os_cpu_affinity();
    int quota = os_cpu_quota();
    return quota > 0 && quota < allowed ? quota : allowed;
}

int kr_thread_set_affinity(kr_thread *t, const kr_cpu_set *set)
{
    (void)kr_thread_native_id(t);
    kri_mutex_lock(&kri_threads.lock);
    pid_t id = number_while_alive(t);
    int err = id != 0 ? os_thread_set_affinity(id, set->words, KR_CPU_MAX / 64) : -ESRCH;
    kri_mutex_unlock(&kri_threads.lock);
    return err;
}

int kr_thread_get_affinity(kr_thread *t, kr_cpu_set *set)
{
    (void)kr_thread_native_id(t);
    kri_mutex_lock(&kri_threads.lock);
    pid_t id = number_while_alive(t);
    int err = id != 0 ? os_thread_get_affinity(id, set->words, KR_CPU_MAX / 64) : -ESRCH;
    kri_mutex_unlock(&kri_threads.lock);
    return err;
}
