/* Starting processes before kr_init, in the first image and in a child's.
 *
 * Behaviours: section 12.1
 *
 * SPDX-License-Identifier: MIT
 */
#include "process/methods.h"

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}
KR_TASK(nothing);

/* What a constructor found, by kr_start_method. */
static int early[4];
static int early_code = -1;

static int start_early(kr_start_method start, kr_process **p)
{
    return kr_process_start(p, nothing, NULL, 0, &(kr_process_options){.start = start});
}

__attribute__((constructor)) static void try_all(void)
{
    kr_process *p;
    early[KR_SPAWN] = start_early(KR_SPAWN, &p);
    early[KR_FORKSERVER] = start_early(KR_FORKSERVER, &p);
    early[KR_FORK] = start_early(KR_FORK, &p);
    if (early[KR_FORK] == 0)
        early_code = end(p);
    early[KR_START_DEFAULT] = start_early(KR_START_DEFAULT, &p);
    if (early[KR_START_DEFAULT] == 0)
        (void)end(p);
}

TEST(spawn_needs_kr_init)
{
    CHECK_EQ(early[KR_SPAWN], KR_EINIT);
    CHECK_EQ(early[KR_FORKSERVER], KR_EINIT);
    CHECK_EQ(early[KR_START_DEFAULT], 0);
    CHECK_EQ(early[KR_FORK], 0);
    CHECK_EQ(early_code, 0);
}

static int tell_early(void *arg)
{
    (void)arg;
    child_say(early, sizeof early);
    return 0;
}
KR_TASK(tell_early);

METHOD_TEST(test_noforkbomb)
{
    channel c;
    int in_child[4];
    channel_open(&c);
    CHECK_EQ(end(start_with(tell_early, NULL, 0, c.options)), 0);
    channel_read(&c, in_child, sizeof in_child);
    for (int i = 0; method != KR_FORK && i < 4; i++)
        CHECK_EQ(in_child[i], KR_EINIT);
    channel_expect_end(&c);
}

/* Images that are other than they should be. */

__attribute__((constructor)) static void be_odd(void)
{
    static kr_task_entry extra = {NULL, "extra", "elsewhere.c", NULL, {0, 0}};
    const char *how = getenv("KRI_TEST_IMAGE");
    if (how == NULL)
        return;
    if (strcmp(how, "other table") == 0)
        kr_task_register(&extra);
    if (strcmp(how, "exits") == 0)
        _exit(0);
    if (strcmp(how, "dies") == 0)
        raise(SIGKILL);
}

static void expect_image(const char *how, int error)
{
    kr_process *p;
    kr_process_options o = {.start = method};
    CHECK_EQ(setenv("KRI_TEST_IMAGE", how, 1), 0);
    CHECK_EQ(kr_process_start(&p, nothing, NULL, 0, &o), method == KR_FORK ? 0 : error);
    CHECK_EQ(unsetenv("KRI_TEST_IMAGE"), 0);
    if (p != NULL)
        CHECK_EQ(end(p), 0);
    CHECK_EQ(kr_process_active(NULL, 0), 0);
}

METHOD_TEST(another_program_gets_no_order)
{
    expect_image("other table", KR_ETASK);
    expect_image("exits", KR_EINIT);
    expect_image("dies", -EAGAIN);
    CHECK_EQ(run_code(nothing, NULL, 0), 0);
}
