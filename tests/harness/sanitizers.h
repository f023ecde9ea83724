/* Which sanitizer the case is built with: 1 or 0; and what else makes a run unlike others.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_HARNESS_SANITIZERS_H
#define KRI_HARNESS_SANITIZERS_H

#ifdef __has_feature
#define KRI_HAS_FEATURE(name) __has_feature(name)
#else
#define KRI_HAS_FEATURE(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || KRI_HAS_FEATURE(address_sanitizer)
#define KRI_ASAN 1
#else
#define KRI_ASAN 0
#endif

/* It knows no threads in the child of a process with threads. */
#if defined(__SANITIZE_THREAD__) || KRI_HAS_FEATURE(thread_sanitizer)
#define KRI_TSAN 1
#else
#define KRI_TSAN 0
#endif

/* Under qemu, asked as the case runs. */
#define KRI_QEMU kri_test_emulated()

/* Built for another processor, and so emulated: known as the case is compiled, not to #if. */
#define KRI_EMULATED  (sizeof KRI_TEST_START > 1)

#define KRI_SANITIZED (KRI_ASAN || KRI_TSAN)

/* Under valgrind, which lets one thread run at a time: known as the case runs. */
#define KRI_VALGRIND kri_test_valgrind()
_Bool kri_test_valgrind(void);

/* Under one that knows no descriptors of processes, as 3.19: krait starts none.  Cases that need
 * some skip themselves by NEED_PROCESSES. */
_Bool kri_test_no_pidfd(void);
#define NEED_PROCESSES                                                                             \
    do {                                                                                           \
        if (kri_test_no_pidfd())                                                                   \
            SKIP("this valgrind knows no descriptors of processes");                               \
    } while (0)

/* For programs that are started from now on: "TSAN_OPTIONS", "report_thread_leaks=0". */
void kri_test_sanitizer_option(const char *variable, const char *option);

/* What looks after memory takes more of it, and keeps what is freed. */
#define KRI_CHECKED (KRI_SANITIZED || KRI_VALGRIND)

/* Slower than elsewhere: there is less to do, and more time for it.  Known as the case runs. */
#define KRI_SLOWED (KRI_SANITIZED || KRI_EMULATED || KRI_VALGRIND)

/* What bounds and intervals of time are multiplied by that were chosen for a processor of one's
 * own.  Known as the case runs. */
#define KRI_TIMES (KRI_EMULATED || KRI_VALGRIND ? 10 : 1)

#endif
