/* What the plug-in that speaks MPI offers, and all that it knows of krait.
 *
 * It is the only object that is linked with MPI, and is built against one MPI, since no two of them
 * agree about their binary interface; krait loads it when it is asked to.  It calls nothing of
 * krait's, so it goes with the static library as with the shared one.
 *
 * One thread at a time calls it (MPI_THREAD_SERIALIZED).  Errors are negative errno; -EIO: MPI.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_REMOTE_MPI_CALLS_H
#define KRI_REMOTE_MPI_CALLS_H

#include <krait/base.h>

enum { KRI_MPI_VERSION = 1 }; /* of this interface */

/* A message that is on its way in or out. */
typedef struct kri_mpi_parcel kri_mpi_parcel;

typedef struct kri_mpi_calls {
    uint32_t version;
    uint32_t reserved;

    /* The number of this process and how many there are.  Initialises MPI, unless the program did.
     * -EOPNOTSUPP: it did, without MPI_THREAD_MULTIPLE, or has finalised it.  May block. */
    int (*begin)(int *rank, int *ranks);

    /* Send; the bytes stay where they are until that is over.  *parcel NULL: it is. */
    int (*send)(int to, const void *bytes, size_t size, kri_mpi_parcel **parcel);

    /* 1: a message is there, from whom and how long; it is to be taken, or refused, before the next
     * look; 0: none. */
    int (*look)(int *from, uint64_t *size);
    int (*take)(void *bytes, kri_mpi_parcel **parcel); /* *parcel NULL: it is here */
    void (*refuse)(void);

    /* 1: it is over, and the parcel is freed; 0: not yet.  -EIO: freed, and nothing came of it. */
    int (*test)(kri_mpi_parcel *parcel);

    /* Before the end, again and again: 1: every rank has come here; 0: not yet. */
    int (*leave)(void);

    /* Finalise what begin has initialised; blocks for the others.  abandon: without them, which
     * cannot be done but by ending this process: nothing may come after it but that. */
    void (*end)(bool abandon);
} kri_mpi_calls;

/* What the plug-in exports. */
#define KRI_MPI_PLUGIN "kri_mpi_plugin"
typedef const kri_mpi_calls *(*kri_mpi_plugin_fn)(void);

#endif
