/* Managers: names, children, limits, memory.
 *
 * Behaviours: section 12.9
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/help.h"
#include "memory/help.h"
#include <krait/krait.h>

TEST(test_manager_arguments)
{
    kr_manager *m = NULL;
    kr_manager_options options = {.limit = (1 << 20) - 1};
    kr_manager_statistics s;
    CHECK_EQ(kr_manager_open(NULL, NULL, NULL), -EINVAL);
    CHECK_EQ(kr_manager_open(&m, "a/b", NULL), -EINVAL);
    CHECK_EQ(kr_manager_open(&m, NULL, &options), -EINVAL);
    options = (kr_manager_options){.mode = 04000};
    CHECK_EQ(kr_manager_open(&m, NULL, &options), -EINVAL);
    options = (kr_manager_options){.timeout = -1};
    CHECK_EQ(kr_manager_open(&m, NULL, &options), -EINVAL);
    options = (kr_manager_options){.reserved = {0, 0, 0, 1}};
    CHECK_EQ(kr_manager_open(&m, NULL, &options), -EINVAL);
    options = (kr_manager_options){.how = KR_MANAGER_ATTACH};
    CHECK_EQ(kr_manager_open(&m, NULL, &options), -EINVAL);
    CHECK_EQ(kr_manager_open(&m, own_name("none"), &options), -ENOENT);
    CHECK_EQ(kr_manager_attach_descriptor(&m, -1, NULL), -EBADF);
    CHECK_EQ(kr_manager_delete(NULL, "x"), -EINVAL);
    CHECK_EQ(kr_manager_each(NULL, NULL, NULL), -EINVAL);
    CHECK_EQ(kr_manager_read_statistics(NULL, &s), -EINVAL);
    CHECK_EQ(kr_manager_descriptor(NULL), -1);
    CHECK(m == NULL);
    kr_manager_release(NULL);
    kr_dict_release(NULL);
}

static void set_in_child(void *arg)
{
    kr_manager *m = arg;
    KR_AUTO(kr_dict) *d = dict_new(m, "d");
    CHECK_EQ(kr_dict_set_int(d, "child", getpid()), 0);
}

TEST(test_dict)
{
    KR_AUTO(kr_manager) *m = manager_new();
    KR_AUTO(kr_dict) *d = dict_new(m, "d");
    int64_t number = 0;
    reap(child(set_in_child, m));
    CHECK_EQ(kr_dict_get_int(d, "child", &number), 0);
    CHECK_GE(number, 2);
}

static void set_by_name(void *arg)
{
    const kr_manager_options options = {.how = KR_MANAGER_ATTACH};
    kr_manager *m = NULL;
    CHECK_EQ(kr_manager_open(&m, arg, &options), 0);
    kr_dict *d = dict_new(m, "d");
    CHECK_EQ(kr_dict_set_string(d, "from", "another process"), 0);
    kr_manager_release(m); /* the dict keeps it */
    CHECK_EQ(kr_dict_set_string(d, "and", "still"), 0);
    kr_dict_release(d);
}

TEST(test_remote)
{
    const kr_manager_options create = {.how = KR_MANAGER_CREATE};
    char *name = strdup(own_name("manager"));
    kr_manager *m = NULL, *other = NULL;
    char text[32];
    CHECK_EQ(kr_manager_open(&m, name, &create), 0);
    CHECK_EQ(kr_manager_open(&other, name, &create), -EEXIST);
    KR_AUTO(kr_dict) *d = dict_new(m, "d");
    reap(child(set_by_name, name));
    CHECK_EQ(kr_dict_get_string(d, "from", text, sizeof text), 0);
    CHECK_STR(text, "another process");
    CHECK_EQ(kr_dict_length(d), 2);
    CHECK_EQ(kr_manager_open(&other, name, NULL), 0);
    kr_manager_release(other);
    CHECK(name_exists(name));
    kr_manager_release(m);
    CHECK(name_exists(name)); /* by the dict's hold */
    kr_dict_release(d);
    d = NULL;
    CHECK(!name_exists(name));
    free(name);
}

/* What a killed one leaves behind is removed by the next of that name, and begins anew. */
static void die_with(void *arg)
{
    kr_manager *m = NULL;
    CHECK_EQ(kr_manager_open(&m, arg, NULL), 0);
    kr_dict *d = dict_new(m, "d");
    CHECK_EQ(kr_dict_set_string(d, "from", "the dead"), 0);
    kill(getpid(), SIGKILL);
}

TEST(test_rapid_restart)
{
    char *name = strdup(own_name("again"));
    for (int i = 0; i < 5; i++) {
        int status;
        pid_t id = child(die_with, name);
        CHECK_EQ(waitpid(id, &status, 0), id);
        CHECK(WIFSIGNALED(status));
        CHECK(name_exists(name));
        const kr_manager_options create = {.how = KR_MANAGER_CREATE};
        KR_AUTO(kr_manager) *m = NULL;
        CHECK_EQ(kr_manager_open(&m, name, &create), 0);
        KR_AUTO(kr_dict) *d = dict_new(m, "d");
        CHECK_EQ(kr_dict_length(d), 0);
    }
    CHECK(!name_exists(name));
    free(name);
}

TEST(test_manager_by_descriptor)
{
    KR_AUTO(kr_manager) *m = manager_new();
    KR_AUTO(kr_manager) *other = NULL;
    CHECK_EQ(kr_manager_attach_descriptor(&other, kr_manager_descriptor(m), NULL), 0);
    KR_AUTO(kr_dict) *d = dict_new(m, "d");
    KR_AUTO(kr_dict) *same = dict_new(other, "d");
    char text[8];
    CHECK_EQ(kr_dict_set_string(d, "a", "b"), 0);
    CHECK_EQ(kr_dict_get_string(same, "a", text, sizeof text), 0);
}

/* A dict in a dict is its name there: it stays what it is when the outer one is cleared. */
TEST(test_dict_proxy_nested)
{
    KR_AUTO(kr_manager) *m = manager_new();
    KR_AUTO(kr_dict) *pets = dict_new(m, "pets");
    KR_AUTO(kr_dict) *outer = dict_new(m, "outer");
    char name[KR_MANAGER_NAME + 1], text[8];
    CHECK_EQ(kr_dict_set_string(pets, "ferrets", "2"), 0);
    CHECK_EQ(kr_dict_set_string(outer, "pets", kr_dict_name(pets)), 0);
    CHECK_EQ(kr_dict_get_string(outer, "pets", name, sizeof name), 0);
    KR_AUTO(kr_dict) *inner = dict_new(m, name);
    CHECK_EQ(kr_dict_set_string(inner, "blue", "7"), 0);
    CHECK_EQ(kr_dict_get_string(pets, "blue", text, sizeof text), 0);
    CHECK_STR(text, "7");
    CHECK_EQ(kr_dict_clear(outer), 0);
    CHECK_EQ(kr_dict_length(outer), 0);
    CHECK_EQ(kr_dict_length(inner), 2);
}

/* Names of objects */

static int note_name(const char *name, kr_manager_kind kind, void *arg)
{
    CHECK_EQ(kind, KR_MANAGER_DICT);
    strcat(arg, name);
    return 0;
}

TEST(test_manager_objects)
{
    KR_AUTO(kr_manager) *m = manager_new();
    KR_AUTO(kr_dict) *one = dict_new(m, "one");
    KR_AUTO(kr_dict) *again = dict_new(m, "one");
    KR_AUTO(kr_dict) *nameless = dict_new(m, NULL);
    char names[512] = "", text[8];
    static char long_name[300];
    kr_dict *none = NULL;
    memset(long_name, 'x', sizeof long_name - 1);
    CHECK_EQ(kr_dict_open(&none, m, long_name), -ENAMETOOLONG);
    CHECK_EQ(kr_dict_set_string(one, "a", "b"), 0);
    CHECK_EQ(kr_dict_get_string(again, "a", text, sizeof text), 0);
    KR_AUTO(kr_dict) *by_name = dict_new(m, kr_dict_name(nameless));
    CHECK_EQ(kr_dict_set_string(nameless, "a", "b"), 0);
    CHECK_EQ(kr_dict_length(by_name), 1);
    CHECK_EQ(statistics(m).objects, 2);
    CHECK_EQ(kr_manager_delete(m, kr_dict_name(nameless)), 0);
    CHECK_EQ(kr_manager_delete(m, "two"), -ENOENT);
    CHECK_EQ(kr_manager_each(m, note_name, names), 0);
    CHECK_STR(names, "one");
    CHECK_EQ(kr_manager_delete(m, "one"), 0);
    CHECK_EQ(kr_dict_get_string(one, "a", text, sizeof text), -ESTALE);
    CHECK_EQ(kr_dict_set_string(again, "a", "b"), -ESTALE);
    CHECK_EQ(kr_dict_length(again), -ESTALE);
    CHECK_EQ(kr_dict_clear(again), -ESTALE);
    KR_AUTO(kr_dict) *fresh = dict_new(m, "one");
    CHECK_EQ(kr_dict_length(fresh), 0);
    CHECK_EQ(kr_dict_length(one), -ESTALE);
}

/* Memory */

TEST(test_manager_limit)
{
    const kr_manager_options options = {.limit = 4 << 20};
    kr_manager *m = NULL;
    CHECK_EQ(kr_manager_open(&m, NULL, &options), 0);
    KR_AUTO(kr_dict) *d = dict_new(m, "d");
    static char value[1000], large[3 << 20];
    uint64_t key = 0, found = 0;
    int err;
    while ((err = kr_dict_set(d, &key, sizeof key, value, sizeof value)) == 0)
        key++;
    CHECK_EQ(err, -EDQUOT);
    CHECK_GE(key, 2000);
    CHECK_EQ(kr_dict_length(d), (int64_t)key);
    CHECK_EQ(kr_dict_contains(d, &key, sizeof key), 0);
    CHECK_LE(statistics(m).taken, options.limit);
    for (found = 0; found < key; found++)
        CHECK_EQ(kr_dict_contains(d, &found, sizeof found), 1);
    CHECK_EQ(kr_dict_set(d, "large", 5, large, sizeof large), -EDQUOT);
    CHECK_EQ(kr_dict_clear(d), 0);
    CHECK_LE(statistics(m).taken, 1 << 20); /* given back */
    CHECK_EQ(kr_dict_set(d, "large", 5, large, sizeof large), 0);
    CHECK_EQ(kr_dict_set(d, "other", 5, large, sizeof large), -EDQUOT);
    CHECK_EQ(kr_dict_delete(d, "large", 5), 0);
    CHECK_EQ(kr_dict_set(d, "other", 5, large, sizeof large), 0);
    kr_manager_release(m);
}

/* A full /dev/shm is an error, and nobody is killed by a touch. */
TEST(test_manager_no_room_in_the_system)
{
    own_place(2 << 20);
    KR_AUTO(kr_manager) *m = NULL;
    KR_AUTO(kr_manager) *second = NULL;
    CHECK_EQ(kr_manager_open(&m, own_name("full"), NULL), 0);
    KR_AUTO(kr_dict) *d = dict_new(m, "d");
    static char value[1000];
    uint64_t key = 0;
    int err;
    while ((err = kr_dict_set(d, &key, sizeof key, value, sizeof value)) == 0)
        key++;
    CHECK_EQ(err, -ENOSPC);
    CHECK_GE(key, 500);
    CHECK_EQ(kr_dict_length(d), (int64_t)key);
    for (int i = 0; i < 5 && err != 0; i++)
        err = kr_manager_open(&second, own_name("more"), NULL);
    CHECK(err == -ENOSPC || err == 0);
    CHECK_EQ(kr_dict_clear(d), 0);
    CHECK_EQ(kr_dict_set(d, &key, sizeof key, value, sizeof value), 0);
}

/* One who is stopped inside a call holds others up for so long, and no longer. */
static void use_for_ever(void *arg)
{
    for (;;)
        CHECK_EQ(kr_dict_set_string(arg, "a", "b"), 0);
}

TEST(test_manager_stopped_process)
{
    const kr_manager_options options = {.timeout = kr_ms(50)};
    kr_manager *m = NULL;
    CHECK_EQ(kr_manager_open(&m, NULL, &options), 0);
    KR_AUTO(kr_dict) *d = dict_new(m, "d");
    pid_t id = child(use_for_ever, d);
    bool held = false;
    kr_time end = kr_now() + kr_sec(20);
    while (!held && kr_now() < end) {
        int status;
        CHECK_EQ(kill(id, SIGSTOP), 0);
        CHECK_EQ(waitpid(id, &status, WUNTRACED), id);
        kr_time start = kr_now();
        int err = kr_dict_set_string(d, "a", "c");
        held = err == -ETIMEDOUT;
        CHECK(err == 0 || held);
        if (held)
            CHECK_TIME(kr_now() - start, kr_ms(50));
        CHECK_EQ(kill(id, SIGCONT), 0);
    }
    kill_and_reap(id);
    CHECK(held);
    CHECK_EQ(kr_dict_set_string(d, "a", "c"), 0);
    kr_manager_release(m);
}

/* Damage */

TEST(test_manager_damaged)
{
    char *name = strdup(own_name("damaged"));
    KR_AUTO(kr_shared_memory) *other = NULL;
    kr_manager *m = NULL;
    CHECK_EQ(kr_shared_memory_create(&other, name, 1 << 20, NULL), 0);
    CHECK_EQ(kr_manager_open(&m, name, NULL), KR_ECORRUPT);
    CHECK(m == NULL);
    free(name);
}

/* Whatever stands there, a call answers; it is some error, or what it would have been. */
TEST(test_manager_hostile)
{
    uint64_t random = kri_test_seed();
    for (int round = 0; round < 60; round++) {
        const kr_manager_options options = {.timeout = kr_ms(5), .limit = 2 << 20};
        kr_manager *m = NULL;
        CHECK_EQ(kr_manager_open(&m, NULL, &options), 0);
        KR_AUTO(kr_dict) *d = dict_new(m, "d");
        for (uint32_t k = 0; k < 200; k++)
            CHECK_EQ(kr_dict_set(d, &k, sizeof k, &k, sizeof k), 0);
        KR_AUTO(kr_shared_memory) *memory = NULL;
        CHECK_EQ(kr_shared_memory_attach_descriptor(&memory, kr_manager_descriptor(m)), 0);
        uint64_t *words = kr_shared_memory_data(memory);
        size_t most = (200 + 256) << 10;
        for (int i = 0; i < 1 << round % 12; i++) {
            size_t at = 128 + kri_test_random(&random) % (most - 128);
            words[at / 8] = kri_test_random(&random) >> kri_test_random(&random) % 64;
        }
        for (uint32_t k = 0; k < 40; k++) {
            uint32_t found;
            size_t size;
            (void)!kr_dict_get(d, &k, sizeof k, &found, sizeof found, &size);
            (void)!kr_dict_set(d, &k, sizeof k, &random, sizeof random);
            (void)!kr_dict_delete(d, &k, sizeof k);
            if (k % 10 == 0)
                (void)!kr_dict_length(d);
        }
        kr_manager_release(m);
    }
}
