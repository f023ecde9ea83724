/* See faulty.h.  The linker has every call of the functions named here from another file of the
 * library end in the __wrap_ one, which reaches the real one by its __real_ name.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/faulty.h"

#include "base/atomic.h"
#include "harness/test.h"
#include "os/os.h"
#include "os/segment.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static struct faults {
    kr_word group, first, all_after, calls, failed;
} * faults;             /* in memory that children share, also those of other images */
static kri_word64 live; /* of this process */

static const char whose[] = "KRAIT_TEST_FAULTS"; /* in the environment: where they are */

static int new_faults(void)
{
    char name[64];
    int fd = memfd_create("faults", MFD_CLOEXEC);
    CHECK_EQ(ftruncate(fd, sizeof *faults), 0);
    snprintf(name, sizeof name, "/proc/%d/fd/%d", (int)getpid(), fd);
    CHECK_EQ(setenv(whose, name, 1), 0);
    return fd;
}

/* The descriptor by which others find them stays open. */
__attribute__((constructor)) static void make_faults(void)
{
    const char *name = getenv(whose);
    int fd = name != NULL ? open(name, O_RDWR | O_CLOEXEC) : new_faults();
    faults = mmap(NULL, sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(faults != MAP_FAILED);
    if (name != NULL)
        close(fd);
}

void faulty_begin(faulty_group group, uint32_t first, bool all_after)
{
    kri_store_sc(&faults->calls, 0);
    kri_store_sc(&faults->failed, 0);
    kri_store_sc(&faults->first, first);
    kri_store_sc(&faults->all_after, all_after);
    kri_store_sc(&faults->group, group);
}

uint32_t faulty_end(void)
{
    kri_store_sc(&faults->group, FAULTY_NOTHING);
    return kri_load_sc(&faults->calls);
}

uint32_t faulty_failed(void)
{
    return kri_load_sc(&faults->failed);
}

bool faulty_fails_now(void)
{
    return kri_load_sc(&faults->group) != FAULTY_NOTHING && faulty_failed() > 0;
}

int64_t faulty_live(void)
{
    return (int64_t)kri_load_sc64(&live);
}

bool faulty_fails(faulty_group group)
{
    if (kri_load_sc(&faults->group) != group)
        return false;
    uint32_t number = kri_add_sc(&faults->calls, 1) + 1, first = kri_load_sc(&faults->first);
    bool after = number > first && kri_load_sc(&faults->all_after);
    bool now = number == first ||
               (after && ((group != FAULTY_SLEEP && group != FAULTY_SIGNAL) || number % 2 == 0));
    kri_add_sc(&faults->failed, now);
    return now;
}

static void *counted(void *memory)
{
    if (memory)
        kri_add_sc64(&live, 1);
    return memory;
}

static void *discounted(void *memory)
{
    if (memory)
        kri_sub_sc64(&live, 1);
    return memory;
}

WRAPPED(void *, os_alloc, size_t size)
{
    return faulty_fails(FAULTY_MEMORY) ? NULL : counted(__real_os_alloc(size));
}

WRAPPED(void, os_free, void *memory)
{
    __real_os_free(discounted(memory));
}

WRAPPED(void *, os_pages, size_t size)
{
    return faulty_fails(FAULTY_MEMORY) ? NULL : counted(__real_os_pages(size));
}

WRAPPED(void, os_pages_free, void *pages, size_t size)
{
    __real_os_pages_free(discounted(pages), size);
}

WRAPPED(void *, os_shared_map, size_t size)
{
    return faulty_fails(FAULTY_MEMORY) ? NULL : counted(__real_os_shared_map(size));
}

WRAPPED(int, os_shared_touch, void *memory, size_t size)
{
    return faulty_fails(FAULTY_MEMORY) ? -ENOMEM : __real_os_shared_touch(memory, size);
}

WRAPPED(void, os_shared_unmap, void *memory, size_t size)
{
    __real_os_shared_unmap(discounted(memory), size);
}

WRAPPED(int, os_futex_wait, kr_word *word, uint32_t expected, kr_time deadline, bool shared)
{
    if (faulty_fails(FAULTY_SLEEP) || faulty_fails(FAULTY_SIGNAL)) {
        sched_yield();
        return kri_load_sc(&faults->group) == FAULTY_SLEEP ? 0 : -EINTR;
    }
    if (faulty_fails(FAULTY_ENDLESS))
        deadline = OS_NEVER;
    return __real_os_futex_wait(word, expected, deadline, shared);
}

WRAPPED(int, os_futex_wait_either, kr_word *cancel, uint32_t cancel_expected, kr_word *word,
        uint32_t expected, kr_time deadline)
{
    if (faulty_fails(FAULTY_EITHER))
        return -ENOSYS;
    if (faulty_fails(FAULTY_ENDLESS))
        deadline = OS_NEVER;
    return __real_os_futex_wait_either(cancel, cancel_expected, word, expected, deadline);
}

static struct {
    void (*fn)(void *arg);
    void *arg;
    kr_word asked, begun;
} after_any;

void faulty_after_any(void (*fn)(void *arg), void *arg)
{
    after_any.fn = fn;
    after_any.arg = arg;
    kri_store_sc(&after_any.begun, 0);
    kri_store_sc(&after_any.asked, 1);
}

bool faulty_in_any(void)
{
    return kri_load_sc(&after_any.begun);
}

WRAPPED(int, os_futex_wait_any, const os_sleep *list, unsigned count, kr_time deadline)
{
    if (faulty_fails(FAULTY_EITHER))
        return -ENOSYS;
    if (faulty_fails(FAULTY_SLEEP) || faulty_fails(FAULTY_SIGNAL)) {
        sched_yield();
        return kri_load_sc(&faults->group) == FAULTY_SLEEP ? (int)count - 1 : -EINTR;
    }
    if (faulty_fails(FAULTY_ENDLESS))
        deadline = OS_NEVER;
    bool asked = kri_swap_sc(&after_any.asked, 0);
    kri_store_sc(&after_any.begun, asked);
    int result = __real_os_futex_wait_any(list, count, deadline);
    if (asked)
        after_any.fn(after_any.arg);
    return result;
}

WRAPPED(int, os_futex_requeue, kr_word *from, int count, kr_word *to, bool shared)
{
    return faulty_fails(FAULTY_REQUEUE) ? 0 : __real_os_futex_requeue(from, count, to, shared);
}

WRAPPED(uint64_t, os_process_start, pid_t id)
{
    return faulty_fails(FAULTY_PROCESSES) ? 0 : __real_os_process_start(id);
}

WRAPPED(bool, os_process_ended, pid_t id)
{
    return faulty_fails(FAULTY_PROCESSES) ? false : __real_os_process_ended(id);
}

/* Segments: with the error that each is likeliest to have. */
WRAPPED(int, os_segment_anonymous, void)
{
    return faulty_fails(FAULTY_SEGMENT) ? -EMFILE : __real_os_segment_anonymous();
}

WRAPPED(int, os_segment_nameless, void)
{
    return faulty_fails(FAULTY_SEGMENT) ? -ENFILE : __real_os_segment_nameless();
}

WRAPPED(int, os_segment_resize, int fd, size_t size)
{
    return faulty_fails(FAULTY_SEGMENT) ? -EFBIG : __real_os_segment_resize(fd, size);
}

WRAPPED(int, os_segment_reserve, int fd, size_t size)
{
    return faulty_fails(FAULTY_SEGMENT) ? -ENOSPC : __real_os_segment_reserve(fd, size);
}

WRAPPED(int, os_segment_reserve_part, int fd, uint64_t from, uint64_t size)
{
    return faulty_fails(FAULTY_SEGMENT) ? -ENOSPC : __real_os_segment_reserve_part(fd, from, size);
}

WRAPPED(int, os_segment_seal, int fd)
{
    return faulty_fails(FAULTY_SEGMENT) ? -EPERM : __real_os_segment_seal(fd);
}

WRAPPED(int, os_segment_duplicate, int fd)
{
    return faulty_fails(FAULTY_SEGMENT) ? -EMFILE : __real_os_segment_duplicate(fd);
}

WRAPPED(int, os_segment_look, int fd, os_segment *about)
{
    return faulty_fails(FAULTY_SEGMENT) ? -EIO : __real_os_segment_look(fd, about);
}

WRAPPED(int, os_segment_map, int fd, size_t size, void **memory)
{
    int err = faulty_fails(FAULTY_SEGMENT) ? -ENOMEM : __real_os_segment_map(fd, size, memory);
    kri_add_sc64(&live, err == 0); /* os_shared_unmap takes it off */
    return err;
}

WRAPPED(int, os_segment_mark, int fd, unsigned mode, bool marked)
{
    return faulty_fails(FAULTY_SEGMENT) ? -EPERM : __real_os_segment_mark(fd, mode, marked);
}

WRAPPED(int, os_segment_publish, int fd, const char *name)
{
    if (faulty_fails(FAULTY_NAME))
        return -EEXIST;
    return faulty_fails(FAULTY_SEGMENT) ? -EACCES : __real_os_segment_publish(fd, name);
}

WRAPPED(int, os_segment_open, const char *name)
{
    return faulty_fails(FAULTY_SEGMENT) ? -EMFILE : __real_os_segment_open(name);
}

WRAPPED(int, os_segment_hold, int fd)
{
    if (faulty_fails(FAULTY_BUSY))
        return -EAGAIN;
    return faulty_fails(FAULTY_SEGMENT) ? -ENOMEM : __real_os_segment_hold(fd);
}
