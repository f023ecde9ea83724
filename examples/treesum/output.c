/* Lines on standard output, in the form of sha256sum.
 *
 * A buffer of our own instead of stdio's: it knows the first error and keeps it, and it never
 * sleeps in a write to a pipe whose reader has stopped, so that Ctrl-C ends that too.
 *
 * SPDX-License-Identifier: MIT
 */
#include "treesum.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FLUSH_INTERVAL kr_ms(100) /* so long may a line lie here while the program waits */

static struct {
    char bytes[64 * 1024];
    size_t used;
    int error; /* the first, for good */
    kr_time flushed;
    enum { UNKNOWN, REGULAR, OTHER } kind;
} output;

static void examine(void)
{
    struct stat status;
    bool regular = fstat(STDOUT_FILENO, &status) == 0 && S_ISREG(status.st_mode);
    output.kind = regular ? REGULAR : OTHER;
}

static int write_some(const char *bytes, size_t size, size_t *written)
{
    if (output.kind == OTHER) {
        int err = wait_ready(STDOUT_FILENO, POLLOUT, NULL);
        if (err)
            return err;
        if (size > PIPE_BUF)
            size = PIPE_BUF; /* as much as a pipe that is ready takes without sleeping */
    }
    ssize_t put = write(STDOUT_FILENO, bytes, size);
    if (put < 0)
        return errno == EINTR || errno == EAGAIN ? 0 : -errno;
    *written += (size_t)put;
    return 0;
}

int output_flush(void)
{
    size_t written = 0;
    if (output.kind == UNKNOWN)
        examine();
    if (output.used > 0 && output.kind == OTHER)
        console_hide();
    while (!output.error && written < output.used)
        output.error = write_some(output.bytes + written, output.used - written, &written);
    output.used = 0;
    output.flushed = kr_now();
    return output.error;
}

int output_idle(void)
{
    if (output.used > 0 && kr_now() - output.flushed >= FLUSH_INTERVAL)
        return output_flush();
    return output.error;
}

static void put(const char *bytes, size_t size)
{
    while (size > 0 && !output.error) {
        if (output.used == sizeof output.bytes)
            output_flush();
        size_t room = sizeof output.bytes - output.used;
        size_t part = size < room ? size : room;
        memcpy(output.bytes + output.used, bytes, part);
        output.used += part;
        bytes += part;
        size -= part;
    }
}

/* A name that would break its line is written with these three characters escaped, and its line
 * begins with a backslash to say so. */
static const char special[] = "\\\n\r";

static bool begin_line(const char *name, const char *triggers)
{
    bool escaped = strpbrk(name, triggers) != NULL;
    if (escaped)
        put("\\", 1);
    return escaped;
}

static void put_name(const char *name, bool escaped)
{
    while (escaped) {
        size_t plain = strcspn(name, special);
        put(name, plain);
        name += plain;
        if (*name == '\0')
            return;
        put(*name == '\n' ? "\\n" : *name == '\r' ? "\\r" : "\\\\", 2);
        name++;
    }
    put(name, strlen(name));
}

static void put_digest(const unsigned char *digest)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * DIGEST_SIZE];
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        text[2 * i] = digits[digest[i] >> 4];
        text[2 * i + 1] = digits[digest[i] & 15];
    }
    put(text, sizeof text);
}

int output_sum(const struct file *file)
{
    bool escaped = begin_line(file->path, special);
    put_digest(file->digest);
    put("  ", 2);
    put_name(file->path, escaped);
    put("\n", 1);
    return output.error;
}

int output_verdict(const char *path, const char *verdict)
{
    bool escaped = begin_line(path, "\n"); /* alone, as sha256sum does here */
    put_name(path, escaped);
    put(": ", 2);
    put(verdict, strlen(verdict));
    put("\n", 1);
    return output.error;
}
