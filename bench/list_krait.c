/* A manager's list, queue and value in shared memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "list.h"
#include "peers.h"

#include <krait/list.h>
#include <krait/managed.h>

static kr_manager *new_manager(void)
{
    kr_manager *m = NULL;
    BENCH_MUST(kr_manager_open(&m, NULL, NULL));
    return m;
}

/* Lists */

static void *create_list(void)
{
    kr_manager *m = new_manager();
    kr_list *l = NULL;
    BENCH_MUST(kr_list_open(&l, m, NULL));
    kr_manager_release(m);
    return l;
}

static void add(void *list, bool left, const char *item)
{
    BENCH_MUST(left ? kr_list_append_left(list, item, BENCH_ITEM)
                    : kr_list_append(list, item, BENCH_ITEM));
}

static void take(void *list, bool left, char *item)
{
    BENCH_MUST(left ? kr_list_pop_left(list, item, BENCH_ITEM, NULL)
                    : kr_list_pop(list, item, BENCH_ITEM, NULL));
}

static void end_list(void *list)
{
    kr_list_release(list);
}

const struct bench_list bench_krait_list = {create_list, add, take, end_list};

/* Queues */

static void *create_queue(void)
{
    kr_manager *m = new_manager();
    kr_queue *q = NULL;
    BENCH_MUST(kr_manager_queue(&q, m, "queue", BENCH_ITEM, BENCH_ITEMS, NULL));
    kr_manager_release(m);
    return q;
}

static void put(void *queue, bool left, const char *item)
{
    (void)left;
    BENCH_MUST(kr_queue_put(queue, item, KR_FOREVER));
}

static void get(void *queue, bool left, char *item)
{
    (void)left;
    BENCH_MUST(kr_queue_get(queue, item, KR_FOREVER));
}

static void end_queue(void *queue)
{
    kr_queue_release(queue);
}

const struct bench_list bench_krait_managed_queue = {create_queue, put, get, end_queue};

/* Values */

static void *create_value(void)
{
    kr_manager *m = new_manager();
    kr_managed_value *v = NULL;
    BENCH_MUST(kr_managed_value_open(&v, m, NULL, sizeof(int64_t), NULL));
    kr_manager_release(m);
    return v;
}

static void add_one(void *value, bool left, const char *item)
{
    (void)left;
    (void)item;
    BENCH_MUST(kr_managed_value_add(value, 1, NULL));
}

static void take_nothing(void *value, bool left, char *item)
{
    (void)value;
    (void)left;
    (void)item;
}

static void end_value(void *value)
{
    kr_managed_value_release(value);
}

const struct bench_list bench_krait_value = {create_value, add_one, take_nothing, end_value};
