/* Copies of what is in a dict, in private memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/manager.h"
#include <stdlib.h>

enum { FIRST_ROOM = 16 };

struct kr_dict_items {
    size_t count;
    size_t room;
    kr_dict_item **list;
};

kr_dict_item *kri_dict_item_make(size_t key_size, size_t value_size, unsigned char **key,
                                 unsigned char **value)
{
    kr_dict_item *item = malloc(sizeof *item + key_size + value_size + 2);
    if (item == NULL)
        return NULL;
    *key = (unsigned char *)(item + 1);
    *value = *key + key_size + 1;
    (*key)[key_size] = 0;
    (*value)[value_size] = 0;
    *item = (kr_dict_item){*key, key_size, *value, value_size};
    return item;
}

kr_dict_items *kri_dict_items_make(void)
{
    return calloc(1, sizeof(kr_dict_items));
}

int kri_dict_items_add(kr_dict_items *items, kr_dict_item *item)
{
    if (items->count == items->room) {
        size_t room = items->room != 0 ? 2 * items->room : FIRST_ROOM;
        kr_dict_item **list = realloc(items->list, room * sizeof(kr_dict_item *));
        if (list == NULL) {
            free(item);
            return -ENOMEM;
        }
        items->list = list;
        items->room = room;
    }
    items->list[items->count++] = item;
    return 0;
}

size_t kr_dict_items_count(const kr_dict_items *items)
{
    return items != NULL ? items->count : 0;
}

const kr_dict_item *kr_dict_items_at(const kr_dict_items *items, size_t index)
{
    return items != NULL && index < items->count ? items->list[index] : NULL;
}

void kr_dict_items_release(kr_dict_items *items)
{
    if (items == NULL)
        return;
    for (size_t i = 0; i < items->count; i++)
        free(items->list[i]);
    free(items->list);
    free(items);
}

void kr_dict_items_auto(kr_dict_items **items)
{
    kr_dict_items_release(*items);
}
