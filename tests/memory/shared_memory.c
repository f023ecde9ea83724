/* Segments with and without names, beside Python's.
 *
 * Behaviours: section 12.6.
 *
 * SPDX-License-Identifier: MIT
 */
#include "memory/help.h"
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { SIZE = 512 };

static kr_shared_memory *create(const char *name, size_t size)
{
    kr_shared_memory *m = NULL;
    CHECK_EQ(kr_shared_memory_create(&m, name, size, NULL), 0);
    return m;
}

static kr_shared_memory *attach(const char *name)
{
    kr_shared_memory *m = NULL;
    CHECK_EQ(kr_shared_memory_attach(&m, name, NULL), 0);
    return m;
}

TEST(test_shared_memory_basics)
{
    const char *name = own_name("basics");
    kr_shared_memory *m = create(name, SIZE), *other = NULL;
    CHECK_STR(kr_shared_memory_name(m), name);
    CHECK_EQ(kr_shared_memory_size(m), SIZE);
    unsigned char *data = kr_shared_memory_data(m);
    for (int i = 0; i < SIZE; i++)
        CHECK_EQ(data[i], 0);
    data[0] = 42;
    other = attach(name);
    CHECK_EQ(kr_shared_memory_size(other), SIZE);
    CHECK(kr_shared_memory_data(other) != data);
    CHECK_EQ(*(unsigned char *)kr_shared_memory_data(other), 42);
    *(unsigned char *)kr_shared_memory_data(other) = 22;
    CHECK_EQ(data[0], 22);
    kr_shared_memory_release(other);
    other = attach(name); /* as often as one likes */
    kr_shared_memory_release(other);
    CHECK_EQ(kr_shared_memory_create(&other, name, SIZE, NULL), -EEXIST);
    CHECK_EQ(data[0], 22);
    CHECK_EQ(kr_shared_memory_unlink(name), 0);
    CHECK_EQ(kr_shared_memory_unlink(name), -ENOENT);
    CHECK_EQ(kr_shared_memory_attach(&other, name, NULL), -ENOENT);
    CHECK_EQ(data[0], 22); /* who has it goes on */
    kr_shared_memory_release(m);
    kr_shared_memory_release(NULL);
}

TEST(made_up_names_differ)
{
    kr_shared_memory *one = create("", SIZE), *two = create("", SIZE);
    CHECK(strcmp(kr_shared_memory_name(one), kr_shared_memory_name(two)) != 0);
    kr_shared_memory *again = attach(kr_shared_memory_name(two));
    kr_shared_memory_release(one);
    kr_shared_memory_release(two);
    kr_shared_memory_release(again);
}

TEST(test_shared_memory_recreate)
{
    const char *name = own_name("recreate");
    for (int i = 0; i < 3; i++) {
        kr_shared_memory *m = create(name, SIZE);
        unsigned char *data = kr_shared_memory_data(m);
        CHECK_EQ(data[0], 0);
        data[0] = 7;
        CHECK_EQ(kr_shared_memory_unlink(name), 0);
        if (i == 1) { /* the name is free while the old one is in use */
            kr_shared_memory *next = create(name, SIZE);
            CHECK_EQ(*(unsigned char *)kr_shared_memory_data(next), 0);
            kr_shared_memory_release(m);
            CHECK(name_exists(name)); /* which was the other's */
            m = next;
        }
        kr_shared_memory_release(m);
    }
    CHECK(!name_exists(name));
}

/* behaviour: 12.6 test_shared_memory_name_with_embedded_null, which a C string cannot have */
TEST(test_invalid_shared_memory_creation)
{
    kr_shared_memory *m = NULL;
    char name[300];
    memset(name, 'n', sizeof name);
    name[256] = '\0';
    CHECK_EQ(kr_shared_memory_create(&m, NULL, 0, NULL), -EINVAL);
    CHECK_EQ(kr_shared_memory_create(&m, "", 0, NULL), -EINVAL);
    CHECK_EQ(kr_shared_memory_create(&m, own_name("invalid"), (size_t)-1, NULL), -EINVAL);
    CHECK_EQ(kr_shared_memory_create(&m, "a/b", SIZE, NULL), -EINVAL);
    CHECK_EQ(kr_shared_memory_create(&m, "/a", SIZE, NULL), -EINVAL);
    CHECK_EQ(kr_shared_memory_create(&m, "..", SIZE, NULL), -EINVAL);
    CHECK_EQ(kr_shared_memory_create(&m, name, SIZE, NULL), -ENAMETOOLONG);
    CHECK_EQ(kr_shared_memory_create(NULL, "", SIZE, NULL), -EINVAL);
    CHECK_EQ(kr_shared_memory_create(&m, "", SIZE, &(kr_shared_memory_options){.mode = 0700}),
             -EINVAL);
    CHECK_EQ(kr_shared_memory_create(&m, "", SIZE, &(kr_shared_memory_options){.reserved = {1}}),
             -EINVAL);
    CHECK_EQ(kr_shared_memory_attach(&m, NULL, NULL), -EINVAL);
    CHECK_EQ(kr_shared_memory_attach(&m, "", NULL), -EINVAL);
    CHECK_EQ(kr_shared_memory_attach(&m, name, NULL), -ENAMETOOLONG);
    CHECK_EQ(kr_shared_memory_unlink(NULL), -EINVAL);
    CHECK_EQ(kr_shared_memory_unlink(""), -EINVAL);
    name[255] = '\0';
    m = create(name, SIZE);
    kr_shared_memory_release(m);
}

/* /dev/shm is full: that is said here, and not by SIGBUS later. */
TEST(no_room_is_an_error_at_once)
{
    kr_shared_memory *m = NULL, *rest = NULL;
    own_place(1 << 20);
    CHECK_EQ(kr_shared_memory_create(&m, "large", 2 << 20, NULL), -ENOSPC);
    CHECK_EQ(kr_shared_memory_create(&m, "larger", PTRDIFF_MAX / 2, NULL), -ENOSPC);
    m = create("first", 900 << 10);
    CHECK_EQ(kr_shared_memory_create(&rest, "second", 200 << 10, NULL), -ENOSPC);
    CHECK(!name_exists("second"));
    rest = create("second", 64 << 10);
    memset(kr_shared_memory_data(m), 1, 900 << 10);
    memset(kr_shared_memory_data(rest), 1, 64 << 10);
    kr_shared_memory_release(m);
    m = create("first", 900 << 10); /* which gave it back */
    kr_shared_memory_release(m);
    kr_shared_memory_release(rest);
}

/* In fresh bytes nothing of a former segment is seen, and their memory is there. */
TEST(a_named_segment_has_its_memory)
{
    kr_shared_memory *m = create(own_name("reserved"), 1 << 20);
    struct stat s;
    CHECK_EQ(fstat(kr_shared_memory_descriptor(m), &s), 0);
    CHECK_GE((int64_t)s.st_blocks * 512, 1 << 20);
    kr_shared_memory_release(m);
    CHECK_EQ(kr_shared_memory_create(&m, NULL, 1 << 20, NULL), 0);
    CHECK_EQ(fstat(kr_shared_memory_descriptor(m), &s), 0);
    CHECK_EQ(s.st_blocks, 0);
    CHECK(kr_shared_memory_name(m) == NULL);
    kr_shared_memory_release(m);
    kr_shared_memory_options o = {.reserve = true};
    CHECK_EQ(kr_shared_memory_create(&m, NULL, 1 << 20, &o), 0);
    CHECK_EQ(fstat(kr_shared_memory_descriptor(m), &s), 0);
    CHECK_GE((int64_t)s.st_blocks * 512, 1 << 20);
    kr_shared_memory_release(m);
}

static void fill_by_name(void *arg)
{
    kr_shared_memory *m = attach(arg);
    memset(kr_shared_memory_data(m), 'x', kr_shared_memory_size(m));
    kr_shared_memory_release(m);
}

/* behaviour: 12.6 test_shared_memory_pickle_unpickle: what travels is the name */
TEST(test_shared_memory_across_processes)
{
    const char *name = own_name("across");
    kr_shared_memory *m = create(name, SIZE);
    reap(child(fill_by_name, (void *)(uintptr_t)name));
    for (int i = 0; i < SIZE; i++)
        CHECK_EQ(((char *)kr_shared_memory_data(m))[i], 'x');
    CHECK(name_exists(name));
    kr_shared_memory_release(m);
    CHECK(!name_exists(name));
}

static void find_nothing(void *arg)
{
    kr_shared_memory *m = NULL;
    CHECK_EQ(kr_shared_memory_attach(&m, arg, NULL), -ENOENT);
}

TEST(test_shared_memory_pickle_unpickle_dead_object)
{
    const char *name = own_name("dead");
    kr_shared_memory *m = create(name, SIZE);
    CHECK_EQ(kr_shared_memory_unlink(name), 0);
    reap(child(find_nothing, (void *)(uintptr_t)name));
    kr_shared_memory_release(m);
}

static void fill_by_descriptor(void *arg)
{
    kr_shared_memory *m = NULL;
    CHECK_EQ(kr_shared_memory_attach_descriptor(&m, *(int *)arg), 0);
    memset(kr_shared_memory_data(m), 'y', kr_shared_memory_size(m));
    kr_shared_memory_release(m);
}

TEST(without_a_name_it_is_known_by_its_descriptor)
{
    kr_shared_memory *m = create(NULL, SIZE);
    int fd = kr_shared_memory_descriptor(m);
    reap(child(fill_by_descriptor, &fd));
    CHECK_EQ(((char *)kr_shared_memory_data(m))[SIZE - 1], 'y');
    CHECK_EQ(ftruncate(fd, 1), -1);
    kr_shared_memory_release(m);
    CHECK_EQ(fcntl(fd, F_GETFD), -1);
    kr_shared_memory *none = NULL;
    CHECK_EQ(kr_shared_memory_attach_descriptor(&none, fd), -EBADF);
    int plain = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK_EQ(kr_shared_memory_attach_descriptor(&none, plain), KR_ECORRUPT);
}

/* One with a name is the same by its descriptor, and holds its name. */
TEST(a_named_one_by_its_descriptor)
{
    const char *name = own_name("by-descriptor");
    kr_shared_memory *m = create(name, SIZE), *other = NULL;
    CHECK_EQ(kr_shared_memory_attach_descriptor(&other, kr_shared_memory_descriptor(m)), 0);
    CHECK_STR(kr_shared_memory_name(other), name);
    kr_shared_memory_release(m);
    CHECK(name_exists(name));
    kr_shared_memory_release(other);
    CHECK(!name_exists(name));
}

/* Owner and mode */

TEST(open_to_others_is_refused_unless_allowed)
{
    const char *name = own_name("mode");
    kr_shared_memory *m = NULL, *other = NULL;
    kr_shared_memory_options group = {.mode = 0660};
    CHECK_EQ(kr_shared_memory_create(&m, name, SIZE, &group), 0);
    struct stat s;
    CHECK_EQ(fstat(kr_shared_memory_descriptor(m), &s), 0);
    CHECK_EQ(s.st_mode & 0777, 0660);
    CHECK_EQ(kr_shared_memory_attach(&other, name, NULL), -EPERM);
    CHECK_EQ(kr_shared_memory_attach(&other, name, &group), 0);
    kr_shared_memory_release(other);
    kr_shared_memory_release(m);
}

TEST(another_users_is_refused_unless_allowed)
{
    const char *name = own_name("owner");
    kr_shared_memory *m = create(name, SIZE), *other = NULL;
    if (fchown(kr_shared_memory_descriptor(m), 12345, 12345) != 0) {
        kr_shared_memory_release(m);
        SKIP("only root may give a file away");
    }
    CHECK_EQ(kr_shared_memory_attach(&other, name, NULL), -EPERM);
    CHECK_EQ(kr_shared_memory_attach_descriptor(&other, kr_shared_memory_descriptor(m)), -EPERM);
    kr_shared_memory_options any = {.any_owner = true};
    CHECK_EQ(kr_shared_memory_attach(&other, name, &any), 0);
    kr_shared_memory_release(other);
    CHECK_EQ(kr_shared_memory_unlink(name), 0);
    kr_shared_memory_release(m);
}

/* What lies in /dev/shm and is none of ours, or nothing that one could map. */
TEST(what_is_no_segment_is_refused)
{
    const char *name = own_name("strange");
    char path[256];
    kr_shared_memory *m = NULL;
    snprintf(path, sizeof path, "/dev/shm/%s", name);
    CHECK_EQ(symlink("/etc/passwd", path), 0);
    CHECK_EQ(kr_shared_memory_attach(&m, name, NULL), KR_ECORRUPT);
    CHECK_EQ(kr_shared_memory_create(&m, name, SIZE, NULL), -EEXIST);
    CHECK_EQ(unlink(path), 0);
    CHECK_EQ(mkfifo(path, 0600), 0);
    CHECK_EQ(kr_shared_memory_attach(&m, name, NULL), KR_ECORRUPT);
    CHECK_EQ(unlink(path), 0);
    CHECK_EQ(mkdir(path, 0700), 0);
    CHECK_EQ(kr_shared_memory_attach(&m, name, NULL), KR_ECORRUPT);
    CHECK_EQ(rmdir(path), 0);
    int empty = open(path, O_CREAT | O_RDWR, 0600);
    CHECK_EQ(kr_shared_memory_attach(&m, name, NULL), KR_ECORRUPT);
    CHECK_EQ(close(empty), 0);
    CHECK_EQ(kr_shared_memory_create(&m, name, SIZE, NULL), -EEXIST);
    CHECK_EQ(kr_shared_memory_unlink(name), 0);
}

/* kr_shared_alloc */

static void write_there(void *arg)
{
    strcpy(arg, "from the child");
}

TEST(memory_that_forked_children_share)
{
    char *memory = kr_shared_alloc(100000);
    CHECK(memory != NULL);
    CHECK_EQ((uintptr_t)memory % 64, 0);
    CHECK_EQ(memory[99999], 0);
    reap(child(write_there, memory));
    CHECK_STR(memory, "from the child");
    kr_shared_free(memory);
    kr_shared_free(NULL);
    CHECK(kr_shared_alloc(0) == NULL);
    CHECK(kr_shared_alloc(SIZE_MAX) == NULL);
    CHECK(kr_shared_alloc(PTRDIFF_MAX) == NULL);
}

/* Python */

static const char python_attaches[] =
    "import sys\n"
    "from multiprocessing import shared_memory, resource_tracker\n"
    "m = shared_memory.SharedMemory(name=sys.argv[1])\n"
    "resource_tracker.unregister(m._name, 'shared_memory')\n"
    "assert m.size == 512, m.size\n"
    "assert bytes(m.buf[:5]) == b'krait', bytes(m.buf[:5])\n"
    "m.buf[:6] = b'Python'\n"
    "m.close()\n";

TEST(python_attaches_to_ours)
{
    const char *name = own_name("ours");
    kr_shared_memory *m = create(name, SIZE);
    strcpy(kr_shared_memory_data(m), "krait");
    CHECK_EQ(run_python(python_attaches, name), 0);
    CHECK_STR(kr_shared_memory_data(m), "Python");
    CHECK(name_exists(name));
    kr_shared_memory_release(m);
}

static const char python_creates[] =
    "import sys\n"
    "from multiprocessing import shared_memory, resource_tracker\n"
    "m = shared_memory.SharedMemory(name=sys.argv[1], create=True, size=100)\n"
    "resource_tracker.unregister(m._name, 'shared_memory')\n"
    "m.buf[:6] = b'Python'\n"
    "m.close()\n";

TEST(we_attach_to_pythons)
{
    const char *name = own_name("theirs");
    CHECK_EQ(run_python(python_creates, name), 0);
    CHECK_GE(kr_shared_memory_clean(NULL, NULL), 0); /* it is none of ours */
    kr_shared_memory *m = attach(name), *other = NULL;
    CHECK_GE(kr_shared_memory_size(m), 100);
    CHECK_STR(kr_shared_memory_data(m), "Python");
    CHECK_EQ(kr_shared_memory_create(&other, name, SIZE, NULL), -EEXIST);
    kr_shared_memory_release(m);
    CHECK(name_exists(name)); /* nor does it go with our handle */
    CHECK_EQ(kr_shared_memory_unlink(name), 0);
}
