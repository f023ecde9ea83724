/* Memory, random bytes, last words.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/os.h"
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

void *os_alloc(size_t size)
{
    return calloc(1, size);
}

void os_free(void *memory)
{
    free(memory);
}

/* Before the kernel's pool is ready there is nothing better than the clock; nothing here is a
 * secret. */
void os_random(void *bytes, size_t count)
{
    unsigned char *at = bytes;
    size_t got = 0;
    int saved = errno;
    while (got < count) {
        ssize_t n = getrandom(at + got, count - got, GRND_NONBLOCK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        got += (size_t)n;
    }
    errno = saved;
    uint64_t state = (uint64_t)os_now();
    for (; got < count; got++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        at[got] = (unsigned char)(state >> 56);
    }
}

void os_print_error(const char *line)
{
    int saved = errno;
    struct iovec parts[2] = {{(void *)(uintptr_t)line, strlen(line)}, {"\n", 1}};
    ssize_t written = writev(STDERR_FILENO, parts, 2);
    (void)written;
    errno = saved;
}

_Noreturn void os_exit(int status)
{
    exit(status);
}

_Noreturn void os_abort(const char *sentence)
{
    os_print_error(sentence);
    abort();
}
