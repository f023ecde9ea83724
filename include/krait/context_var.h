/* kr_context_var - values that a task hands down to the tasks it starts.
 *
 *     static const kr_context_var request = KR_CONTEXT_VAR_INIT(sizeof(int), NULL, NULL);
 *
 *     kr_context_token token;
 *     err = kr_context_var_set(&request, &number, &token);
 *     err = kr_spawn(&f, serve, &fd, sizeof fd, 0, NULL);      // serve gets `number`, too
 *     err = kr_context_var_reset(&request, &token);            // as it was; serve keeps its own
 *
 * Python's contextvars.  A context is a set of such values.  Every coroutine and every thread has
 * one of its own: it starts as a copy of that of whoever spawned the coroutine, or submitted it to
 * a loop, and changes alone from then on.  Threads start with none, and so do tasks of thread pools
 * and process pools: hand those a kr_context_copy, and kr_context_run there.
 *
 * A copy costs one allocation, however many values there are, and none where there are none; a set
 * copies the list of values, so a context is for few of them, read often.
 *
 * Values are bytes, copied in by set and out by get.  Behind a pointer, what it points to is the
 * program's: .destroy is called for a value, in whichever thread, once no context and no token has
 * it any more.  Not from set or reset themselves as long as a token keeps the old value.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_CONTEXT_VAR_H
#define KRAIT_CONTEXT_VAR_H

#include <krait/base.h>

KR_EXTERN_BEGIN

/* kr_context_var - known by its address; static or at least as long as any value of it. */
typedef struct kr_context_var {
    size_t size;                  /* of a value */
    const void *initial;          /* what get gives where none was set; NULL: -ENOENT */
    void (*destroy)(void *value); /* NULL: nothing to do */
} kr_context_var;

#define KR_CONTEXT_VAR_INIT(size, initial, destroy)                                                \
    {                                                                                              \
        (size), (initial), (destroy)                                                               \
    }

/* kr_context_token - what a value was before a set.  All zero is an empty one. */
typedef struct kr_context_token {
    const kr_context_var *var;
    void *before;
    uint64_t context;
    bool held;
} kr_context_token;

/* kr_context_var_get - copy the caller's value out, or the initial one.
 *
 * Returns   0; -ENOENT: it was not set, and there is no initial one; -EINVAL: an argument is NULL
 */
KR_API KR_NODISCARD int kr_context_var_get(const kr_context_var *var, void *value);

/* kr_context_var_set - change the value for the caller, and for what it starts from now on.
 *
 *   token   receives what it was before, for kr_context_var_reset; it must be reset or dropped, or
 *           the old value is lost and not destroyed.  NULL: not wanted
 *
 * Returns   0; -ENOMEM; -EINVAL: var or value is NULL.  On an error nothing was changed, the token
 *           is empty, and the value is still the caller's to destroy
 */
KR_API KR_NODISCARD int kr_context_var_set(const kr_context_var *var, const void *value,
                                           kr_context_token *token);

/* kr_context_var_reset - give it back the value that it had before the set, or none.  Once a token.
 *
 * Returns   0; -EALREADY: the token is empty, or was used; -EINVAL: of another variable, or NULL;
 *           -EPERM: of another context; -ENOMEM.  On an error nothing was changed
 */
KR_API KR_NODISCARD int kr_context_var_reset(const kr_context_var *var, kr_context_token *token);
KR_API void kr_context_token_drop(kr_context_token *token); /* the value stays as it is */

/* Contexts as things of their own. */
typedef struct kr_context kr_context;

/* kr_context_copy - a copy of a context, to be released; of NULL: of the caller's.
 *
 * Returns   0; -ENOMEM; -EINVAL: copy is NULL
 */
KR_API KR_NODISCARD int kr_context_copy(kr_context **copy, const kr_context *of);

/* kr_context_new - a context without values, to be released.
 *
 * Returns   as kr_context_copy
 */
KR_API KR_NODISCARD int kr_context_new(kr_context **context);

/* kr_context_run - call fn(arg) with this context as the caller's.  What is set there stays in it.
 *
 * Returns   what fn returned; -EBUSY: somebody is in that context already; -EINVAL: no context, or
 *           no fn
 */
KR_API int kr_context_run(kr_context *context, int (*fn)(void *arg), void *arg);

/* kr_context_get - kr_context_var_get in a context that nobody is changing.
 *
 * Returns   as kr_context_var_get; -EINVAL: no context, too
 */
KR_API KR_NODISCARD int kr_context_get(const kr_context *context, const kr_context_var *var,
                                       void *value);

KR_API void kr_context_release(kr_context *context); /* NULL is allowed; nobody may be in it */
KR_API void kr_context_auto(kr_context **context);   /* for KR_AUTO(kr_context) */

KR_EXTERN_END

#endif
