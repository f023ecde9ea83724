/* Opening named pipes: who waits for the other end is a waiter like any other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "io/channels.h"
#include "wait/wait.h"

#include <sys/stat.h>

typedef struct opening {
    int flags;
    kr_time timeout;
    kr_cancel_scope scope;
    kri_block_hook hook;
    unsigned waits; /* atomic: how often it has begun to wait */
    int result;
} opening;

static char path[64];

static void make_fifo(void)
{
    snprintf(path, sizeof path, "/tmp/krait-fifo-%d", (int)getpid());
    CHECK_EQ(mkfifo(path, 0600), 0);
}

static void count_wait(kri_block_hook *hook)
{
    opening *o = (opening *)(void *)((char *)hook - offsetof(opening, hook));
    __atomic_add_fetch(&o->waits, 1, __ATOMIC_RELAXED);
}

static void no_more(kri_block_hook *hook)
{
    (void)hook;
}

static void open_fifo(void *arg)
{
    opening *o = arg;
    o->hook = (kri_block_hook){.before = count_wait, .after = no_more};
    kri_block_hook_add(&o->hook);
    CHECK_EQ(kr_cancel_scope_enter(&o->scope, KR_FOREVER), 0);
    o->result = kr_open(path, o->flags, 0, o->timeout);
    (void)kr_cancel_scope_exit(&o->scope);
    kri_block_hook_remove(&o->hook);
}

/* It has looked more than once whether the other end is there.  A coroutine's first wait is for the
 * thread that looks what lies at the path. */
static void await_opener(opening *o)
{
    while (__atomic_load_n(&o->waits, __ATOMIC_RELAXED) < 3)
        CHECK_EQ(kr_yield(), 0);
}

/* With time, and without; by a cancel, before and while it waits. */
IO_TEST(test_nobody_opens_the_other_end)
{
    make_fifo();
    for (int end = 0; end < 2; end++) {
        opening o = {.flags = end == 0 ? O_RDONLY : O_WRONLY, .timeout = KR_FOREVER};
        io_other other;
        CHECK_EQ(kr_open(path, o.flags, 0, KR_NOWAIT), -ETIMEDOUT);
        CHECK_EQ(kr_open(path, o.flags, 0, kr_ms(30)), -ETIMEDOUT);
        io_start(&other, open_fifo, &o);
        await_opener(&o);
        kr_cancel(&o.scope);
        io_join(&other);
        CHECK_EQ(o.result, -ECANCELED);
        io_start(&other, open_fifo, &o);
        io_join(&other);
        CHECK_EQ(o.result, -ECANCELED);
    }
    CHECK_EQ(unlink(path), 0);
}

static void check_pair(int reader, int writer)
{
    char bytes[8];
    CHECK_GE(reader, 0);
    CHECK_GE(writer, 0);
    CHECK(!io_is_nonblocking(reader));
    CHECK(!io_is_nonblocking(writer));
    CHECK_EQ(kr_read(reader, bytes, sizeof bytes, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_write(writer, "abc", 3, kr_sec(60)), 3);
    CHECK_EQ(kr_read(reader, bytes, sizeof bytes, kr_sec(60)), 3);
    CHECK_EQ(kr_close(writer), 0);
    CHECK_EQ(kr_read(reader, bytes, sizeof bytes, kr_sec(60)), 0);
    CHECK_EQ(kr_close(reader), 0);
}

IO_TEST(test_both_ends_of_a_fifo)
{
    make_fifo();
    for (int first = 0; first < 2; first++) {
        opening o = {.flags = first == 0 ? O_RDONLY : O_WRONLY, .timeout = kr_sec(60)};
        io_other other;
        io_start(&other, open_fifo, &o);
        CHECK_EQ(kr_yield(), 0);
        int here = kr_open(path, first == 0 ? O_WRONLY : O_RDONLY, 0, kr_sec(60));
        io_join(&other);
        check_pair(first == 0 ? o.result : here, first == 0 ? here : o.result);
    }
    CHECK_EQ(unlink(path), 0);
}

/* Those who open by the system's own call, which waits, and have gone again at once. */
static void *pass_by(void *arg)
{
    const opening *o = arg;
    int fd = open(path, o->flags | O_CLOEXEC);
    CHECK_GE(fd, 0);
    if (o->timeout != 0)
        CHECK_EQ(write(fd, "abc", 3), 3);
    close(fd);
    return NULL;
}

static void open_beside(int flags, int theirs, bool writes)
{
    char bytes[8];
    pthread_t thread;
    opening o = {.flags = theirs, .timeout = writes};
    CHECK_EQ(pthread_create(&thread, NULL, pass_by, &o), 0);
    int fd = kr_open(path, flags, 0, kr_sec(60));
    CHECK_GE(fd, 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    if (flags == O_RDONLY && writes)
        CHECK_EQ(kr_read(fd, bytes, sizeof bytes, kr_sec(60)), 3);
    if (flags == O_RDONLY)
        CHECK_EQ(kr_read(fd, bytes, sizeof bytes, kr_sec(60)), 0);
    CHECK_EQ(kr_close(fd), 0);
}

IO_TEST(test_a_fifo_with_a_stranger)
{
    make_fifo();
    open_beside(O_RDONLY, O_WRONLY, true);
    open_beside(O_RDONLY, O_WRONLY, false);
    open_beside(O_WRONLY, O_RDONLY, false);
    CHECK_EQ(unlink(path), 0);
}

/* What does not wait for anybody. */
IO_TEST(test_fifos_that_open_at_once)
{
    make_fifo();
    int both = kr_open(path, O_RDWR, 0, kr_sec(60));
    CHECK_GE(both, 0);
    CHECK_EQ(kr_close(both), 0);
    CHECK_EQ(kr_open(path, O_WRONLY | O_NONBLOCK, 0, kr_sec(60)), -ENXIO);
    int reader = kr_open(path, O_RDONLY | O_NONBLOCK, 0, kr_sec(60));
    CHECK_GE(reader, 0);
    CHECK(io_is_nonblocking(reader));
    CHECK_EQ(kr_close(reader), 0);
    CHECK_EQ(kr_open(path, O_RDONLY | O_DIRECTORY, 0, kr_sec(60)), -ENOTDIR);
    CHECK_EQ(kr_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600, kr_sec(60)), -EEXIST);
    CHECK_EQ(unlink(path), 0);
    CHECK_EQ(kr_open(path, O_RDONLY, 0, kr_sec(60)), -ENOENT);
}

enum { MANY = 40 };

/* However many wait, files are opened, read and written. */
static int open_many(void *arg)
{
    opening all[MANY];
    io_other others[MANY];
    (void)arg;
    make_fifo();
    for (int i = 0; i < MANY; i++) {
        all[i] = (opening){.flags = O_RDONLY, .timeout = KR_FOREVER};
        io_start(&others[i], open_fifo, &all[i]);
    }
    CHECK_EQ(kr_yield(), 0);
    int file = kr_open("/proc/self/stat", O_RDONLY, 0, kr_sec(20));
    CHECK_GE(file, 0);
    CHECK_EQ(kr_close(file), 0);
    for (int i = 0; i < MANY; i++)
        kr_cancel(&all[i].scope);
    for (int i = 0; i < MANY; i++) {
        io_join(&others[i]);
        CHECK_EQ(all[i].result, -ECANCELED);
    }
    CHECK_EQ(unlink(path), 0);
    return 0;
}

TEST(test_many_fifos_hold_up_no_file)
{
    CHECK_EQ(kr_run(open_many, NULL), 0);
}
