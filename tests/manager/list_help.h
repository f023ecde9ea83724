/* What tests of lists have in common: items that are integers, or names of others.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TESTS_MANAGER_LIST_HELP_H
#define KRI_TESTS_MANAGER_LIST_HELP_H

#include "manager/backends.h"

static inline kr_list *new_list(kr_manager *m)
{
    kr_list *l = NULL;
    CHECK_EQ(kr_list_open(&l, m, NULL), 0);
    return l;
}

static inline void append_int(kr_list *l, int64_t value)
{
    CHECK_EQ(kr_list_append(l, &value, sizeof value), 0);
}

static inline void set_int(kr_list *l, int64_t index, int64_t value)
{
    CHECK_EQ(kr_list_set(l, index, &value, sizeof value), 0);
}

static inline void insert_int(kr_list *l, int64_t index, int64_t value)
{
    CHECK_EQ(kr_list_insert(l, index, &value, sizeof value), 0);
}

static inline int try_get_int(kr_list *l, int64_t index, int64_t *value)
{
    size_t size = 0;
    int err = kr_list_get(l, index, value, sizeof *value, &size);
    if (err == 0)
        CHECK_EQ(size, sizeof *value);
    return err;
}

static inline int64_t get_int(kr_list *l, int64_t index)
{
    int64_t value = 0;
    CHECK_EQ(try_get_int(l, index, &value), 0);
    return value;
}

static inline int64_t pop_int(kr_list *l)
{
    int64_t value = 0;
    size_t size = 0;
    CHECK_EQ(kr_list_pop(l, &value, sizeof value, &size), 0);
    CHECK_EQ(size, sizeof value);
    return value;
}

static inline int64_t pop_left_int(kr_list *l)
{
    int64_t value = 0;
    size_t size = 0;
    CHECK_EQ(kr_list_pop_left(l, &value, sizeof value, &size), 0);
    CHECK_EQ(size, sizeof value);
    return value;
}

static inline void extend_ints(kr_list *l, size_t count, const int64_t *values)
{
    kr_bytes items[64];
    CHECK_LE(count, 64);
    for (size_t i = 0; i < count; i++)
        items[i] = (kr_bytes){&values[i], sizeof values[i]};
    CHECK_EQ(kr_list_extend(l, items, count), 0);
}

static inline void check_slice(kr_list *l, int64_t first, int64_t end, size_t count,
                               const int64_t *values)
{
    KR_AUTO(kr_items) *items = NULL;
    CHECK_EQ(kr_list_slice(l, first, end, &items), 0);
    CHECK_EQ(kr_items_count(items), count);
    for (size_t i = 0; i < count; i++) {
        int64_t value;
        CHECK_EQ(kr_items_at(items, i)->size, sizeof value);
        memcpy(&value, kr_items_at(items, i)->data, sizeof value);
        CHECK_EQ(value, values[i]);
    }
}

static inline void check_ints(kr_list *l, size_t count, const int64_t *values)
{
    CHECK_EQ(kr_list_length(l), count);
    check_slice(l, 0, INT64_MAX, count, values);
}

static inline void append_name(kr_list *l, const char *name)
{
    CHECK_EQ(kr_list_append(l, name, strlen(name)), 0);
}

static inline void get_name(kr_list *l, int64_t index, char name[KR_MANAGER_NAME + 1])
{
    size_t size = 0;
    CHECK_EQ(kr_list_get(l, index, name, KR_MANAGER_NAME, &size), 0);
    name[size] = '\0';
}

static inline kr_list *open_nested(kr_manager *m, kr_list *outer, int64_t index)
{
    char name[KR_MANAGER_NAME + 1];
    kr_list *l = NULL;
    get_name(outer, index, name);
    CHECK_EQ(kr_list_open(&l, m, name), 0);
    return l;
}

#endif
