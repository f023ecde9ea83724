/* Where all threads of a process group stand, for the case that did not end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_HARNESS_STACKS_H
#define KRI_HARNESS_STACKS_H

#include <stdbool.h>
#include <sys/types.h>

/* kri_stacks_print - to standard output: with gdb where it is installed, else what /proc tells. */
void kri_stacks_print(pid_t group);

/* kri_group_members - up to `room` processes of the group that have not ended; returns how many. */
int kri_group_members(pid_t group, pid_t *members, int room);

#endif
