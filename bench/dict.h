/* Dicts that processes share, by several hands: 10,000 keys with values of 64 bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_DICT_H
#define KRI_BENCH_DICT_H

enum { BENCH_KEYS = 10000, BENCH_KEY = 12, BENCH_VALUE = 64 };

/* "key:00000000" and so on, without a zero byte; one after the other. */
typedef char bench_key[BENCH_KEY];

struct bench_dict {
    void *(*create)(void);         /* an empty one, before the processes are forked */
    void *(*enter)(void *created); /* its handle in each of them; NULL: the same */
    void (*get)(void *dict, const bench_key *key, char *value);
    void (*set)(void *dict, const bench_key *key, const char *value);
    void (*end)(void *created); /* NULL: nothing is left of it */
    /* So many at once; NULL: one by one. */
    unsigned batch;
    void (*get_many)(void *dict, const bench_key *const *keys, char *values);
    void (*set_many)(void *dict, const bench_key *const *keys, const char *values);
};

extern const struct bench_dict bench_krait_dict, bench_plain_dict, bench_lmdb_dict,
    bench_boost_dict, bench_redis_dict, bench_redis_dict_piped;

#endif
