/* What stands at the beginning of each shared object, so that attaching to it is safe.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_QUEUE_SEGMENT_H
#define KRI_QUEUE_SEGMENT_H

#include "base/atomic.h"
#include <krait/base.h>

/* Names of kinds never change their meaning; a changed layout gets a new KRI_SEGMENT_VERSION. */
enum { KRI_SEGMENT_VERSION = 1 };
enum kri_segment_kind {
    KRI_SEGMENT_FIFO = 1,
    KRI_SEGMENT_PRIORITY = 2,
    KRI_SEGMENT_ARENA = 3,
    KRI_SEGMENT_ARRAY = 4,
    KRI_SEGMENT_SPACE = 5,
};

enum { KRI_SEGMENT_PARAMETERS = 8 }; /* numbers that the object fixes at its creation */

/* All constant once the magic is there. */
typedef struct kri_segment {
    kri_word64 magic; /* [segment-1] written last */
    uint32_t version;
    uint32_t kind;
    uint64_t size;  /* bytes of the whole object */
    uint32_t owner; /* user of the creator */
    uint32_t group;
    uint32_t mode; /* who else may attach, as of a file: 0600, 0660, 0666 */
    uint32_t reserved;
    uint64_t pid_namespace;
    uint64_t time_namespace;
    uint64_t parameters[KRI_SEGMENT_PARAMETERS];
    uint64_t check; /* a sum of all from version on */
} kri_segment;

_Static_assert(sizeof(kri_segment) == 128, "part of the layout");
_Static_assert(offsetof(kri_segment, magic) == 0, "part of the layout");
_Static_assert(offsetof(kri_segment, version) == 8, "part of the layout");
_Static_assert(offsetof(kri_segment, kind) == 12, "part of the layout");
_Static_assert(offsetof(kri_segment, size) == 16, "part of the layout");
_Static_assert(offsetof(kri_segment, owner) == 24, "part of the layout");
_Static_assert(offsetof(kri_segment, group) == 28, "part of the layout");
_Static_assert(offsetof(kri_segment, mode) == 32, "part of the layout");
_Static_assert(offsetof(kri_segment, pid_namespace) == 40, "part of the layout");
_Static_assert(offsetof(kri_segment, time_namespace) == 48, "part of the layout");
_Static_assert(offsetof(kri_segment, parameters) == 56, "part of the layout");
_Static_assert(offsetof(kri_segment, check) == 120, "part of the layout");

/* kri_segment_make - fill in all but the magic: kind, size, mode and parameters are set by the
 * caller in `segment`. */
void kri_segment_make(kri_segment *segment);
void kri_segment_seal(kri_segment *segment); /* the sum once more; for tests, too */
void kri_segment_open(kri_segment *segment); /* the object is whole: others may attach */

/* kri_segment_read - copy the head of an object that is perhaps none, and judge it.
 *
 *   size   how many bytes the caller has there
 *   copy   what was judged; the memory itself may change at any time, so use nothing else
 *
 * Returns  0; KR_ECORRUPT: no such object, not yet whole, another layout, damaged, or cut off;
 *          -EXDEV: made in another pid or time namespace; -EPERM: the mode forbids it;
 *          -ENOMEM */
int kri_segment_read(const void *memory, size_t size, kri_segment *copy);

#endif
