/* The names of segments, and when they go.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MEMORY_NAME_H
#define KRI_MEMORY_NAME_H

#include "os/segment.h"

/* kri_name_check - 0; -EINVAL, -ENAMETOOLONG: nothing can be called so. */
int kri_name_check(const char *name);

/* kri_name_publish - give a whole segment the name, which a segment that nobody holds may have.
 * name "": one is made up, and written there. */
int kri_name_publish(int fd, char name[OS_SEGMENT_NAME + 1]);

/* kri_name_remove_unheld - remove it if it is krait's, this user's, and nobody holds it.
 *
 *   size   receives how long it was; NULL: not wanted
 *
 * True: done. */
bool kri_name_remove_unheld(const char *name, uint64_t *size);

/* kri_name_sweep - that for all names, once a process. */
void kri_name_sweep(void);

#endif
