/* The same queue of pointers by many hands, in one process, and the same stream of messages between
 * processes.  Who finds no item, or no room, sleeps.  C++ reads this too.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_QUEUE_H
#define KRI_BENCH_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench_party;

/* Functions over one queue of their own; items are never NULL. */
struct bench_queue {
    void (*open)(size_t capacity); /* 0: no limit */
    void (*put)(void *item);
    void *(*get)(void);
    void (*put_many)(void **items, size_t count);
    size_t (*get_many)(void **items, size_t most);  /* at least 1 */
    double (*run)(const struct bench_party *party); /* NULL: bench_party, threads */
};

/* Functions over one stream, whose messages stay whole. */
struct bench_stream {
    /* Before the processes are there: for `depth` messages of `size` bytes. */
    void (*open)(size_t size, size_t depth);
    /* In each of them, before and after; NULL: nothing to do. */
    void (*join)(int writer);
    void (*leave)(int writer);
    void (*put)(const void *message, size_t size);
    void (*get)(void *message, size_t size);
};

extern const struct bench_queue bench_krait_queue, bench_naive_queue, bench_pipe_queue,
    bench_krait_coroutines_queue, bench_futex_queue, bench_glib_queue, bench_tbb_queue,
    bench_moodycamel_queue, bench_boost_queue;
extern const struct bench_stream bench_krait_stream, bench_krait_stream_bytes, bench_pipe_stream,
    bench_socket_stream, bench_seqpacket_stream, bench_mq_stream, bench_robust_stream,
    bench_krait_pipe_stream, bench_copies_stream, bench_boost_stream, bench_zmq_stream;

#ifdef __cplusplus
}
#endif

#endif
