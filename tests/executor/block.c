/* Memory for futures: used again by the same thread, across threads, after a thread's end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/block.h"
#include "base/atomic.h"
#include "harness/sanitizers.h"
#include "harness/test.h"
#include "os/os.h"
#include <krait/krait.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 192, FULL = 64, KEPT = 4096, LOT = 20000 };

static void *blocks[LOT];

static void skip_where_nothing_is_kept(void)
{
    if (os_memory_is_checked())
        SKIP("every block comes from the system and goes back there at once");
}

static void make(int count, size_t size)
{
    for (int i = 0; i < count; i++) {
        blocks[i] = kri_block_new(size);
        CHECK(blocks[i] != NULL);
        memset(blocks[i], 0xa5, size);
    }
}

static void drop(int count, size_t size)
{
    for (int i = 0; i < count; i++)
        kri_block_free(blocks[i], size);
}

static int compare(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    return (x > y) - (x < y);
}

/* That no two of them overlap. */
static void check_apart(int count, size_t size)
{
    qsort(blocks, (size_t)count, sizeof *blocks, compare);
    for (int i = 0; i + 1 < count; i++)
        CHECK_GE((char *)blocks[i + 1] - (char *)blocks[i], (ptrdiff_t)size);
}

static bool is_of_first(const void *block, int count)
{
    return bsearch(&block, blocks, (size_t)count, sizeof *blocks, compare) != NULL;
}

TEST(blocks_of_all_sizes)
{
    for (size_t size = 0; size <= 1100; size += size < 600 ? 1 : 50) {
        make(3, size);
        for (int i = 0; i < 3; i++)
            CHECK_EQ((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
        check_apart(3, size);
        drop(3, size);
    }
    kri_block_free(NULL, SIZE);
    kri_block_free(NULL, 5000);
    make(300, SIZE);
    check_apart(300, SIZE);
    drop(300, SIZE);
}

TEST(a_thread_uses_its_blocks_again)
{
    skip_where_nothing_is_kept();
    make(2 * FULL, SIZE);
    check_apart(2 * FULL, SIZE);
    drop(2 * FULL, SIZE);
    CHECK_EQ(kri_block_spare(SIZE), 0);
    for (int round = 0; round < 5; round++) {
        void *again[2 * FULL];
        for (int i = 0; i < 2 * FULL; i++) {
            again[i] = kri_block_new(SIZE - 63 + (size_t)(i % 64)); /* all of one class */
            CHECK(is_of_first(again[i], 2 * FULL));
        }
        for (int i = 0; i < 2 * FULL; i++)
            kri_block_free(again[i], SIZE);
    }
}

/* Of 1000 blocks a thread has one magazine and a list of 40, and the depot has the others. */
TEST(what_went_out_comes_back)
{
    skip_where_nothing_is_kept();
    make(1000, SIZE);
    drop(1000, SIZE);
    qsort(blocks, 1000, sizeof *blocks, compare);
    for (int round = 0; round < 5; round++) {
        void *again[1000];
        CHECK_EQ(kri_block_spare(SIZE), 1000 - 40 - FULL);
        for (int i = 0; i < 1000; i++) {
            again[i] = kri_block_new(SIZE);
            CHECK(is_of_first(again[i], 1000));
        }
        CHECK_EQ(kri_block_spare(SIZE), 0);
        for (int i = 0; i < 1000; i++)
            kri_block_free(again[i], SIZE);
    }
}

/* What a thread does not keep for itself others may have. */
TEST(others_may_have_the_rest)
{
    skip_where_nothing_is_kept();
    make(LOT, SIZE);
    check_apart(LOT, SIZE);
    drop(LOT, SIZE);
    CHECK_LE(LOT - 2 * FULL, kri_block_spare(SIZE));
    CHECK_EQ(kri_block_spare(SIZE + 1), 0);
    make(LOT, SIZE);
    CHECK_EQ(kri_block_spare(SIZE), 0);
    check_apart(LOT, SIZE);
    drop(LOT, SIZE);
}

/* What is not used again goes back to the system, while some other blocks come and go. */
TEST(unused_blocks_go_back)
{
    skip_where_nothing_is_kept();
    make(LOT, SIZE);
    drop(LOT, SIZE);
    while (kri_block_spare(SIZE) > LOT * 3 / 4) { /* once in a while half of it goes */
        make(4 * FULL, SIZE);
        drop(4 * FULL, SIZE);
        kri_test_nap();
    }
    CHECK_LE(KEPT, kri_block_spare(SIZE));
}

/* One makes, the other frees. */

enum { ROUNDS = 200, BATCH = 100 };

struct exchange {
    kr_semaphore made, freed;
    unsigned char *batch[BATCH];
};

static int free_batches(void *arg)
{
    struct exchange *x = arg;
    for (int round = 0; round < ROUNDS; round++) {
        CHECK_EQ(kr_semaphore_acquire(&x->made, KR_FOREVER), 0);
        for (int i = 0; i < BATCH; i++) {
            CHECK_EQ(x->batch[i][0], (unsigned char)round);
            CHECK_EQ(x->batch[i][SIZE - 1], (unsigned char)i);
            kri_block_free(x->batch[i], SIZE);
        }
        CHECK_EQ(kr_semaphore_release(&x->freed, 1), 0);
    }
    return 0;
}

static int make_batches(void *arg)
{
    struct exchange *x = arg;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < BATCH; i++) {
            x->batch[i] = kri_block_new(SIZE);
            CHECK(x->batch[i] != NULL);
            x->batch[i][0] = (unsigned char)round;
            x->batch[i][SIZE - 1] = (unsigned char)i;
        }
        CHECK_EQ(kr_semaphore_release(&x->made, 1), 0);
        CHECK_EQ(kr_semaphore_acquire(&x->freed, KR_FOREVER), 0);
    }
    return 0;
}

static void exchange(kr_run_fn here, kr_run_fn there)
{
    struct exchange x = {.made = KR_SEMAPHORE_INIT(0), .freed = KR_SEMAPHORE_INIT(0)};
    kr_thread *t;
    int result;
    CHECK_EQ(kr_thread_start(&t, there, &x, 0, NULL), 0);
    CHECK_EQ(here(&x), 0);
    CHECK_EQ(kr_thread_join(t, &result, KR_FOREVER), 0);
    CHECK_EQ(result, 0);
    kr_thread_release(t);
    /* All blocks are with this thread or in the depot: few, since they went round. */
    CHECK_LE(kri_block_spare(SIZE), 4 * FULL + BATCH);
}

TEST(blocks_go_round_from_here_to_there)
{
    exchange(make_batches, free_batches);
}

TEST(blocks_go_round_from_there_to_here)
{
    exchange(free_batches, make_batches);
}

/* The end of a thread. */

enum { HELD = 100 };

static int use_and_end(void *arg)
{
    (void)arg;
    make(HELD, SIZE);
    check_apart(HELD, SIZE);
    drop(HELD, SIZE);
    return 0;
}

static void *use_and_end_in_foreign(void *arg)
{
    (void)use_and_end(arg);
    return NULL;
}

/* More in all than one magazine, so that a rest and a magazine come together. */
TEST(a_thread_that_ends_leaves_its_blocks)
{
    skip_where_nothing_is_kept();
    kr_thread *t;
    CHECK_EQ(kr_thread_start(&t, use_and_end, NULL, 0, NULL), 0);
    CHECK_EQ(kr_thread_join(t, NULL, KR_FOREVER), 0);
    kr_thread_release(t);
    CHECK_EQ(kri_block_spare(SIZE), HELD);
    void *mine[2 * FULL];
    for (int i = 0; i < 2 * FULL; i++) {
        mine[i] = kri_block_new(SIZE);
        CHECK(is_of_first(mine[i], HELD) || i >= HELD);
    }
    for (int i = 0; i < 2 * FULL; i++)
        kri_block_free(mine[i], SIZE);
    CHECK_EQ(kri_block_spare(SIZE), 0); /* as many as a thread may have */
}

TEST(a_foreign_thread_does_so_too)
{
    skip_where_nothing_is_kept();
    pthread_t t;
    CHECK_EQ(pthread_create(&t, NULL, use_and_end_in_foreign, NULL), 0);
    CHECK_EQ(pthread_join(t, NULL), 0);
    CHECK_EQ(kri_block_spare(SIZE), HELD);
}

static kr_semaphore have_made = KR_SEMAPHORE_INIT(0);
static kr_event go_on = KR_EVENT_INIT;

static int leave_some(void *arg)
{
    void *mine[2 * FULL];
    int count = *(int *)arg;
    for (int i = 0; i < count; i++)
        mine[i] = kri_block_new(SIZE);
    CHECK_EQ(kr_semaphore_release(&have_made, 1), 0);
    CHECK_EQ(kr_event_wait(&go_on, KR_FOREVER), 0);
    for (int i = 0; i < count; i++)
        kri_block_free(mine[i], SIZE);
    return 0;
}

/* Threads that have made that many blocks each, all at a time, end. */
static void end_threads(int threads, const int *left)
{
    kr_thread *t[40];
    for (int i = 0; i < threads; i++)
        CHECK_EQ(kr_thread_start(&t[i], leave_some, &left[i % 6], sizeof *left, NULL), 0);
    for (int i = 0; i < threads; i++)
        CHECK_EQ(kr_semaphore_acquire(&have_made, KR_FOREVER), 0);
    kr_event_set(&go_on);
    for (int i = 0; i < threads; i++) {
        CHECK_EQ(kr_thread_join(t[i], NULL, KR_FOREVER), 0);
        kr_thread_release(t[i]);
    }
}

TEST(the_rests_of_threads_come_together)
{
    skip_where_nothing_is_kept();
    static const int left[6] = {63, 1, 62, 3, 128, 127};
    end_threads(6, left);
    CHECK_EQ(kri_block_spare(SIZE), 63 + 1 + 62 + 3 + 128 + 127);
    make(384, SIZE);
    CHECK_EQ(kri_block_spare(SIZE), 0);
    check_apart(384, SIZE);
}

/* Where there is no memory. */

TEST(no_memory)
{
    if (KRI_QEMU)
        SKIP("qemu sets no limit to memory");
    if (os_memory_is_checked())
        SKIP("the allocator ends the process instead");
    CHECK(kri_block_new(SIZE_MAX) == NULL);
    CHECK(kri_block_new(SIZE_MAX / 2) == NULL);
    struct rlimit limit = {0};
    CHECK_EQ(getrlimit(RLIMIT_AS, &limit), 0);
    limit.rlim_cur = 0; /* nothing more */
    CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
    void *first = NULL, *b;
    size_t count = 0;
    for (; (b = kri_block_new(SIZE)) != NULL; count++) {
        *(void **)b = first;
        first = b;
    }
    CHECK(kri_block_new(SIZE) == NULL);
    for (; first != NULL; first = b) {
        b = *(void **)first;
        kri_block_free(first, SIZE);
    }
    for (size_t i = 0; i < count; i++)
        CHECK(kri_block_new(SIZE) != NULL);
}

/* Fork. */

enum { FORKS = 100 };

static volatile sig_atomic_t forks;

/* Not at intervals: where a fork takes longer than one, nothing would be done between two. */
static void ring_soon(void)
{
    struct itimerval once = {.it_value.tv_usec = 1000};
    CHECK_EQ(setitimer(ITIMER_REAL, &once, NULL), 0);
}

/* In the midst of kri_block_spare, mostly with the lock of the depot. */
static void fork_here(int signo)
{
    int status;
    pid_t child = fork();
    CHECK_GE(child, 0);
    (void)signo;
    if (child == 0) {
        make(2000, SIZE);
        check_apart(2000, SIZE);
        drop(2000, SIZE);
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    if (++forks < FORKS)
        ring_soon();
}

TEST(a_forked_child_has_blocks)
{
    skip_where_nothing_is_kept(); /* and the sanitizers' allocators may be held */
    if (!KRI_GLIBC)
        SKIP("a fork waits for the C library's own allocator, which the signal may have "
             "interrupted");
    struct sigaction action = {.sa_handler = fork_here};
    make(1000, SIZE);
    drop(1000, SIZE);
    CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
    ring_soon();
    while (forks < FORKS)
        CHECK_EQ(kri_block_spare(SIZE), 1000 - 40 - FULL);
}
