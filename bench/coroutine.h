/* The same coroutines by many hands.  C++ reads this too.
 *
 * Each function does `count` operations and gives the nanoseconds that they took, with what had to
 * be there before beside the clock; what a hand cannot do is NULL.  What comes back is checked.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_COROUTINE_H
#define KRI_BENCH_COROUTINE_H

#ifdef __cplusplus
extern "C" {
#endif

struct bench_coroutines {
    double (*change)(unsigned long count); /* bare switches, there and back by turns */
    double (*yield)(unsigned long count);  /* of two coroutines by turns, by the scheduler */
    double (*create)(unsigned long count); /* make, run to its end, give back: without scheduler */
    double (*spawn)(unsigned long count);  /* start, have it run, take its result */
    double (*trips)(unsigned long count);  /* there and back by two queues or channels */
    double (*memory)(unsigned long count); /* bytes that became resident with so many alive */
};

enum {
    BENCH_STACK = 256 * 1024, /* where a hand takes a size */
    BENCH_BATCH = 100,        /* as many are spawned before the first result is taken */
    BENCH_MUST_FIT = 1000,    /* at least so many alive, or it says nothing */
};

extern const struct bench_coroutines bench_krait_bare, bench_krait_coroutines, bench_ucontext,
    bench_pth, bench_boost_context, bench_boost_fcontext, bench_boost_coroutine2, bench_boost_fiber;

/* Nanoseconds now; bytes that are resident now. */
double bench_clock(void);
double bench_resident(void);

/* A result that is not as it must be ends the measurement. */
void bench_check(int right, const char *what);

#ifdef __cplusplus
}
#endif

#endif
