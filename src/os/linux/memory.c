/* Memory, random bytes, last words.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/global.h"
#include "os/os.h"
#include "os/linux/sanitized.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

/* mmap is not in POSIX's list of functions for signal handlers, but it is a bare system call. */
void *os_pages(size_t size)
{
    int saved = errno;
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    errno = saved;
    return pages == MAP_FAILED ? NULL : pages;
}

void os_pages_free(void *pages, size_t size)
{
    int saved = errno;
    if (pages != NULL)
        munmap(pages, size);
    errno = saved;
}

/* Before the kernel's pool is ready there is nothing better than the clock; nothing here is a
 * secret. */
enum { UNKNOWN, NO, YES };

static kr_word memory_checked KRI_GLOBAL;

/* valgrind loads its tools' replacements of malloc into the program. */
static bool is_loaded_by_valgrind(void)
{
    static const char *const tools[] = {"vgpreload_memcheck", "vgpreload_helgrind",
                                        "vgpreload_drd"};
    const char *loaded = getenv("LD_PRELOAD");
    for (size_t i = 0; loaded != NULL && i < sizeof tools / sizeof tools[0]; i++) {
        if (strstr(loaded, tools[i]) != NULL)
            return true;
    }
    return false;
}

/* Once, since the answer must not change with the environment. */
bool os_memory_is_checked(void)
{
    uint32_t known = kri_load_rlx(&memory_checked);
    if (known == UNKNOWN) {
        known = KRI_SANITIZED || is_loaded_by_valgrind() ? YES : NO;
        kri_store_rlx(&memory_checked, known);
    }
    return known == YES;
}

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
