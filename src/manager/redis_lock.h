/* A manager's locks on a server; see redis_lock.c, redis_lease.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_REDIS_LOCK_H
#define KRI_MANAGER_REDIS_LOCK_H

#include "manager/redis_wait.h"

/* Who holds a lock: a token, or of a recursive one a process' token and a party. */
enum { KRI_REDIS_OWNER = KRI_REDIS_TOKEN + 24 };

/* How long a lease lasts that nobody renews; it is renewed three times as often. */
enum { KRI_REDIS_LEASE_S = 10 };

/* In a handle: what it holds.  A forked child's copy holds nothing. */
typedef struct kri_redis_lease {
    struct kri_redis_lease *next; /* guarded by the list's lock, as the rest */
    struct kri_redis_lease *previous;
    kri_redis *redis;
    const char *name;
    char token[KRI_REDIS_OWNER];
    uint64_t serial; /* which keep it was */
    int64_t fence;
    kr_time period; /* between renewals */
    kr_time due;    /* the next */
    bool held;
    bool lost;    /* it was held, and ran out, and nobody has released it yet */
    void *memory; /* of a handle that is closed, which has left it to the list; else NULL */
} kri_redis_lease;

/* Have it renewed from now on.  `o` stays as long as the lease. */
int kri_redis_lease_keep(const kri_redis_object *o, kri_redis_lease *lease, const char *token,
                         int64_t fence, kr_time period);
/* Not any more, if it is the one of that token. */
void kri_redis_lease_drop(kri_redis_lease *lease, const char *token);
/* A handle that lies in `memory` is closed: what it holds stays held, and is renewed while the
 * process lives, or until somebody else releases it. */
void kri_redis_lease_end(kri_redis_lease *lease, void *memory);
/* Is it held?  Its token and its number; also of one that was lost; "" if there is none. */
bool kri_redis_lease_look(const kri_redis_lease *lease, char token[static KRI_REDIS_OWNER],
                          int64_t *fence);

/* A lock's part of a handle.  time: how long its lease lasts. */
typedef struct kri_redis_lock {
    kr_time time;
    kri_redis_lease lease;
} kri_redis_lock;

/* 0; KR_OWNER_DIED: the lease of the one before ran out; -ETIMEDOUT, -ECANCELED ... */
int kri_redis_lock_acquire(const kri_redis_object *o, kri_redis_lock *lock, kr_time timeout);

/* 0; -EPERM: nobody holds it, or somebody else because our lease ran out. */
int kri_redis_lock_release(const kri_redis_object *o, kri_redis_lock *lock);
int64_t kri_redis_lock_locked(const kri_redis_object *o);

/* The same, as often as its holder likes. */
int kri_redis_rlock_acquire(const kri_redis_object *o, kri_redis_lock *lock, kr_time timeout);
int kri_redis_rlock_release(const kri_redis_object *o, kri_redis_lock *lock);
int64_t kri_redis_rlock_owned(const kri_redis_object *o);

/* A condition, whose lock is a lock of the same name. */
int kri_redis_condition_wait(const kri_redis_object *o, kri_redis_lock *lock, kr_time timeout);
int kri_redis_condition_notify(const kri_redis_object *o, kri_redis_lock *lock, int count);

#endif
