/* Managers on a system that refuses the k-th call, or all from there on: the error says so, nothing
 * is left of what could not be made, and what is in a dict is as it was.
 *
 * SPDX-License-Identifier: MIT
 */
#include "faults/makers.h"
#include <krait/dict.h>
#include <stdio.h>
#include <unistd.h>

enum { KEYS = 60, LONG = 300000 };

static char name[64];

static int open_and_set(const char *where)
{
    kr_manager *m = NULL;
    kr_dict *d = NULL;
    int err = kr_manager_open(&m, where, NULL);
    if (err == 0)
        err = kr_dict_open(&d, m, "d");
    if (err == 0)
        err = kr_dict_set(d, "a", 1, "b", 1);
    kr_dict_release(d);
    kr_manager_release(m);
    return err;
}

static int make_anonymous(void)
{
    return open_and_set(NULL);
}

static int make_named(void)
{
    return open_and_set(name);
}

TEST(test_failing_manager)
{
    snprintf(name, sizeof name, "krait-test-%d-failing", (int)getpid());
    refuse_all(make_anonymous, "anonymous", 2);
    refuse_all(make_named, "named", 2);
}

/* Calls on a dict: each is refused what it asks for, and then not done. */

static kr_dict *dict;
static const char value[LONG];

static int set_long(void)
{
    return kr_dict_set(dict, "long", 4, value, sizeof value);
}

static int batch(void)
{
    static kr_dict_operation ops[KEYS];
    static char keys[KEYS];
    for (int i = 0; i < KEYS; i++) {
        keys[i] = (char)i;
        ops[i] = (kr_dict_operation){.verb = KR_DICT_SET,
                                     .key = &keys[i],
                                     .key_size = 1,
                                     .value = value,
                                     .size = 200 + (size_t)i};
    }
    return kr_dict_batch(dict, ops, KEYS);
}

static void refuse_calls(int (*call)(void), faulty_group group, int64_t length)
{
    uint32_t refused = 0, calls = UINT32_MAX;
    for (uint32_t k = 1; k <= calls; k++) {
        CHECK_EQ(kr_dict_clear(dict), 0);
        CHECK_EQ(kr_dict_set(dict, "a", 1, "b", 1), 0);
        faulty_begin(group, k, true);
        int err = call();
        uint32_t failed = faulty_failed();
        calls = faulty_end();
        CHECK(err == 0 || failed > 0);
        CHECK_EQ(kr_dict_length(dict), err == 0 ? length : 1);
        refused += err != 0;
        if (failed == 0)
            break;
    }
    kri_test_note("%u times refused", refused);
    CHECK_GE(refused, 1);
}

/* A batch notes in private memory what is to be free in the end. */
TEST(test_failing_batch)
{
    kr_manager *m = NULL;
    CHECK_EQ(kr_manager_open(&m, NULL, NULL), 0);
    CHECK_EQ(kr_dict_open(&dict, m, "d"), 0);
    for (uint32_t k = 1; k < 4; k++) {
        char key = 7;
        CHECK_EQ(batch(), 0);
        for (char i = 0; i < KEYS; i++)
            CHECK_EQ(kr_dict_set(dict, &i, 1, "x", 1), 0);
        faulty_begin(FAULTY_MEMORY, k, true);
        int err = batch();
        uint32_t failed = faulty_failed();
        (void)faulty_end();
        CHECK_EQ(err, failed > 0 ? -ENOMEM : 0);
        CHECK(k > 1 || failed > 0);
        CHECK_EQ(kr_dict_length(dict), KEYS);
        size_t size = 0;
        CHECK_EQ(kr_dict_get(dict, &key, 1, NULL, 0, &size), -ERANGE);
        CHECK_EQ(size, err != 0 ? 1 : 207);
    }
    kr_dict_release(dict);
    kr_manager_release(m);
}

TEST(test_failing_dict)
{
    kr_manager *m = NULL;
    CHECK_EQ(kr_manager_open(&m, NULL, NULL), 0);
    CHECK_EQ(kr_dict_open(&dict, m, "d"), 0);
    refuse_calls(set_long, FAULTY_SEGMENT, 2);
    kr_dict_release(dict);
    kr_manager_release(m);
}

/* Memory that is kept for the next goes back to a system that has no more, which is asked again. */
TEST(test_spare_chunks_against_a_full_system)
{
    kr_manager *m = NULL;
    kr_manager_statistics s;
    CHECK_EQ(kr_manager_open(&m, NULL, NULL), 0);
    CHECK_EQ(kr_dict_open(&dict, m, "d"), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(batch(), 0);
        for (char k = 0; k < KEYS; k++)
            CHECK_EQ(kr_dict_set(dict, &k, 1, value, 20000), 0);
        CHECK_EQ(kr_dict_clear(dict), 0);
    }
    CHECK_EQ(kr_manager_read_statistics(m, &s), 0);
    CHECK_GE(s.spare, 2 << 18);
    faulty_begin(FAULTY_SEGMENT, 1, false);
    int err = set_long();
    CHECK_EQ(faulty_failed(), 1);
    (void)faulty_end();
    CHECK_EQ(err, 0);
    CHECK_EQ(kr_dict_length(dict), 1);
    kr_dict_release(dict);
    kr_manager_release(m);
}
