/* A manager: a dict, a list and a queue that processes share by their names.
 *
 * Rows 12, 13 and 80 of docs/lessons.md.  In Python:
 *
 *     with multiprocessing.Manager() as manager:
 *         table, numbers, results = manager.dict(), manager.list(range(10)), manager.Queue()
 *
 * Watch the last lines: five processes have filled the dict, in any order, and a sixth has summed
 * up the list.  Python has a server process for that, and each access is a message to it; here the
 * objects lie in shared memory, and it is a lock and a copy.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { UPDATERS = 5, NUMBERS = 10 };

static kr_dict *table; /* forked children inherit the handles */
static kr_list *numbers;
static kr_queue *results;

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int update(void *arg)
{
    int number = *(const int *)arg;
    char key[24], name[KR_PROCESS_NAME_SIZE];
    snprintf(key, sizeof key, "key_%d", number);
    kr_process_name(kr_process_current(), name, sizeof name);
    printf("%s sets %s\n", name, key);
    return kr_dict_set_int(table, key, number * 10);
}

static int sum_up(void *arg)
{
    int number, sum = 0, err = 0;
    (void)arg;
    for (int i = 0; i < NUMBERS && !err; i++) {
        err = kr_list_get(numbers, i, &number, sizeof number, NULL);
        sum += err ? 0 : number;
    }
    return err ? err : kr_queue_put(results, &sum, KR_FOREVER);
}

static int print_item(const kr_dict_item *item, void *arg)
{
    (void)arg;
    printf("  %s: %s\n", (const char *)item->key, (const char *)item->value);
    return 0;
}

static int start(kr_process **p, int number)
{
    char name[24] = "Summer";
    if (number < UPDATERS)
        snprintf(name, sizeof name, "Updater-%d", number);
    return kr_process_start(p, number < UPDATERS ? update : sum_up, &number, sizeof number,
                            &(kr_process_options){.start = KR_FORK, .name = name});
}

int main(void)
{
    KR_AUTO(kr_manager) *manager = NULL; /* ends with its scope, as Python's `with` */
    kr_process *children[UPDATERS + 1];
    int sum, err;

    setvbuf(stdout, NULL, _IOLBF, 0);
    err = kr_manager_open(&manager, NULL, NULL); /* NULL: for children, in shared memory */
    if (!err)
        err = kr_dict_open(&table, manager, "table");
    if (!err)
        err = kr_list_open(&numbers, manager, "numbers");
    if (!err)
        err = kr_manager_queue(&results, manager, "results", sizeof(int), 1, NULL);
    for (int i = 0; i < NUMBERS && !err; i++)
        err = kr_list_append(numbers, &i, sizeof i);
    if (err)
        return fail("manager", err);

    for (int i = 0; i <= UPDATERS; i++) {
        err = start(&children[i], i);
        if (err)
            return fail("start", err);
    }
    for (int i = 0; i <= UPDATERS; i++) {
        err = kr_process_join(children[i], NULL, KR_FOREVER);
        kr_process_release(children[i]);
        if (err)
            return fail("join", err);
    }
    printf("The dict has %d entries:\n", (int)kr_dict_length(table));
    err = kr_dict_each(table, print_item, NULL);
    if (!err)
        err = kr_queue_get(results, &sum, KR_NOWAIT);
    if (err)
        return fail("results", err);
    printf("The sum of the list is %d\n", sum);
    kr_dict_release(table);
    kr_list_release(numbers);
    kr_queue_release(results);
    return EXIT_SUCCESS;
}
