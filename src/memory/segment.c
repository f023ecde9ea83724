/* Sealed memfds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "memory/segment.h"
#include "os/os.h"
#include "os/segment.h"

int kri_memfd_create(size_t size, bool reserve)
{
    if (size == 0)
        return -EINVAL;
    int fd = os_segment_anonymous();
    if (fd < 0)
        return fd;
    int err = os_segment_resize(fd, size);
    if (err == 0 && reserve)
        err = os_segment_reserve(fd, size);
    if (err == 0)
        err = os_segment_seal(fd);
    if (err != 0) {
        os_close(fd);
        return err;
    }
    return fd;
}

int kri_memfd_map(size_t size, int *fd, void **memory)
{
    int made = kri_memfd_create(size, false);
    if (made < 0)
        return made;
    int err = os_segment_map(made, size, memory);
    if (err != 0) {
        os_close(made);
        return err;
    }
    *fd = made;
    return 0;
}

int kri_memfd_attach(int fd, size_t at_least, void **memory, size_t *size)
{
    os_segment about;
    int err = os_segment_look(fd, &about);
    if (err != 0)
        return err;
    if (!about.memory || !about.sealed || about.size < at_least || about.size == 0)
        return KR_ECORRUPT;
    err = os_segment_map(fd, (size_t)about.size, memory);
    if (err == 0 && size != NULL)
        *size = (size_t)about.size;
    return err;
}

void kri_memfd_unmap(void *memory, size_t size)
{
    os_shared_unmap(memory, size);
}
