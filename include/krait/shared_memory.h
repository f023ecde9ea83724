/* kr_shared_memory - bytes that several processes have.
 *
 *     KR_AUTO(kr_shared_memory) *m = NULL;
 *     err = kr_shared_memory_create(&m, "prices", 4096, NULL);    // in one process
 *     err = kr_shared_memory_attach(&m, "prices", NULL);          // in others
 *     struct prices *prices = kr_shared_memory_data(m);
 *
 * Python's multiprocessing.shared_memory.SharedMemory: a Python program attaches to what is made
 * here, by its name, and the other way round.  Without a name a segment is known by its descriptor
 * only, which forked children inherit and others are sent.
 *
 * A named segment belongs to those who have a handle: they hold a shared lock on its file (flock),
 * which ends with their process.  The last to release its handle removes the name.  What is left of
 * processes that were killed, or ended without a release, is removed by the next creation with that
 * name, by the first one with any name in every program of the same user, and by the command
 * `krait clean`.
 *
 * - Python holds no such lock: a segment that only Python programs use any more loses its name (not
 *   its memory) when the last handle here is released, and by a clean.  .keep prevents that.
 * - Before 3.13, a Python process that has attached to a segment unlinks it when it ends.
 * - A forked child holds on with its parent until it releases its handle, calls exec or ends.
 * - Who may write to a named segment can make it shorter, as any file, and an access beyond its end
 *   is SIGBUS.  krait never does; where others might, use one without a name: its length is sealed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_SHARED_MEMORY_H
#define KRAIT_SHARED_MEMORY_H

#include <krait/base.h>

KR_EXTERN_BEGIN

typedef struct kr_shared_memory kr_shared_memory;

/* kr_shared_memory_options - NULL or zero: the defaults.
 *
 *   .keep       create: the name stays until somebody unlinks it, whether or not anybody holds it
 *   .reserve    create without a name: have the memory now.  With a name that is always so
 *   .any_owner  attach: to another user's segment, too
 *   .mode       create: who may attach, as of a file: 0600, 0660, 0666; attach: what may be allowed
 *               to others at most, for whoever may write can write anything; 0: 0600
 */
typedef struct kr_shared_memory_options {
    bool keep;
    bool reserve;
    bool any_owner;
    unsigned mode;
    uint64_t reserved[4];
} kr_shared_memory_options;

/* kr_shared_memory_create - make a segment of `size` zero bytes.
 *
 *   name   NULL: none, and nobody can change its length.  "": one is made up.  Else 1 to 255 bytes
 *          without a slash that no segment has, unless nobody holds it any more: that one is
 *          removed first
 *
 * Memory for a named segment is reserved here, since /dev/shm may be full: a later access would end
 * the program (SIGBUS).  Of one without a name the pages are taken as they are touched, as with
 * malloc; a system that is set to promise no more memory than it has (vm.overcommit_memory 2) may
 * end the program then, unless .reserve was asked for.
 *
 * Returns   0; -EEXIST: the name is in use; -ENOSPC: no room in /dev/shm; -ENOMEM; -EINVAL: a size
 *           of 0 or above PTRDIFF_MAX, name or options; -ENAMETOOLONG; -EFBIG: over the process's
 *           limit (RLIMIT_FSIZE); -EMFILE, -ENFILE; -ENOENT, -EACCES, -EOPNOTSUPP: no usable
 *           /dev/shm or /proc
 */
KR_API KR_NODISCARD int kr_shared_memory_create(kr_shared_memory **m, const char *name, size_t size,
                                                const kr_shared_memory_options *options);

/* kr_shared_memory_attach - a handle for the segment of that name, whole and as long as it is.
 *
 * Returns   0; -ENOENT: no such name; -EPERM: another user's, or open to more than .mode says;
 *           -EACCES: the caller may not open it; KR_ECORRUPT: no segment, or one of no bytes;
 *           -EBUSY: somebody is about to remove it; -EINVAL; -ENAMETOOLONG; -ENOMEM; -EMFILE
 */
KR_API KR_NODISCARD int kr_shared_memory_attach(kr_shared_memory **m, const char *name,
                                                const kr_shared_memory_options *options);

/* kr_shared_memory_attach_descriptor - a handle for the segment that a descriptor leads to, which
 * was inherited or received.  The descriptor stays the caller's.
 *
 * Returns   0; KR_ECORRUPT: no segment, or one without a name whose length is not sealed; -EBADF;
 *           else as kr_shared_memory_attach without options
 */
KR_API KR_NODISCARD int kr_shared_memory_attach_descriptor(kr_shared_memory **m, int fd);

/* kr_shared_memory_release - give the handle back, and the mapping with it; NULL is allowed.  With
 * the last of a named segment its name goes, unless it was made with .keep.  Python's close. */
KR_API void kr_shared_memory_release(kr_shared_memory *m);

/* For KR_AUTO(kr_shared_memory): releases *m. */
KR_API void kr_shared_memory_auto(kr_shared_memory **m);

/* kr_shared_memory_data - its first byte, on a page of its own; until the release. */
KR_API void *kr_shared_memory_data(const kr_shared_memory *m);
KR_API size_t kr_shared_memory_size(const kr_shared_memory *m);

/* kr_shared_memory_name - NULL: it has none. */
KR_API const char *kr_shared_memory_name(const kr_shared_memory *m);

/* kr_shared_memory_descriptor - of the segment, to be sent or inherited; the handle's own.
 *
 * Returns   the descriptor
 */
KR_API int kr_shared_memory_descriptor(const kr_shared_memory *m);

/* kr_shared_memory_unlink - take the name away.  Who has a handle goes on using the segment, nobody
 * finds it any more.  Python's unlink.
 *
 * Returns   0; -ENOENT: no such name; -EPERM, -EACCES: another user's; -EISDIR: a directory;
 *           -EINVAL; -ENAMETOOLONG
 */
KR_API int kr_shared_memory_unlink(const char *name);

/* kr_shared_memory_clean - remove all named segments of this user (of all users for root) that
 * nobody holds any more; those that krait has not made, and those with .keep, stay.
 *
 *   removed   told of each; NULL: nobody
 *
 * Returns   how many; -ENOENT, -EACCES: /dev/shm cannot be read
 */
KR_API int kr_shared_memory_clean(void (*removed)(const char *name, size_t size, void *arg),
                                  void *arg);

/* kr_shared_alloc - `size` zero bytes that this process shares with children it forks from now on,
 * aligned to 64.  NULL: no memory, or size is 0.
 *
 * For one page and more; kr_arena is for many small pieces.
 */
KR_API void *kr_shared_alloc(size_t size);

/* kr_shared_free - in this process; the others go on having it.  NULL is allowed. */
KR_API void kr_shared_free(void *memory);

KR_EXTERN_END

#endif
