/* What every krait header stands on: linkage, the atomic word, time, errors.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_BASE_H
#define KRAIT_BASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define KR_EXTERN_BEGIN extern "C" {
#define KR_EXTERN_END   }
#else
#define KR_EXTERN_BEGIN
#define KR_EXTERN_END
#endif

#define KR_CONST         __attribute__((const))
#define KR_CLEANUP(free) __attribute__((cleanup(free)))

/* KR_NODISCARD - the compiler warns where the result is dropped: an error that right arguments may
 * meet leaves the caller without what was asked for.  A cast to void says that it is dropped on
 * purpose, to clang, and to gcc in C++17 and C23; gcc in C11 warns all the same, and wants the
 * result in a variable, or in an if. */
#if (defined(__cplusplus) && __cplusplus >= 201703L) ||                                            \
    (defined(__STDC_VERSION__) && __STDC_VERSION__ > 201710L)
#define KR_API       [[gnu::visibility("default")]]
#define KR_NODISCARD [[nodiscard]]
#else
#define KR_API       __attribute__((visibility("default")))
#define KR_NODISCARD __attribute__((warn_unused_result))
#endif

/* KR_AUTO(kr_thread) *t = NULL; - the handle is released when its block is left, as with Python's
 * `with`.  For every type that has a kr_..._auto; set it before anything can leave the block. */
#define KR_AUTO(type) KR_CLEANUP(type##_auto) type

/* A name that is new on each line, for the guards inside kr_with and its kin. */
#define KR_UNIQUE(name)     KR_JOIN_AFTER(name, __LINE__)
#define KR_JOIN_AFTER(a, b) KR_JOIN(a, b)
#define KR_JOIN(a, b)       a##b

KR_EXTERN_BEGIN

#define KR_VERSION_MAJOR 0
#define KR_VERSION_MINOR 1
#define KR_VERSION_PATCH 0

/* kr_version - the version of the library that the program runs with, "0.1.0". */
KR_API const char *kr_version(void);

/* kr_word - 32 bits that only the library changes, always as a whole.
 *
 * A struct, so that a stray `lock.word++` does not compile.
 */
typedef struct kr_word {
    uint32_t bits;
} kr_word;

/* kr_time - a duration in nanoseconds.
 *
 * Every call that may wait takes one as its last argument: KR_FOREVER, KR_NOWAIT (try once, never
 * sleep), or a duration such as kr_ms(20).  A negative one is -EINVAL, as it is a ValueError in
 * Python.  The clock is monotonic: setting the date does not shorten or lengthen a wait, and the
 * time a machine is suspended does not count.  A signal handler that runs meanwhile does not
 * lengthen a wait either.
 */
typedef int64_t kr_time;

#define KR_FOREVER INT64_MAX
#define KR_NOWAIT  ((kr_time)0)

/* kr_us, kr_ms, kr_sec - so many microseconds, milliseconds, seconds.
 *
 * A product that does not fit is KR_FOREVER (or the most negative kr_time, which every call
 * refuses).
 */
KR_API KR_CONST kr_time kr_us(int64_t microseconds);
KR_API KR_CONST kr_time kr_ms(int64_t milliseconds);
KR_API KR_CONST kr_time kr_sec(int64_t seconds);

/* kr_now - nanoseconds on the monotonic clock, for measuring; its zero is arbitrary. */
KR_API kr_time kr_now(void);

/* kr_scope - who may meet at an object: the runners of one process, or those of all processes that
 * have the memory in which it lies.
 */
typedef enum kr_scope {
    KR_PRIVATE = 0,
    KR_SHARED = 1,
} kr_scope;

/* Errors.
 *
 * A call that can fail returns 0 or a count, or a negative number: -errno, or one of krait's own
 * below.  errno itself is neither read nor set.  Positive results other than counts are named
 * where they occur.
 */
enum {
    KR_EBROKEN = -4096,   /* a barrier, or a pool whose initializer failed */
    KR_ESHUTDOWN = -4097, /* shut down before or during the call */
    KR_EOF = -4098,       /* every writer is gone and nothing is left to read */
    KR_ECRASHED = -4099,  /* the worker process died while it ran the task */
    KR_EFORKED = -4100,   /* the object belongs to the parent of this forked process */
    KR_ECORRUPT = -4101,  /* shared memory that holds no such object, or a damaged one */
    KR_EINIT = -4102,     /* main has not called kr_init, which spawn and forkserver need */
    KR_ETASK = -4103,     /* no function that is declared with KR_TASK, or not in that program */
    KR_EAUTH = -4104,     /* the other end has not got the same key */
    KR_ETLS = -4105,      /* TLS failed, or its connection was cut off: kr_tls_error_text */
    KR_ECERT = -4106,     /* the other end's certificate is refused: kr_tls_error_text */
    KR_EUNSURE = -4107,   /* sent to a server, no answer: it may have been applied (redis.h) */
    KR_EREPLY = -4108,    /* a server's own error: kr_redis_error_text */
};

/* KR_OWNER_DIED - of acquiring in shared memory: held, but a process that held it has died, and
 * what it guards may be half-done.  No error, and so positive; no count is as large where it may
 * be returned. */
enum { KR_OWNER_DIED = 4096 };

/* kr_strerror - one line for people; kr_errname - the name, such as "ETIMEDOUT" or "KR_EOF".
 *
 * Both know every error of every call and take it with its sign, and KR_OWNER_DIED.  0 is "Success"
 * and "0".  For another number, such as a count, they return "unknown error" and "?".  The text is
 * constant and never freed.
 */
KR_API const char *kr_strerror(int error);
KR_API const char *kr_errname(int error);

KR_EXTERN_END

#endif
