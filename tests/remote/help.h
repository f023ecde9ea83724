/* What the tests of pools on other machines share: tasks that may travel.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TESTS_REMOTE_HELP_H
#define KRI_TESTS_REMOTE_HELP_H

#include "harness/sanitizers.h"
#include "harness/test.h"

#include <krait/krait.h>
#include <stdlib.h>
#include <unistd.h>

#define TEST_KEY "0123456789abcdef0123456789abcdef"

static inline int square(const void *arg, void *result)
{
    long n = *(const long *)arg;
    *(long *)result = n * n;
    return 0;
}
KR_TASK(square);

static inline int tell_pid(const void *arg, void *result)
{
    (void)arg;
    *(int *)result = getpid();
    return 0;
}
KR_TASK(tell_pid);

static inline int fail_io(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return -EIO;
}
KR_TASK(fail_io);

/* Odd ones fail with their number. */
static inline int fail_odd(const void *arg, void *result)
{
    long n = *(const long *)arg;
    *(long *)result = n;
    return n % 2 ? (int)-n : 0;
}
KR_TASK(fail_odd);

/* Bytes that follow from their number, as many as there are. */
static inline unsigned char byte_at(uint64_t seed, size_t i)
{
    return (unsigned char)((seed + i) * 2654435761u >> 16);
}

struct blob {
    uint64_t seed;
    size_t size;
};

static inline int make_blob(const void *arg, void *result)
{
    const struct blob *blob = arg;
    unsigned char *bytes = result;
    for (size_t i = 0; i < blob->size; i++)
        bytes[i] = byte_at(blob->seed, i);
    return 0;
}
KR_TASK(make_blob);

/* The other way: a blob behind its description, and whether it is right. */
static inline int check_blob(const void *arg, void *result)
{
    const struct blob *blob = arg;
    const unsigned char *bytes = (const unsigned char *)(blob + 1);
    for (size_t i = 0; i < blob->size; i++)
        if (bytes[i] != byte_at(blob->seed, i))
            return -EBADMSG;
    (void)result;
    return 0;
}
KR_TASK(check_blob);

static inline long square_of(kr_executor *pool, long n)
{
    kr_future *f;
    long result = -1;
    CHECK_EQ(kr_submit(pool, &f, square, &n, sizeof n, sizeof result), 0);
    CHECK_EQ(kr_future_result(f, &result, sizeof result, NULL, KR_FOREVER), 0);
    kr_future_release(f);
    return result;
}

/* The task's error; releases the future. */
static inline int error_of(kr_future *f)
{
    int error = 1;
    CHECK_EQ(kr_future_exception(f, &error, KR_FOREVER), 0);
    kr_future_release(f);
    return error;
}

static inline void end(kr_executor *pool)
{
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    kr_executor_release(pool);
}

static inline void check_blob_back(kr_executor *pool, size_t size)
{
    struct blob blob = {.seed = size * 31 + 7, .size = size};
    kr_future *f;
    unsigned char *bytes = malloc(size + 1);
    CHECK(bytes != NULL);
    CHECK_EQ(kr_submit(pool, &f, make_blob, &blob, sizeof blob, size), 0);
    CHECK_EQ(kr_future_result(f, size ? bytes : NULL, size, NULL, KR_FOREVER), 0);
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != byte_at(blob.seed, i))
            CHECK_EQ(bytes[i], byte_at(blob.seed, i));
    kr_future_release(f);
    free(bytes);
}

static inline void check_blob_there(kr_executor *pool, size_t size)
{
    kr_future *f;
    struct blob *blob = malloc(sizeof *blob + size);
    CHECK(blob != NULL);
    *blob = (struct blob){.seed = size * 17 + 3, .size = size};
    unsigned char *bytes = (unsigned char *)(blob + 1);
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_at(blob->seed, i);
    CHECK_EQ(kr_submit(pool, &f, check_blob, blob, sizeof *blob + size, 0), 0);
    CHECK_EQ(error_of(f), 0);
    free(blob);
}

#endif
