/* Waiting for descriptors.  That a cancel ends such a wait is in cancel.c, signals are in
 * tests/sync/waits.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/waits.h"
#include <dirent.h>
#include <sys/resource.h>
#include <sys/socket.h>

TEST(test_readable)
{
    int ends[2];

    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    CHECK_EQ(kri_wait_fd(ends[0], OS_READABLE, kri_deadline(KR_NOWAIT)), -ETIMEDOUT);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(kri_wait_fd(ends[0], OS_READABLE, KRI_NEVER), OS_READABLE);
    CHECK_EQ(kri_wait_fd(ends[0], OS_READABLE, kri_deadline(KR_NOWAIT)), OS_READABLE);
}

TEST(test_writable)
{
    static char block[65536];
    int ends[2];

    CHECK_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    CHECK_EQ(kri_wait_fd(ends[1], OS_WRITABLE, KRI_NEVER), OS_WRITABLE);
    while (write(ends[1], block, sizeof block) > 0)
        continue;
    CHECK_EQ(kri_wait_fd(ends[1], OS_WRITABLE, kri_deadline(kr_ms(1))), -ETIMEDOUT);
    CHECK_EQ(read(ends[0], block, sizeof block), sizeof block);
    CHECK_EQ(kri_wait_fd(ends[1], OS_WRITABLE, KRI_NEVER), OS_WRITABLE);
}

/* Only what was asked for and is so. */
TEST(test_either)
{
    int ends[2];

    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    CHECK_EQ(kri_wait_fd(ends[0], OS_READABLE | OS_WRITABLE, KRI_NEVER), OS_WRITABLE);
    CHECK_EQ(kri_wait_fd(ends[0], OS_READABLE, kri_deadline(kr_ms(1))), -ETIMEDOUT);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(kri_wait_fd(ends[0], OS_READABLE | OS_WRITABLE, KRI_NEVER), OS_READABLE | OS_WRITABLE);
}

TEST(test_hang_up)
{
    int ends[2];

    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    close(ends[1]);
    CHECK_GE(kri_wait_fd(ends[0], OS_READABLE, KRI_NEVER), 1);
}

TEST(test_closed_descriptor)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    int ends[2];

    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    CHECK_EQ(kri_wait_fd(ends[0], OS_READABLE, KRI_NEVER), -EBADF);
    CHECK_EQ(kri_wait_fd(ends[0], OS_READABLE, kri_deadline(KR_NOWAIT)), -EBADF);
    CHECK_EQ(kri_wait_fd(-1, OS_READABLE, kri_deadline(kr_ms(50))), -EBADF);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    CHECK_EQ(kri_wait_fd(ends[1] + 100, OS_READABLE, KRI_NEVER), -EBADF);
    CHECK_EQ(kri_wait_fd(-1, OS_READABLE, kri_deadline(kr_ms(50))), -EBADF);
    CHECK_EQ(kr_cancel_scope_exit(&scope), 0);
}

/* Inside a scope the wait needs a descriptor of its own; without one it fails and says so, and
 * works again when there is one. */
TEST(test_no_descriptor_left)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    struct rlimit limit;
    struct rlimit none;
    int ends[2];

    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = (rlim_t)ends[1] + 1;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    while (dup(0) >= 0)
        continue;
    CHECK_EQ(kri_wait_fd(ends[0], OS_READABLE, kri_deadline(kr_ms(1))), -ETIMEDOUT);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    CHECK_EQ(kri_wait_fd(ends[0], OS_READABLE, kri_deadline(kr_ms(1))), -EMFILE);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK_EQ(kri_wait_fd(ends[0], OS_READABLE, kri_deadline(kr_ms(1))), -ETIMEDOUT);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(kri_wait_fd(ends[0], OS_READABLE, KRI_NEVER), OS_READABLE);
    CHECK_EQ(kr_cancel_scope_exit(&scope), 0);
}

static int count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    CHECK(dir != NULL);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

static void wait_in_scope(void *arg, int index)
{
    waits_world *world = arg;
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;

    (void)index;
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kri_wait_fd(world->pipe[0], OS_READABLE, kri_deadline(kr_ms(1))), -ETIMEDOUT);
    kr_cancel(&scope);
    CHECK_EQ(kri_wait_fd(world->pipe[0], OS_READABLE, KRI_NEVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
}

/* The descriptors that threads got for being cancelled go with them. */
TEST(test_no_descriptor_leaks)
{
    waits_world *world;
    int before;

    party_be(&party_threads);
    world = waits_begin();
    before = count_descriptors();
    for (int round = 0; round < 5; round++)
        party_join(party_start(4, wait_in_scope, world));
    CHECK_EQ(count_descriptors(), before);
    waits_end(world);
}

/* Being rung once does not end the next wait: the same thread is cancelled over and over. */
typedef struct rung {
    waits_world *world;
    kri_pointer scope;
    kr_word done;
} rung;

static void be_cancelled_again(void *arg, int index)
{
    rung *r = arg;

    (void)index;
    for (int i = 0; i < 200; i++) {
        kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;

        CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
        CHECK_EQ(kri_wait_fd(r->world->pipe[0], OS_READABLE, kri_deadline(kr_us(20))), -ETIMEDOUT);
        kri_store_rel_ptr(&r->scope, &scope);
        CHECK_EQ(kri_wait_fd(r->world->pipe[0], OS_READABLE, KRI_NEVER), -ECANCELED);
        while (kri_load_acq_ptr(&r->scope) != NULL)
            sched_yield();
        CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    }
    kri_store_rel(&r->done, 1);
}

TEST(test_cancelled_over_and_over)
{
    rung *r;
    party_bunch *bunch;

    party_be(&party_threads);
    r = party_world(sizeof *r);
    r->world = waits_begin();
    bunch = party_start(1, be_cancelled_again, r);
    while (kri_load_acq(&r->done) == 0) {
        kr_cancel_scope *scope = kri_load_acq_ptr(&r->scope);

        if (scope == NULL) {
            sched_yield();
            continue;
        }
        kr_cancel(scope);
        kri_store_rel_ptr(&r->scope, NULL);
    }
    party_join(bunch);
    waits_end(r->world);
    party_world_free(r, sizeof *r);
}
