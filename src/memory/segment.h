/* Anonymous memory known by a descriptor, for krait's own use: memfds whose length is sealed, so
 * that nobody who has the descriptor can make the others' accesses fail.
 *
 * Its pages are taken as they are touched, and not reserved: there is no file system that could be
 * full, so who runs out of memory there does so as anywhere else.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MEMORY_SEGMENT_H
#define KRI_MEMORY_SEGMENT_H

#include <krait/base.h>

/* kri_memfd_map - make one of `size` zero bytes, and map it.
 *
 *   fd       receives its descriptor, which exec closes; os_close does not end the mapping
 *   memory   ended by kri_memfd_unmap
 *
 * Returns   0; -EINVAL: size is 0; -ENOMEM, -EMFILE, -ENFILE, -EFBIG */
int kri_memfd_map(size_t size, int *fd, void **memory);

/* kri_memfd_attach - map one that somebody else has made.  fd stays the caller's.
 *
 *   at_least  how many bytes it must have
 *   size      receives how many it has; NULL: not wanted
 *
 * Returns   0; KR_ECORRUPT: no sealed memfd, or a shorter one; -ENOMEM, -EBADF */
int kri_memfd_attach(int fd, size_t at_least, void **memory, size_t *size);

void kri_memfd_unmap(void *memory, size_t size);

/* kri_memfd_create - the descriptor alone, sealed; with reserve, its memory is there. */
int kri_memfd_create(size_t size, bool reserve);

#endif
