/* The interpreter that the tour brings along for systems without Lua: it counts primes as well.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include "../../examples/tour/machine.c"

static bool is_prime(long number)
{
    for (long divisor = 2; divisor * divisor <= number; divisor++) {
        if (number % divisor == 0)
            return false;
    }
    return true;
}

static void check_range(struct interpreter *interpreter, long from, long to, kr_gil_thread *lock)
{
    long wanted = 0, found = -1;
    for (long number = from; number < to; number++)
        wanted += is_prime(number);
    CHECK_EQ(interpreter_primes(interpreter, from, to, lock, &found), 0);
    CHECK_EQ(found, wanted);
}

TEST(it_counts_primes)
{
    struct interpreter *interpreter;
    CHECK_EQ(interpreter_open(&interpreter), 0);
    check_range(interpreter, 2, 1000, NULL);
    check_range(interpreter, 100000, 100400, NULL);
    check_range(interpreter, 10, 10, NULL);
    interpreter_close(interpreter);
}

TEST(it_counts_primes_under_the_lock)
{
    struct interpreter *interpreter;
    kr_gil *gil;
    kr_gil_thread *lock;
    CHECK_EQ(kr_gil_create(&gil, NULL), 0);
    CHECK_EQ(kr_gil_attach(gil, &lock), 0);
    CHECK_EQ(interpreter_open(&interpreter), 0);
    check_range(interpreter, 100000, 100400, lock);
    interpreter_close(interpreter);
    CHECK_EQ(kr_gil_detach(lock), 0);
    CHECK_EQ(kr_gil_destroy(gil), 0);
}

/* Its check points end it. */
TEST(a_cancel_ends_it)
{
    struct interpreter *interpreter;
    long found;
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(interpreter_open(&interpreter), 0);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_cancel(&scope);
    CHECK_EQ(interpreter_primes(interpreter, 2, 1L << 60, NULL, &found), -ECANCELED);
    kr_cancel_scope_exit(&scope);
    interpreter_close(interpreter);
}
