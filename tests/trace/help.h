/* What the tests of the trace share: all events of one, to look at.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TESTS_TRACE_HELP_H
#define KRI_TESTS_TRACE_HELP_H

#include "harness/test.h"

#include <krait/krait.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct events {
    kr_trace_event *list;
    size_t count;
    size_t room;
} events;

static inline void collect(const kr_trace_event *event, void *arg)
{
    events *all = arg;
    if (all->count == all->room) {
        all->room = all->room * 2 + 1024;
        all->list = realloc(all->list, all->room * sizeof *all->list);
        CHECK(all->list != NULL);
    }
    all->list[all->count++] = *event;
}

/* In order of time, with sound members. */
static inline events gather(void)
{
    events all = {NULL, 0, 0};
    CHECK_EQ(kr_trace_visit(collect, &all), 0);
    for (size_t i = 0; i < all.count; i++) {
        const kr_trace_event *e = &all.list[i];
        CHECK(i == 0 || e[-1].at <= e->at);
        CHECK(e->kind > KR_TRACE_NONE && e->kind < KR_TRACE_KINDS);
        bool span = e->kind <= KR_TRACE_USER;
        CHECK(span ? e->duration > 0 : e->duration == 0);
        CHECK_NE(e->runner, 0);
        CHECK_GE(e->processor, -1);
    }
    return all;
}

static inline bool matches(const kr_trace_event *e, uint32_t kind, const char *name)
{
    return e->kind == kind && (name == NULL || strcmp(e->name, name) == 0);
}

static inline size_t count_of(const events *all, uint32_t kind, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++)
        count += matches(&all->list[i], kind, name);
    return count;
}

/* The first of that kind behind `after` (NULL: of all); NULL: none. */
static inline const kr_trace_event *next_of(const events *all, const kr_trace_event *after,
                                            uint32_t kind, const char *name)
{
    size_t i = after != NULL ? (size_t)(after - all->list) + 1 : 0;
    for (; i < all->count; i++)
        if (matches(&all->list[i], kind, name))
            return &all->list[i];
    return NULL;
}

static inline const kr_trace_event *the_only(const events *all, uint32_t kind, const char *name)
{
    CHECK_EQ(count_of(all, kind, name), 1);
    return next_of(all, NULL, kind, name);
}

static inline kr_time end_of(const kr_trace_event *e)
{
    return e->at + e->duration;
}

static inline bool is_inside(const kr_trace_event *inner, const kr_trace_event *outer)
{
    return inner->at >= outer->at && end_of(inner) <= end_of(outer);
}

static inline void begin_trace(size_t room)
{
    CHECK_EQ(kr_trace_start(&(kr_trace_options){.events = room}), 0);
}

static inline events end_trace(void)
{
    CHECK_EQ(kr_trace_stop(), 0);
    return gather();
}

#endif
