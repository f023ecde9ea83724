/* krait's dict in shared memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "dict.h"
#include "peers.h"

#include <krait/dict.h>

static void *create(void)
{
    kr_manager *m = NULL;
    kr_dict *d = NULL;
    BENCH_MUST(kr_manager_open(&m, NULL, NULL));
    BENCH_MUST(kr_dict_open(&d, m, NULL));
    kr_manager_release(m);
    return d;
}

static void get(void *dict, const bench_key *key, char *value)
{
    BENCH_MUST(kr_dict_get(dict, *key, BENCH_KEY, value, BENCH_VALUE, NULL));
}

static void set(void *dict, const bench_key *key, const char *value)
{
    BENCH_MUST(kr_dict_set(dict, *key, BENCH_KEY, value, BENCH_VALUE));
}

static void end(void *created)
{
    kr_dict_release(created);
}

const struct bench_dict bench_krait_dict = {.create = create, .get = get, .set = set, .end = end};
