/* Starting and stopping, and the segment that a program's processes share.
 *
 * State.  A process has no area, or one; a larger one may take its place, and the old one stays
 * mapped for points that are still on their way to it.  In the area a trace runs or not.
 *
 * Fields.
 *     lock         who starts or reads: its thread's number, with WAITERS where others wait
 *     the rest     lock; area.state is atomic, for stops and points
 *
 * Protocol.
 *     A start sets free the rings whose threads are over, and then lets the next trace run, by
 *     compare-and-swap: another process may start one, too.  A stop takes one bit from the state:
 *     whoever finds it gone has not stopped anything.  Before that it puts down what the process
 *     looks at first, kri_trace_on: so a start that comes behind it is the last to set that.
 *     A trace that gives way (`yielding` has its number) is stopped by who starts another, as if he
 *     had called for it.
 *     A forked child has the mapping; a child with an image of its own gets the descriptor with its
 *     order, and maps it.  Both find by `state` whether a trace runs, then and later.
 *
 * Ordering.
 *     [trace-6]  lock and unlock, as of any lock
 *     [trace-7]  a start that finds a trace stopped comes behind what the stop has stored
 *
 * Why is nothing ever unmapped?  A point takes no lock and counts nothing, so nobody knows who is
 * still in one.  Areas grow by doubling, so there are few.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trace/inside.h"

#include "base/global.h"
#include "base/options.h"
#include "os/child.h"
#include "os/os.h"
#include "os/segment.h"

enum { EVENTS = 16384, EVENTS_LEAST = 64, EVENTS_MOST = 1 << 20, RUNS = 1 };
#define WAITERS UINT32_C(0x80000000)

static kr_word lock_word KRI_GLOBAL;
static int descriptor KRI_GLOBAL;   /* + 1, of the area; 0: none */
static os_segment which KRI_GLOBAL; /* that it leads to, unless somebody has closed it */
static bool watched KRI_GLOBAL;     /* forks are */

/* One at a time. */

int kri_trace_lock(void)
{
    uint32_t self = (uint32_t)os_thread_id();
    uint32_t mine = self;
    for (;;) {
        uint32_t seen = 0;
        if (kri_cas_acq(&lock_word, &seen, mine)) /* [trace-6] */
            return 0;
        if ((seen & ~WAITERS) == self)
            return -EBUSY;
        mine = self | WAITERS;
        if (seen & WAITERS || kri_cas_rlx(&lock_word, &seen, seen | WAITERS))
            (void)os_futex_wait(&lock_word, seen | WAITERS, OS_NEVER, false);
    }
}

void kri_trace_unlock(void)
{
    if (kri_swap_rel(&lock_word, 0) & WAITERS) /* [trace-6] */
        (void)os_futex_wake(&lock_word, 1, false);
}

/* Forks. */

/* The lock is not held across a fork, which would have to wait for who writes a file: what was half
 * done under it is at worst a descriptor that is_of_area refuses.  The next trace may be started
 * elsewhere, so the child looks at `state` from now on. */
static void in_child(void)
{
    kri_store_rlx(&lock_word, 0);
    kri_trace_forget_own();
    kri_store_rlx(&kri_trace_on, kri_trace_area_now() != NULL);
}

static void watch(void)
{
    if (!watched)
        watched = os_at_fork(NULL, NULL, in_child) == 0;
    if (kri_load_rlx64(&kri_trace_image) == 0)
        kri_store_rlx64(&kri_trace_image, os_image_base());
}

/* Areas. */

/* Programs close descriptors that they do not know, and children of the fork server all: then the
 * number may be another's. */
static bool is_of_area(int fd)
{
    os_segment about;
    return which.inode != 0 && os_segment_look(fd, &about) == 0 && about.inode == which.inode &&
           about.device == which.device;
}

static void keep(int fd)
{
    if (descriptor != 0 && is_of_area(descriptor - 1))
        os_close(descriptor - 1);
    descriptor = fd + 1;
}

static void use(kri_trace_area *area, int fd)
{
    keep(fd);
    (void)os_segment_look(fd, &which);
    kri_store_rel_ptr(&kri_trace_current, area); /* [trace-4] */
}

static uint64_t size_for(uint64_t stride)
{
    uint64_t size = sizeof(kri_trace_area) + KRI_TRACE_RINGS * stride * sizeof(kri_trace_slot);
    uint64_t page = os_page_size();
    return (size + page - 1) / page * page;
}

static int map(int fd, uint64_t size, kri_trace_area **area)
{
    void *memory;
    int err = os_segment_map(fd, size, &memory);
    if (err < 0)
        return err;
    (void)os_segment_leave_undumped(memory, size);
    *area = memory;
    return 0;
}

/* With room for so many events in each ring. */
static int make(uint64_t stride, uint32_t trace)
{
    kri_trace_area *area = NULL;
    uint64_t size = size_for(stride);
    int fd = os_segment_anonymous();
    if (fd < 0)
        return fd;
    int err = os_segment_resize(fd, size);
    if (err == 0)
        err = os_segment_reserve_part(fd, 0, sizeof *area);
    if (err == 0)
        err = map(fd, size, &area);
    if (err < 0) {
        os_close(fd);
        return err == -ENOSPC ? -ENOMEM : err;
    }
    area->magic = KRI_TRACE_MAGIC;
    area->size = size;
    area->stride = stride;
    kri_store_rlx(&area->state, trace << 1);
    use(area, fd);
    return 0;
}

static int have_room_for(size_t events)
{
    const kri_trace_area *area = kri_trace_area_now();
    if (area != NULL && area->stride >= events)
        return 0;
    uint64_t stride = EVENTS;
    while (stride < events)
        stride *= 2;
    return make(stride, area != NULL ? kri_load_rlx(&area->state) >> 1 : 0);
}

/* Rings whose threads are over are for others now. */
static void set_free(kri_trace_area *area)
{
    for (kri_trace_ring *ring = area->rings; ring < area->rings + KRI_TRACE_RINGS; ring++) {
        uint64_t owner = kri_load_acq64(&ring->owner); /* [trace-3] */
        pid_t process = (pid_t)((owner & ~KRI_TRACE_ENDED) >> 32);
        bool over = owner & KRI_TRACE_ENDED;
        if (owner != 0 && !over && process != os_process_id())
            over = os_process_ended(process);
        if (over) /* unless another process that starts has, and it is someone's again */
            (void)kri_cas_rel64(&ring->owner, &owner, 0); /* [trace-3] */
    }
}

/* Start and stop. */

/* Whether a trace runs still. */
static bool is_busy(const kri_trace_area *area)
{
    uint32_t state = kri_load_acq(&area->state); /* [trace-7] */
    if (state & RUNS && state >> 1 == kri_load_rlx(&area->yielding))
        (void)kr_trace_stop();
    return kri_load_acq(&area->state) & RUNS; /* [trace-7] */
}

static int start(size_t events, bool yielding)
{
    kri_trace_area *area = kri_trace_area_now();
    if (area != NULL && is_busy(area))
        return -EALREADY;
    int err = have_room_for(events);
    if (err < 0)
        return err;
    watch();
    area = kri_trace_area_now();
    uint32_t state = kri_load_acq(&area->state); /* [trace-7] */
    if (state & RUNS)
        return -EALREADY;
    set_free(area);
    kri_store_rlx64(&area->left_out, 0);
    kri_store_rlx64(&area->started, (uint64_t)os_now());
    kri_store_rlx64(&area->stopped, 0);
    kri_store_rlx(&area->events, (uint32_t)events);
    uint32_t next = ((state >> 1) + 1) << 1 | RUNS;
    if (yielding)
        kri_store_rlx(&area->yielding, next >> 1);
    if (!kri_cas_acq_rel(&area->state, &state, next)) /* [trace-5] [trace-7] */
        return -EALREADY;
    kri_store_rlx(&kri_trace_on, 1);
    return 0;
}

int kr_trace_start(const kr_trace_options *options)
{
    static const kr_trace_options defaults;
    if (options == NULL)
        options = &defaults;
    size_t events = options->events != 0 ? options->events : EVENTS;
    if (!kri_reserved_is_clear(options->reserved) || events < EVENTS_LEAST || events > EVENTS_MOST)
        return -EINVAL;
    int err = kri_trace_lock();
    if (err < 0)
        return err;
    err = start(events, false);
    kri_trace_unlock();
    return err;
}

int kri_trace_last(void)
{
    const kri_trace_area *area = kri_trace_area_now();
    return area != NULL ? (int)(kri_load_acq(&area->state) >> 1) : 0;
}

/* Before there are other threads or processes. */
int kri_trace_start_yielding(void)
{
    int err = start(EVENTS, true);
    return err < 0 ? err : kri_trace_last();
}

int kr_trace_stop(void)
{
    kri_trace_area *area = kri_trace_area_now();
    if (area == NULL || !(kri_load_acq(&area->state) & RUNS))
        return -EALREADY;
    kri_store_rlx64(&area->stopped, (uint64_t)os_now());
    kri_store_rlx(&kri_trace_on, 0);
    bool ran = kri_and_acq_rel(&area->state, ~(uint32_t)RUNS) & RUNS; /* [trace-7] */
    return ran ? 0 : -EALREADY;
}

bool kr_trace_running(void)
{
    const kri_trace_area *area = kri_trace_area_now();
    return area != NULL && kri_load_acq(&area->state) & RUNS; /* [trace-5] */
}

/* Other images of the program. */

int kri_trace_hand_over(void)
{
    int fd = -ENOENT;
    if (kri_trace_area_now() == NULL || kri_trace_lock() < 0)
        return fd;
    if (descriptor != 0 && is_of_area(descriptor - 1))
        fd = os_segment_duplicate(descriptor - 1);
    kri_trace_unlock();
    return fd;
}

static bool is_sound(const kri_trace_area *area, const os_segment *about)
{
    return area->magic == KRI_TRACE_MAGIC && area->size == about->size &&
           area->stride <= EVENTS_MOST && area->size == size_for(area->stride);
}

static void join(int fd)
{
    os_segment about;
    kri_trace_area *area;
    if (is_of_area(fd)) { /* a child of the fork server has it already */
        keep(fd);
        return;
    }
    if (os_segment_look(fd, &about) < 0 || !about.memory || about.size < sizeof *area ||
        map(fd, about.size, &area) < 0) {
        os_close(fd);
        return;
    }
    if (!is_sound(area, &about)) {
        os_shared_unmap(area, about.size);
        os_close(fd);
        return;
    }
    watch();
    use(area, fd);
    kri_store_rlx(&kri_trace_on, 1);
}

/* Before there are other threads. */
void kri_trace_join(int fd)
{
    kri_trace_forget_own();
    if (fd >= 0)
        join(fd);
}
