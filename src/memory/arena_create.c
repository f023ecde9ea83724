/* Arenas begin and end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/options.h"
#include "memory/arena.h"
#include "memory/segment.h"
#include "os/os.h"
#include "os/segment.h"
#include <string.h>

enum { MODES = 0666, OWNER_MAY = 0600, ALIGNMENT = 64 };

#define MOST_BYTES (UINT64_C(1) << 46) /* for which there are bins */

static const kr_arena_options defaults;

static bool are_sound(const kr_arena_options *o)
{
    return kri_reserved_is_clear(o->reserved) && (o->mode & ~(unsigned)MODES) == 0;
}

/* The numbers are sound. */
static int hand_out(kr_arena **a, void *memory, const uint64_t *numbers)
{
    kr_arena *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    *made = (kr_arena){.state = memory,
                       .first = numbers[KRI_ARENA_FIRST],
                       .end = numbers[KRI_ARENA_END],
                       .limit = numbers[KRI_ARENA_LIMIT],
                       .fd = -1};
    *a = made;
    return 0;
}

/* One gap, as long as the arena. */
static int lay_out(const kr_arena *a, unsigned mode)
{
    kri_arena_state *s = a->state;
    memset(s, 0, sizeof *s);
    if (kr_lock_init(&s->lock, KR_SHARED) != 0)
        return -EINVAL;
    kri_store_rlx64(&kri_block_at(a, a->first)->state, (a->end - a->first) | KRI_BLOCK_FREE);
    int err = kri_blocks_rebuild(a);
    s->segment.kind = KRI_SEGMENT_ARENA;
    s->segment.size = a->end;
    s->segment.mode = mode != 0 ? mode : OWNER_MAY;
    s->segment.parameters[KRI_ARENA_FIRST] = a->first;
    s->segment.parameters[KRI_ARENA_END] = a->end;
    s->segment.parameters[KRI_ARENA_LIMIT] = a->limit;
    kri_segment_make(&s->segment);
    kri_segment_open(&s->segment);
    return err;
}

int kr_arena_create_at(kr_arena **a, void *memory, size_t size, const kr_arena_options *options)
{
    const kr_arena_options *o = options != NULL ? options : &defaults;
    if (a == NULL || memory == NULL || (uintptr_t)memory % ALIGNMENT != 0 || !are_sound(o))
        return -EINVAL;
    if (size > MOST_BYTES)
        return -EINVAL;
    uint64_t end = size / KRI_BLOCK_UNIT * KRI_BLOCK_UNIT;
    if (end < sizeof(kri_arena_state) + 2 * KRI_BLOCK_UNIT)
        return -ENOSPC;
    uint64_t numbers[] = {sizeof(kri_arena_state), end, o->limit != 0 ? o->limit : UINT64_MAX};
    kr_arena *made = NULL;
    int err = hand_out(&made, memory, numbers);
    if (err == 0)
        err = lay_out(made, o->mode);
    if (err == 0)
        *a = made;
    else
        kr_arena_release(made);
    return err;
}

/* The mapping, and fd unless there was an error, are the handle's. */
static int keep(kr_arena *a, int fd, void *memory, size_t size, int err)
{
    if (err != 0) {
        os_close(fd);
        kri_memfd_unmap(memory, size);
        return err;
    }
    a->fd = fd;
    a->mapping_size = size;
    return 0;
}

int kr_arena_create(kr_arena **a, size_t size, const kr_arena_options *options)
{
    const kr_arena_options *o = options != NULL ? options : &defaults;
    if (a == NULL || size == 0 || size > MOST_BYTES || !are_sound(o))
        return -EINVAL;
    void *memory = NULL;
    int fd = kri_memfd_create(size, o->reserve);
    if (fd < 0)
        return fd;
    int err = os_segment_map(fd, size, &memory);
    if (err != 0) {
        os_close(fd);
        return err;
    }
    err = kr_arena_create_at(a, memory, size, o);
    return keep(err == 0 ? *a : NULL, fd, memory, size, err);
}

int kr_arena_attach(kr_arena **a, void *memory, size_t size)
{
    kri_segment copy;
    if (a == NULL || memory == NULL || (uintptr_t)memory % ALIGNMENT != 0)
        return -EINVAL;
    int err = kri_segment_read(memory, size, &copy);
    if (err != 0)
        return err;
    const uint64_t *numbers = copy.parameters;
    if (copy.kind != KRI_SEGMENT_ARENA || numbers[KRI_ARENA_FIRST] != sizeof(kri_arena_state) ||
        numbers[KRI_ARENA_END] != copy.size || copy.size % KRI_BLOCK_UNIT != 0 ||
        copy.size < sizeof(kri_arena_state) + 2 * KRI_BLOCK_UNIT || copy.size > MOST_BYTES)
        return KR_ECORRUPT;
    return hand_out(a, memory, numbers);
}

int kr_arena_attach_descriptor(kr_arena **a, int fd)
{
    void *memory = NULL;
    size_t size = 0;
    if (a == NULL)
        return -EINVAL;
    int own = os_segment_duplicate(fd);
    if (own < 0)
        return own;
    int err = kri_memfd_attach(own, sizeof(kri_arena_state), &memory, &size);
    if (err != 0) {
        os_close(own);
        return err;
    }
    err = kr_arena_attach(a, memory, size);
    return keep(err == 0 ? *a : NULL, own, memory, size, err);
}

void kr_arena_release(kr_arena *a)
{
    if (a == NULL)
        return;
    if (a->mapping_size != 0)
        kri_memfd_unmap(a->state, a->mapping_size);
    if (a->fd >= 0)
        os_close(a->fd);
    os_free(a);
}

void kr_arena_auto(kr_arena **a)
{
    kr_arena_release(*a);
}

int kr_arena_descriptor(const kr_arena *a)
{
    return a->fd;
}
