/* GLib's queue between threads, which has no limit.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue.h"

#include <glib.h>

static GAsyncQueue *queue;

static void open_queue(size_t capacity)
{
    (void)capacity;
    queue = g_async_queue_new();
}

static void put(void *item)
{
    g_async_queue_push(queue, item);
}

static void *get(void)
{
    return g_async_queue_pop(queue);
}

const struct bench_queue bench_glib_queue = {.open = open_queue, .put = put, .get = get};
