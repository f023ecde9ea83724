/* Where a body goes: nowhere, or into a file, which has its name only once it is complete.
 *
 * What is removed or renamed is so at once, without a wait that could be cancelled: whichever way a
 * task ends, it leaves a complete file or none.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_MOST 100

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

/* The last part of the path, with nothing in it that a file system or a shell could mind. */
static void name_of(char *name, const struct url *url)
{
    size_t end = strcspn(url->target, "?"), length = 0;
    const char *slash = memrchr(url->target, '/', end);
    for (const char *at = slash + 1; at < url->target + end && length < NAME_MOST; at++)
        name[length++] = is_plain(*at) ? *at : '_';
    name[length] = '\0';
    if (length == 0)
        strcpy(name, "index");
}

int sink_open(struct sink *sink, const struct options *options, const struct job *job,
              const struct url *url)
{
    char name[NAME_MOST + 8];
    *sink = (struct sink){.fd = -1, .most = options->max_size};
    if (!options->directory)
        return 0;
    name_of(name, url);
    if (asprintf(&sink->path, "%s/%06zu-%s", options->directory, job->number, name) < 0)
        sink->path = NULL;
    else if (asprintf(&sink->partial, "%s.part", sink->path) < 0)
        sink->partial = NULL;
    if (!sink->path || !sink->partial) {
        sink_drop(sink);
        return -ENOMEM;
    }
    /* kr_open would do, but then a cancel could leave a file behind that nobody knows of. */
    int fd = open(sink->partial, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0666);
    if (fd < 0) {
        int err = -errno;
        sink_drop(sink);
        return err;
    }
    sink->fd = fd;
    return 0;
}

int sink_put(struct sink *sink, const char *bytes, size_t size)
{
    if (size > sink->most - sink->bytes)
        return BODY_TOO_LONG;
    sink->bytes += size;
    console_bytes(size);
    return sink->fd < 0 ? 0 : kr_write_all(sink->fd, bytes, size, NULL, KR_FOREVER);
}

int sink_keep(struct sink *sink, char **file)
{
    if (sink->fd < 0)
        return 0;
    int err = kr_close(sink->fd);
    sink->fd = -1;
    if (!err && rename(sink->partial, sink->path) != 0)
        err = -errno;
    if (err) {
        (void)unlink(sink->partial);
    } else {
        *file = sink->path;
        sink->path = NULL;
    }
    return err;
}

void sink_drop(struct sink *sink)
{
    if (sink->fd >= 0) {
        (void)kr_close(sink->fd);
        (void)unlink(sink->partial);
    }
    free(sink->path);
    free(sink->partial);
    *sink = (struct sink){.fd = -1};
}
