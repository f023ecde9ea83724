/* Files: done in place by a thread, and by a thread of the library's own for a coroutine.
 *
 * What is in memory already is read in place by a coroutine, too: that is most of all reading, and
 * to hand it over costs more than to copy it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "io/file.h"
#include "io/offload.h"
#include <krait/io.h>

enum { AT_POSITION = -1 };

typedef struct file_call {
    kri_offloaded call;
    int fd;
    void *bytes;
    size_t size;
    int64_t offset; /* or AT_POSITION */
    const char *path;
    int flags;
    unsigned mode;
    unsigned end; /* of a named pipe, not opened yet: it would wait for somebody; 0: none */
    int64_t result;
} file_call;

static file_call *of(kri_offloaded *call)
{
    return (file_call *)(void *)call;
}

static void run_read(kri_offloaded *call)
{
    file_call *c = of(call);
    c->result = c->offset == AT_POSITION ? os_read(c->fd, c->bytes, c->size)
                                         : os_pread(c->fd, c->bytes, c->size, c->offset);
}

static void run_write(kri_offloaded *call)
{
    file_call *c = of(call);
    c->result = c->offset == AT_POSITION ? os_write(c->fd, c->bytes, c->size)
                                         : os_pwrite(c->fd, c->bytes, c->size, c->offset);
}

static void run_sync(kri_offloaded *call)
{
    of(call)->result = os_fsync(of(call)->fd);
}

static void run_open(kri_offloaded *call)
{
    file_call *c = of(call);
    c->end = os_open_waits(c->path, c->flags);
    c->result = c->end != 0 ? 0 : os_open(c->path, c->flags, c->mode);
}

static int64_t perform(file_call *c, kr_time timeout)
{
    if (timeout == KR_NOWAIT || !kri_in_coroutine()) {
        c->call.run(&c->call);
        return c->result;
    }
    if (kr_cancelled())
        return -ECANCELED;
    int err = kri_offload(KRI_OFFLOAD_FILES, &c->call, kri_deadline(timeout));
    return err < 0 ? err : c->result;
}

/* As much as can be had without waiting: all, or all up to the end of the file, or some of it, with
 * *more set, or 0 with that. */
static int64_t read_cached(const file_call *c, bool *more)
{
    char *at = c->bytes;
    size_t done = 0;
    for (;;) {
        int64_t offset = c->offset + (int64_t)done;
        int64_t got = c->offset == AT_POSITION
                          ? os_read_now(c->fd, at + done, c->size - done)
                          : os_pread_now(c->fd, at + done, c->size - done, offset);
        *more = got < 0;
        if (got > 0)
            done += (size_t)got;
        if (got <= 0 || done == c->size)
            return (int64_t)done;
    }
}

static int64_t read_file(file_call *c, kr_time timeout)
{
    bool more = true;
    int64_t done = 0;
    if (timeout != KR_NOWAIT && kri_in_coroutine() && c->size > 0)
        done = read_cached(c, &more);
    if (!more)
        return done;
    c->bytes = (char *)c->bytes + done;
    c->size -= (size_t)done;
    c->offset += c->offset == AT_POSITION ? 0 : done;
    int64_t rest = perform(c, timeout);
    return rest >= 0 ? done + rest : done > 0 ? done : rest;
}

int64_t kri_file_read(int fd, void *bytes, size_t size, kr_time timeout)
{
    file_call c = {
        .call.run = run_read, .fd = fd, .bytes = bytes, .size = size, .offset = AT_POSITION};
    return read_file(&c, timeout);
}

int64_t kri_file_write(int fd, const void *bytes, size_t size, kr_time timeout)
{
    file_call c = {.call.run = run_write,
                   .fd = fd,
                   .bytes = (void *)(uintptr_t)bytes,
                   .size = size,
                   .offset = AT_POSITION};
    return perform(&c, timeout);
}

int64_t kr_pread(int fd, void *bytes, size_t size, int64_t offset, kr_time timeout)
{
    if (timeout < 0 || offset < 0)
        return -EINVAL;
    file_call c = {.call.run = run_read, .fd = fd, .bytes = bytes, .size = size, .offset = offset};
    return read_file(&c, timeout);
}

int64_t kr_pwrite(int fd, const void *bytes, size_t size, int64_t offset, kr_time timeout)
{
    if (timeout < 0 || offset < 0)
        return -EINVAL;
    file_call c = {.call.run = run_write,
                   .fd = fd,
                   .bytes = (void *)(uintptr_t)bytes,
                   .size = size,
                   .offset = offset};
    return perform(&c, timeout);
}

int kr_fsync(int fd, kr_time timeout)
{
    if (timeout < 0)
        return -EINVAL;
    file_call c = {.call.run = run_sync, .fd = fd};
    return (int)perform(&c, timeout);
}

int kr_open(const char *path, int flags, unsigned mode, kr_time timeout)
{
    if (timeout < 0 || path == NULL)
        return -EINVAL;
    kr_time deadline = kri_deadline(timeout);
    file_call c = {.call.run = run_open, .path = path, .flags = flags, .mode = mode};
    int fd = (int)perform(&c, timeout);
    if (fd == 0 && c.end != 0)
        fd = kri_fifo_open(path, flags, mode, c.end, timeout, deadline);
    if (fd >= 0)
        kri_descriptor_fresh(fd);
    return fd;
}
