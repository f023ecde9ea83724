/* Places in the code that tools of the system find by name, where the build knows how: nothing but
 * an instruction that does nothing while nobody looks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_OS_PROBE_H
#define KRI_OS_PROBE_H

#ifdef KRI_HAVE_SDT
#include <sys/sdt.h>
#define OS_PROBE(name, first, second) STAP_PROBE2(krait, name, first, second)
#else
#define OS_PROBE(name, first, second) ((void)0)
#endif

#endif
