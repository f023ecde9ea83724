/* Calls that glibc has and other C libraries of Linux, such as musl, have not.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_OS_LINUX_LIBC_H
#define KRI_OS_LINUX_LIBC_H

#include <spawn.h>
#include <sys/uio.h>

#ifndef __GLIBC__

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 8

static inline ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t at, int flags)
{
    return syscall(SYS_preadv2, fd, parts, (long)count, (long)at, 0l, flags);
}

static inline ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t at, int flags)
{
    return syscall(SYS_pwritev2, fd, parts, (long)count, (long)at, 0l, flags);
}
#endif

/* Those are closed that are open now.  What another thread opens meanwhile, and not as one that is
 * closed by a new program, goes on to that program. */
static inline int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions,
                                                           int first)
{
    DIR *open_now = opendir("/proc/self/fd");
    if (open_now == NULL)
        return errno;
    int error = 0;
    for (struct dirent *entry; error == 0 && (entry = readdir(open_now)) != NULL;) {
        int fd = entry->d_name[0] == '.' ? -1 : atoi(entry->d_name);
        int flags = fd < first ? -1 : fcntl(fd, F_GETFD);
        if (flags >= 0 && !(flags & FD_CLOEXEC))
            error = posix_spawn_file_actions_addclose(actions, fd);
    }
    closedir(open_now);
    return error;
}

#endif

#endif
