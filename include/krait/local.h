/* kr_local - a value that each runner has for itself: each thread, and each coroutine.
 *
 *     static kr_local buffers = KR_LOCAL_INIT(sizeof(struct buffer), buffer_init, buffer_destroy);
 *
 *     struct buffer *mine = kr_local_get(&buffers);   // made at the first call in this thread
 *
 * Python's threading.local; with an initialiser, a subclass of it.  Unlike C's thread_local it
 * works for coroutines, has a destructor, and can be a member of an object that comes and goes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_LOCAL_H
#define KRAIT_LOCAL_H

#include <krait/base.h>

KR_EXTERN_BEGIN

struct kri_local_value;

/* Needs no other setting up than KR_LOCAL_INIT.  Must stay where it is.  Private members. */
typedef struct kr_local {
    size_t size;
    int (*init)(void *value);
    void (*destroy)(void *value);
    struct kri_local_value *values;
    kr_word slot; /* + 1; 0: none yet */
    uint32_t reserved;
} kr_local;

/* KR_LOCAL_INIT, kr_local_init - a local whose values have `bytes` bytes.
 *
 *   init      called once in each runner that touches the local, on zeroed memory aligned for any
 *             type.  NULL: the value starts as zero bytes.  A negative result: no value, and the
 *             next touch tries again
 *   destroy   called on the value when its runner ends, in that runner, where it may use locals and
 *             wait; NULL: there is nothing to do.  The memory is the library's.  Not called for the
 *             main thread, whose values live as long as the process, exit handlers included
 */
/* clang-format off */
#define KR_LOCAL_INIT(bytes, init, destroy) { (bytes), (init), (destroy), NULL, { 0 }, 0 }
/* clang-format on */
KR_API void kr_local_init(kr_local *local, size_t bytes, int (*init)(void *value),
                          void (*destroy)(void *value));

/* kr_local_get - the calling runner's value, made when it has none.
 *
 * Good until the runner ends, or kr_local_clear or kr_local_destroy.  Some nanoseconds, without a
 * lock, once the value is there.
 *
 * Returns   NULL: no memory, or init refused
 */
KR_API void *kr_local_get(kr_local *local);

/* kr_local_peek - the calling runner's value, or NULL when it has none. */
KR_API void *kr_local_peek(kr_local *local);

/* kr_local_clear - destroy the calling runner's value, if any; the next get makes a new one. */
KR_API void kr_local_clear(kr_local *local);

/* kr_local_destroy - end the local and destroy all its values, of every runner, in the calling one.
 *
 * Nobody may use it or a value of it any more.  Runners may end meanwhile: each value is destroyed
 * once, by one of the two.  A later local never sees these values, at the same address neither.
 */
KR_API void kr_local_destroy(kr_local *local);

KR_EXTERN_END

#endif
