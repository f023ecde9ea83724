/* The files of /proc that are short, and read at once.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_OS_LINUX_READ_START_H
#define KRI_OS_LINUX_READ_START_H

#include <errno.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

/* The file's first size - 1 bytes, closed by a zero byte; how many, or a negative error.  errno
 * stays. */
static inline ssize_t kri_read_start(const char *path, char *text, size_t size)
{
    int saved = errno;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, text, size - 1) : -1;
    if (length < 0)
        length = -errno;
    if (fd >= 0)
        close(fd);
    text[length > 0 ? length : 0] = '\0';
    errno = saved;
    return length;
}

#endif
