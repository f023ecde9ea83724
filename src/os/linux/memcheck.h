/* What valgrind's memcheck cannot know of a system call.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_OS_LINUX_MEMCHECK_H
#define KRI_OS_LINUX_MEMCHECK_H

#ifdef KRI_HAVE_VALGRIND
#include <valgrind/memcheck.h>
#else
#define VALGRIND_CHECK_MEM_IS_ADDRESSABLE(low, size) ((void)0)
#define VALGRIND_DISABLE_ERROR_REPORTING             ((void)0)
#define VALGRIND_ENABLE_ERROR_REPORTING              ((void)0)
#define VALGRIND_MAKE_MEM_DEFINED(low, size)         ((void)0)
#endif

#endif
