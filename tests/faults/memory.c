/* Shared memory on a system that refuses the k-th call, or all from there on: nothing is left of
 * what could not be made, and what is there goes on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "faults/makers.h"
#include "memory/help.h"

enum { SIZE = 8192 };

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

TEST(test_failing_creation)
{
    own_place(1 << 20);
    name = "failing";
    refuse_all(make_anonymous, "anonymous", 1);
    refuse_all(make_named, "named", 1);
    CHECK(!name_exists(name));
    refuse_all(make_arena, "arena", 1);
    refuse_all(make_array, "array", 1);
    refuse_all(make_value, "value", 1);
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
    refuse_all(attach, "attach by name", 1);
    refuse_all(attach_descriptor, "attach by descriptor", 1);
    refuse_all(attach_arena, "attach to an arena", 1);
    descriptor = kr_shared_memory_descriptor(m);
    refuse_all(attach_descriptor, "attach to a named one by descriptor", 1);
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
