/* Is the library built with a sanitizer, which wants to see what goes on?
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_OS_LINUX_SANITIZED_H
#define KRI_OS_LINUX_SANITIZED_H

#ifdef __has_feature
#define KRI_HAS_FEATURE(name) __has_feature(name)
#else
#define KRI_HAS_FEATURE(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    KRI_HAS_FEATURE(address_sanitizer) || KRI_HAS_FEATURE(thread_sanitizer) ||                     \
    KRI_HAS_FEATURE(memory_sanitizer)
enum { KRI_SANITIZED = 1 };
#else
enum { KRI_SANITIZED = 0 };
#endif

#endif
