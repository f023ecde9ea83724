/* What a child process may have, and of what it is made.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/child.h"
#include "os/linux/read_start.h"
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

static int compare(const void *a, const void *b)
{
    const int *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Before Linux 5.9 there is no such call. */
static void close_from_to(unsigned first, unsigned last)
{
    if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
        return;
    long most = sysconf(_SC_OPEN_MAX);
    if (most > 0 && last > (unsigned)most)
        last = (unsigned)most;
    for (unsigned fd = first; fd <= last; fd++)
        close((int)fd);
}

void os_close_all_but(int *keep, int count)
{
    int saved = errno;
    qsort(keep, (size_t)count, sizeof *keep, compare);
    unsigned next = STDERR_FILENO + 1;
    for (int i = 0; i < count; i++) {
        if (keep[i] < (int)next)
            continue;
        close_from_to(next, (unsigned)keep[i] - 1);
        next = (unsigned)keep[i] + 1;
    }
    close_from_to(next, ~0u);
    errno = saved;
}

void os_raise_descriptor_limit(uint64_t *before)
{
    struct rlimit limit = {0};
    int saved = errno;
    *before = 0;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        *before = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    errno = saved;
}

void os_set_descriptor_limit(uint64_t limit)
{
    struct rlimit now;
    int saved = errno;
    if (limit != 0 && getrlimit(RLIMIT_NOFILE, &now) == 0) {
        now.rlim_cur = (rlim_t)limit;
        setrlimit(RLIMIT_NOFILE, &now);
    }
    errno = saved;
}

int os_limit_memory(uint64_t bytes)
{
    struct rlimit limit;
    int saved = errno;
    int error = getrlimit(RLIMIT_AS, &limit) < 0 ? -errno : 0;
    if (error == 0) {
        limit.rlim_cur = bytes < limit.rlim_max ? (rlim_t)bytes : limit.rlim_max;
        error = setrlimit(RLIMIT_AS, &limit) < 0 ? -errno : 0;
    }
    errno = saved;
    return error;
}

/* A number of pages in a process's statm. */
static int64_t pages_of(pid_t id, bool resident)
{
    char path[40], text[128];
    snprintf(path, sizeof path, "/proc/%d/statm", (int)id);
    ssize_t length = kri_read_start(path, text, sizeof text);
    if (length <= 0)
        return length < 0 ? length : -ESRCH;
    const char *at = resident ? strchr(text, ' ') : text;
    return at != NULL ? strtoll(at, NULL, 10) * sysconf(_SC_PAGESIZE) : -ESRCH;
}

int64_t os_process_resident(pid_t id)
{
    return pages_of(id, true);
}

int64_t os_process_mapped(pid_t id)
{
    return pages_of(id, false);
}

/* Build-ids. */

typedef struct search {
    const void *address; /* NULL: the first object, which is the program */
    uint8_t *id;
    size_t size;
    size_t found;
} search;

static bool holds(const struct dl_phdr_info *object, const void *address)
{
    uintptr_t at = (uintptr_t)address;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &object->dlpi_phdr[i];
        uintptr_t start = (uintptr_t)(object->dlpi_addr + p->p_vaddr);
        if (p->p_type == PT_LOAD && at >= start && at - start < p->p_memsz)
            return true;
    }
    return address == NULL;
}

static size_t padded(size_t size)
{
    return (size + 3) & ~(size_t)3;
}

static void read_notes(search *s, const char *at, size_t left)
{
    ElfW(Nhdr) note;
    while (s->found == 0 && left >= sizeof note) {
        memcpy(&note, at, sizeof note);
        size_t name = padded(note.n_namesz), content = padded(note.n_descsz);
        if (name > left - sizeof note || content > left - sizeof note - name)
            return;
        const char *bytes = at + sizeof note;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(bytes, "GNU", 4) == 0) {
            s->found = note.n_descsz < s->size ? note.n_descsz : s->size;
            memcpy(s->id, bytes + name, s->found);
        }
        at = bytes + name + content;
        left -= sizeof note + name + content;
    }
}

static int visit(struct dl_phdr_info *object, size_t size, void *arg)
{
    (void)size;
    search *s = arg;
    if (!holds(object, s->address))
        return 0;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &object->dlpi_phdr[i];
        if (p->p_type == PT_NOTE)
            read_notes(s, (const char *)(uintptr_t)(object->dlpi_addr + p->p_vaddr), p->p_memsz);
    }
    return 1;
}

size_t os_build_id(const void *address, uint8_t *id, size_t size)
{
    search s = {.address = address, .id = id, .size = size};
    dl_iterate_phdr(visit, &s);
    return s.found;
}

static int note_base(struct dl_phdr_info *object, size_t size, void *arg)
{
    (void)size;
    *(uint64_t *)arg =
        object->dlpi_addr + 1; /* the first is the program; 0 where it was linked to */
    return 1;
}

uint64_t os_image_base(void)
{
    uint64_t base = 0;
    dl_iterate_phdr(note_base, &base);
    return base;
}
