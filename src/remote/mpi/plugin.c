/* The plug-in that speaks MPI, of its own: nothing of krait's is called here.
 *
 * A message of at most PART bytes is one of MPI's.  A longer one is announced by eight bytes, its
 * length, and follows in parts through a communicator of its own, where they are received in the
 * order in which messages were announced: so a size is known before there is room for it, no count
 * is larger than an int, and what is behind a long message does not wait for it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/mpi_calls.h"

#include "base/global.h"

#include <mpi.h>
#include <stdlib.h>

enum { PART = 1 << 20, TAG_WHOLE = 1, TAG_PARTS = 2 };

struct kri_mpi_parcel {
    uint64_t announced; /* the announcement's bytes, as long as it is on its way */
    int count;
    MPI_Request requests[];
};

static MPI_Comm heads KRI_GLOBAL; /* whole messages, and announcements */
static MPI_Comm parts KRI_GLOBAL;
static MPI_Request everybody KRI_GLOBAL;
static bool begun KRI_GLOBAL;
static bool ours KRI_GLOBAL; /* MPI was initialised here */
static bool leaving KRI_GLOBAL;
static int own_rank KRI_GLOBAL;
static int all_ranks KRI_GLOBAL;

/* What look has found. */
static MPI_Message found KRI_GLOBAL;
static int found_from KRI_GLOBAL;
static uint64_t found_size KRI_GLOBAL;
static bool found_parts KRI_GLOBAL;

static int initialise(void)
{
    int initialised = 0, finalised = 0, provided = 0;
    (void)MPI_Finalized(&finalised);
    (void)MPI_Initialized(&initialised);
    if (finalised)
        return -EOPNOTSUPP;
    if (initialised)
        return MPI_Query_thread(&provided) == MPI_SUCCESS && provided >= MPI_THREAD_MULTIPLE
                   ? 0
                   : -EOPNOTSUPP;
    ours = true;
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &provided) != MPI_SUCCESS)
        return -EIO;
    return provided >= MPI_THREAD_SERIALIZED ? 0 : -EOPNOTSUPP;
}

static int begin(int *rank, int *ranks)
{
    int err = begun ? 0 : initialise();
    if (err)
        return err;
    if (!begun) {
        if (MPI_Comm_dup(MPI_COMM_WORLD, &heads) != MPI_SUCCESS ||
            MPI_Comm_dup(MPI_COMM_WORLD, &parts) != MPI_SUCCESS)
            return -EIO;
        (void)MPI_Comm_set_errhandler(heads, MPI_ERRORS_RETURN);
        (void)MPI_Comm_set_errhandler(parts, MPI_ERRORS_RETURN);
        (void)MPI_Comm_rank(heads, &own_rank);
        (void)MPI_Comm_size(heads, &all_ranks);
        begun = true;
    }
    *rank = own_rank;
    *ranks = all_ranks;
    return 0;
}

static int count_of(uint64_t size)
{
    return (int)((size + PART - 1) / PART);
}

static int length_of(uint64_t size, int part)
{
    uint64_t left = size - (uint64_t)part * PART;
    return left < PART ? (int)left : PART;
}

static kri_mpi_parcel *new_parcel(int count)
{
    kri_mpi_parcel *p = malloc(sizeof *p + (size_t)count * sizeof *p->requests);
    if (p)
        p->count = 0;
    return p;
}

static int test(kri_mpi_parcel *p)
{
    int over = 0;
    int err = MPI_Testall(p->count, p->requests, &over, MPI_STATUSES_IGNORE);
    if (err == MPI_SUCCESS && !over)
        return 0;
    free(p);
    return err == MPI_SUCCESS ? 1 : -EIO;
}

/* The parcel's requests were posted: most are over at once. */
static int settle(kri_mpi_parcel *p, bool posted, kri_mpi_parcel **parcel)
{
    int over = posted ? test(p) : -EIO; /* what was posted before it failed keeps its memory */
    *parcel = over == 0 ? p : NULL;
    return over < 0 ? over : 0;
}

static int send(int to, const void *bytes, size_t size, kri_mpi_parcel **parcel)
{
    bool whole = size <= PART;
    int count = whole ? 0 : count_of(size);
    *parcel = NULL;
    kri_mpi_parcel *p = new_parcel(count + 1);
    if (!p)
        return -ENOMEM;
    p->announced = size;
    int err = whole ? MPI_Isend(bytes, (int)size, MPI_BYTE, to, TAG_WHOLE, heads, p->requests)
                    : MPI_Isend(&p->announced, 8, MPI_BYTE, to, TAG_PARTS, heads, p->requests);
    const char *from = bytes;
    for (p->count = 1; err == MPI_SUCCESS && p->count <= count; p->count++) {
        int part = p->count - 1;
        err = MPI_Isend(from + (size_t)part * PART, length_of(size, part), MPI_BYTE, to, TAG_PARTS,
                        parts, &p->requests[p->count]);
    }
    return settle(p, err == MPI_SUCCESS, parcel);
}

static int look(int *from, uint64_t *size)
{
    MPI_Status status;
    int flag = 0, count = 0;
    if (MPI_Improbe(MPI_ANY_SOURCE, MPI_ANY_TAG, heads, &flag, &found, &status) != MPI_SUCCESS)
        return -EIO;
    if (!flag)
        return 0;
    (void)MPI_Get_count(&status, MPI_BYTE, &count);
    found_from = status.MPI_SOURCE;
    found_size = (uint64_t)count;
    found_parts = status.MPI_TAG == TAG_PARTS;
    if (found_parts) {
        uint64_t announced = 0;
        if (MPI_Mrecv(&announced, 8, MPI_BYTE, &found, MPI_STATUS_IGNORE) != MPI_SUCCESS)
            return -EIO;
        found_size = announced;
    }
    *from = found_from;
    *size = found_size;
    return 1;
}

static int take(void *bytes, kri_mpi_parcel **parcel)
{
    int count = found_parts ? count_of(found_size) : 1;
    *parcel = NULL;
    kri_mpi_parcel *p = new_parcel(count);
    if (!p)
        return -ENOMEM;
    int err = MPI_SUCCESS;
    if (!found_parts) {
        err = MPI_Imrecv(bytes, (int)found_size, MPI_BYTE, &found, &p->requests[p->count++]);
        return settle(p, err == MPI_SUCCESS, parcel);
    }
    char *to = bytes;
    for (; err == MPI_SUCCESS && p->count < count; p->count++)
        err = MPI_Irecv(to + (size_t)p->count * PART, length_of(found_size, p->count), MPI_BYTE,
                        found_from, TAG_PARTS, parts, &p->requests[p->count]);
    return settle(p, err == MPI_SUCCESS, parcel);
}

/* A long one stays with its sender, whose parts nobody will take. */
static void refuse(void)
{
    static char scratch[1] KRI_GLOBAL;
    if (!found_parts) /* cut off, which MPI takes for an error */
        (void)MPI_Mrecv(scratch, sizeof scratch, MPI_BYTE, &found, MPI_STATUS_IGNORE);
}

static int leave(void)
{
    int over = 0;
    if (!leaving && MPI_Ibarrier(heads, &everybody) != MPI_SUCCESS)
        return -EIO;
    leaving = true;
    return MPI_Test(&everybody, &over, MPI_STATUS_IGNORE) == MPI_SUCCESS ? over != 0 : -EIO;
}

static void end(bool abandon)
{
    int finalised = 0;
    (void)MPI_Finalized(&finalised);
    if (!begun || !ours || finalised || abandon)
        return;
    begun = false;
    (void)MPI_Comm_free(&heads);
    (void)MPI_Comm_free(&parts);
    (void)MPI_Finalize();
}

__attribute__((visibility("default"))) const kri_mpi_calls *kri_mpi_plugin(void);
const kri_mpi_calls *kri_mpi_plugin(void)
{
    static const kri_mpi_calls calls = {.version = KRI_MPI_VERSION,
                                        .begin = begin,
                                        .send = send,
                                        .look = look,
                                        .take = take,
                                        .refuse = refuse,
                                        .test = test,
                                        .leave = leave,
                                        .end = end};
    return &calls;
}
