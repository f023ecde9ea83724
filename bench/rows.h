/* The rows of the benchmark, by subject.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_ROWS_H
#define KRI_BENCH_ROWS_H

#include "peers.h"

/* Each runs those of its rows whose name contains the filter; NULL: all. */
void bench_sync_rows(const char *filter);
void bench_pool_rows(const char *filter);
void bench_treesum_rows(const char *filter, const char *program, const char *scratch);

/* One measurement of a row of pools, in the program that was started for it. */
_Noreturn void bench_measure_pool(const char *row, const char *peer, const char *descriptor);

/* tree.c: a tree of `count` files with contents that are always the same, made where there is none.
 * False: it cannot be made, and why has been said. */
bool bench_make_tree(const char *directory, unsigned long count, uint64_t *bytes);

#endif
