/* The contract with the system: memory of stacks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_OS_STACK_H
#define KRI_OS_STACK_H

#include "os/os.h"
#include "os/segment.h" /* os_page_size */

/* Pages for stacks: none is there before it is touched, none is a huge one, none is counted against
 * what the system promises.  Whole pages; NULL: none left. */
void *os_stack_map(size_t size);
void os_stack_unmap(void *memory, size_t size);

/* Any access to these pages is a fault from now on, at the price of a mapping each.  0, -ENOMEM. */
int os_stack_guard(void *pages, size_t size);

#endif
