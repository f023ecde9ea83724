/* LMDB, in shared memory and without waiting for a disk: each op is a transaction.
 *
 * SPDX-License-Identifier: MIT
 */
#include "dict.h"
#include "peers.h"

#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MODE = 0600 };

struct base {
    char path[64];
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *look; /* kept, and renewed for each get */
};

static void must(int err, const char *what)
{
    if (err != 0)
        bench_fail(what);
}

/* An environment may not cross a fork: each process opens it. */
static void *open_at(const char *path)
{
    struct base *b = calloc(1, sizeof *b);
    MDB_txn *txn;
    if (b == NULL)
        bench_fail("calloc");
    snprintf(b->path, sizeof b->path, "%s", path);
    must(mdb_env_create(&b->env), "mdb_env_create");
    must(mdb_env_set_mapsize(b->env, (size_t)64 << 20), "mdb_env_set_mapsize");
    must(
        mdb_env_open(b->env, path, MDB_NOSUBDIR | MDB_NOSYNC | MDB_WRITEMAP | MDB_NOMETASYNC, MODE),
        "mdb_env_open");
    must(mdb_txn_begin(b->env, NULL, 0, &txn), "mdb_txn_begin");
    must(mdb_dbi_open(txn, NULL, 0, &b->dbi), "mdb_dbi_open");
    must(mdb_txn_commit(txn), "mdb_txn_commit");
    return b;
}

static void *create(void)
{
    char path[64];
    snprintf(path, sizeof path, "/dev/shm/krait-bench-lmdb-%d", (int)getpid());
    return open_at(path);
}

static void *enter(void *created)
{
    struct base *b = created;
    return open_at(b->path);
}

static void get(void *dict, const bench_key *key, char *value)
{
    struct base *b = dict;
    MDB_val k = {BENCH_KEY, (void *)(uintptr_t)*key}, v;
    must(b->look != NULL ? mdb_txn_renew(b->look)
                         : mdb_txn_begin(b->env, NULL, MDB_RDONLY, &b->look),
         "mdb_txn_renew");
    must(mdb_get(b->look, b->dbi, &k, &v), "mdb_get");
    __builtin_memcpy(value, v.mv_data, BENCH_VALUE);
    mdb_txn_reset(b->look);
}

static void set(void *dict, const bench_key *key, const char *value)
{
    struct base *b = dict;
    MDB_txn *txn;
    MDB_val k = {BENCH_KEY, (void *)(uintptr_t)*key};
    MDB_val v = {BENCH_VALUE, (void *)(uintptr_t)value};
    must(mdb_txn_begin(b->env, NULL, 0, &txn), "mdb_txn_begin");
    must(mdb_put(txn, b->dbi, &k, &v, 0), "mdb_put");
    must(mdb_txn_commit(txn), "mdb_txn_commit");
}

static void end(void *created)
{
    struct base *b = created;
    char lock[80];
    snprintf(lock, sizeof lock, "%s-lock", b->path);
    unlink(b->path);
    unlink(lock);
}

const struct bench_dict bench_lmdb_dict = {
    .create = create, .enter = enter, .get = get, .set = set, .end = end};
