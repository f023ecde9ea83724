/* SHA-256 of one file, with OpenSSL's libcrypto.
 *
 * A hasher is a buffer and a digest context; each thread has one for all its files.  The algorithm
 * is fetched once: looking it up by name for each file would cost more than hashing a small one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "treesum.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Small enough to stay in a processor's own cache between reading and hashing, and hashed in a
 * fraction of a millisecond, which is how long a cancel waits for us. */
#define BUFFER_SIZE ((size_t)128 * 1024)

struct hasher {
    EVP_MD *algorithm;
    EVP_MD_CTX *context;
    int keep_atime; /* O_NOATIME until the system refuses it */
    unsigned char buffer[BUFFER_SIZE];
};

/* Set before there are workers; those that are processes never hear of it and are killed. */
static const kr_cancel_scope *scope;

void digest_scope(const kr_cancel_scope *new_scope)
{
    scope = new_scope;
}

static bool cancelled(void)
{
    return scope && kr_cancel_scope_cancelled(scope);
}

static void hasher_free(void *value)
{
    struct hasher *hasher = value;
    EVP_MD_CTX_free(hasher->context);
    EVP_MD_free(hasher->algorithm);
}

static int hasher_init(void *value)
{
    struct hasher *hasher = value;
    hasher->keep_atime = O_NOATIME;
    hasher->algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    hasher->context = EVP_MD_CTX_new();
    if (hasher->algorithm && hasher->context)
        return 0;
    hasher_free(hasher);
    return -ENOMEM;
}

static kr_local hashers = KR_LOCAL_INIT(sizeof(struct hasher), hasher_init, hasher_free);

/* Opens without waiting: a pipe that nobody writes to must not keep us from being cancelled. */
static int open_file(struct hasher *hasher, const struct file *file)
{
    int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
    if (file->kind == FILE_FOUND)
        flags |= O_NOFOLLOW;
    int fd = open_path(file->path, flags | hasher->keep_atime);
    if (fd < 0 && errno == EPERM && hasher->keep_atime) {
        /* Only a file's owner may read it without leaving a trace. */
        hasher->keep_atime = 0;
        fd = open_path(file->path, flags);
    }
    return fd;
}

/* The next piece of the file into the buffer: its length, 0 at the end, or a negative errno. */
static ssize_t read_piece(struct hasher *hasher, int fd, bool may_block)
{
    for (;;) {
        if (cancelled())
            return -ECANCELED;
        int err = may_block ? wait_ready(fd, POLLIN, scope) : 0;
        if (err)
            return err;
        ssize_t got = read(fd, hasher->buffer, BUFFER_SIZE);
        if (got >= 0)
            return got;
        if (errno == EAGAIN)
            may_block = true; /* some files below /proc call themselves regular and are not */
        else if (errno != EINTR)
            return -errno;
    }
}

/* A file that was found by walking must still be a regular one. */
static int check_regular(int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return -errno;
    return S_ISREG(status.st_mode) ? 0 : -ESTALE;
}

/* Reads to the end and not to a size: a file may grow or shrink meanwhile, and those below /proc
 * have no size at all.  But where a size is known, a file that does not keep to it may be something
 * else that has taken its place, such as a device without an end. */
static int sum_contents(struct hasher *hasher, int fd, bool may_block, off_t size)
{
    off_t total = 0;
    if (!EVP_DigestInit_ex2(hasher->context, hasher->algorithm, NULL))
        return -EIO;
    for (;;) {
        ssize_t got = read_piece(hasher, fd, may_block);
        if (got < 0)
            return (int)got;
        total += got;
        if (size >= 0 && (got == 0 ? total != size : total > size)) {
            int err = check_regular(fd);
            if (err)
                return err;
            size = -1;
        }
        if (got == 0)
            return 0;
        if (!EVP_DigestUpdate(hasher->context, hasher->buffer, (size_t)got))
            return -EIO;
        console_done(0, (uint64_t)got);
    }
}

/* Asking for the status of each file would be a tenth of the work for small ones: it is spared
 * where the walk has just asked. */
static int sum_open_file(struct hasher *hasher, int fd, struct file *file)
{
    bool may_block = false;
    off_t size = file->size;
    if (size < 0) {
        struct stat status;
        if (fstat(fd, &status) != 0)
            return -errno;
        bool regular = S_ISREG(status.st_mode);
        if (file->kind == FILE_FOUND && !regular)
            return -ESTALE; /* something else has taken the place of the file that was found */
        may_block = !regular && !S_ISDIR(status.st_mode);
        size = regular ? status.st_size : 0;
    }
    if (size > (off_t)BUFFER_SIZE)
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    int err = sum_contents(hasher, fd, may_block, file->size);
    if (!err && !EVP_DigestFinal_ex(hasher->context, file->digest, NULL))
        err = -EIO;
    return err;
}

void digest_file(struct file *file)
{
    struct hasher *hasher = kr_local_get(&hashers);
    if (file->kind == FILE_NOTE)
        return;
    if (!hasher) {
        file->error = -ENOMEM;
    } else if (cancelled()) {
        file->error = -ECANCELED;
    } else if (file->kind == FILE_NAMED && strcmp(file->path, "-") == 0) {
        file->error = sum_open_file(hasher, STDIN_FILENO, file);
    } else {
        int fd = open_file(hasher, file);
        file->error = fd < 0 ? -errno : sum_open_file(hasher, fd, file);
        if (fd >= 0)
            close(fd);
    }
    console_done(1, 0);
}
