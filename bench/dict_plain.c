/* A mutex and a hash table inside one process: what a dict costs that nobody shares.
 *
 * SPDX-License-Identifier: MIT
 */
#include "dict.h"
#include "peers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 16384 };

struct item {
    struct item *next;
    uint64_t hash;
    bench_key key;
    char value[BENCH_VALUE];
};

struct table {
    pthread_mutex_t mutex;
    struct item *buckets[BUCKETS];
};

static void *create(void)
{
    struct table *t = calloc(1, sizeof *t);
    if (t == NULL)
        bench_fail("calloc");
    pthread_mutex_init(&t->mutex, NULL);
    return t;
}

/* Of twelve bytes, in a few steps. */
static uint64_t hash_of(const bench_key *key)
{
    uint64_t low, high;
    memcpy(&low, *key, 8);
    memcpy(&high, *key + BENCH_KEY - 8, 8);
    uint64_t hash = (low ^ (high << 32 | high >> 32)) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

static struct item **find(struct table *t, const bench_key *key, uint64_t hash)
{
    struct item **at = &t->buckets[hash % BUCKETS];
    while (*at != NULL && ((*at)->hash != hash || memcmp((*at)->key, *key, BENCH_KEY) != 0))
        at = &(*at)->next;
    return at;
}

static void get(void *dict, const bench_key *key, char *value)
{
    struct table *t = dict;
    uint64_t hash = hash_of(key);
    pthread_mutex_lock(&t->mutex);
    const struct item *item = *find(t, key, hash);
    if (item == NULL)
        bench_fail("get");
    memcpy(value, item->value, BENCH_VALUE);
    pthread_mutex_unlock(&t->mutex);
}

static void set(void *dict, const bench_key *key, const char *value)
{
    struct table *t = dict;
    uint64_t hash = hash_of(key);
    pthread_mutex_lock(&t->mutex);
    struct item **at = find(t, key, hash);
    if (*at == NULL) {
        *at = calloc(1, sizeof **at);
        if (*at == NULL)
            bench_fail("calloc");
        (*at)->hash = hash;
        memcpy((*at)->key, *key, BENCH_KEY);
    }
    memcpy((*at)->value, value, BENCH_VALUE);
    pthread_mutex_unlock(&t->mutex);
}

const struct bench_dict bench_plain_dict = {.create = create, .get = get, .set = set};
