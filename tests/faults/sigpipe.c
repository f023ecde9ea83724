/* Writing to a pipe that nobody reads, on kernels that can do it without a signal and on those that
 * cannot: the signal does not come, and one that came before stays.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/faulty.h"
#include "harness/test.h"

#include <krait/krait.h>
#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t came;

static void note_signal(int signo)
{
    (void)signo;
    came++;
}

static bool is_pending(void)
{
    sigset_t pending;
    CHECK_EQ(sigpending(&pending), 0);
    return sigismember(&pending, SIGPIPE) == 1;
}

static bool is_blocked(void)
{
    sigset_t now;
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &now), 0);
    return sigismember(&now, SIGPIPE) == 1;
}

static void block(bool blocked)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    CHECK_EQ(pthread_sigmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL), 0);
}

static void write_in_vain(int fd)
{
    bool blocked = is_blocked(), pending = is_pending();
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_write(fd, "x", 1, KR_FOREVER), -EPIPE);
    CHECK_EQ(is_blocked(), blocked);
    CHECK_EQ(is_pending(), pending);
}

static int write_in_all_ways(void *arg)
{
    int ends[2];
    (void)arg;
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(kr_write(ends[0], "abc", 3, KR_FOREVER), -EBADF); /* it is never writable */
    CHECK_EQ(kr_write(ends[1], "abc", 3, KR_FOREVER), 3);
    CHECK_EQ(kr_close(ends[0]), 0);
    write_in_vain(ends[1]);
    block(true);
    write_in_vain(ends[1]);
    CHECK_EQ(raise(SIGPIPE), 0);
    write_in_vain(ends[1]);
    CHECK(is_pending());
    CHECK_EQ(came, 0);
    block(false);
    CHECK_EQ(came, 1);
    signal(SIGPIPE, SIG_DFL);
    write_in_vain(ends[1]);
    signal(SIGPIPE, SIG_IGN);
    write_in_vain(ends[1]);
    CHECK_EQ(kr_close(ends[1]), 0);
    return 0;
}

static void write_with(faulty_group lack, bool in_loop)
{
    struct sigaction action = {.sa_handler = note_signal};
    CHECK_EQ(sigaction(SIGPIPE, &action, NULL), 0);
    if (lack != FAULTY_NOTHING)
        faulty_begin(lack, 1, true);
    CHECK_EQ(in_loop ? kr_run(write_in_all_ways, NULL) : write_in_all_ways(NULL), 0);
    if (lack != FAULTY_NOTHING)
        CHECK_GE(faulty_end(), 1);
}

#define ON_A_KERNEL(name, lack)                                                                    \
    TEST(name##_in_a_thread)                                                                       \
    {                                                                                              \
        write_with(lack, false);                                                                   \
    }                                                                                              \
    TEST(name##_in_a_loop)                                                                         \
    {                                                                                              \
        write_with(lack, true);                                                                    \
    }

ON_A_KERNEL(as_it_is, FAULTY_NOTHING)
ON_A_KERNEL(without_the_flag, FAULTY_NO_FLAG)
ON_A_KERNEL(without_any_flags, FAULTY_NO_FLAGS)
