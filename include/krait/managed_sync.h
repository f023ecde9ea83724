/* A manager's locks and their kin, found by name.
 *
 *     KR_AUTO(kr_managed_lock) *lock = NULL;
 *     err = kr_managed_lock_open(&lock, manager, "printer");
 *     err = kr_managed_lock_acquire(lock, kr_sec(5));
 *     ...
 *     err = kr_managed_lock_release(lock);
 *
 * Python's Manager().Lock(), RLock(), Condition(), Semaphore(), BoundedSemaphore(), Event() and
 * Barrier().  In shared memory each is the object of the type without "managed" (kr_lock, ...), and
 * every call is as described there: results, deaths of holders, who may release.  On a server there
 * are leases in place of deaths: docs/manager.md.
 *
 *   open     finds the one of that name or makes it; NULL: a new one, whose name is made up.
 *            -EEXIST: the name belongs to another kind of container.  Else as kr_dict_open
 *   close    gives the handle back; NULL is allowed.  The object stays, and what is held stays held
 *   delete   (kr_manager_delete) what nobody is inside a call of, nor begins one meanwhile; -EBUSY
 *            where that can be seen.  Calls that come after it are -ESTALE, or false
 *   damage   in shared memory a condition, semaphore or barrier that others have written over is
 *            KR_ECORRUPT where it would lead out of the memory; its numbers are believed
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_MANAGED_SYNC_H
#define KRAIT_MANAGED_SYNC_H

#include <krait/manager.h>

KR_EXTERN_BEGIN

/* kr_managed_lock - a lock, by its name: any runner of any process may release it.
 *
 * Returns   open as kr_dict_open; else as the calls of kr_lock
 */

typedef struct kr_managed_lock kr_managed_lock;

KR_API KR_NODISCARD int kr_managed_lock_open(kr_managed_lock **l, kr_manager *m, const char *name);
KR_API void kr_managed_lock_close(kr_managed_lock *l);
KR_API void kr_managed_lock_auto(kr_managed_lock **l);
KR_API const char *kr_managed_lock_name(const kr_managed_lock *l);
KR_API KR_NODISCARD int kr_managed_lock_acquire(kr_managed_lock *l, kr_time timeout);
KR_API int kr_managed_lock_release(kr_managed_lock *l);
KR_API bool kr_managed_lock_locked(kr_managed_lock *l);
KR_API int kr_managed_lock_recover(kr_managed_lock *l);

/* kr_managed_lock_token - for its holder: a number that is larger each time the lock is acquired.
 * Who writes somewhere under the lock sends it along, and what has seen a larger one refuses the
 * write: so a holder whose lease ran out unseen does no harm.
 *
 * Returns   0; -EPERM: nobody holds it; -EOPNOTSUPP: in shared memory, where nothing runs out
 */
KR_API KR_NODISCARD int kr_managed_lock_token(kr_managed_lock *l, int64_t *token);

/* kr_managed_rlock - a lock that its holder may acquire again, as often as it likes.
 *
 * Returns   open as kr_dict_open; else as the calls of kr_rlock
 */

typedef struct kr_managed_rlock kr_managed_rlock;

KR_API KR_NODISCARD int kr_managed_rlock_open(kr_managed_rlock **l, kr_manager *m,
                                              const char *name);
KR_API void kr_managed_rlock_close(kr_managed_rlock *l);
KR_API void kr_managed_rlock_auto(kr_managed_rlock **l);
KR_API const char *kr_managed_rlock_name(const kr_managed_rlock *l);
KR_API KR_NODISCARD int kr_managed_rlock_acquire(kr_managed_rlock *l, kr_time timeout);
KR_API int kr_managed_rlock_release(kr_managed_rlock *l);
KR_API bool kr_managed_rlock_owned(kr_managed_rlock *l);
KR_API int kr_managed_rlock_recover(kr_managed_rlock *l);

/* kr_managed_condition - a condition with a lock of its own.
 *
 * Returns   open as kr_dict_open; else as the calls of kr_condition
 */

typedef struct kr_managed_condition kr_managed_condition;

KR_API KR_NODISCARD int kr_managed_condition_open(kr_managed_condition **c, kr_manager *m,
                                                  const char *name);
KR_API void kr_managed_condition_close(kr_managed_condition *c);
KR_API void kr_managed_condition_auto(kr_managed_condition **c);
KR_API const char *kr_managed_condition_name(const kr_managed_condition *c);
KR_API KR_NODISCARD int kr_managed_condition_acquire(kr_managed_condition *c, kr_time timeout);
KR_API int kr_managed_condition_release(kr_managed_condition *c);
KR_API int kr_managed_condition_recover(kr_managed_condition *c);
KR_API int kr_managed_condition_wait(kr_managed_condition *c, kr_time timeout);
KR_API KR_NODISCARD int kr_managed_condition_wait_for(kr_managed_condition *c,
                                                      bool (*predicate)(void *arg), void *arg,
                                                      kr_time timeout);
KR_API KR_NODISCARD int kr_managed_condition_notify(kr_managed_condition *c, int count);
KR_API KR_NODISCARD int kr_managed_condition_notify_all(kr_managed_condition *c);

/* kr_managed_semaphore - a number of permits, by its name.
 *
 *   permits   free at first, when it is made here; -1: only one that is there, else -ENOENT
 *   bound     a release may never lift the value above it; 0: no bound.  -EEXIST: there is one with
 *             another bound
 *
 * Returns   open as kr_dict_open; else as the calls of kr_semaphore
 */

typedef struct kr_managed_semaphore kr_managed_semaphore;

KR_API KR_NODISCARD int kr_managed_semaphore_open(kr_managed_semaphore **s, kr_manager *m,
                                                  const char *name, int64_t permits, int64_t bound);
KR_API void kr_managed_semaphore_close(kr_managed_semaphore *s);
KR_API void kr_managed_semaphore_auto(kr_managed_semaphore **s);
KR_API const char *kr_managed_semaphore_name(const kr_managed_semaphore *s);
KR_API KR_NODISCARD int kr_managed_semaphore_acquire(kr_managed_semaphore *s, kr_time timeout);
KR_API int kr_managed_semaphore_release(kr_managed_semaphore *s, int permits);
KR_API int64_t kr_managed_semaphore_value(kr_managed_semaphore *s); /* or an error */

/* kr_managed_event - something that has happened, or not.
 *
 * Returns   open as kr_dict_open; else as the calls of kr_event
 */

typedef struct kr_managed_event kr_managed_event;

KR_API KR_NODISCARD int kr_managed_event_open(kr_managed_event **e, kr_manager *m,
                                              const char *name);
KR_API void kr_managed_event_close(kr_managed_event *e);
KR_API void kr_managed_event_auto(kr_managed_event **e);
KR_API const char *kr_managed_event_name(const kr_managed_event *e);
KR_API KR_NODISCARD int kr_managed_event_set(kr_managed_event *e);
KR_API KR_NODISCARD int kr_managed_event_clear(kr_managed_event *e);
KR_API bool kr_managed_event_is_set(kr_managed_event *e);
KR_API KR_NODISCARD int kr_managed_event_wait(kr_managed_event *e, kr_time timeout);

/* kr_managed_barrier - so many wait for each other, by its name.
 *
 *   parties   when it is made here; 0: only one that is there, else -ENOENT.  -EEXIST: there is one
 *             for another number
 *
 * Returns   open as kr_dict_open; else as the calls of kr_barrier
 */

typedef struct kr_managed_barrier kr_managed_barrier;

KR_API KR_NODISCARD int kr_managed_barrier_open(kr_managed_barrier **b, kr_manager *m,
                                                const char *name, int64_t parties);
KR_API void kr_managed_barrier_close(kr_managed_barrier *b);
KR_API void kr_managed_barrier_auto(kr_managed_barrier **b);
KR_API const char *kr_managed_barrier_name(const kr_managed_barrier *b);
KR_API KR_NODISCARD int kr_managed_barrier_wait(kr_managed_barrier *b, kr_time timeout);
KR_API int kr_managed_barrier_reset(kr_managed_barrier *b);
KR_API int kr_managed_barrier_abort(kr_managed_barrier *b);
KR_API unsigned kr_managed_barrier_parties(const kr_managed_barrier *b);
KR_API unsigned kr_managed_barrier_n_waiting(kr_managed_barrier *b);
KR_API bool kr_managed_barrier_broken(kr_managed_barrier *b);

KR_EXTERN_END

#endif
