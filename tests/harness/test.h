/* Writing a test case.
 *
 *     #include "harness/test.h"
 *
 *     TEST(test_acquire_release)
 *     {
 *         kr_lock lock = KR_LOCK_INIT;
 *         CHECK_EQ(kr_lock_acquire(&lock, KR_FOREVER), 0);
 *     }
 *
 * A file is a program; each case runs in a process of its own, so it may leave threads behind, call
 * exit or be killed.  A check that fails ends the case at once, from whichever thread.  A case
 * passes when its process ends with status 0.
 *
 * No case sleeps in order to let another thread get somewhere: it waits for an event of the other
 * (kri_bunch_wait_started, a kr_event) or until it is really parked (kri_test_wait_parked).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_HARNESS_TEST_H
#define KRI_HARNESS_TEST_H

#include <krait/base.h>
#include <pthread.h>
#include <string.h>

/* TEST - a case, known by its name alone; CPython's name where it has the same test. */
#define TEST(name)                                                                                 \
    static void name(void);                                                                        \
    __attribute__((constructor)) static void name##_register(void)                                 \
    {                                                                                              \
        static kri_test_case entry = {#name, name, NULL};                                          \
        kri_test_register(&entry);                                                                 \
    }                                                                                              \
    static void name(void)

/* Checks.  The comparing ones are for integers, and say both values. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            kri_test_fail(__FILE__, __LINE__, "%s is false", #condition);                          \
    } while (0)

#define CHECK_EQ(got, want)  KRI_CHECK_COMPARE(got, ==, want)
#define CHECK_NE(got, other) KRI_CHECK_COMPARE(got, !=, other)
#define CHECK_LE(got, most)  KRI_CHECK_COMPARE(got, <=, most)
#define CHECK_GE(got, least) KRI_CHECK_COMPARE(got, >=, least)

#define KRI_CHECK_COMPARE(left, operator, right)                                                   \
    do {                                                                                           \
        intmax_t kri_left = (intmax_t)(left), kri_right = (intmax_t)(right);                       \
        if (!(kri_left operator kri_right))                                                        \
            kri_test_fail(__FILE__, __LINE__, "%s %s %s: %jd and %jd", #left, #operator, #right,   \
                          kri_left, kri_right);                                                    \
    } while (0)

#define CHECK_STR(got, want)                                                                       \
    do {                                                                                           \
        const char *kri_got = (got), *kri_want = (want);                                           \
        if (strcmp(kri_got, kri_want) != 0)                                                        \
            kri_test_fail(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"", #got, kri_got,           \
                          kri_want);                                                               \
    } while (0)

/* CHECK_TIME - a wait of `asked` took `took`: at least 0.6 of it, as CPython has it, and at most
 * ten times as long and ten seconds.  The upper bound is there for hangs and wrong units only: a
 * busy machine may stop a thread for seconds. */
#define CHECK_TIME(took, asked)                                                                    \
    do {                                                                                           \
        kr_time kri_took = (took), kri_asked = (asked);                                            \
        CHECK_GE(kri_took, kri_asked / 10 * 6);                                                    \
        CHECK_LE(kri_took, kri_asked * 10 + kr_sec(10));                                           \
    } while (0)

/* SKIP - end the case as one that cannot be run here. */
#define SKIP(why) kri_test_skip(why)

/* kri_test_emulated - does qemu's user emulation run us?  It makes its own of signals, faults and
 * what /proc says of the process.  With KR_TRY in the environment it is told that none does, so
 * that what is skipped for its sake is tried: a newer one may be able to do it. */
bool kri_test_emulated(void);

/* KRI_GLIBC - is the C library glibc? */
#ifdef __GLIBC__
#define KRI_GLIBC 1
#else
#define KRI_GLIBC 0
#endif

/* kri_test_system_call - the number that /proc has for a system call of ours. */
long kri_test_system_call(long number);

/* kri_test_name - of the case that runs, for cases that share a function. */
const char *kri_test_name(void);

/* kri_test_seed - where this case's random choices come from; printed, and repeated by KR_SEED. */
uint64_t kri_test_seed(void);

/* kri_test_random - the next of a sequence that *state begins; start it from the seed. */
uint64_t kri_test_random(uint64_t *state);

/* kri_test_budget - for how many seconds a case that is long by nature should go on; the command
 * `./run test` gives few, `./run test --long` many. */
int kri_test_budget(void);

/* kri_test_note - a line that is shown also when the case passes, such as a long case's counts. */
void kri_test_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* kri_test_wait_parked - wait until at least `count` parties sleep on the word in krait. */
void kri_test_wait_parked(kr_word *word, int count);

/* kri_test_nap - give others the processor for a moment, inside a loop that polls. */
void kri_test_nap(void);

/* kri_test_stop - SIGSTOP to a process; when this returns none of its threads runs any more. */
void kri_test_stop(int process);

/* kri_test_watch_forks - called once, before the case: see stop.c. */
void kri_test_watch_forks(void);

/* kri_test_linger - for some 20 ms: who is to wait for the caller, and does not, is gone by then.
 * Nothing may depend on it: whoever waits waits longer. */
void kri_test_linger(void);

/* A bunch: `count` plain threads of the system, which krait has not started, on one function. */
typedef struct kri_bunch {
    void (*body)(void *arg);
    void *arg;
    int count;
    int started; /* guarded by mutex, as the next two */
    int finished;
    bool held; /* those who finished stay until they are let go */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_t threads[64];
} kri_bunch;

/* kri_bunch_start - start the threads; at most 64. */
void kri_bunch_start(kri_bunch *bunch, int count, void (*body)(void *arg), void *arg);

/* kri_bunch_hold - as kri_bunch_start, and whoever returns from body stays alive until the end. */
void kri_bunch_hold(kri_bunch *bunch, int count, void (*body)(void *arg), void *arg);

/* Wait until `count` have begun, or have returned from, body.  Longer than 30 s fails the case. */
void kri_bunch_wait_started(kri_bunch *bunch, int count);
void kri_bunch_wait_finished(kri_bunch *bunch, int count);
int kri_bunch_finished(kri_bunch *bunch);

/* kri_bunch_end - wait until all have returned, and join them. */
void kri_bunch_end(kri_bunch *bunch);

/* What the macros above stand on. */
typedef struct kri_test_case {
    const char *name;
    void (*run)(void);
    struct kri_test_case *next;
} kri_test_case;

void kri_test_register(kri_test_case *entry);
_Noreturn void kri_test_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
_Noreturn void kri_test_skip(const char *why);

#endif
