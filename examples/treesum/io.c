/* Opening paths of any length, and waiting for slow descriptors in a way that Ctrl-C ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "treesum.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define POLL_INTERVAL 20 /* milliseconds between looks at the scope */

static void close_keeping_errno(int fd)
{
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
}

/* A path longer than the system takes is walked in pieces that it does take. */
static int open_in_pieces(const char *path, int flags)
{
    char piece[PATH_MAX];
    int directory = AT_FDCWD;
    while (strlen(path) >= PATH_MAX) {
        size_t cut = PATH_MAX - 1;
        while (cut > 0 && path[cut] != '/')
            cut--;
        if (cut == 0) {
            close_keeping_errno(directory);
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(piece, path, cut);
        piece[cut] = '\0';
        int next = openat(directory, piece, O_PATH | O_DIRECTORY | O_CLOEXEC);
        close_keeping_errno(directory);
        if (next < 0)
            return -1;
        directory = next;
        path += cut;
        path += strspn(path, "/");
    }
    int fd = openat(directory, *path ? path : ".", flags | O_CLOEXEC);
    close_keeping_errno(directory);
    return fd;
}

int open_path(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0 && errno == ENAMETOOLONG && strlen(path) >= PATH_MAX)
        return open_in_pieces(path, flags);
    return fd;
}

int wait_ready(int fd, short events, const kr_cancel_scope *scope)
{
    struct pollfd ready = {.fd = fd, .events = events};
    while (!(scope ? kr_cancel_scope_cancelled(scope) : kr_cancelled())) {
        int count = poll(&ready, 1, POLL_INTERVAL);
        if (count > 0)
            return 0;
        if (count < 0 && errno != EINTR)
            return -errno;
    }
    return -ECANCELED;
}
