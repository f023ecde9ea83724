/* Every call of the primitives that can wait, as a table, for tests of what holds for all of them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SYNC_WAITS_H
#define TESTS_SYNC_WAITS_H

#include "os/os.h"
#include "sync/objects.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

typedef struct waits_world {
    kr_lock lock; /* held */
    kr_event event;
    kr_semaphore semaphore;
    kr_condition condition;
    int pipe[2];
    kr_word thread; /* number of the thread that waits */
    int result;
    bool condition_held; /* after the wait, as it must be */
    kr_time timeout;
    kr_time took;
} waits_world;

typedef struct waits_kind {
    const char *name;
    int (*wait)(waits_world *world, kr_time timeout); /* 0 when it got what it waited for */
    void (*serve)(waits_world *world);                /* give one waiter what it waits for */
    kr_word *(*word)(waits_world *world);             /* NULL: it sleeps on no word */
} waits_kind;

static inline int waits_lock(waits_world *world, kr_time timeout)
{
    return kr_lock_acquire(&world->lock, timeout);
}

static inline void waits_serve_lock(waits_world *world)
{
    CHECK_EQ(kr_lock_release(&world->lock), 0);
}

static inline kr_word *waits_word_lock(waits_world *world)
{
    return &world->lock.word;
}

static inline int waits_event(waits_world *world, kr_time timeout)
{
    return kr_event_wait(&world->event, timeout);
}

static inline void waits_serve_event(waits_world *world)
{
    kr_event_set(&world->event);
}

static inline kr_word *waits_word_event(waits_world *world)
{
    return &world->event.word;
}

static inline int waits_semaphore(waits_world *world, kr_time timeout)
{
    return kr_semaphore_acquire(&world->semaphore, timeout);
}

static inline void waits_serve_semaphore(waits_world *world)
{
    CHECK_EQ(kr_semaphore_release(&world->semaphore, 1), 0);
}

static inline kr_word *waits_word_semaphore(waits_world *world)
{
    return &world->semaphore.value;
}

static inline int waits_condition(waits_world *world, kr_time timeout)
{
    int err;

    kr_shield
        CHECK_EQ(kr_condition_acquire(&world->condition, KR_FOREVER), 0);
    err = kr_condition_wait(&world->condition, timeout);
    world->condition_held = kr_condition_locked(&world->condition);
    CHECK_EQ(kr_condition_release(&world->condition), 0);
    return err;
}

static inline void waits_serve_condition(waits_world *world)
{
    CHECK_EQ(kr_condition_acquire(&world->condition, KR_FOREVER), 0);
    CHECK_EQ(kr_condition_notify(&world->condition, 1), 1);
    CHECK_EQ(kr_condition_release(&world->condition), 0);
}

/* The test's waits are by one party at a time, whose group is the newest. */
static inline kr_word *waits_word_condition(waits_world *world)
{
    return &world->condition.words[kri_waiting(&world->condition.words[1]) != 0];
}

static inline int waits_fd(waits_world *world, kr_time timeout)
{
    int ready;

    if (timeout < 0)
        return -EINVAL;
    ready = kri_wait_fd(world->pipe[0], OS_READABLE, kri_deadline(timeout));
    return ready > 0 ? 0 : ready;
}

static inline void waits_serve_fd(waits_world *world)
{
    CHECK_EQ(write(world->pipe[1], "x", 1), 1);
}

static const waits_kind waits_kinds[] = {
    {"lock", waits_lock, waits_serve_lock, waits_word_lock},
    {"event", waits_event, waits_serve_event, waits_word_event},
    {"semaphore", waits_semaphore, waits_serve_semaphore, waits_word_semaphore},
    {"condition", waits_condition, waits_serve_condition, waits_word_condition},
    {"descriptor", waits_fd, waits_serve_fd, NULL},
};

enum { WAITS_KINDS = sizeof waits_kinds / sizeof waits_kinds[0] };

static inline waits_world *waits_begin(void)
{
    waits_world *world = party_world(sizeof *world);

    CHECK_EQ(kr_lock_acquire(&world->lock, KR_NOWAIT), 0);
    CHECK_EQ(pipe2(world->pipe, O_CLOEXEC), 0);
    return world;
}

static inline void waits_end(waits_world *world)
{
    close(world->pipe[0]);
    close(world->pipe[1]);
    party_world_free(world, sizeof *world);
}

/* The state letter of a thread of this process: S when it sleeps. */
static inline char waits_thread_state(int thread)
{
    char path[64];
    char text[512];
    const char *after_name;
    FILE *file;
    size_t length;

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
    file = fopen(path, "re");
    if (file == NULL)
        return '?';
    length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    after_name = strrchr(text, ')');
    return after_name != NULL && after_name[1] != 0 ? after_name[2] : '?';
}

/* What a party runs before a wait that await_asleep is to see. */
static inline void waits_announce(waits_world *world)
{
    kri_store_rel(&world->thread, (uint32_t)gettid());
}

/* Until the one party that announced itself sleeps in its wait. */
static inline void waits_await_asleep(const waits_kind *kind, waits_world *world)
{
    if (kind->word != NULL) {
        while (kri_waiting(kind->word(world)) == 0)
            kri_test_nap();
        return;
    }
    party_await_count(&world->thread, 1);
    while (waits_thread_state((int)kri_load_acq(&world->thread)) != 'S')
        kri_test_nap();
}

#endif
