/* kr_wait_any when wakes come together, and where the kernel cannot sleep on several words.
 *
 * Together: one sleeps on a shared semaphore and a private one, another behind it on the shared one
 * alone.  The system wakes the first for one of them, and before it gets to know, the other comes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/faulty.h"
#include "harness/sanitizers.h"
#include "harness/test.h"
#include "sync/shared.h"
#include "wait/stall.h"
#include <sys/syscall.h>

typedef struct any_world {
    kr_semaphore shared;
    kr_semaphore private;
    kr_word chosen; /* and 1 more */
    kr_word next;   /* the one behind has a permit */
    kr_word threads[2];
} any_world;

static any_world world;

static void note_thread(int index)
{
    kri_store_rel(&world.threads[index], (uint32_t)syscall(SYS_gettid));
}

static void await_asleep(int index)
{
    pid_t thread;
    while ((thread = (pid_t)kri_load_acq(&world.threads[index])) == 0)
        kri_test_nap();
    shared_await_asleep(thread);
}

static void wait_for_any(void *arg)
{
    kr_choice any[] = {kr_choose_semaphore(&world.private), kr_choose_semaphore(&world.shared)};
    (void)arg;
    note_thread(0);
    int chosen = kr_wait_any(any, 2, KR_FOREVER);
    CHECK_GE(chosen, 0);
    CHECK_EQ(any[chosen].result, 0);
    kri_store_rel(&world.chosen, (uint32_t)chosen + 1);
}

static void wait_behind(void *arg)
{
    (void)arg;
    note_thread(1);
    CHECK_EQ(kr_semaphore_acquire(&world.shared, KR_FOREVER), 0);
    kri_store_rel(&world.next, 1);
}

static void give(void *semaphore)
{
    CHECK_EQ(kr_semaphore_release(semaphore, 1), 0);
}

/* No sleep ends by its time: what nobody passes on is lost. */
static void come_together(kr_semaphore *first, kr_semaphore *second)
{
    if (KRI_QEMU)
        SKIP("qemu has no futex_waitv, by which one sleeps on both");
    kri_bunch chooser, behind;
    CHECK_EQ(kr_semaphore_init(&world.shared, 0, &(kr_semaphore_options){.scope = KR_SHARED}), 0);
    CHECK_EQ(kr_semaphore_init(&world.private, 0, NULL), 0);
    faulty_begin(FAULTY_ENDLESS, 1, true);
    faulty_after_any(give, second);
    kri_bunch_start(&chooser, 1, wait_for_any, NULL);
    while (!faulty_in_any())
        kri_test_nap();
    await_asleep(0);
    kri_bunch_start(&behind, 1, wait_behind, NULL);
    await_asleep(1);
    give(first);
    kri_bunch_end(&chooser);
    /* The private wake has taken it, and nobody else can use that. */
    CHECK_EQ(kri_load_acq(&world.chosen), 1);
    kri_bunch_end(&behind);
    CHECK_EQ(kri_load_acq(&world.next), 1);
    CHECK_EQ(kr_semaphore_value(&world.private), 0);
    CHECK_EQ(kr_semaphore_value(&world.shared), 0);
    faulty_end();
}

TEST(test_private_after_shared)
{
    come_together(&world.shared, &world.private);
}

TEST(test_shared_after_private)
{
    come_together(&world.private, &world.shared);
}

/* Before Linux 5.16: it sleeps on what is private, and looks at what is shared now and then. */

typedef struct two_words {
    kr_word shared;
    kr_word private;
    kr_time deadline;
    int result;
    int which; /* 0 the shared one, 1 the private one, -1 none */
} two_words;

static two_words two;

static void describe(const kr_word *word, kri_text *text)
{
    (void)word;
    (void)text;
}

static void wait_for_two(void *arg)
{
    kri_spot spots[2] = {{.next = &spots[1], .word = &two.shared, .shared = true},
                         {.word = &two.private}};
    kri_told told = {&two.private, describe};
    kri_spot *which;
    (void)arg;
    two.result = kri_wait_any(spots, two.deadline, 0, &told, &which);
    two.which = which == NULL ? -1 : (int)(which - spots);
}

static void change(kr_word *word, unsigned flags)
{
    kri_store_sc(word, 1);
    (void)kri_wake(word, 1, flags);
}

static void begin_without_the_call(void)
{
    two.deadline = KRI_NEVER;
    faulty_begin(FAULTY_EITHER, 1, true);
}

static void wait_without_the_call(kr_word *changes, unsigned flags)
{
    kri_bunch bunch;
    begin_without_the_call();
    kri_bunch_start(&bunch, 1, wait_for_two, NULL);
    kri_test_wait_parked(&two.private, 1);
    while (faulty_failed() == 0)
        kri_test_nap();
    change(changes, flags);
    kri_bunch_end(&bunch);
}

TEST(test_shared_change_is_seen_without_the_call)
{
    wait_without_the_call(&two.shared, KRI_SHARED);
    CHECK_EQ(two.result, -EAGAIN);
    CHECK_EQ(two.which, 0);
}

TEST(test_private_wake_without_the_call)
{
    wait_without_the_call(&two.private, 0);
    CHECK_EQ(two.result, 0);
    CHECK_EQ(two.which, 1);
}

TEST(test_time_limit_without_the_call)
{
    kr_time start = kr_now();
    begin_without_the_call();
    two.deadline = kri_deadline(kr_ms(200));
    wait_for_two(NULL);
    CHECK_EQ(two.result, -ETIMEDOUT);
    CHECK_EQ(two.which, -1);
    CHECK_TIME(kr_now() - start, kr_ms(200));
    CHECK_GE(faulty_failed(), 2);
}
