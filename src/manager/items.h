/* Copies of many items, as they are made.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_ITEMS_H
#define KRI_MANAGER_ITEMS_H

#include <krait/items.h>

/* kri_items_new - for `count` items with so many bytes together; NULL: no memory.
 * kri_items_add - a copy of one more, within that. */
kr_items *kri_items_new(size_t count, size_t bytes);
void kri_items_add(kr_items *items, const void *data, size_t size);

#endif
