/* The head of a shared object: who made it, how, and whether it is one.
 *
 * State.  Without magic: no object, or not yet.  With it: whole, and the head never changes again.
 *
 * Fields.  Told in segment.h; all but the magic are plain, and const once it is there.
 *
 * Protocol.  The creator fills everything in and writes the magic last.  Whoever attaches copies
 * the head and judges the copy, so that it cannot change between the look and the use; what the
 * object needs of it is kept in private memory.  The sum finds damage, it is no signature: a
 * process that may write to the memory can harm the object, but nobody's other memory, since
 * whatever is read of it later is compared with these numbers before it is used as an index.
 *
 * A death is told by process number and start time (src/sync/owner.c); those of another namespace
 * would be taken for dead.  So such a process is refused.
 *
 * Ordering.
 *     [segment-1]  the magic is released after all else, and acquired before
 *
 * Why not.  The magic without a sum: memory that was cut off, or written to in the middle, keeps
 * its first bytes.  No mode, since the system has let the caller have the memory: who is given an
 * address by another part of his program has not opened it, and is told here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/segment.h"
#include "os/os.h"
#include <string.h>

#define MAGIC UINT64_C(0x746961726b00a57e)

enum { GROUP_MAY = 0060, OTHERS_MAY = 0006 };

/* FNV-1a. */
static uint64_t sum_of(const kri_segment *segment)
{
    const unsigned char *at = (const unsigned char *)&segment->version;
    const unsigned char *end = (const unsigned char *)&segment->check;
    uint64_t sum = UINT64_C(14695981039346656037);
    for (; at < end; at++)
        sum = (sum ^ *at) * UINT64_C(1099511628211);
    return sum;
}

void kri_segment_make(kri_segment *segment)
{
    os_identity self;
    os_identify(&self);
    kri_store_rlx64(&segment->magic, 0);
    segment->version = KRI_SEGMENT_VERSION;
    segment->owner = self.user;
    segment->group = self.group;
    segment->reserved = 0;
    segment->pid_namespace = self.pid_namespace;
    segment->time_namespace = self.time_namespace;
    kri_segment_seal(segment);
}

void kri_segment_seal(kri_segment *segment)
{
    segment->check = sum_of(segment);
}

void kri_segment_open(kri_segment *segment)
{
    kri_store_rel64(&segment->magic, MAGIC); /* [segment-1] */
}

/* As of a file: whoever is in the group goes by its bits alone. */
static int may_attach(const kri_segment *segment, const os_identity *self)
{
    if (self->user == segment->owner || self->user == 0)
        return 0;
    int in_group = os_in_group(segment->group);
    if (in_group < 0)
        return in_group;
    uint32_t needed = in_group ? GROUP_MAY : OTHERS_MAY;
    return (segment->mode & needed) == needed ? 0 : -EPERM;
}

int kri_segment_read(const void *memory, size_t size, kri_segment *copy)
{
    const kri_segment *segment = memory;
    if (size < sizeof *copy || (uintptr_t)memory % sizeof(uint64_t) != 0)
        return KR_ECORRUPT;
    if (kri_load_acq64(&segment->magic) != MAGIC) /* [segment-1] */
        return KR_ECORRUPT;
    memcpy(copy, segment, sizeof *copy);
    if (copy->version != KRI_SEGMENT_VERSION || copy->check != sum_of(copy) || copy->size > size)
        return KR_ECORRUPT;
    os_identity self;
    os_identify(&self);
    if (copy->pid_namespace != self.pid_namespace || copy->time_namespace != self.time_namespace)
        return -EXDEV;
    return may_attach(copy, &self);
}
