/* System calls past the C library.
 *
 * The library's functions for calls that may block do twice as much as is needed, for threads that
 * are cancelled in them, and all of them deal with errno.  Of a call that is made for each message,
 * and never blocks, that is most of what it costs outside the kernel.  Sanitizers know the
 * library's functions only: with them these are not used.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_OS_LINUX_DIRECT_H
#define KRI_OS_LINUX_DIRECT_H

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The call's result, or a negative error; errno stays. */
static inline long kri_call_directly(long number, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__) && defined(__LP64__)
    register long fourth __asm__("r10") = d;
    register long fifth __asm__("r8") = e;
    register long sixth __asm__("r9") = f;
    long result = number;
    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__) && defined(__LP64__)
    register long call __asm__("x8") = number;
    register long first __asm__("x0") = a;
    register long second __asm__("x1") = b;
    register long third __asm__("x2") = c;
    register long fourth __asm__("x3") = d;
    register long fifth __asm__("x4") = e;
    register long sixth __asm__("x5") = f;
    __asm__ volatile("svc #0"
                     : "+r"(first)
                     : "r"(call), "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "memory");
    return first;
#else
    int saved = errno;
    long result = syscall(number, a, b, c, d, e, f);
    if (result < 0)
        result = -errno;
    errno = saved;
    return result;
#endif
}

#endif
