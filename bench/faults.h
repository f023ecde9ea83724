/* krait-faults: what becomes of a program when a process of it is killed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_FAULTS_H
#define KRI_BENCH_FAULTS_H

/* Run the command for so long at most; prints its first line, or what became of it, and how many
 * seconds it took, with a tabulator between.  Nothing that it started is left behind. */
int run_limited(double seconds, char *const *command);

#endif
