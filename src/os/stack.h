/* The contract with the system: memory of stacks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_OS_STACK_H
#define KRI_OS_STACK_H

#include "os/os.h"
#include "os/segment.h" /* os_page_size */

/* Everything here is of whole pages. */

/* Pages for stacks: zero; none is there before it is touched, none is a huge one, none counts
 * against what the system may promise as long as it does not insist.  NULL: none left. */
void *os_stack_map(size_t size);
void os_stack_unmap(void *memory, size_t size);

/* The pages are zero again, and take no memory until they are touched. */
void os_stack_discard(void *pages, size_t size);

/* How many of the pages take memory; as many as there are when the system does not tell. */
size_t os_stack_resident(void *pages, size_t size);

/* From now on each access to these pages is a fault, and stays one when they are discarded.
 *
 * The first costs an entry for each page in tables that the pages beside them have anyway.
 * -ENOSYS before Linux 6.13; some systems pretend to know the call and do nothing.
 * The second makes two mappings more of one, of which a process has no more than os_map_limit().
 * Both 0, -ENOMEM. */
int os_stack_guard_light(void *pages, size_t size);
int os_stack_guard_mapped(void *pages, size_t size);
bool os_stack_is_guarded(void *page); /* is an access a fault? */
size_t os_map_limit(void);

/* A stack for the calling thread's signal handlers, where it has none.  0, -ENOMEM. */
typedef struct os_signal_stack {
    void *memory; /* NULL: it had one */
    size_t size;
} os_signal_stack;
int os_signal_stack_begin(os_signal_stack *stack);
void os_signal_stack_end(os_signal_stack *stack);

/* When an access to memory fails `look` is called with the address, in a signal handler; then what
 * the program has for that, or the end.  The same `look` each time; as many ends as begins. */
void os_fault_watch_begin(void (*look)(uintptr_t address));
void os_fault_watch_end(void);

#endif
