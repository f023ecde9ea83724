/* The sequential objects that histories of locks, semaphores and queues are held against.
 *
 * A call that gives up because its time is over is right only when at some moment of it there was
 * nothing to be had.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_HARNESS_LINEAR_OBJECTS_H
#define KRI_HARNESS_LINEAR_OBJECTS_H

#include "harness/linear.h"

#include <stdio.h>
#include <string.h>

/* Locks: one runner at a time, anybody may release. */

enum { LINEAR_ACQUIRE, LINEAR_RELEASE, LINEAR_LOCKED };

static inline bool linear_lock_step(void *state, const linear_call *call)
{
    bool *held = state, was = *held, any = call->ended == 0;
    switch (call->what) {
    case LINEAR_ACQUIRE:
        *held = was || call->result >= 0 || any;
        return any ? !was : was == (call->result < 0);
    case LINEAR_RELEASE:
        *held = false;
        return any || was == (call->result == 0);
    default:
        return any || was == (call->result != 0);
    }
}

static inline void linear_lock_describe(const linear_call *call, char *text, size_t room)
{
    static const char *const names[] = {"acquire", "release", "locked"};
    snprintf(text, room, "%s = %jd", names[call->what], (intmax_t)call->result);
}

static const linear_object linear_lock
    __attribute__((unused)) = {sizeof(bool), NULL, linear_lock_step, linear_lock_describe};

/* Recursive locks: whoever has it acquires at once, and nobody else releases.  LINEAR_COUNT is how
 * often the caller has it. */

enum { LINEAR_COUNT = LINEAR_LOCKED + 1 };

typedef struct linear_rlock_state {
    int64_t owner; /* party + 1 */
    int64_t count;
} linear_rlock_state;

static inline bool linear_rlock_step(void *state, const linear_call *call)
{
    linear_rlock_state *s = state;
    int64_t self = call->party + 1;
    bool any = call->ended == 0, free = s->owner == 0, mine = s->owner == self;
    switch (call->what) {
    case LINEAR_ACQUIRE:
        if (!any && call->result < 0)
            return !free && !mine;
        s->owner = self;
        s->count++;
        return free || mine;
    case LINEAR_RELEASE:
        s->count -= mine;
        s->owner = s->count != 0 ? s->owner : 0;
        return any || mine == (call->result == 0);
    case LINEAR_COUNT:
        return any || call->result == (mine ? s->count : 0);
    default:
        return any || free == (call->result == 0);
    }
}

static inline void linear_rlock_describe(const linear_call *call, char *text, size_t room)
{
    static const char *const names[] = {"acquire", "release", "locked", "count"};
    snprintf(text, room, "%s = %jd", names[call->what], (intmax_t)call->result);
}

static const linear_object linear_rlock __attribute__((unused)) = {
    sizeof(linear_rlock_state), NULL, linear_rlock_step, linear_rlock_describe};

/* Semaphores: LINEAR_ACQUIRE, LINEAR_RELEASE of `value` permits, from LINEAR_PERMITS on. */

enum { LINEAR_PERMITS = 2 };

static inline void linear_semaphore_begin(void *state)
{
    *(int64_t *)state = LINEAR_PERMITS;
}

static inline bool linear_semaphore_step(void *state, const linear_call *call)
{
    int64_t *value = state, was = *value;
    bool any = call->ended == 0;
    if (call->what == LINEAR_RELEASE) {
        *value = was + call->value;
        return any || call->result == 0;
    }
    bool got = any || call->result == 0;
    *value = was - got;
    return got == (was > 0);
}

static const linear_object linear_semaphore __attribute__((unused)) = {
    sizeof(int64_t), linear_semaphore_begin, linear_semaphore_step, linear_lock_describe};

/* Queues of at most LINEAR_ROOM items: LINEAR_PUT of a value, 0 or negative; LINEAR_GET, the value
 * (never negative) or a negative error; LINEAR_NOTHING says nothing.  A priority queue's lowest
 * value comes first. */

enum { LINEAR_PUT, LINEAR_GET, LINEAR_SIZE, LINEAR_NOTHING };
enum { LINEAR_ROOM = 4, LINEAR_MOST_ITEMS = 96 };

typedef struct linear_queue_state {
    int64_t count;
    int64_t items[LINEAR_MOST_ITEMS]; /* those behind count are 0: equal states are equal bytes */
} linear_queue_state;

static inline bool linear_put(linear_queue_state *q, const linear_call *call, int64_t room)
{
    bool any = call->ended == 0;
    if (!any && call->result < 0)
        return q->count == room;
    if (q->count == room)
        return false;
    q->items[q->count++] = call->value;
    return true;
}

static inline bool linear_take(linear_queue_state *q, const linear_call *call, int64_t at)
{
    bool any = call->ended == 0;
    if (q->count == 0)
        return !any && call->result < 0;
    if (!any && q->items[at] != call->result)
        return false;
    q->count--;
    for (int64_t i = at; i < q->count; i++)
        q->items[i] = q->items[i + 1];
    q->items[q->count] = 0;
    return true;
}

static inline int64_t linear_lowest(const linear_queue_state *q)
{
    int64_t best = 0;
    for (int64_t i = 1; i < q->count; i++)
        if (q->items[i] < q->items[best])
            best = i;
    return best;
}

static inline bool linear_queue_step(linear_queue_state *q, const linear_call *call, int64_t room,
                                     int64_t at)
{
    if (call->what == LINEAR_PUT)
        return linear_put(q, call, room);
    if (call->what == LINEAR_GET)
        return linear_take(q, call, at);
    if (call->what == LINEAR_NOTHING)
        return true;
    return call->ended == 0 || call->result == q->count;
}

static inline bool linear_fifo_step(void *state, const linear_call *call)
{
    return linear_queue_step(state, call, LINEAR_ROOM, 0);
}

static inline bool linear_lifo_step(void *state, const linear_call *call)
{
    linear_queue_state *q = state;
    return linear_queue_step(q, call, LINEAR_ROOM, q->count - 1);
}

static inline bool linear_priority_step(void *state, const linear_call *call)
{
    return linear_queue_step(state, call, LINEAR_ROOM, linear_lowest(state));
}

static inline bool linear_unbounded_step(void *state, const linear_call *call)
{
    return linear_queue_step(state, call, LINEAR_MOST_ITEMS, 0);
}

static inline void linear_queue_describe(const linear_call *call, char *text, size_t room)
{
    static const char *const names[] = {"put", "get", "size", "nothing"};
    snprintf(text, room, "%s %jd = %jd", names[call->what], (intmax_t)call->value,
             (intmax_t)call->result);
}

#define LINEAR_QUEUE(name)                                                                         \
    static const linear_object linear_##name __attribute__((unused)) = {                           \
        sizeof(linear_queue_state), NULL, linear_##name##_step, linear_queue_describe}
LINEAR_QUEUE(fifo);
LINEAR_QUEUE(lifo);
LINEAR_QUEUE(priority);
LINEAR_QUEUE(unbounded);

#endif
