/* Threads.
 *
 * A thread's end is seen through the destructor of one POSIX key, which POSIX runs in rounds: it
 * passes the first round on, so that the program's own destructors come before the library's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/global.h"
#include "base/utf8.h"
#include "os/linux/held.h"
#include "os/os.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LASTS = 6, COMM = 15 };

/* The end of a thread. */

static kri_word64 lasts[LASTS] KRI_GLOBAL; /* functions, in the order of their first asking */
static pthread_key_t end_key KRI_GLOBAL;
static pthread_once_t end_once KRI_GLOBAL = PTHREAD_ONCE_INIT;
static bool end_key_valid KRI_GLOBAL;

typedef struct ending {
    unsigned asked; /* one bit a function */
    bool armed;     /* the key is set: its destructor will come */
    bool passed;    /* the first round is over */
} ending;

KRI_THREAD_LOCAL(ending, own_ending)

static void call_lasts(ending *e)
{
    for (unsigned i = 0; i < LASTS; i++) {
        if (!(e->asked & (1u << i)))
            continue;
        e->asked &= ~(1u << i);
        void (*last)(void) = (void (*)(void))(uintptr_t)kri_load_acq64(&lasts[i]);
        last();
    }
}

static void arm(ending *e)
{
    e->armed = end_key_valid && pthread_setspecific(end_key, e) == 0;
}

static void on_key_destructor(void *value)
{
    ending *e = value;
    e->armed = false;
    if (!e->passed) {
        e->passed = true;
        arm(e);
    }
    if (!e->armed)
        call_lasts(e);
}

static void create_key(void)
{
    end_key_valid = pthread_key_create(&end_key, on_key_destructor) == 0;
}

static unsigned index_of(void (*last)(void))
{
    uint64_t wanted = (uint64_t)(uintptr_t)last;
    for (unsigned i = 0; i < LASTS; i++) {
        uint64_t seen = kri_load_acq64(&lasts[i]);
        if (seen == 0 && kri_cas_acq_rel64(&lasts[i], &seen, wanted))
            return i;
        if (seen == wanted)
            return i;
    }
    os_abort("krait: more than 6 functions want to know of a thread's end");
}

void os_at_thread_end(void (*last)(void))
{
    if (getpid() == gettid())
        return;
    pthread_once(&end_once, create_key);
    ending *e = own_ending();
    e->asked |= 1u << index_of(last);
    if (!e->armed)
        arm(e);
}

/* Start, join, detach. */

typedef struct start {
    void (*run)(void *);
    void *arg;
} start;

/* Where the key could not be had, the end of run is as near to the end as we get. */
static void *run_thread(void *arg)
{
    start s = *(start *)arg;
    free(arg);
    kri_run_held_signals();
    s.run(s.arg);
    if (!own_ending()->armed)
        call_lasts(own_ending());
    return NULL;
}

/* The usual stack is that of the first thread, as far as it may grow; other C libraries than glibc
 * give others a small one, and tell of the first one's only what it has used so far. */
#ifndef __GLIBC__
static size_t usual_stack(void)
{
    enum { UNLIMITED = 8 << 20 };
    struct rlimit limit;
    if (getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return UNLIMITED;
    return (size_t)limit.rlim_cur;
}
#endif

static int set_stack(pthread_attr_t *attr, size_t size)
{
#ifndef __GLIBC__
    if (size == 0)
        size = usual_stack();
#endif
    if (size == 0)
        return 0;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (size > SIZE_MAX - page)
        return EINVAL;
    return pthread_attr_setstacksize(attr, (size + page - 1) / page * page);
}

static void set_bits(cpu_set_t *set, size_t bytes, const uint64_t *cpus, size_t words)
{
    CPU_ZERO_S(bytes, set);
    for (size_t cpu = 0; cpu < words * 64; cpu++) {
        if (cpus[cpu / 64] >> (cpu % 64) & 1)
            CPU_SET_S(cpu, bytes, set);
    }
}

#ifdef __GLIBC__
static int set_processors(pthread_attr_t *attr, const uint64_t *cpus, size_t words)
{
    if (cpus == NULL)
        return 0;
    cpu_set_t *set = CPU_ALLOC(words * 64);
    if (set == NULL)
        return ENOMEM;
    size_t bytes = CPU_ALLOC_SIZE(words * 64);
    set_bits(set, bytes, cpus, words);
    int error = pthread_attr_setaffinity_np(attr, bytes, set);
    CPU_FREE(set);
    return error;
}
#endif

/* A new thread takes over its starter's mask, so there is no moment at which it can be hit. */
static int create(pthread_t *handle, const pthread_attr_t *attr, start *s, bool block_signals)
{
    if (!block_signals)
        return pthread_create(handle, attr, run_thread, s);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(handle, attr, run_thread, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

#ifndef __GLIBC__
/* Where a new thread cannot be told its processors, it takes over those of its starter, who has
 * them for so long. */
static int create_there(pthread_t *handle, const pthread_attr_t *attr, start *s, bool block_signals,
                        const os_thread_options *options)
{
    uint64_t before[128];
    int words = os_thread_get_affinity(0, before, 128);
    if (words < 0)
        return -words;
    if (sched_setaffinity(0, options->cpu_words * sizeof(uint64_t), (const void *)options->cpus) !=
        0)
        return errno;
    int error = create(handle, attr, s, block_signals);
    sched_setaffinity(0, sizeof before, (const void *)before);
    return error;
}
#endif

static int create_with(pthread_t *handle, start *s, bool block_signals,
                       const os_thread_options *options)
{
    pthread_attr_t attr;
    int error = pthread_attr_init(&attr);
    if (error != 0)
        return error;
    if (options == NULL)
        error = set_stack(&attr, 0);
    if (options != NULL) {
        error = set_stack(&attr, options->stack_size);
#ifdef __GLIBC__
        if (error == 0)
            error = set_processors(&attr, options->cpus, options->cpu_words);
#else
        if (error == 0 && options->cpus != NULL) {
            error = create_there(handle, &attr, s, block_signals, options);
            pthread_attr_destroy(&attr);
            return error;
        }
#endif
    }
    if (error == 0)
        error = create(handle, &attr, s, block_signals);
    pthread_attr_destroy(&attr);
    return error;
}

int os_thread_start(os_thread *thread, void (*run)(void *), void *arg, bool block_signals,
                    const os_thread_options *options)
{
    start *s = malloc(sizeof *s);
    if (s == NULL)
        return -ENOMEM;
    *s = (start){run, arg};
    pthread_t handle;
    int error = create_with(&handle, s, block_signals, options);
    if (error != 0) {
        free(s);
        return -error;
    }
    thread->handle = (uintptr_t)handle;
    return 0;
}

void os_thread_join(os_thread thread)
{
    pthread_join((pthread_t)thread.handle, NULL);
}

void os_thread_detach(os_thread thread)
{
    pthread_detach((pthread_t)thread.handle);
}

size_t os_thread_stack_minimum(void)
{
    enum { LEAST = 16384 }; /* musl says 2048, which holds none of our frames */
    long size = sysconf(_SC_THREAD_STACK_MIN);
    return size > LEAST ? (size_t)size : LEAST;
}

size_t os_thread_stack_left(void)
{
    enum { CAUTIOUS = 64 * 1024 };
    pthread_attr_t attributes;
    void *lowest;
    size_t size;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return CAUTIOUS;
    int err = pthread_attr_getstack(&attributes, &lowest, &size);
    pthread_attr_destroy(&attributes);
#ifndef __GLIBC__
    if (err == 0 && gettid() == getpid())
        lowest = (char *)lowest + size - usual_stack();
#endif
    const char *here = __builtin_frame_address(0);
    return err || here < (const char *)lowest ? CAUTIOUS : (size_t)(here - (const char *)lowest);
}

/* About a thread, by the kernel's number. */

pid_t os_thread_id(void)
{
    return gettid();
}

static void write_comm(pid_t id, const char *comm)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%ld/comm", (long)id);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t written = write(fd, comm, strlen(comm));
    (void)written;
    close(fd);
}

void os_thread_set_name(pid_t id, const char *name)
{
    int saved = errno;
    char comm[COMM + 1];
    size_t length = kri_utf8_cut(name, COMM);
    memcpy(comm, name, length);
    comm[length] = '\0';
    if (id == gettid())
        prctl(PR_SET_NAME, comm, 0, 0, 0);
    else
        write_comm(id, comm);
    errno = saved;
}

void os_thread_name(char *name, size_t size)
{
    int saved = errno;
    char comm[COMM + 1] = "";
    prctl(PR_GET_NAME, comm, 0, 0, 0);
    snprintf(name, size, "%s", comm);
    errno = saved;
}

enum { CPUS_MOST = 1 << 14 }; /* more than any kernel has */

/* Without memory of the heap: a forked child calls it. */
int os_thread_set_affinity(pid_t id, const uint64_t *cpus, size_t words)
{
    cpu_set_t set[CPUS_MOST / CPU_SETSIZE];
    size_t known = words < CPUS_MOST / 64 ? words : CPUS_MOST / 64;
    size_t bytes = CPU_ALLOC_SIZE(known * 64);
    set_bits(set, bytes, cpus, known);
    int saved = errno;
    int error = sched_setaffinity(id, bytes, set) == 0 ? 0 : -errno;
    errno = saved;
    return error;
}

/* The kernel refuses room for fewer processors than it may ever have.  On the stack: the first wait
 * of a process asks, and waits do not allocate. */
int os_thread_get_affinity(pid_t id, uint64_t *cpus, size_t words)
{
    cpu_set_t set[CPUS_MOST / CPU_SETSIZE];
    size_t bytes = sizeof set;
    memset(set, 0, bytes);
    int saved = errno;
    int error = sched_getaffinity(id, bytes, set) == 0 ? 0 : -errno;
    errno = saved;
    memset(cpus, 0, words * sizeof *cpus);
    for (size_t cpu = 0; error == 0 && cpu < words * 64 && cpu < CPUS_MOST; cpu++) {
        if (CPU_ISSET_S(cpu, bytes, set))
            cpus[cpu / 64] |= (uint64_t)1 << (cpu % 64);
    }
    return error;
}
