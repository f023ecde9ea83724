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
#define KRI_QEMU      kri_test_emulated()

#define KRI_SANITIZED (KRI_ASAN || KRI_TSAN)

#endif
