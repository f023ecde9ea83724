/* Why `a += 1` is not one step, and when that shows: an interpreter of five instructions.
 *
 * Rows 30, 58 and 59 of docs/lessons.md.  In Python:
 *
 *     dis.dis("a += 1")               # LOAD_NAME, LOAD_CONST, BINARY_OP, STORE_NAME
 *
 * One thread adds 1 many times, another takes 1 away as often, both under the interpreter lock.
 * Watch what is left.  If the interpreter looks after every instruction whether somebody wants the
 * lock, as CPython did up to 3.9, it may change hands between the load and the store, and updates
 * are lost.  If it looks at jumps back only, as since 3.10, never.  The lock keeps the interpreter
 * whole in both cases, and the program's data only by luck: use a kr_lock.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { TIMES = 50000, MOST_ROUNDS = 1000, SAFE_ROUNDS = 10 };

enum op { LOAD, CONST, ADD, STORE, LOOP };
static const char *const names[] = {"LOAD  a", "CONST 1", "ADD", "STORE a", "LOOP"};

struct job {
    long constant; /* +1 or -1 */
    bool check_always;
};

static kr_gil *gil;
static kr_barrier start = KR_BARRIER_INIT(2);
static long a; /* the program's variable; who reads or writes it has the lock */

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int interpret(kr_gil_thread *self, const struct job *job)
{
    long stack[2];
    int top = 0, err = 0;
    for (int times = 0; times < TIMES && !err;) {
        for (enum op op = LOAD; op <= LOOP && !err; op++) {
            if (op == LOAD)
                stack[top++] = a;
            else if (op == CONST)
                stack[top++] = job->constant;
            else if (op == ADD)
                top--, stack[top - 1] += stack[top];
            else if (op == STORE)
                a = stack[--top];
            else
                times++; /* and back to the first */
            if (job->check_always || op == LOOP)
                err = kr_gil_check(self); /* here the lock may be given away */
        }
    }
    return err;
}

static int run(void *arg)
{
    kr_gil_thread *self;
    int err = kr_barrier_wait(&start, KR_FOREVER);
    if (err >= 0)
        err = kr_gil_attach(gil, &self);
    if (err)
        return err;
    err = interpret(self, arg);
    kr_gil_detach(self);
    return err;
}

/* Both threads; *left is what they have left of a. */
static int one_round(bool check_always, long *left)
{
    const struct job up = {+1, check_always}, down = {-1, check_always};
    KR_AUTO(kr_thread) *first = NULL;
    KR_AUTO(kr_thread) *second = NULL;
    a = 0;
    int err = kr_thread_start(&first, run, &up, sizeof up, NULL);
    if (!err)
        err = kr_thread_start(&second, run, &down, sizeof down, NULL);
    if (!err)
        err = kr_thread_join(first, NULL, KR_FOREVER);
    if (!err)
        err = kr_thread_join(second, NULL, KR_FOREVER);
    *left = a;
    return err;
}

int main(void)
{
    long left = 0;
    int rounds = 0;
    /* As CPython's lock, but for an interval a thousand times as short, to see more of it. */
    int err = kr_gil_create(
        &gil, &(kr_gil_options){.policy = KR_GIL_INTERVAL, .switch_interval = kr_us(5)});
    for (int i = 0; i < 5; i++)
        printf("%d  %s\n", i, names[i]);
    while (!err && left == 0 && rounds++ < MOST_ROUNDS)
        err = one_round(true, &left);
    if (err || left == 0)
        return fail("looking always", err ? err : -ERANGE);
    printf("Looking after every instruction: %ld instead of 0\n", left);
    for (rounds = 0, left = 0; !err && left == 0 && rounds < SAFE_ROUNDS; rounds++)
        err = one_round(false, &left);
    if (err)
        return fail("looking at jumps", err);
    printf("Looking at jumps back only: %ld, %d times\n", left, rounds);
    err = kr_gil_destroy(gil);
    return err ? fail("destroy", err) : EXIT_SUCCESS;
}
