/* kr_wait_any: exactly one of several is carried out.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "harness/sanitizers.h"
#include "harness/test.h"
#include "wait/wait.h"
#include "wait/stall.h"
#include <krait/krait.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static kr_event event;
static kr_semaphore first, second;

TEST(test_arguments)
{
    kr_choice any[] = {kr_choose_event(&event)};
    kr_choice null[] = {kr_choose_event(&event), kr_choose_semaphore(NULL)};
    CHECK_EQ(kr_wait_any(any, 1, -1), -EINVAL);
    CHECK_EQ(kr_wait_any(any, 0, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_wait_any(NULL, 1, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_wait_any(any, (size_t)INT32_MAX + 1, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_wait_any(null, 2, KR_NOWAIT), -EINVAL);
    null[1] = kr_choose_future(NULL);
    CHECK_EQ(kr_wait_any(null, 2, KR_NOWAIT), -EINVAL);
    null[1] = kr_choose_get(NULL, NULL);
    CHECK_EQ(kr_wait_any(null, 2, KR_NOWAIT), -EINVAL);
}

TEST(test_first_in_the_array)
{
    kr_choice any[] = {kr_choose_semaphore(&first), kr_choose_event(&event),
                       kr_choose_semaphore(&second)};
    CHECK_EQ(kr_semaphore_release(&second, 2), 0);
    CHECK_EQ(kr_wait_any(any, 3, KR_FOREVER), 2);
    kr_event_set(&event);
    CHECK_EQ(kr_wait_any(any, 3, KR_FOREVER), 1);
    CHECK_EQ(kr_wait_any(any, 3, KR_NOWAIT), 1); /* still set */
    CHECK_EQ(kr_semaphore_release(&first, 1), 0);
    CHECK_EQ(kr_wait_any(any, 3, kr_sec(1)), 0);
    CHECK_EQ(any[0].result, 0);
    CHECK_EQ(kr_semaphore_value(&first), 0);
    CHECK_EQ(kr_semaphore_value(&second), 1);
}

TEST(test_timeout)
{
    kr_choice any[] = {kr_choose_semaphore(&first), kr_choose_event(&event)};
    kr_time start = kr_now();
    CHECK_EQ(kr_wait_any(any, 2, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_wait_any(any, 2, kr_ms(100)), -ETIMEDOUT);
    CHECK_TIME(kr_now() - start, kr_ms(100));
    CHECK_EQ(kri_waiting(&first.value), 0);
    CHECK_EQ(kri_waiting(&event.word), 0);
}

static int result;

static void wait_for_three(void *arg)
{
    kr_choice any[] = {kr_choose_semaphore(&first), kr_choose_event(&event),
                       kr_choose_semaphore(&second)};
    (void)arg;
    result = kr_wait_any(any, 3, KR_FOREVER);
}

static kri_bunch bunch;

static void start_waiter(void)
{
    kri_bunch_start(&bunch, 1, wait_for_three, NULL);
    kri_test_wait_parked(&first.value, 1);
    kri_test_wait_parked(&event.word, 1);
    kri_test_wait_parked(&second.value, 1);
}

/* Set and cleared at once, and the others stay free for others. */
TEST(test_woken_by_each)
{
    start_waiter();
    kr_event_set(&event);
    kr_event_clear(&event);
    kri_bunch_end(&bunch);
    CHECK_EQ(result, 1);
    start_waiter();
    CHECK_EQ(kr_semaphore_release(&second, 1), 0);
    kri_bunch_end(&bunch);
    CHECK_EQ(result, 2);
    start_waiter();
    CHECK_EQ(kr_semaphore_release(&first, 3), 0);
    kri_bunch_end(&bunch);
    CHECK_EQ(result, 0);
    CHECK_EQ(kr_semaphore_value(&first), 2);
    CHECK_EQ(kri_waiting(&first.value) + kri_waiting(&event.word) + kri_waiting(&second.value), 0);
}

static kr_cancel_scope scope;

static void wait_in_scope(void *arg)
{
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    wait_for_three(arg);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
}

TEST(test_cancel)
{
    kri_bunch_start(&bunch, 1, wait_in_scope, NULL);
    kri_test_wait_parked(&second.value, 1);
    kr_cancel(&scope);
    kri_bunch_end(&bunch);
    CHECK_EQ(result, -ECANCELED);
}

TEST(test_time_limit_of_a_scope)
{
    kr_choice any[] = {kr_choose_semaphore(&first), kr_choose_event(&event)};
    kr_cancel_scope limit = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_scope_enter(&limit, kr_ms(20)), 0);
    CHECK_EQ(kr_wait_any(any, 2, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&limit), -ETIMEDOUT);
}

static char report[4096];

static void keep_report(const char *text)
{
    snprintf(report, sizeof report, "%s", text);
    kr_event_set(&event);
}

TEST(test_in_the_report_of_a_stall)
{
    char line[256];
    kr_choice any[] = {kr_choose_semaphore(&first), kr_choose_event(&event)};
    kr_set_stall_hook(keep_report);
    CHECK_EQ(kr_wait_any(any, 2, KR_FOREVER), 1);
    snprintf(line, sizeof line,
             "\n  MainThread waits for a permit of a semaphore at %p or an event at %p",
             (void *)&first, (void *)&event);
    CHECK(strstr(report, line) != NULL);
    CHECK(strstr(strstr(report, line) + 1, "\n  ") == NULL); /* once */
}

/* Many at once; more than any array on a stack would hold. */
TEST(test_a_thousand)
{
    enum { COUNT = 1000 };
    static kr_semaphore all[COUNT];
    kr_choice *any = calloc(COUNT, sizeof *any);
    CHECK(any != NULL);
    for (int i = 0; i < COUNT; i++)
        any[i] = kr_choose_semaphore(&all[i]);
    CHECK_EQ(kr_wait_any(any, COUNT, kr_ms(5)), -ETIMEDOUT);
    CHECK_EQ(kr_semaphore_release(&all[777], 1), 0);
    CHECK_EQ(kr_wait_any(any, COUNT, KR_FOREVER), 777);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(kri_waiting(&all[i].value), 0);
    free(any);
}

/* Queues. */

TEST(test_get_from_two_queues)
{
    kr_queue *numbers, *words;
    int number = 0;
    long word = 0;
    CHECK_EQ(kr_queue_create(&numbers, sizeof number, 10, NULL), 0);
    CHECK_EQ(kr_queue_create(&words, sizeof word, 0, NULL), 0);
    kr_choice any[] = {kr_choose_get(numbers, &number), kr_choose_get(words, &word),
                       kr_choose_event(&event)};
    CHECK_EQ(kr_wait_any(any, 3, kr_ms(1)), -ETIMEDOUT);
    word = 7;
    CHECK_EQ(kr_queue_put(words, &word, KR_FOREVER), 0);
    word = 0;
    CHECK_EQ(kr_wait_any(any, 3, KR_FOREVER), 1);
    CHECK_EQ(any[1].result, 0);
    CHECK_EQ(word, 7);
    CHECK_EQ(kr_queue_shutdown(numbers, false), 0);
    CHECK_EQ(kr_wait_any(any, 3, KR_FOREVER), 0);
    CHECK_EQ(any[0].result, KR_ESHUTDOWN);
    kr_queue_release(numbers);
    kr_queue_release(words);
}

TEST(test_put_or_get)
{
    kr_queue *full, *empty;
    int out = 5, in = 0;
    CHECK_EQ(kr_queue_create(&full, sizeof out, 1, NULL), 0);
    CHECK_EQ(kr_queue_create(&empty, sizeof in, 1, NULL), 0);
    kr_choice any[] = {kr_choose_put(full, &out), kr_choose_get(empty, &in)};
    CHECK_EQ(kr_wait_any(any, 2, KR_FOREVER), 0);
    CHECK_EQ(kr_wait_any(any, 2, kr_ms(1)), -ETIMEDOUT);
    CHECK_EQ(kr_queue_qsize(full), 1);
    CHECK_EQ(kr_queue_put(empty, &out, KR_NOWAIT), 0);
    CHECK_EQ(kr_wait_any(any, 2, KR_FOREVER), 1);
    CHECK_EQ(in, 5);
    CHECK_EQ(kr_queue_get(full, &in, KR_NOWAIT), 0);
    CHECK_EQ(kr_wait_any(any, 2, KR_FOREVER), 0);
    CHECK_EQ(kr_queue_shutdown(full, false), 0);
    CHECK_EQ(kr_wait_any(any, 2, KR_FOREVER), 0);
    CHECK_EQ(any[0].result, KR_ESHUTDOWN);
    CHECK_EQ(kr_queue_qsize(full), 1);
    kr_queue_release(full);
    kr_queue_release(empty);
}

/* Producers on two queues and a semaphore; consumers on all three: each thing comes once. */
enum { THREADS = 3, EACH = 20000 };
static kr_queue *queues[2];
static kr_word taken[4]; /* by index */
static kr_word next_producer;
static uint8_t seen[2][THREADS * EACH];

static void produce(void *arg)
{
    int at = (int)kri_add_rlx(&next_producer, 1);
    (void)arg;
    for (int i = 0; i < EACH; i++) {
        int item = at * EACH + i;
        kr_choice any[] = {kr_choose_put(queues[item % 2], &item), kr_choose_event(&event)};
        CHECK_EQ(kr_wait_any(any, 2, KR_FOREVER), 0);
        CHECK_EQ(any[0].result, 0);
        if (i % 8 == 0)
            CHECK_EQ(kr_semaphore_release(&first, 1), 0);
    }
}

static void consume(void *arg)
{
    int item;
    kr_choice any[] = {kr_choose_semaphore(&first), kr_choose_get(queues[0], &item),
                       kr_choose_get(queues[1], &item), kr_choose_event(&event)};
    (void)arg;
    for (int round = 0;; round++) {
        int chosen = kr_wait_any(any, 4, round % 16 == 0 ? kr_us(50) : KR_FOREVER);
        if (chosen == -ETIMEDOUT)
            continue;
        CHECK_GE(chosen, 0);
        CHECK_EQ(any[chosen].result, 0);
        kri_add_rlx(&taken[chosen], 1);
        if (chosen == 1 || chosen == 2)
            CHECK_EQ(__atomic_exchange_n(&seen[chosen - 1][item], 1, __ATOMIC_RELAXED), 0);
        if (chosen == 3)
            return;
    }
}

TEST(test_stress)
{
    static kri_bunch producers, consumers;
    CHECK_EQ(kr_queue_create(&queues[0], sizeof(int), 16, NULL), 0);
    CHECK_EQ(kr_queue_create(&queues[1], sizeof(int), 0, NULL), 0);
    kri_bunch_start(&consumers, THREADS, consume, NULL);
    kri_bunch_start(&producers, THREADS, produce, NULL);
    kri_bunch_end(&producers);
    while (kr_semaphore_value(&first) > 0 || !kr_queue_empty(queues[0]) ||
           !kr_queue_empty(queues[1]))
        kri_test_nap();
    kr_event_set(&event);
    kri_bunch_end(&consumers);
    CHECK_EQ(kri_load_rlx(&taken[0]), THREADS * EACH / 8);
    CHECK_EQ(kri_load_rlx(&taken[1]) + kri_load_rlx(&taken[2]), THREADS * EACH);
    CHECK_EQ(kri_load_rlx(&taken[3]), THREADS);
    kri_test_note("permits %u, items %u and %u", kri_load_rlx(&taken[0]), kri_load_rlx(&taken[1]),
                  kri_load_rlx(&taken[2]));
    kr_queue_release(queues[0]);
    kr_queue_release(queues[1]);
}

/* In shared memory. */

struct shared {
    kr_event event;
    kr_semaphore first;
    kr_semaphore second;
    kr_word taken;
};

static struct shared *make_shared(void)
{
    const kr_semaphore_options options = {.scope = KR_SHARED};
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    CHECK_EQ(kr_event_init(&shared->event, KR_SHARED), 0);
    CHECK_EQ(kr_semaphore_init(&shared->first, 0, &options), 0);
    CHECK_EQ(kr_semaphore_init(&shared->second, 0, &options), 0);
    return shared;
}

static void take_until_set(struct shared *shared)
{
    kr_semaphore private = KR_SEMAPHORE_INIT(0);
    kr_choice any[] = {kr_choose_semaphore(&shared->first), kr_choose_semaphore(&shared->second),
                       kr_choose_semaphore(&private), kr_choose_event(&shared->event)};
    for (;;) {
        int chosen = kr_wait_any(any, 4, KR_FOREVER);
        if (chosen != 0 && chosen != 1)
            _exit(chosen == 3 ? 0 : 1);
        kri_add_rlx(&shared->taken, 1);
    }
}

static void expect_end(pid_t child, int signal)
{
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    if (signal != 0)
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signal);
    else
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(test_processes)
{
    enum { CHILDREN = 3, PERMITS = 20000 };
    struct shared *shared = make_shared();
    pid_t children[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        CHECK_GE(children[i], 0);
        if (children[i] == 0)
            take_until_set(shared);
    }
    for (int i = 0; i < PERMITS; i++)
        CHECK_EQ(kr_semaphore_release(i % 3 == 0 ? &shared->first : &shared->second, 1), 0);
    while (kr_semaphore_value(&shared->first) + kr_semaphore_value(&shared->second) > 0)
        kri_test_nap();
    kr_event_set(&shared->event);
    for (int i = 0; i < CHILDREN; i++)
        expect_end(children[i], 0);
    CHECK_EQ(kri_load_rlx(&shared->taken), PERMITS);
}

/* Whoever is killed as it waits keeps nothing from the others. */
TEST(test_killed_waiter)
{
    struct shared *shared = make_shared();
    for (int round = 0; round < 20; round++) {
        pid_t victim = fork();
        CHECK_GE(victim, 0);
        if (victim == 0)
            take_until_set(shared);
        pid_t child = fork();
        CHECK_GE(child, 0);
        if (child == 0)
            take_until_set(shared);
        uint32_t before = kri_load_rlx(&shared->taken);
        if (round % 2 == 0)
            kr_event_clear(&shared->event);
        CHECK_EQ(kill(victim, SIGKILL), 0);
        expect_end(victim, SIGKILL);
        CHECK_EQ(kr_semaphore_release(&shared->second, 1), 0);
        while (kri_load_rlx(&shared->taken) == before)
            kri_test_nap();
        kr_event_set(&shared->event);
        expect_end(child, 0);
        kr_event_clear(&shared->event);
    }
}

TEST(test_shared_time_out_and_cancel)
{
    struct shared *shared = make_shared();
    kr_choice any[] = {kr_choose_semaphore(&shared->first), kr_choose_event(&shared->event),
                       kr_choose_semaphore(&first)};
    kr_time start = kr_now();
    CHECK_EQ(kr_wait_any(any, 3, kr_ms(100)), -ETIMEDOUT);
    CHECK_TIME(kr_now() - start, kr_ms(100));
    kr_cancel_scope limit = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_scope_enter(&limit, kr_ms(60)), 0);
    CHECK_EQ(kr_wait_any(any, 3, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&limit), -ETIMEDOUT);
}

TEST(test_shared_queues)
{
    const int items = KRI_EMULATED || KRI_VALGRIND ? 500 : 20000;
    struct shared *shared = make_shared();
    kr_queue *there, *back;
    const kr_queue_options options = {.scope = KR_SHARED};
    CHECK_EQ(kr_queue_create(&there, sizeof(int), 4, &options), 0);
    CHECK_EQ(kr_queue_create(&back, sizeof(int), 4, &options), 0);
    pid_t child = fork();
    CHECK_GE(child, 0);
    int in, out;
    if (child == 0) {
        kr_choice any[] = {kr_choose_get(there, &in), kr_choose_event(&shared->event)};
        while (kr_wait_any(any, 2, KR_FOREVER) == 0)
            if (kr_queue_put(back, &in, KR_FOREVER) != 0)
                _exit(1);
        _exit(0);
    }
    kr_choice any[] = {kr_choose_put(there, &out), kr_choose_get(back, &in)};
    int received = 0;
    for (out = 0; received < items;) {
        int chosen =
            out < items ? kr_wait_any(any, 2, KR_FOREVER) : 1 + kr_wait_any(any + 1, 1, KR_FOREVER);
        CHECK(chosen == 0 || chosen == 1);
        CHECK_EQ(any[chosen].result, 0);
        if (chosen == 0)
            out++;
        else
            CHECK_EQ(in, received++);
    }
    kr_event_set(&shared->event);
    expect_end(child, 0);
    kr_queue_release(there);
    kr_queue_release(back);
}

TEST(test_too_many_shared)
{
    struct shared *shared = make_shared();
    kr_choice any[128];
    for (int i = 0; i < 128; i++)
        any[i] = kr_choose_semaphore(&shared->first);
    CHECK_EQ(kr_wait_any(any, 128, kr_ms(1)), -EINVAL);
    CHECK_EQ(kr_wait_any(any, 127, kr_ms(1)), -ETIMEDOUT);
    /* Neither if it would not have to wait. */
    CHECK_EQ(kr_semaphore_release(&shared->first, 1), 0);
    CHECK_EQ(kr_wait_any(any, 128, kr_ms(1)), -EINVAL);
    CHECK_EQ(kr_wait_any(any, 128, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_semaphore_value(&shared->first), 1);
    CHECK_EQ(kr_wait_any(any, 127, KR_NOWAIT), 0);
}

static void check_too_many(kr_choice last)
{
    kr_choice any[128];
    for (int i = 0; i < 127; i++)
        any[i] = kr_choose_event(&event);
    any[127] = last;
    CHECK_EQ(kr_wait_any(any, 128, KR_NOWAIT), -ETIMEDOUT); /* as 127 of them are private */
    struct shared *shared = make_shared();
    for (int i = 0; i < 127; i++)
        any[i] = kr_choose_event(&shared->event);
    CHECK_EQ(kr_wait_any(any, 128, KR_NOWAIT), -EINVAL);
}

/* What counts as lying in shared memory. */
TEST(test_one_too_many)
{
    struct shared *shared = make_shared();
    kr_queue *reentrant, *plain;
    int64_t item = 0;
    CHECK_EQ(kr_queue_create(&reentrant, sizeof item, 0, &(kr_queue_options){.reentrant = true}),
             0);
    CHECK_EQ(kr_queue_create(&plain, sizeof item, 0, NULL), 0);
    check_too_many(kr_choose_event(&shared->event));
    check_too_many(kr_choose_semaphore(&shared->first));
    check_too_many(kr_choose_get(reentrant, &item));
    kr_choice any[128];
    for (int i = 0; i < 127; i++)
        any[i] = kr_choose_event(&shared->event);
    any[127] = kr_choose_get(plain, &item);
    CHECK_EQ(kr_wait_any(any, 128, KR_NOWAIT), -ETIMEDOUT);
    any[127] = kr_choose_get(plain, NULL);
    CHECK_EQ(kr_wait_any(any, 128, KR_NOWAIT), -EINVAL);
    kr_queue_release(reentrant);
    kr_queue_release(plain);
}
