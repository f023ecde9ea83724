/* A Redis server for a measurement, and bare hiredis as a peer.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_REDIS_H
#define KRI_BENCH_REDIS_H

#include "rows.h"

enum { BENCH_REDIS_KEYS = 10000, BENCH_REDIS_VALUE = 64 };

/* Start a server on a Unix socket, without persistence, for as long as the calling process lives:
 * its path.  Ends the measurement when there is no server. */
const char *bench_redis_start(void);

/* A key, 8 bytes; they come in an order without pattern. */
void bench_redis_key(char key[static 8], unsigned long i);

/* What is done with a hash of BENCH_REDIS_KEYS keys that have BENCH_REDIS_VALUE bytes each. */
struct bench_redis_work {
    bool set;       /* else get */
    unsigned batch; /* as many requests at a time; 0: one, and its answer */
    bool atomic;    /* a batch is one transaction */
};

/* By hiredis: nanoseconds for each of `amount` operations, which are rounded to whole batches. */
double bench_hiredis_run(const struct bench_redis_work *work, unsigned long amount);

/* Is hiredis there, and a server? */
#if defined(KRI_HAVE_HIREDIS_PEER) && defined(KRI_REDIS_PROGRAM)
#define BENCH_HIREDIS(work) (work)
#define BENCH_REDIS_PACKAGE NULL
#else
#define BENCH_HIREDIS(work) NULL
#define BENCH_REDIS_PACKAGE "libhiredis-dev, redis-server"
#endif

#endif
