/* kr_redis_pool - an executor whose tasks run on machines that come and go.
 *
 *     kr_executor *pool;                                          // who submits
 *     err = kr_redis_pool(&pool, "redis://server", "renders", NULL, NULL);
 *     err = kr_submit(pool, &f, render, &scene, sizeof scene, sizeof(struct image));
 *
 *     err = kr_redis_serve("redis://server", "renders", NULL);    // a worker, anywhere
 *
 * Workers of a name serve all pools of that name on a Redis or Valkey server (6.2 or newer), in any
 * number; they may begin before the pools or long after.  See krait/remote.h for what pools on
 * other machines have in common, krait/redis.h for addresses and errors, and docs/remote.md for
 * what lies on the server and who may do what with it.
 *
 * Tasks lie in a stream.  A worker takes one at a time; its result goes to the pool that has asked,
 * and in the same step the task is acknowledged.  What a dead worker has not acknowledged goes to
 * another after .lease; so a task may run twice, though one result of it comes back: it should bear
 * that.  After three workers that died in it a task fails with KR_ECRASHED.
 *
 * A server that is away is waited for, by pools and workers, for .timeout; then the pool is broken,
 * and the worker returns.  So is one that is not there yet when they begin, as where a server and
 * its users are started together.  When it comes back and has forgotten its tasks they are sent
 * again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_REDIS_POOL_H
#define KRAIT_REDIS_POOL_H

#include <krait/remote.h>

KR_EXTERN_BEGIN

/* kr_redis_pool - make a pool whose tasks are run by the workers of this name.
 *
 *   where   the server, as krait/redis.h has it
 *   name    1 to 64 letters, digits, '.', '_', '-'
 *
 * Of the options .name, .max_queued and .workers count.  .workers (0: 16) is how many are expected:
 * twice as many tasks are on the server at a time, and have begun so far as a cancel is concerned.
 * .max_message is at most 256 MiB, which it also is where it is 0.
 *
 * Returns   0
 *           -ENOSYS         built without hiredis (libhiredis-dev), or without OpenSSL (libssl-dev)
 *           -ENOKEY, -EKEYREJECTED   no key, or one shorter than KR_KEY_LEAST
 *           KR_EINIT        kr_init was not called
 *           -EINVAL         a name or options that make no sense, a reserved one is set
 *           KR_EAUTH        it refuses user or password, or its pools have another key
 *           KR_ETASK        they are another program
 *           -ECONNREFUSED, -ENOENT, ...   it could not be spoken to for .timeout, see krait/redis.h
 *           -ENOMEM, -EAGAIN, -ECANCELED, KR_ESHUTDOWN
 *           On every error *pool is NULL
 * Blocks    for the server, then for its answers, each at most .timeout
 */
KR_API KR_NODISCARD int kr_redis_pool(kr_executor **pool, const char *where, const char *name,
                                      const kr_pool_options *options,
                                      const kr_remote_options *remote);

/* kr_redis_serve - run tasks of this name's pools, one after the other.
 *
 * Ends when the caller's scope is cancelled (kr_cancel_on_signal), between two tasks, or after
 * .idle without one.  Several runners of a process may serve.
 *
 * Returns   KR_SERVED   .idle is over
 *           -ECANCELED  the scope is cancelled; the task that ran was finished
 *           -ETIMEDOUT or what connecting says   the server was away, or did not come, for .timeout
 *           otherwise as kr_redis_pool
 * Blocks    the calling runner
 */
KR_API KR_NODISCARD int kr_redis_serve(const char *where, const char *name,
                                       const kr_remote_options *remote);

KR_EXTERN_END

#endif
