/* The lessons about managers, and a manager's life: scopes, names, restarts, strangers.
 *
 * Behaviours: section 12.9.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/list_help.h"

/* A dict, a list and a queue shared by five who update and one who sums up. */

enum { UPDATERS = 5 };

static int update(void *arg)
{
    KR_AUTO(kr_manager) *m = NULL;
    KR_AUTO(kr_dict) *d = NULL;
    KR_AUTO(kr_list) *l = NULL;
    KR_AUTO(kr_queue) *q = NULL;
    const worker_call *call = arg;
    char key[16];
    int64_t number = call->index;
    CHECK_EQ(kr_manager_open(&m, call->where, NULL), 0);
    CHECK_EQ(kr_dict_open(&d, m, "numbers"), 0);
    CHECK_EQ(kr_list_open(&l, m, "names"), 0);
    CHECK_EQ(kr_manager_queue(&q, m, "squares", sizeof number, 16, NULL), 0);
    snprintf(key, sizeof key, "key_%d", call->index);
    CHECK_EQ(kr_dict_set_int(d, key, number * 10), 0);
    CHECK_EQ(kr_list_append(l, key, strlen(key)), 0);
    CHECK_EQ(kr_queue_put(q, &(int64_t){number * number}, KR_FOREVER), 0);
    return 0;
}
KR_TASK(update);

static int add_value(const kr_dict_item *item, void *arg)
{
    *(int64_t *)arg += strtoll(item->value, NULL, 10);
    return 0;
}

/* The process that sums up: it waits for as many as there are. */
static void sum_up(kr_manager *m)
{
    KR_AUTO(kr_dict) *d = NULL;
    KR_AUTO(kr_queue) *q = NULL;
    KR_AUTO(kr_managed_value) *sums = NULL;
    int64_t square, total[2] = {0, 0};
    CHECK_EQ(kr_dict_open(&d, m, "numbers"), 0);
    CHECK_EQ(kr_manager_queue(&q, m, "squares", sizeof square, 16, NULL), 0);
    CHECK_EQ(kr_managed_value_open(&sums, m, "sums", sizeof total, NULL), 0);
    for (int i = 0; i < UPDATERS; i++) {
        CHECK_EQ(kr_queue_get(q, &square, kr_sec(60)), 0);
        total[1] += square;
    }
    CHECK_EQ(kr_dict_each(d, add_value, &total[0]), 0);
    CHECK_EQ(kr_managed_value_set(sums, total), 0);
}
WORKER(sum_up);

static kr_process *start_updater(int index)
{
    kr_process *p = NULL;
    worker_call call = {.index = index};
    snprintf(call.where, sizeof call.where, "%s", backend_now->where());
    CHECK_EQ(
        kr_process_start(&p, update, &call, sizeof call, &(kr_process_options){.start = KR_SPAWN}),
        0);
    return p;
}

BACKEND_TEST(five_update_and_one_sums_up)
{
    KR_AUTO(kr_manager) *m = manager_open();
    KR_AUTO(kr_dict) *d = NULL;
    KR_AUTO(kr_list) *l = NULL;
    KR_AUTO(kr_managed_value) *sums = NULL;
    kr_process *updaters[UPDATERS], *summing = worker_start_elsewhere(sum_up);
    int64_t total[2] = {0, 0}, value;
    for (int i = 0; i < UPDATERS; i++)
        updaters[i] = start_updater(i);
    for (int i = 0; i < UPDATERS; i++)
        worker_end_elsewhere(updaters[i]);
    worker_end_elsewhere(summing);
    CHECK_EQ(kr_managed_value_open(&sums, m, "sums", sizeof total, NULL), 0);
    CHECK_EQ(kr_managed_value_get(sums, total), 0);
    CHECK_EQ(total[0], 100);
    CHECK_EQ(total[1], 0 + 1 + 4 + 9 + 16);
    CHECK_EQ(kr_dict_open(&d, m, "numbers"), 0);
    CHECK_EQ(kr_dict_length(d), UPDATERS);
    CHECK_EQ(kr_list_open(&l, m, "names"), 0);
    CHECK_EQ(kr_list_length(l), UPDATERS);
    for (int i = 0; i < UPDATERS; i++) {
        char key[16];
        snprintf(key, sizeof key, "key_%d", i);
        CHECK_EQ(kr_dict_get_int(d, key, &value), 0);
        CHECK_EQ(value, i * 10);
        CHECK_EQ(kr_list_count(l, key, strlen(key)), 1);
    }
}

/* Scopes: with the last handle a manager is gone. */

static bool is_there(const char *name)
{
    kr_manager *m = NULL;
    int err = kr_manager_open(&m, name, &(kr_manager_options){.how = KR_MANAGER_ATTACH});
    kr_manager_release(m);
    CHECK(err == 0 || err == -ENOENT);
    return err == 0;
}

TEST(test_mymanager_context)
{
    const char *name = backend_where_shared();
    {
        KR_AUTO(kr_manager) *m = NULL;
        CHECK_EQ(kr_manager_open(&m, name, NULL), 0);
        CHECK(is_there(name));
    }
    CHECK(!is_there(name));
}

/* One that was there before, and is used by two. */
TEST(test_mymanager_context_prestarted)
{
    const char *name = backend_where_shared();
    kr_manager *first = NULL;
    CHECK_EQ(kr_manager_open(&first, name, NULL), 0);
    {
        KR_AUTO(kr_manager) *m = NULL;
        KR_AUTO(kr_list) *l = NULL;
        CHECK_EQ(kr_manager_open(&m, name, &(kr_manager_options){.how = KR_MANAGER_ATTACH}), 0);
        CHECK_EQ(kr_list_open(&l, m, "l"), 0);
        append_int(l, 1);
    }
    CHECK(is_there(name));
    KR_AUTO(kr_list) *l = NULL;
    CHECK_EQ(kr_list_open(&l, first, "l"), 0);
    kr_manager_release(first);
    CHECK_EQ(get_int(l, 0), 1); /* its container has it still */
    CHECK(is_there(name));
    kr_list_release(l);
    l = NULL;
    CHECK(!is_there(name));
}

/* A second process knows the name only; what it puts is got here. */
static void put_remotely(kr_manager *m)
{
    KR_AUTO(kr_queue) *q = NULL;
    CHECK_EQ(kr_manager_queue(&q, m, "queue", 0, 0, NULL), 0);
    CHECK_EQ(kr_queue_put_bytes(q, "hello world", 11, kr_sec(60)), 0);
    CHECK_EQ(kr_queue_put_bytes(q, "", 0, kr_sec(60)), 0);
}
WORKER(put_remotely);

BACKEND_TEST(test_remote)
{
    KR_AUTO(kr_manager) *m = manager_open();
    KR_AUTO(kr_queue) *q = NULL;
    char text[16];
    size_t size = 0;
    kr_process *p = worker_start_elsewhere(put_remotely);
    CHECK_EQ(kr_manager_queue(&q, m, "queue", 0, 0, NULL), 0);
    CHECK_EQ(kr_queue_get_bytes(q, text, sizeof text, &size, kr_sec(60)), 0);
    CHECK_EQ(size, 11);
    CHECK(memcmp(text, "hello world", 11) == 0);
    CHECK_EQ(kr_queue_get_bytes(q, text, sizeof text, &size, kr_sec(60)), 0);
    CHECK_EQ(size, 0);
    worker_end_elsewhere(p);
}

/* The same name at once again: empty, whether its last user has released it or was killed. */
static void use_and_die(void *arg)
{
    kr_manager *m = NULL;
    kr_list *l = NULL;
    CHECK_EQ(kr_manager_open(&m, arg, NULL), 0);
    CHECK_EQ(kr_list_open(&l, m, "l"), 0);
    append_int(l, 1);
    raise(SIGKILL);
}

TEST(test_rapid_restart)
{
    enum { TIMES = 20 };
    char name[64];
    snprintf(name, sizeof name, "%s", backend_where_shared());
    for (int i = 0; i < TIMES; i++) {
        KR_AUTO(kr_manager) *m = NULL;
        KR_AUTO(kr_list) *l = NULL;
        CHECK_EQ(kr_manager_open(&m, name, &(kr_manager_options){.how = KR_MANAGER_CREATE}), 0);
        CHECK_EQ(kr_list_open(&l, m, "l"), 0);
        CHECK_EQ(kr_list_length(l), 0);
        append_int(l, i);
    }
    for (int i = 0; i < TIMES; i++) {
        pid_t id = child(use_and_die, name);
        int status;
        CHECK_EQ(waitpid(id, &status, 0), id);
        CHECK(WIFSIGNALED(status));
        KR_AUTO(kr_manager) *m = NULL;
        KR_AUTO(kr_list) *l = NULL;
        CHECK_EQ(kr_manager_open(&m, name, &(kr_manager_options){.how = KR_MANAGER_CREATE}), 0);
        CHECK_EQ(kr_list_open(&l, m, "l"), 0);
        CHECK_EQ(kr_list_length(l), 0);
    }
}
