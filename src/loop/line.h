/* The queue of what is ready in a loop, first in, first out: linked through the items themselves,
 * so that it never lacks memory.  Most of them are runners that give way to each other.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_LOOP_LINE_H
#define KRI_LOOP_LINE_H

#include "loop/loop.h"

static inline void *kri_item_address(kri_item item)
{
    return (void *)(item & ~(uintptr_t)KRI_ITEM_KIND);
}

static inline bool kri_item_is_runner(kri_item item)
{
    return __builtin_expect((item & KRI_ITEM_KIND) == KRI_ITEM_RUNNER, 1);
}

static inline void kri_line_set_next(kri_item item, kri_item next)
{
    if (kri_item_is_runner(item))
        ((kri_runner *)item)->next = next;
    else if ((item & KRI_ITEM_KIND) == KRI_ITEM_TASK)
        ((kr_future *)kri_item_address(item))->next = (kr_future *)next;
    else
        ((kri_posted *)kri_item_address(item))->next = next;
}

static inline kri_item kri_line_next(kri_item item)
{
    if (kri_item_is_runner(item))
        return ((kri_runner *)item)->next;
    if ((item & KRI_ITEM_KIND) == KRI_ITEM_TASK)
        return (kri_item)((kr_future *)kri_item_address(item))->next;
    return ((kri_posted *)kri_item_address(item))->next;
}

static inline void kri_line_put(kri_line *line, kri_item item)
{
    kri_line_set_next(item, 0);
    if (line->count++ == 0)
        line->first = item;
    else
        kri_line_set_next(line->last, item);
    line->last = item;
}

static inline void kri_line_put_first(kri_line *line, kri_item item)
{
    kri_line_set_next(item, line->count != 0 ? line->first : 0);
    if (line->count++ == 0)
        line->last = item;
    line->first = item;
}

/* kri_line_take - the first; 0: empty. */
static inline kri_item kri_line_take(kri_line *line)
{
    if (line->count == 0)
        return 0;
    kri_item item = line->first;
    line->first = kri_line_next(item);
    line->count--;
    return item;
}

/* kri_line_exchange - put a runner into a line the first of which is one, too, and take that. */
static inline kri_runner *kri_line_exchange(kri_line *line, kri_runner *runner)
{
    kri_runner *first = (kri_runner *)line->first;
    runner->next = 0;
    kri_line_set_next(line->last, (kri_item)runner);
    line->last = (kri_item)runner;
    line->first = first->next;
    return first;
}

/* kri_line_each_task - those of tasks, begun or not; `visit` changes nothing in the line. */
void kri_line_each_task(const kri_line *line, void (*visit)(kr_future *f));

#endif
