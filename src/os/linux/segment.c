/* Segments: memfds, and files in /dev/shm, which is where shm_open and Python have theirs.
 *
 * A named one is made as a file without a name (O_TMPFILE) and linked when it is whole.  So nobody
 * sees half of one, and of a process that dies before that nothing is left.
 *
 * The mark is the sticky bit, which means nothing on a file: it needs no room in the segment, whose
 * first byte belongs to the program, and no attributes, which tmpfs has not had for long.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/segment.h"
#include "os/child.h"
#include "os/os.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PLACE "/dev/shm"

/* Newer than the headers of some builds. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#define TMPFS 0x01021994

enum { PATH_SIZE = sizeof PLACE + 1 + OS_SEGMENT_NAME };

size_t os_page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* What a system call returned, as a result of ours; errno is as before. */
static int result(int returned, int saved)
{
    int err = returned < 0 ? -errno : returned;
    errno = saved;
    return err;
}

/* The same of a call that makes a descriptor. */
static int made(int returned, int saved)
{
    return os_above_standard(result(returned, saved));
}

int os_segment_anonymous(void)
{
    int saved = errno;
    int fd = memfd_create("krait", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
        fd = memfd_create("krait", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return made(fd, saved);
}

int os_segment_resize(int fd, size_t size)
{
    int saved = errno;
    struct rlimit limit;
    if (size > INT64_MAX)
        return -EFBIG;
    /* The kernel would kill us (SIGXFSZ). */
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        size > limit.rlim_cur)
        return -EFBIG;
    return result(ftruncate(fd, (off_t)size), saved);
}

/* The kernel would take page after page until none is left, and only then say so. */
static bool is_too_much(int fd, size_t size)
{
    struct statfs fs;
    size_t memory = (size_t)sysconf(_SC_PHYS_PAGES) * os_page_size();
    bool limited = fstatfs(fd, &fs) == 0 && fs.f_blocks != 0;
    return size > memory || (limited && (size - 1) / (size_t)fs.f_bsize >= fs.f_bavail);
}

/* In parts, since a signal undoes what one call has done: so it gets on with a timer running. */
int os_segment_reserve_part(int fd, uint64_t from, uint64_t size)
{
    enum { PART = 1 << 22 };
    int saved = errno;
    int returned = 0;
    if (is_too_much(fd, size))
        return -ENOSPC;
    for (uint64_t at = from, end = from + size; at < end && returned == 0;) {
        uint64_t part = end - at < PART ? end - at : PART;
        returned = fallocate(fd, 0, (off_t)at, (off_t)part);
        if (returned == 0)
            at += part;
        else if (errno == EINTR)
            returned = 0;
    }
    return result(returned, saved);
}

int os_segment_reserve(int fd, size_t size)
{
    return os_segment_reserve_part(fd, 0, size);
}

int os_segment_seal(int fd)
{
    int saved = errno;
    return result(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), saved);
}

int os_segment_duplicate(int fd)
{
    return os_duplicate_above(fd);
}

int os_segment_look(int fd, os_segment *about)
{
    int saved = errno;
    struct stat s;
    struct statfs fs;
    if (fstat(fd, &s) < 0 || fstatfs(fd, &fs) < 0)
        return result(-1, saved);
    int seals = fcntl(fd, F_GET_SEALS);
    *about = (os_segment){.size = (uint64_t)s.st_size,
                          .device = (uint64_t)s.st_dev,
                          .inode = (uint64_t)s.st_ino,
                          .user = s.st_uid,
                          .mode = s.st_mode & 0777,
                          .memory = S_ISREG(s.st_mode) && fs.f_type == TMPFS,
                          .sealed = seals >= 0 && (seals & F_SEAL_SHRINK),
                          .named = s.st_nlink > 0,
                          .marked = (s.st_mode & S_ISVTX) != 0};
    errno = saved;
    return 0;
}

int os_segment_map(int fd, size_t size, void **memory)
{
    int saved = errno;
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        return result(-1, saved);
    *memory = at;
    return 0;
}

int os_segment_discard(void *memory, size_t size)
{
    int saved = errno;
    return result(madvise(memory, size, MADV_REMOVE), saved);
}

int os_segment_leave_undumped(void *memory, size_t size)
{
    int saved = errno;
    return result(madvise(memory, size, MADV_DONTDUMP), saved);
}

int os_segment_nameless(void)
{
    int saved = errno;
    return made(open(PLACE, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), saved);
}

int os_segment_mark(int fd, unsigned mode, bool marked)
{
    int saved = errno;
    return result(fchmod(fd, (mode & 0777) | (marked ? S_ISVTX : 0)), saved);
}

static void path_of(char path[PATH_SIZE], const char *name)
{
    snprintf(path, PATH_SIZE, "%s/%s", PLACE, name);
}

int os_segment_publish(int fd, const char *name)
{
    int saved = errno;
    char from[32], to[PATH_SIZE];
    snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
    path_of(to, name);
    return result(linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW), saved);
}

int os_segment_open(const char *name)
{
    int saved = errno;
    char path[PATH_SIZE];
    path_of(path, name);
    return made(open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY), saved);
}

int os_segment_remove(const char *name)
{
    int saved = errno;
    char path[PATH_SIZE];
    path_of(path, name);
    return result(unlink(path), saved);
}

int os_segment_name(int fd, char name[OS_SEGMENT_NAME + 1])
{
    int saved = errno;
    char from[32], path[PATH_SIZE];
    struct stat by_name, by_fd;
    snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(from, path, sizeof path - 1);
    size_t before = sizeof PLACE; /* with the slash */
    if (length <= (ssize_t)before || memcmp(path, PLACE "/", before) != 0) {
        errno = saved;
        return -ENOENT;
    }
    path[length] = '\0';
    bool same = lstat(path, &by_name) == 0 && fstat(fd, &by_fd) == 0 &&
                by_name.st_ino == by_fd.st_ino && by_name.st_dev == by_fd.st_dev;
    errno = saved;
    if (!same)
        return -ENOENT;
    memcpy(name, path + before, (size_t)length - before + 1);
    return (int)length - (int)before;
}

int os_segment_list(int (*each)(const char *name, void *arg), void *arg)
{
    int saved = errno;
    DIR *place = opendir(PLACE);
    if (place == NULL)
        return result(-1, saved);
    int err = 0;
    for (struct dirent *e; err == 0 && (e = readdir(place)) != NULL;) {
        if (e->d_type == DT_REG || e->d_type == DT_UNKNOWN)
            err = each(e->d_name, arg);
    }
    closedir(place);
    errno = saved;
    return err;
}

int os_segment_hold(int fd)
{
    int saved = errno;
    return result(flock(fd, LOCK_SH | LOCK_NB), saved);
}

int os_segment_seize(int fd)
{
    int saved = errno;
    return result(flock(fd, LOCK_EX | LOCK_NB), saved);
}

uint32_t os_user(void)
{
    return geteuid();
}
