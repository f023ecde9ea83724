/* Places in the code that tools of the system find by name, where the build knows how: nothing but
 * an instruction that does nothing while nobody looks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_OS_PROBE_H
#define KRI_OS_PROBE_H

#ifdef KRI_HAVE_SDT
#include <sys/sdt.h>
#ifdef __clang__ /* its macros leave out arguments, as no standard before C23 allows */
#define OS_PROBE(name, first, second)                                                              \
    _Pragma("clang diagnostic push")                                                               \
        _Pragma("clang diagnostic ignored \"-Wgnu-zero-variadic-macro-arguments\"")                \
            STAP_PROBE2(krait, name, first, second) _Pragma("clang diagnostic pop")
#else
#define OS_PROBE(name, first, second) STAP_PROBE2(krait, name, first, second)
#endif
#else
#define OS_PROBE(name, first, second) ((void)0)
#endif

#endif
