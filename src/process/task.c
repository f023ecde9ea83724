/* The functions that may travel.
 *
 * Constructors put them in a list before main; kr_init closes it and sorts it by name and file, so
 * that a function has the same number in every image of the program, wherever it lies there.  Two
 * of the same name and file (a static function of a header) keep the order of their constructors.
 *
 * The sum is over the names, and over the build-ids of the program and of each object that a
 * function is from: an image with another sum is not sent anything.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/global.h"
#include "process/internal.h"
#include <stdlib.h>
#include <string.h>

static kri_mutex tasks_lock KRI_GLOBAL;
static kr_task_entry *newest KRI_GLOBAL;
static uint32_t task_count KRI_GLOBAL;
static kri_pointer by_name KRI_GLOBAL; /* const once set: sorted, of task_count */
static const kr_task_entry **by_address KRI_GLOBAL;
static uint32_t *numbers KRI_GLOBAL; /* of by_address */
static uint64_t table_sum KRI_GLOBAL;

void kr_task_register(kr_task_entry *entry)
{
    kri_mutex_lock(&tasks_lock);
    if (kri_load_rlx_ptr(&by_name) == NULL) {
        entry->next = newest;
        newest = entry;
        task_count++;
    }
    kri_mutex_unlock(&tasks_lock);
}

typedef struct place {
    const kr_task_entry *entry;
    uint32_t number;
} place;

static int compare_names(const void *a, const void *b)
{
    const place *x = a, *y = b;
    int order = strcmp(x->entry->name, y->entry->name);
    if (order == 0)
        order = strcmp(x->entry->file, y->entry->file);
    return order != 0 ? order : (x->number > y->number) - (x->number < y->number);
}

static int compare_addresses(const void *a, const void *b)
{
    const place *x = a, *y = b;
    uintptr_t left = (uintptr_t)x->entry->fn, right = (uintptr_t)y->entry->fn;
    return (left > right) - (left < right);
}

/* FNV-1a: it is to tell programs apart, not to keep anybody out. */
static uint64_t add_to_sum(uint64_t sum, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ at[i]) * 0x100000001b3u;
    return sum;
}

static uint64_t add_build_id(uint64_t sum, const void *address)
{
    uint8_t id[64];
    return add_to_sum(sum, id, os_build_id(address, id, sizeof id));
}

static uint64_t sum_of(const place *places)
{
    uint64_t sum = add_build_id(0xcbf29ce484222325u, NULL);
    for (uint32_t i = 0; i < task_count; i++) {
        const kr_task_entry *entry = places[i].entry;
        sum = add_to_sum(sum, entry->name, strlen(entry->name) + 1);
        sum = add_to_sum(sum, entry->file, strlen(entry->file) + 1);
        sum = add_build_id(sum, (const void *)(uintptr_t)entry->fn);
    }
    return sum;
}

static void fill(place *places, const kr_task_entry **names)
{
    uint32_t left = task_count;
    for (const kr_task_entry *entry = newest; entry != NULL; entry = entry->next) {
        left--;
        places[left] = (place){entry, left};
    }
    qsort(places, task_count, sizeof *places, compare_names);
    table_sum = sum_of(places);
    for (uint32_t i = 0; i < task_count; i++) {
        names[i] = places[i].entry;
        places[i].number = i;
    }
    qsort(places, task_count, sizeof *places, compare_addresses);
    for (uint32_t i = 0; i < task_count; i++) {
        by_address[i] = places[i].entry;
        numbers[i] = places[i].number;
    }
}

static int close_list(void)
{
    size_t room = (size_t)task_count + 1;
    place *places = os_alloc(room * sizeof *places);
    const kr_task_entry **names = os_alloc(room * sizeof(kr_task_entry *));
    by_address = os_alloc(room * sizeof(kr_task_entry *));
    numbers = os_alloc(room * sizeof *numbers);
    bool enough = places != NULL && names != NULL && by_address != NULL && numbers != NULL;
    if (enough) {
        fill(places, names);
        kri_store_rel_ptr(&by_name, names);
    } else {
        os_free(names);
        os_free(by_address);
        os_free(numbers);
    }
    os_free(places);
    return enough ? 0 : -ENOMEM;
}

int kri_task_close(void)
{
    kri_mutex_lock(&tasks_lock);
    int err = kri_load_rlx_ptr(&by_name) == NULL ? close_list() : 0;
    kri_mutex_unlock(&tasks_lock);
    return err;
}

int kri_task_find(void (*fn)(void), uint32_t *id)
{
    if (kri_load_acq_ptr(&by_name) == NULL)
        return KR_EINIT;
    uint32_t first = 0, end = task_count;
    while (first < end) {
        uint32_t middle = first + (end - first) / 2;
        if ((uintptr_t)by_address[middle]->fn < (uintptr_t)fn)
            first = middle + 1;
        else
            end = middle;
    }
    if (first == task_count || by_address[first]->fn != fn)
        return KR_ETASK;
    *id = numbers[first];
    return 0;
}

void (*kri_task_function(uint32_t id))(void)
{
    const kr_task_entry *const *names = kri_load_acq_ptr(&by_name);
    return names != NULL && id < task_count ? names[id]->fn : NULL;
}

const char *kri_task_name(void (*fn)(void))
{
    kri_mutex_lock(&tasks_lock);
    const kr_task_entry *entry = newest;
    while (entry != NULL && entry->fn != fn)
        entry = entry->next;
    kri_mutex_unlock(&tasks_lock);
    return entry != NULL ? entry->name : NULL;
}

uint64_t kri_task_table_sum(void)
{
    return kri_load_acq_ptr(&by_name) != NULL ? table_sum : 0;
}
