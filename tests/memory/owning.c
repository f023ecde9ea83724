/* Segments belong to those who hold them, and go with the last.
 *
 * Behaviours: sections 12.6 and 12.10.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/party.h"
#include "harness/sanitizers.h"
#include "memory/help.h"
#include <sys/stat.h>

enum { SIZE = 4096 };

#define COMMAND KRI_TEST_BUILD "/krait"

static bool has_own_place;

/* Other cases clean, too. */
static void begin(void)
{
    own_place(1 << 20);
    has_own_place = true;
}

static kr_shared_memory *create(const char *name)
{
    kr_shared_memory *m = NULL;
    CHECK_EQ(kr_shared_memory_create(&m, name, SIZE, NULL), 0);
    return m;
}

static kr_shared_memory *attach(const char *name)
{
    kr_shared_memory *m = NULL;
    CHECK_EQ(kr_shared_memory_attach(&m, name, NULL), 0);
    return m;
}

/* A child that does something with a name, and goes on when it is told to. */
typedef struct holder {
    const char *name;
    void (*body)(struct holder *h);
    kr_event ready, go; /* shared */
    kr_shared_memory *memory;
} holder;

static void run_holder(void *arg)
{
    holder *h = arg;
    h->body(h);
}

static void say_and_wait(holder *h)
{
    kr_event_set(&h->ready);
    CHECK_EQ(kr_event_wait(&h->go, KR_FOREVER), 0);
}

static void create_and_hold(holder *h)
{
    (void)create(h->name);
    say_and_wait(h);
}

static void attach_and_hold(holder *h)
{
    (void)attach(h->name);
    say_and_wait(h);
}

static holder *new_holder(const char *name, void (*body)(holder *h))
{
    holder *h = shared_pages(sizeof *h);
    h->name = name;
    h->body = body;
    CHECK_EQ(kr_event_init(&h->ready, KR_SHARED), 0);
    CHECK_EQ(kr_event_init(&h->go, KR_SHARED), 0);
    return h;
}

static pid_t start(holder *h)
{
    pid_t id = child(run_holder, h);
    CHECK_EQ(kr_event_wait(&h->ready, KR_FOREVER), 0);
    return id;
}

/* One that is left of a killed process. */
static void leave(const char *name)
{
    CHECK(has_own_place);
    kill_and_reap(start(new_holder(name, create_and_hold)));
    CHECK(name_exists(name));
}

static void look_for(const char *name, size_t size, void *arg)
{
    const char **wanted = arg;
    if (*wanted != NULL && strcmp(name, *wanted) == 0) {
        CHECK_EQ(size, SIZE);
        *wanted = NULL;
    }
}

TEST(test_resource_tracker)
{
    const char *name = own_name("left"), *wanted = name;
    begin();
    leave(name);
    CHECK_GE(kr_shared_memory_clean(look_for, &wanted), 1);
    CHECK(wanted == NULL);
    CHECK(!name_exists(name));
}

/* The command's output, in a shell. */
static int clean_prints(const char *line)
{
    char script[1024];
    snprintf(script, sizeof script, KRI_TEST_START "'%s' clean | grep -qxF -- '%s'", COMMAND, line);
    char *argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", script, NULL};
    return run_command(argv);
}

TEST(test_shared_memory_cleaned_after_process_termination)
{
    char line[256];
    const char *name = own_name("terminated");
    if (access(COMMAND, X_OK) != 0)
        SKIP("the command is not built");
    begin();
    leave(name);
    snprintf(line, sizeof line, "removed %s (%d bytes)", name, SIZE);
    CHECK_EQ(clean_prints(line), 0);
    CHECK(!name_exists(name));
    CHECK_EQ(clean_prints(line), 1);
}

/* behaviour: 12.6
 * test_that_shared_memory_name_with_colons_has_no_resource_tracker_errors */
TEST(any_bytes_in_a_name)
{
    char line[256], name[128];
    if (access(COMMAND, X_OK) != 0)
        SKIP("the command is not built");
    begin();
    snprintf(name, sizeof name, "krait-test-%d:a:b\nc", (int)getpid());
    leave(name);
    kr_shared_memory_release(create(name));
    leave(name);
    snprintf(line, sizeof line, "removed krait-test-%d:a:b\\012c (%d bytes)", (int)getpid(), SIZE);
    CHECK_EQ(clean_prints(line), 0);
    CHECK(!name_exists(name));
}

TEST(the_command)
{
    char script[1024];
    snprintf(
        script, sizeof script,
        "k() { " KRI_TEST_START
        "'%s' \"$@\"; }; set -e; test \"$(k --version)\" = 'krait %s'; k help | grep -q clean; "
        "! k 2>/dev/null; ! k nonsense 2>/dev/null; ! k clean too much 2>/dev/null; "
        "! k help >/dev/full 2>&1",
        COMMAND, kr_version());
    char *argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", script, NULL};
    if (access(COMMAND, X_OK) != 0)
        SKIP("the command is not built");
    CHECK_EQ(run_command(argv), 0);
}

TEST(the_next_create_removes_what_nobody_holds)
{
    const char *name = own_name("next");
    begin();
    leave(name);
    kr_shared_memory *m = create(name);
    for (int i = 0; i < SIZE; i++)
        CHECK_EQ(((char *)kr_shared_memory_data(m))[i], 0);
    kr_shared_memory_release(m);
    CHECK(!name_exists(name));
}

/* The first of a process removes all, whatever its own is called. */
TEST(the_first_create_removes_all_of_them)
{
    const char *name = own_name("other");
    begin();
    leave(name);
    kr_shared_memory_release(create(""));
    CHECK(!name_exists(name));
}

/* behaviour: 12.6 test_shared_memory_tracking */
TEST(the_last_of_the_rest_cleans_up)
{
    const char *name = own_name("rest");
    begin();
    holder *creator = new_holder(name, create_and_hold);
    pid_t id = start(creator);
    kr_shared_memory *m = attach(name), *again = NULL;
    kill_and_reap(id);
    CHECK(name_exists(name));
    again = attach(name);
    kr_shared_memory_release(m);
    CHECK(name_exists(name));
    (void)kr_shared_memory_clean(NULL, NULL);
    CHECK_EQ(kr_shared_memory_create(&m, name, SIZE, NULL), -EEXIST);
    CHECK(name_exists(name));
    kr_shared_memory_release(again);
    CHECK(!name_exists(name));
}

/* behaviour: 12.6 test_shared_memory_untracking */
TEST(whoever_attaches_and_ends_removes_nothing)
{
    const char *name = own_name("untracking");
    kr_shared_memory *m = create(name);
    kill_and_reap(start(new_holder(name, attach_and_hold)));
    CHECK(name_exists(name));
    holder *h = new_holder(name, attach_and_hold);
    pid_t id = start(h);
    kr_event_set(&h->go);
    reap(id);
    CHECK(name_exists(name));
    kr_shared_memory_release(attach(name));
    CHECK(name_exists(name));
    kr_shared_memory_release(m);
    CHECK(!name_exists(name));
}

static void release_inherited(holder *h)
{
    say_and_wait(h);
    CHECK(name_exists(h->name));
    kr_shared_memory_release(h->memory);
}

/* A forked child holds with its parent. */
TEST(test_resource_tracker_reused)
{
    const char *name = own_name("forked");
    holder *h = new_holder(name, release_inherited);
    h->memory = create(name);
    pid_t id = start(h);
    kr_shared_memory_release(h->memory);
    CHECK(name_exists(name));
    kr_event_set(&h->go);
    reap(id);
    CHECK(!name_exists(name));

    h = new_holder(name, release_inherited);
    h->memory = create(name);
    id = start(h);
    kr_event_set(&h->go);
    reap(id);
    CHECK(name_exists(name)); /* the parent has it */
    kr_shared_memory_release(h->memory);
    CHECK(!name_exists(name));
}

TEST(what_is_to_be_kept_stays)
{
    const char *name = own_name("kept");
    kr_shared_memory *m = NULL;
    CHECK_EQ(kr_shared_memory_create(&m, name, SIZE, &(kr_shared_memory_options){.keep = true}), 0);
    strcpy(kr_shared_memory_data(m), "kept");
    kr_shared_memory_release(m);
    (void)kr_shared_memory_clean(NULL, NULL);
    m = attach(name);
    CHECK_STR(kr_shared_memory_data(m), "kept");
    kr_shared_memory_release(m);
    CHECK_EQ(kr_shared_memory_create(&m, name, SIZE, NULL), -EEXIST);
    CHECK_EQ(kr_shared_memory_unlink(name), 0);
    CHECK_EQ(kr_shared_memory_unlink(name), -ENOENT);
}

/* behaviour: 12.10 test_too_long_name_resource */
TEST(the_longest_name_is_cleaned_too)
{
    static char name[256];
    begin();
    memset(name, 'n', 255);
    memcpy(name, "krait-test-", 11);
    leave(name);
    (void)kr_shared_memory_clean(NULL, NULL);
    CHECK(!name_exists(name));
}

/* Many create, attach to, release and clean one name, and some are killed.  Who has the segment by
 * its name has it until it is released: the name leads to nothing else meanwhile. */
typedef struct crowd {
    char name[128];
    kr_word wrong, had;
} crowd;

static void check_name(const kr_shared_memory *m, crowd *c)
{
    struct stat by_fd, by_name;
    char path[256];
    snprintf(path, sizeof path, "/dev/shm/%s", c->name);
    bool same = fstat(kr_shared_memory_descriptor(m), &by_fd) == 0 && stat(path, &by_name) == 0 &&
                by_fd.st_ino == by_name.st_ino;
    kri_add_rlx(&c->wrong, !same);
    kri_add_rlx(&c->had, 1);
}

static void crowd_body(void *arg, int index)
{
    crowd *c = arg;
    uint64_t random = party_random_start(index) ^ (uint64_t)kr_now();
    for (;;) {
        kr_shared_memory *m = NULL;
        int err = party_random_below(&random, 2) ? kr_shared_memory_create(&m, c->name, SIZE, NULL)
                                                 : kr_shared_memory_attach(&m, c->name, NULL);
        if (err == 0) {
            check_name(m, c);
            ++*(char *)kr_shared_memory_data(m);
            if (party_random_below(&random, 2))
                sched_yield();
            check_name(m, c);
            kr_shared_memory_release(m);
        }
        kri_add_rlx(&c->wrong, err != 0 && err != -EEXIST && err != -ENOENT && err != -EBUSY);
        if (party_random_below(&random, 8) == 0)
            kri_add_rlx(&c->wrong, kr_shared_memory_clean(NULL, NULL) < 0);
    }
}

TEST(a_crowd_at_one_name)
{
    begin();
    party_be(&party_processes);
    crowd *c = party_world(sizeof *c);
    strcpy(c->name, own_name("crowd"));
    party_bunch *bunch = party_start(4, crowd_body, c);
    uint64_t random = kri_test_seed();
    kr_time end = kr_now() + party_budget();
    int kills = 0;
    while (kr_now() < end || kri_load_rlx(&c->had) < 100) {
        uint32_t had = kri_load_rlx(&c->had);
        while (kri_load_rlx(&c->had) < had + party_random_below(&random, 50))
            party_nap();
        int victim = (int)party_random_below(&random, 4);
        party_kill(bunch, victim);
        party_restart(bunch, victim);
        kills++;
        CHECK_EQ(kri_load_rlx(&c->wrong), 0);
    }
    for (int i = 0; i < 4; i++)
        party_kill(bunch, i);
    party_join(bunch);
    (void)kr_shared_memory_clean(NULL, NULL);
    CHECK(!name_exists(c->name));
    CHECK_EQ(kri_load_rlx(&c->wrong), 0);
    kri_test_note("%d kills, %u times the name was had", kills, kri_load_rlx(&c->had) / 2);
}
