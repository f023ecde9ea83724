/* kr_arena - pieces of shared memory: any process allocates, any frees.
 *
 *     KR_AUTO(kr_arena) *arena = NULL;
 *     err = kr_arena_create(&arena, 64 << 20, NULL);      // forked children inherit it
 *     err = kr_arena_alloc(arena, n, &bytes);             // in one process
 *     uint64_t where = kr_arena_offset(arena, bytes);     // what travels to others
 *     err = kr_arena_free(arena, kr_arena_at(arena, where));
 *
 * The heap below Python's multiprocessing.Value and Array.  A process that dies at any instant,
 * inside a call or not, leaves an arena that works; what it had allocated stays allocated until
 * kr_arena_reclaim.
 *
 * A call that finds the arena's lock with a process that has been stopped gives up after a second,
 * with -ETIMEDOUT; kr_arena_free never waits.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_ARENA_H
#define KRAIT_ARENA_H

#include <krait/base.h>

KR_EXTERN_BEGIN

typedef struct kr_arena kr_arena;

/* kr_arena_options - NULL or zero: the defaults.
 *
 *   .limit      at most so many bytes are occupied (see kr_arena_statistics); 0: as many as there
 *               are
 *   .reserve    kr_arena_create: have the memory now; see kr_shared_memory_create
 *   .mode       who may attach, as of a file: 0600, 0660, 0666; 0: 0600
 */
typedef struct kr_arena_options {
    size_t limit;
    bool reserve;
    unsigned mode;
    uint64_t reserved[4];
} kr_arena_options;

/* kr_arena_create - make one of `size` bytes, its own administration among them: some 2 KiB, and 32
 * bytes for each piece.  It lies in anonymous memory, see kr_arena_descriptor.
 *
 * Returns   0; -EINVAL: size or options; -ENOSPC: no room for a single piece, or with .reserve no
 *           such memory; -ENOMEM; -EMFILE, -ENFILE; -EFBIG
 */
KR_API KR_NODISCARD int kr_arena_create(kr_arena **a, size_t size, const kr_arena_options *options);

/* kr_arena_create_at - an arena in memory of the caller's, whatever it held before.
 *
 *   memory    aligned to 64, in every process that is to use it; stays until the last of them has
 *             released its handle
 *
 * Returns   0; -EINVAL; -ENOSPC; -ENOMEM
 */
KR_API KR_NODISCARD int kr_arena_create_at(kr_arena **a, void *memory, size_t size,
                                           const kr_arena_options *options);

/* kr_arena_attach - a handle for the arena that another process has made in this memory;
 * kr_arena_attach_descriptor - to one made by kr_arena_create, whose descriptor was inherited or
 * received and stays the caller's.
 *
 * Returns   0; -EPERM: another user's, whose mode leaves the caller out; -EXDEV: made in another
 *           pid or time namespace; KR_ECORRUPT: no arena lies there, or one of another version, or
 *           a damaged or longer one; -EINVAL; -EBADF; -ENOMEM
 */
KR_API KR_NODISCARD int kr_arena_attach(kr_arena **a, void *memory, size_t size);
KR_API KR_NODISCARD int kr_arena_attach_descriptor(kr_arena **a, int fd);

/* kr_arena_release - give the handle back; NULL is allowed.  The pieces stay as long as some
 * process has the arena; pointers into one made by kr_arena_create are no more in this one. */
KR_API void kr_arena_release(kr_arena *a);

/* For KR_AUTO(kr_arena): releases *a. */
KR_API void kr_arena_auto(kr_arena **a);

/* kr_arena_descriptor - of the arena's memory, to be sent or inherited; the handle's own.
 *
 * Returns   the descriptor; -1: it lies in memory of the caller's */
KR_API int kr_arena_descriptor(const kr_arena *a);

/* kr_arena_alloc - a piece of `size` bytes or a little more, aligned to 32.  What is in it is not
 * defined.
 *
 * Returns   0 and *memory; -ENOSPC: no piece of that size is free; -EDQUOT: the arena's limit;
 *           -EINVAL: size is 0; -ETIMEDOUT, see above; KR_ECORRUPT: the memory was damaged
 */
KR_API KR_NODISCARD int kr_arena_alloc(kr_arena *a, size_t size, void **memory);

/* kr_arena_free - give a piece back; NULL is allowed.
 *
 * Never waits: where the arena's lock is taken, the piece is noted, and freed by whoever comes
 * next.  So it may be called from anywhere, from a signal handler too unless kr_debug_locks is on.
 *
 * Returns   0; -EINVAL: no piece begins there, or one that was freed already; KR_ECORRUPT
 */
KR_API int kr_arena_free(kr_arena *a, void *memory);

/* kr_arena_offset - where in the arena a piece, or something inside it, lies: the same in every
 * process; 0: outside.  kr_arena_at - the address here; NULL: no such offset. */
KR_API uint64_t kr_arena_offset(const kr_arena *a, const void *memory);
KR_API void *kr_arena_at(const kr_arena *a, uint64_t offset);

/* kr_arena_size - how many bytes the piece was asked to have; 0: no piece begins there. */
KR_API size_t kr_arena_size(const kr_arena *a, const void *memory);

/* kr_arena_adopt - the piece belongs to the calling process from now on, and not to who allocated
 * it: for who receives it.
 *
 * Returns   0; -EINVAL: no piece begins there
 */
KR_API int kr_arena_adopt(kr_arena *a, void *memory);

/* kr_arena_reclaim - free all pieces that belong to processes that are dead.
 *
 * Whoever still uses one that a dead process has passed on adopts it before.
 *
 * Returns   how many; -ETIMEDOUT; KR_ECORRUPT
 */
KR_API int kr_arena_reclaim(kr_arena *a);

/* kr_arena_trim - give the memory under what is free back to the system; it comes again when it is
 * needed.  Without that, memory that was once used stays with the arena.
 *
 * Returns   0; -EINVAL: the memory is not of that kind; -ETIMEDOUT; KR_ECORRUPT
 */
KR_API int kr_arena_trim(kr_arena *a);

/* free + occupied == size, always. */
typedef struct kr_arena_statistics {
    uint64_t size;     /* for pieces, with the 32 bytes before each */
    uint64_t free;     /* of it */
    uint64_t occupied; /* the same, used */
    uint64_t largest;  /* the most that one kr_arena_alloc could have now, but for the limit */
    uint64_t limit;    /* of occupied */
    uint64_t pieces;   /* in use */
    uint64_t gaps;     /* how many parts the free memory has */
    uint64_t reserved[4];
} kr_arena_statistics;

/* kr_arena_read_statistics - a true picture of one instant.
 *
 * Returns   0; -EINVAL; -ETIMEDOUT; KR_ECORRUPT
 */
KR_API KR_NODISCARD int kr_arena_read_statistics(kr_arena *a, kr_arena_statistics *statistics);

KR_EXTERN_END

#endif
