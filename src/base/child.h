/* How a process that krait has started again knows itself.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BASE_CHILD_H
#define KRI_BASE_CHILD_H

/* Its first argument begins so; see process/init.c. */
#define KRI_CHILD_ARGUMENT "--krait-process="

#endif
