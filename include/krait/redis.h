/* What a Redis or Valkey server has to do with krait's errors.
 *
 * A manager (manager.h) and a pool of workers (redis_pool.h) may live on such a server, by an
 * address like these:
 *
 *     redis://[user:password@]host[:port][/db]      port 6379 and database 0 unless it says others
 *     rediss://[user:password@]host[:port][/db]     the same inside TLS
 *     unix:/path/to/socket
 *     unix://[user:password@]/path/to/socket[?db=N]
 *
 * A ":" "@" "/" "?" or "%" in a user or a password is written as %3A %40 %2F %3F %25.  An IPv6
 * address stands in brackets.  The server is Redis 6.2 or later, or Valkey.
 *
 * Errors that a server adds to those of the calls:
 *
 *   KR_EUNSURE  the request went out, and its answer did not come: the connection was lost, the
 *               time was up, or the caller was cancelled.  It may have been applied, or not; it is
 *               not sent again, for that might apply it twice
 *   KR_EREPLY   the server answered with an error of its own
 *   KR_EAUTH    it wants a password, or another one; -EACCES: this user may not do that
 *   -EDQUOT     its memory is full (maxmemory)
 *   -ECONNREFUSED, -ENOENT, -EHOSTUNREACH, -ECONNRESET ...  it cannot be reached, which was tried
 *               until the time was up.  The request was not applied, and neither was it with
 *               -ETIMEDOUT and -ECANCELED
 *   -ENOSYS     krait was built without hiredis (Debian: libhiredis-dev), or for rediss:// without
 *               OpenSSL (libssl-dev)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_REDIS_H
#define KRAIT_REDIS_H

#include <krait/base.h>

KR_EXTERN_BEGIN

/* kr_redis_error_text - the last such error in words: what the server said, which package is
 * missing, why the answer did not come.
 *
 * Of the last call that failed so in this thread; a coroutine asks before it waits again.
 *
 * Returns   text; "no error" where there was none, or it is too long ago
 */
KR_API const char *kr_redis_error_text(char *text, size_t size);

KR_EXTERN_END

#endif
