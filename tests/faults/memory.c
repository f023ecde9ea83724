/* Shared memory on a system that refuses the k-th call, or all from there on: nothing is left of
 * what could not be made, and what is there goes on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/faulty.h"
#include "memory/help.h"
#include <dirent.h>

enum { SIZE = 8192 };

static int open_descriptors(void)
{
    int count = 0;
    DIR *all = opendir("/proc/self/fd");
    CHECK(all != NULL);
    while (readdir(all) != NULL)
        count++;
    closedir(all);
    return count;
}

/* One way to make something; it is released at once.  The error, or 0. */
typedef int (*maker)(void);

static const char *name;
static int descriptor; /* of an arena */

static int make_anonymous(void)
{
    kr_shared_memory *m = NULL;
    int err = kr_shared_memory_create(&m, NULL, SIZE, &(kr_shared_memory_options){.reserve = true});
    kr_shared_memory_release(m);
    return err;
}

static int make_named(void)
{
    kr_shared_memory *m = NULL;
    int err = kr_shared_memory_create(&m, name, SIZE, NULL);
    kr_shared_memory_release(m);
    return err;
}

static int attach(void)
{
    kr_shared_memory *m = NULL;
    int err = kr_shared_memory_attach(&m, name, NULL);
    kr_shared_memory_release(m);
    return err;
}

static int attach_descriptor(void)
{
    kr_shared_memory *m = NULL;
    int err = kr_shared_memory_attach_descriptor(&m, descriptor);
    kr_shared_memory_release(m);
    return err;
}

static int make_arena(void)
{
    kr_arena *a = NULL;
    int err = kr_arena_create(&a, SIZE, NULL);
    kr_arena_release(a);
    return err;
}

static int attach_arena(void)
{
    kr_arena *a = NULL;
    int err = kr_arena_attach_descriptor(&a, descriptor);
    kr_arena_release(a);
    return err;
}

static int make_array(void)
{
    kr_array *a = NULL;
    int err = kr_array_create(&a, 8, 100, NULL, NULL);
    kr_array_release(a);
    return err;
}

static int make_value(void)
{
    kr_value *v = NULL;
    int err = kr_value_create(&v, 8, NULL, NULL);
    kr_value_release(v);
    return err;
}

static uint32_t try_with(maker make, faulty_group group, uint32_t k, bool all_after)
{
    int64_t live = faulty_live();
    int descriptors = open_descriptors();
    faulty_begin(group, k, all_after);
    int err = make();
    uint32_t failed = faulty_failed();
    uint32_t calls = faulty_end();
    CHECK(err <= 0);
    CHECK(err == 0 || failed > 0);
    CHECK_EQ(faulty_live(), live);
    CHECK_EQ(open_descriptors(), descriptors);
    return calls;
}

static uint32_t refuse_each(maker make, faulty_group group)
{
    uint32_t k = 1;
    CHECK_EQ(make(), 0); /* what is taken once for all */
    while (try_with(make, group, k, false) >= k) {
        (void)try_with(make, group, k, true);
        CHECK_EQ(make(), 0);
        k++;
    }
    return k - 1;
}

static void refuse_all(maker make, const char *what)
{
    uint32_t memory = refuse_each(make, FAULTY_MEMORY);
    uint32_t segment = refuse_each(make, FAULTY_SEGMENT);
    kri_test_note("%s: %u requests for memory and %u other calls, each refused once", what, memory,
                  segment);
    CHECK_GE(memory, 1);
}

TEST(test_failing_creation)
{
    own_place(1 << 20);
    name = "failing";
    refuse_all(make_anonymous, "anonymous");
    refuse_all(make_named, "named");
    CHECK(!name_exists(name));
    refuse_all(make_arena, "arena");
    refuse_all(make_array, "array");
    refuse_all(make_value, "value");
}

/* Whatever is refused on the way: a creation that succeeds has a segment that is held. */
TEST(a_creation_that_succeeds_holds)
{
    own_place(1 << 20);
    uint32_t calls = 0, succeeded = 0;
    for (uint32_t k = 1; calls == 0 || k <= calls + 1; k++) {
        kr_shared_memory *m = NULL;
        faulty_begin(FAULTY_SEGMENT, k, false);
        int err = kr_shared_memory_create(&m, "held", SIZE, NULL);
        succeeded += err == 0 && faulty_failed() > 0;
        calls = faulty_end();
        CHECK_EQ(kr_shared_memory_clean(NULL, NULL), 0);
        CHECK(name_exists("held") == (err == 0));
        kr_shared_memory_release(m);
    }
    CHECK_GE(succeeded, 1);
}

TEST(test_failing_attach)
{
    own_place(1 << 20);
    name = "failing";
    kr_shared_memory *m = NULL;
    kr_arena *a = NULL;
    CHECK_EQ(kr_shared_memory_create(&m, name, SIZE, NULL), 0);
    CHECK_EQ(kr_arena_create(&a, SIZE, NULL), 0);
    descriptor = kr_arena_descriptor(a);
    refuse_all(attach, "attach by name");
    refuse_all(attach_descriptor, "attach by descriptor");
    refuse_all(attach_arena, "attach to an arena");
    descriptor = kr_shared_memory_descriptor(m);
    refuse_all(attach_descriptor, "attach to a named one by descriptor");
    CHECK(name_exists(name));
    kr_shared_memory_release(m);
    kr_arena_release(a);
    CHECK(!name_exists(name));
}

/* A made-up name that is in use is made up again; a given one is an error. */
TEST(a_made_up_name_that_is_in_use)
{
    own_place(1 << 20);
    kr_shared_memory *m = NULL;
    faulty_begin(FAULTY_NAME, 1, false);
    CHECK_EQ(kr_shared_memory_create(&m, "", SIZE, NULL), 0);
    CHECK_EQ(faulty_end(), 2);
    kr_shared_memory_release(m);
    faulty_begin(FAULTY_NAME, 1, true);
    CHECK_EQ(kr_shared_memory_create(&m, "", SIZE, NULL), -EEXIST);
    CHECK_GE(faulty_end(), 10);
    faulty_begin(FAULTY_NAME, 1, false);
    CHECK_EQ(kr_shared_memory_create(&m, "given", SIZE, NULL), -EEXIST);
    CHECK_EQ(faulty_end(), 1);
}

/* Somebody who has seized it lets it go, or is stopped for ever. */
TEST(attach_while_it_is_being_removed)
{
    own_place(1 << 20);
    kr_shared_memory *m = NULL, *other = NULL;
    CHECK_EQ(kr_shared_memory_create(&m, "busy", SIZE, NULL), 0);
    faulty_begin(FAULTY_BUSY, 1, false);
    CHECK_EQ(kr_shared_memory_attach(&other, "busy", NULL), 0);
    CHECK_EQ(faulty_end(), 2);
    kr_shared_memory_release(other);
    faulty_begin(FAULTY_BUSY, 1, true);
    CHECK_EQ(kr_shared_memory_attach(&other, "busy", NULL), -EBUSY);
    CHECK_GE(faulty_end(), 10);
    faulty_begin(FAULTY_BUSY, 1, true);
    CHECK_EQ(kr_shared_memory_attach_descriptor(&other, kr_shared_memory_descriptor(m)), -EBUSY);
    CHECK_EQ(kr_shared_memory_unlink("busy"), 0);
    CHECK_GE(faulty_end(), 10);
    CHECK(!name_exists("busy"));
    kr_shared_memory_release(m);
}
