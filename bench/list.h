/* Lists that processes share, and a manager's queue and value, by several hands: items of 64 bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_LIST_H
#define KRI_BENCH_LIST_H

#include <stdbool.h>

enum { BENCH_ITEM = 64, BENCH_ITEMS = 1000 /* that are inside at most */ };

struct bench_list {
    void *(*create)(void);
    void (*add)(void *list, bool left, const char *item);
    void (*take)(void *list, bool left, char *item);
    void (*end)(void *list);
};

/* The queue knows no left; the value is added to, and nothing is taken. */
extern const struct bench_list bench_krait_list, bench_krait_managed_queue, bench_krait_value,
    bench_boost_list, bench_redis_list;

#endif
