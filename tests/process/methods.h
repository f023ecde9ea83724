/* One body for the three start methods: METHOD_TEST(name) { ... start(&p, run, ...) }.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TESTS_PROCESS_METHODS_H
#define KRI_TESTS_PROCESS_METHODS_H

#include "harness/sanitizers.h"
#include "thread/child.h"
#include <krait/krait.h>
#include <fcntl.h>
#include <signal.h>

static kr_start_method method;

#define METHOD_TEST(name)                                                                          \
    static void name(void);                                                                        \
    static void name##_fork(void)                                                                  \
    {                                                                                              \
        method = KR_FORK;                                                                          \
        name();                                                                                    \
    }                                                                                              \
    static void name##_spawn(void)                                                                 \
    {                                                                                              \
        method = KR_SPAWN;                                                                         \
        name();                                                                                    \
    }                                                                                              \
    static void name##_forkserver(void)                                                            \
    {                                                                                              \
        method = KR_FORKSERVER;                                                                    \
        name();                                                                                    \
    }                                                                                              \
    __attribute__((constructor)) static void name##_register(void)                                 \
    {                                                                                              \
        static kri_test_case entries[] = {{#name ".fork", name##_fork, NULL},                      \
                                          {#name ".spawn", name##_spawn, NULL},                    \
                                          {#name ".forkserver", name##_forkserver, NULL}};         \
        for (int i = 0; i < 3; i++)                                                                \
            kri_test_register(&entries[i]);                                                        \
    }                                                                                              \
    static void name(void)

/* Start by the case's method. */
static inline kr_process *start_with(kr_run_fn run, const void *arg, size_t size,
                                     kr_process_options o)
{
    kr_process *p;
    NEED_PROCESSES;
    if (o.start == KR_START_DEFAULT)
        o.start = method;
    CHECK_EQ(kr_process_start(&p, run, arg, size, &o), 0);
    return p;
}

static inline kr_process *start(kr_run_fn run, const void *arg, size_t size)
{
    return start_with(run, arg, size, (kr_process_options){0});
}

/* Join, and release: its exit code. */
static inline int end(kr_process *p)
{
    int code = 12345;
    CHECK_EQ(kr_process_join(p, &code, kr_sec(60)), 0);
    kr_process_release(p);
    return code;
}

/* A pipe that children write to, by kr_process_descriptor(0). */
typedef struct channel {
    int ends[2];
    kr_process_options options; /* that hand it over */
} channel;

static inline void channel_open(channel *c)
{
    CHECK_EQ(pipe2(c->ends, O_CLOEXEC), 0);
    c->options = (kr_process_options){.descriptors = &c->ends[1], .descriptor_count = 1};
}

static inline void child_say(const void *bytes, size_t size)
{
    CHECK_EQ(write(kr_process_descriptor(0), bytes, size), size);
}

static inline void channel_read(channel *c, void *bytes, size_t size)
{
    size_t got = 0;
    while (got < size) {
        ssize_t some = read(c->ends[0], (char *)bytes + got, size - got);
        CHECK(some > 0);
        got += (size_t)some;
    }
}

/* Nobody has the other end any more. */
static inline void channel_expect_end(channel *c)
{
    char byte;
    close(c->ends[1]);
    CHECK_EQ(read(c->ends[0], &byte, 1), 0);
    close(c->ends[0]);
}

/* For children that are to be there until they are ended. */
static int stay(void *arg)
{
    (void)arg;
    for (;;)
        pause();
    return 0;
}
KR_TASK(stay);

/* Starts one that stays, and returns when it does. */
static int say_and_stay(void *arg)
{
    child_say("r", 1);
    return stay(arg);
}
KR_TASK(say_and_stay);

static inline kr_process *start_staying(kr_process_options o)
{
    channel c;
    char byte;
    channel_open(&c);
    o.descriptors = c.options.descriptors;
    o.descriptor_count = 1;
    kr_process *p = start_with(say_and_stay, NULL, 0, o);
    channel_read(&c, &byte, 1);
    close(c.ends[0]);
    close(c.ends[1]);
    return p;
}

static inline int run_code(kr_run_fn run, const void *arg, size_t size)
{
    return end(start(run, arg, size));
}

#endif
