/* krait-bench-memory ROW COUNT WORKERS - what a future asks of the allocator, its argument and its
 * result 32 bytes each.
 *
 *     future.bytes         for each of COUNT futures that are done and kept, whatever the library
 *                          has asked for meanwhile
 *     future.allocations   how often it asks for 1000 futures, once there were as many before
 *
 * The linker puts the functions here in the place of those that the library calls (--wrap).
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { BATCH = 100 }; /* in flight: so a queue does not grow with the number of futures */

static unsigned long asked, bytes; /* by several threads */

static void note(size_t size)
{
    __atomic_fetch_add(&asked, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&bytes, size, __ATOMIC_RELAXED);
}

#define WRAPPED(result, name, parameters, size, arguments)                                         \
    result __real_##name parameters;                                                               \
    result __wrap_##name parameters;                                                               \
    result __wrap_##name parameters                                                                \
    {                                                                                              \
        note(size);                                                                                \
        return __real_##name arguments;                                                            \
    }

WRAPPED(void *, malloc, (size_t size), size, (size))
WRAPPED(void *, calloc, (size_t count, size_t size), count *size, (count, size))
WRAPPED(void *, realloc, (void *old, size_t size), size, (old, size))
WRAPPED(void *, aligned_alloc, (size_t alignment, size_t size), size, (alignment, size))
WRAPPED(int, posix_memalign, (void **place, size_t alignment, size_t size), size,
        (place, alignment, size))
WRAPPED(void *, mmap, (void *at, size_t size, int prot, int flags, int fd, off_t offset), size,
        (at, size, prot, flags, fd, offset))

struct block {
    unsigned long words[4];
};
_Static_assert(sizeof(struct block) == 32, "as the row says");

static void must(int err)
{
    if (err < 0) {
        fprintf(stderr, "krait-bench-memory: %s\n", kr_strerror(err));
        _exit(1);
    }
}

static int run(const void *arg, void *result)
{
    memcpy(result, arg, sizeof(struct block));
    return 0;
}

static void make_batch(kr_executor *pool, kr_future **futures)
{
    for (unsigned long i = 0; i < BATCH; i++) {
        struct block block = {{i, i, i, i}};
        must(kr_submit(pool, &futures[i], run, &block, sizeof block, sizeof block));
    }
    for (unsigned long i = 0; i < BATCH; i++) {
        struct block block;
        must(kr_future_result(futures[i], &block, sizeof block, NULL, KR_FOREVER));
        if (block.words[3] != i)
            must(-EINVAL);
    }
}

static void release_all(kr_future **futures, unsigned long count)
{
    for (unsigned long i = 0; i < count; i++)
        kr_future_release(futures[i]);
}

static double count_bytes(kr_executor *pool, kr_future **futures, unsigned long count)
{
    unsigned long before = __atomic_load_n(&bytes, __ATOMIC_RELAXED);
    for (unsigned long i = 0; i < count; i += BATCH)
        make_batch(pool, futures + i);
    return (double)(__atomic_load_n(&bytes, __ATOMIC_RELAXED) - before) / (double)count;
}

static double count_allocations(kr_executor *pool, kr_future **futures, unsigned long count)
{
    unsigned long before = 0;
    for (unsigned long i = 0; i < 2 * count; i += BATCH) {
        if (i == count)
            before = __atomic_load_n(&asked, __ATOMIC_RELAXED);
        make_batch(pool, futures);
        release_all(futures, BATCH);
    }
    return (double)(__atomic_load_n(&asked, __ATOMIC_RELAXED) - before) * 1000 / (double)count;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fputs("usage: krait-bench-memory ROW COUNT WORKERS\n", stderr);
        return 2;
    }
    unsigned long count = (strtoul(argv[2], NULL, 10) + BATCH - 1) / BATCH * BATCH;
    kr_future **futures = calloc(count, sizeof *futures);
    kr_executor *pool;
    if (!futures)
        return 1;
    must(kr_thread_pool(&pool, &(kr_pool_options){.workers = (int)strtol(argv[3], NULL, 10)}));
    make_batch(pool, futures); /* what comes once, for the pool and its threads */
    release_all(futures, BATCH);
    bool size = strcmp(argv[1], "future.bytes") == 0;
    printf("%f 0\n",
           size ? count_bytes(pool, futures, count) : count_allocations(pool, futures, count));
    free(futures);
    return 0;
}
