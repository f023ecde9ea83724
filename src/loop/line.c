/* The queue of what is ready in a loop: linked through the items themselves, so that it never lacks
 * memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/loop.h"

static void *address_of(kri_item item)
{
    return (void *)(item & ~(uintptr_t)KRI_ITEM_KIND);
}

static void set_next(kri_item item, kri_item next)
{
    switch (item & KRI_ITEM_KIND) {
    case KRI_ITEM_TASK:
        ((kr_future *)address_of(item))->next = (kr_future *)next;
        break;
    case KRI_ITEM_POSTED:
        ((kri_posted *)address_of(item))->next = next;
        break;
    default:
        ((kri_runner *)address_of(item))->next = next;
        break;
    }
}

static kri_item next_of(kri_item item)
{
    switch (item & KRI_ITEM_KIND) {
    case KRI_ITEM_TASK:
        return (kri_item)((kr_future *)address_of(item))->next;
    case KRI_ITEM_POSTED:
        return ((kri_posted *)address_of(item))->next;
    default:
        return ((kri_runner *)address_of(item))->next;
    }
}

void kri_line_put(kri_line *line, kri_item item)
{
    set_next(item, 0);
    if (line->count++ == 0)
        line->first = item;
    else
        set_next(line->last, item);
    line->last = item;
}

void kri_line_put_first(kri_line *line, kri_item item)
{
    set_next(item, line->count != 0 ? line->first : 0);
    if (line->count++ == 0)
        line->last = item;
    line->first = item;
}

kri_item kri_line_take(kri_line *line)
{
    if (line->count == 0)
        return 0;
    kri_item item = line->first;
    line->first = next_of(item);
    line->count--;
    return item;
}

void kri_line_each_task(const kri_line *line, void (*visit)(kr_future *f))
{
    kri_item item = line->count != 0 ? line->first : 0;
    for (; item != 0; item = next_of(item)) {
        if ((item & KRI_ITEM_KIND) == KRI_ITEM_TASK)
            visit(address_of(item));
        else if ((item & KRI_ITEM_KIND) == KRI_ITEM_RUNNER)
            visit(((kri_runner *)address_of(item))->future);
    }
}
