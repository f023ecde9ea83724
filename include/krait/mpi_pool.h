/* kr_mpi_pool - an executor whose tasks run in the ranks of an MPI job.
 *
 *     int main(int argc, char **argv)
 *     {
 *         kr_init(argc, argv);
 *         int err = kr_mpi_serve(NULL);               // rank 0 goes on; the others work here
 *         if (err != 0)
 *             return err == KR_SERVED ? 0 : 1;
 *         kr_executor *pool;
 *         err = kr_mpi_pool(&pool, NULL, NULL);       // instead of kr_thread_pool
 *         ...
 *     }
 *
 *     KRAIT_KEY=$(head -c 32 /dev/urandom | base64) mpirun -x KRAIT_KEY -n 4 ./program
 *
 * The MPIPoolExecutor of Python's mpi4py.futures.  See krait/remote.h for what pools on other
 * machines have in common, and docs/remote.md for how to start one, what a dead rank does to the
 * others, and what waiting costs.
 *
 * A rank runs one task at a time, in the thread that has called kr_mpi_serve.  Where tasks take
 * less than 10 ms another one is sent ahead, less than 50 us three; they have begun, and die with a
 * rank.
 *
 * MPI.  krait initialises it with MPI_THREAD_SERIALIZED, and finalises it as the program exits,
 * which all ranks have to do; a rank that is early waits, asleep.  A program that uses MPI itself
 * initialises it before, with MPI_THREAD_MULTIPLE, and finalises it: after all pools were shut
 * down.  krait has communicators of its own.
 *
 * A rank that dies fails the tasks that it had with KR_ECRASHED, as far as mpirun lets the others
 * live: by default it kills them all; mpirun --enable-recovery does not.  When no rank is left the
 * pool is broken.
 *
 * Nobody links with MPI: what speaks it is a plug-in, libkrait-mpi.so, which these calls load from
 * the folder krait beside libkrait.so, or from where the system's loader looks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_MPI_POOL_H
#define KRAIT_MPI_POOL_H

#include <krait/remote.h>

KR_EXTERN_BEGIN

/* kr_mpi_pool - on rank 0: make a pool of all ranks that serve.
 *
 * Of the options .name and .max_queued count.  Returns once every other rank has answered, or
 * .timeout is over and some have; others may still come.  There is one such pool at a time.  A
 * shutdown ends the kr_mpi_serve of the workers, who may call it again for the next pool.
 *
 * Returns   0
 *           -ENOSYS     this krait can do no MPI: kr_mpi_missing says why
 *           -ENOKEY     no key was given, and KRAIT_KEY is not set
 *           -EKEYREJECTED   it is shorter than KR_KEY_LEAST
 *           KR_EAUTH    no rank has the same key
 *           KR_ETASK    no rank is of the same program
 *           KR_EINIT    kr_init was not called
 *           -ECHILD     there is no other rank: the program was not started by mpirun
 *           -ETIMEDOUT  no rank has answered within .timeout
 *           KR_EBROKEN  those that have answered are dead
 *           -EINVAL     options that make no sense, a reserved one is set, or this is not rank 0
 *           -EBUSY      there is one already
 *           -EOPNOTSUPP MPI was initialised by the program without MPI_THREAD_MULTIPLE, or it is
 *                       finalised
 *           -ENOMEM, -EAGAIN, -EIO (MPI has failed), KR_ESHUTDOWN
 *           On every error *pool is NULL
 * Blocks    until the ranks have answered
 */
KR_API KR_NODISCARD int kr_mpi_pool(kr_executor **pool, const kr_pool_options *options,
                                    const kr_remote_options *remote);

/* kr_mpi_serve - run the tasks of rank 0's pool, on every other rank.
 *
 * Waiting for a task it looks less and less often, at last every 5 ms, and sleeps between.
 *
 * Returns   0           this is rank 0, at once
 *           KR_SERVED   the pool has been shut down
 *           KR_EAUTH    rank 0 has another key
 *           KR_ETASK    rank 0 is another program
 *           KR_ECRASHED rank 0 is dead, as far as that can be seen: it is on the same machine
 *           -ETIMEDOUT  rank 0 has not answered within .timeout
 *           -EMFILE     there is no descriptor left to see it die by
 *           -ENOSYS, -ENOKEY, -EKEYREJECTED, KR_EINIT, -EINVAL, -EOPNOTSUPP, -ENOMEM, -EIO
 * Blocks    the calling thread, until the pool is shut down; not for coroutines
 */
KR_API KR_NODISCARD int kr_mpi_serve(const kr_remote_options *remote);

/* kr_mpi_missing - why kr_mpi_pool answers -ENOSYS, and which package is missing; NULL: it does
 * not. */
KR_API const char *kr_mpi_missing(void);

KR_EXTERN_END

#endif
