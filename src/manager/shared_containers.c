/* Handles of lists, values and arrays in a manager's shared memory, and the table of all kinds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/shared_containers.h"
#include "manager/shared_list.h"
#include "os/os.h"

enum { LINE = 64 };

static int open_object(kri_shared_object *o, kr_manager *m, const char *name, const kri_kind *kind,
                       const void *arg, char made[KR_MANAGER_NAME + 1])
{
    int err = kri_shared_open(m, name, kind, arg, &o->ref, made);
    if (err != 0)
        return err;
    o->space = &kri_shared_manager_of(m)->space;
    o->domain = kri_object_domain(&o->ref);
    return 0;
}

/* Bodies */

void kri_body_make(kri_tx *tx, kri_object *o, const void *arg)
{
    const kri_body_plan *plan = arg;
    if (plan->size == 0) {
        kri_tx_fail(tx, -ENOENT);
        return;
    }
    uint64_t body = kri_tx_alloc(tx, 0, (plan->size + LINE - 1) & ~(size_t)(LINE - 1));
    if (body == 0)
        return;
    int err = plan->init(kri_space_at(tx->space, body), plan);
    if (err != 0)
        kri_tx_fail(tx, err);
    kri_store_rlx64(&o->body, body);
    for (int i = 0; i < 2; i++)
        kri_store_rlx64(&o->words[i], (uint64_t)plan->numbers[i]);
}

int kri_body_open(kri_shared_object *o, kr_manager *m, const char *name, const kri_kind *kind,
                  const kri_body_plan *plan, char made[KR_MANAGER_NAME + 1])
{
    return open_object(o, m, name, kind, plan, made);
}

/* Lists */

typedef struct shared_list {
    kr_list face;
    kri_shared_object object;
} shared_list;

static const kri_shared_object *list_of(kr_list *l)
{
    return &((shared_list *)(void *)l)->object;
}

static int list_append(kr_list *l, bool left, const void *item, size_t size)
{
    return kri_shared_list_append(list_of(l), left, item, size);
}

static int list_extend(kr_list *l, const kr_bytes *items, size_t count)
{
    return kri_shared_list_extend(list_of(l), items, count);
}

static int list_pop(kr_list *l, bool left, void *item, size_t room, size_t *size)
{
    return kri_shared_list_pop(list_of(l), left, item, room, size);
}

static int list_get(kr_list *l, int64_t index, void *item, size_t room, size_t *size)
{
    return kri_shared_list_get(list_of(l), index, item, room, size);
}

static int list_set(kr_list *l, int64_t index, const void *item, size_t size)
{
    return kri_shared_list_set(list_of(l), index, item, size);
}

static int list_insert(kr_list *l, int64_t index, const void *item, size_t size)
{
    return kri_shared_list_insert(list_of(l), index, item, size);
}

static int list_take_out(kr_list *l, int64_t index)
{
    return kri_shared_list_take_out(list_of(l), index);
}

static int64_t list_index(kr_list *l, const void *item, size_t size)
{
    return kri_shared_list_index(list_of(l), item, size);
}

static int64_t list_count(kr_list *l, const void *item, size_t size)
{
    return kri_shared_list_count(list_of(l), item, size);
}

static int list_remove(kr_list *l, const void *item, size_t size)
{
    return kri_shared_list_remove(list_of(l), item, size);
}

static int64_t list_length(kr_list *l)
{
    return kri_shared_list_length(list_of(l));
}

static int list_clear(kr_list *l)
{
    return kri_shared_list_clear(list_of(l));
}

static int list_reverse(kr_list *l)
{
    return kri_shared_list_reverse(list_of(l));
}

static int list_sort(kr_list *l, kr_list_compare compare, void *arg)
{
    return kri_shared_list_sort(list_of(l), compare, arg);
}

static int list_slice(kr_list *l, int64_t first, int64_t end, kr_items **items)
{
    return kri_shared_list_slice(list_of(l), first, end, items);
}

static void list_end(kr_list *l)
{
    os_free(l);
}

static const kri_list_ops list_ops = {
    .append = list_append,
    .extend = list_extend,
    .pop = list_pop,
    .get = list_get,
    .set = list_set,
    .insert = list_insert,
    .take_out = list_take_out,
    .index = list_index,
    .count = list_count,
    .remove = list_remove,
    .length = list_length,
    .clear = list_clear,
    .reverse = list_reverse,
    .sort = list_sort,
    .slice = list_slice,
    .end = list_end,
};

static int open_list(kr_list **l, kr_manager *m, const char *name)
{
    shared_list *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->face.ops = &list_ops;
    int err = open_object(&made->object, m, name, &kri_list_kind, NULL, made->face.handle.name);
    return KRI_SHARED_OPENED(l, made, err);
}

/* Values */

typedef struct shared_value {
    kr_managed_value face;
    kri_shared_object object;
} shared_value;

static const kri_shared_object *value_of(kr_managed_value *v)
{
    return &((shared_value *)(void *)v)->object;
}

static int value_get(kr_managed_value *v, void *value)
{
    return kri_shared_value_get(value_of(v), v->size, value);
}

static int value_set(kr_managed_value *v, const void *value)
{
    return kri_shared_value_set(value_of(v), v->size, value);
}

static int value_compare_and_set(kr_managed_value *v, const void *expected, const void *value)
{
    return kri_shared_value_compare_and_set(value_of(v), v->size, expected, value);
}

static int value_add(kr_managed_value *v, int64_t amount, int64_t *sum)
{
    return kri_shared_value_add(value_of(v), amount, sum);
}

static void value_end(kr_managed_value *v)
{
    os_free(v);
}

static const kri_value_ops value_ops = {
    .get = value_get,
    .set = value_set,
    .compare_and_set = value_compare_and_set,
    .add = value_add,
    .end = value_end,
};

static int open_value(kr_managed_value **v, kr_manager *m, const char *name, size_t size,
                      const void *value)
{
    kri_value_made plan = {size, value};
    shared_value *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->face.ops = &value_ops;
    int err = open_object(&made->object, m, name, &kri_value_kind, &plan, made->face.handle.name);
    if (err == 0)
        made->face.size = kri_shared_value_size(&made->object);
    if (err == 0 && made->face.size > made->object.space->end)
        err = KR_ECORRUPT;
    if (err == 0 && size != 0 && size != made->face.size)
        err = -EEXIST;
    return KRI_SHARED_OPENED(v, made, err);
}

/* Arrays */

typedef struct shared_array {
    kr_managed_array face;
    kri_shared_object object;
} shared_array;

static const kri_shared_object *array_of(kr_managed_array *a)
{
    return &((shared_array *)(void *)a)->object;
}

static int array_get(kr_managed_array *a, size_t first, size_t count, void *items)
{
    size_t whole = a->item_size * a->length;
    return kri_shared_array_get(array_of(a), whole, first * a->item_size, count * a->item_size,
                                items);
}

static int array_set(kr_managed_array *a, size_t first, size_t count, const void *items)
{
    size_t whole = a->item_size * a->length;
    return kri_shared_array_set(array_of(a), whole, first * a->item_size, count * a->item_size,
                                items);
}

static void array_end(kr_managed_array *a)
{
    os_free(a);
}

static const kri_array_ops array_ops = {
    .get = array_get,
    .set = array_set,
    .end = array_end,
};

/* 0: it is as wanted. */
static int judge_array(const kr_managed_array *a, const kri_array_made *plan, uint64_t most)
{
    size_t whole;
    if (__builtin_mul_overflow(a->item_size, a->length, &whole) || whole > most)
        return KR_ECORRUPT;
    bool wanted = (plan->item_size == 0 || plan->item_size == a->item_size) &&
                  (plan->length == 0 || plan->length == a->length);
    return wanted ? 0 : -EEXIST;
}

static int open_array(kr_managed_array **a, kr_manager *m, const char *name, size_t item_size,
                      size_t length, const void *items)
{
    kri_array_made plan = {item_size, length, items};
    shared_array *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->face.ops = &array_ops;
    int err = open_object(&made->object, m, name, &kri_array_kind, &plan, made->face.handle.name);
    if (err == 0) {
        made->face.item_size = kri_shared_array_item_size(&made->object);
        made->face.length = kri_shared_array_length(&made->object);
        err = judge_array(&made->face, &plan, made->object.space->end);
    }
    return KRI_SHARED_OPENED(a, made, err);
}

const kri_containers kri_shared_containers = {
    .list = open_list,
    .value = open_value,
    .array = open_array,
    .queue = kri_shared_manager_queue,
    .lock = kri_shared_lock,
    .rlock = kri_shared_rlock,
    .condition = kri_shared_condition,
    .semaphore = kri_shared_semaphore,
    .event = kri_shared_event,
    .barrier = kri_shared_barrier,
};
