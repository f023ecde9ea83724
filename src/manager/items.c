/* Copies of many items, in one piece of memory: the table, and behind it the bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/items.h"
#include "os/os.h"
#include <string.h>

struct kr_items {
    size_t count;
    unsigned char *next; /* where the bytes of the next one go */
    kr_bytes at[];
};

kr_items *kri_items_new(size_t count, size_t bytes)
{
    size_t table, whole;
    if (__builtin_mul_overflow(count, sizeof(kr_bytes), &table) ||
        __builtin_add_overflow(bytes, count, &whole) || /* the zero bytes */
        __builtin_add_overflow(whole, table + sizeof(kr_items), &whole))
        return NULL;
    kr_items *items = os_alloc(whole);
    if (items == NULL)
        return NULL;
    items->count = 0;
    items->next = (unsigned char *)(items->at + count);
    return items;
}

void kri_items_add(kr_items *items, const void *data, size_t size)
{
    items->at[items->count++] = (kr_bytes){items->next, size};
    if (size != 0)
        memcpy(items->next, data, size);
    items->next[size] = 0;
    items->next += size + 1;
}

size_t kr_items_count(const kr_items *items)
{
    return items != NULL ? items->count : 0;
}

const kr_bytes *kr_items_at(const kr_items *items, size_t index)
{
    return items != NULL && index < items->count ? &items->at[index] : NULL;
}

void kr_items_release(kr_items *items)
{
    os_free(items);
}

void kr_items_auto(kr_items **items)
{
    kr_items_release(*items);
}
