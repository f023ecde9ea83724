/* Messages of MPI on their way, each with the memory that it needs until it is over.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/mpi.h"

#include "os/os.h"

struct kri_mpi_way {
    kri_mpi_way *next;
    kri_mpi_parcel *parcel;
    unsigned char *bytes;
    size_t size;
    int rank;
};

static kri_mpi_way *remember(kri_mpi_way **list, int rank, unsigned char *bytes, size_t size)
{
    kri_mpi_way *way = os_alloc(sizeof *way);
    if (!way)
        return NULL;
    *way = (kri_mpi_way){.bytes = bytes, .size = size, .rank = rank};
    while (*list)
        list = &(*list)->next;
    *list = way;
    return way;
}

static void unlink_way(kri_mpi_way **at)
{
    kri_mpi_way *way = *at;
    *at = way->next;
    os_free(way);
}

static void drop_last(kri_mpi_way **list)
{
    while ((*list)->next)
        list = &(*list)->next;
    unlink_way(list);
}

int kri_mpi_line_send(kri_mpi_line *line, int to, unsigned char *bytes, size_t size)
{
    kri_mpi_way *way = remember(&line->out, to, bytes, size);
    int err = way ? line->calls->send(to, bytes, size, &way->parcel) : -ENOMEM;
    if (way && (err || !way->parcel))
        drop_last(&line->out);
    else if (way)
        return 0;
    os_free(bytes);
    return err;
}

void kri_mpi_line_push(kri_mpi_line *line)
{
    kri_mpi_way **at = &line->out;
    while (*at) {
        if (line->calls->test((*at)->parcel) == 0) {
            at = &(*at)->next;
            continue;
        }
        os_free((*at)->bytes);
        unlink_way(at);
    }
}

/* One that had begun to come, and is here now. */
static bool take_come(kri_mpi_line *line, int *from, unsigned char **bytes, size_t *size)
{
    kri_mpi_way **at = &line->in;
    while (*at) {
        int over = line->calls->test((*at)->parcel);
        if (over == 0) {
            at = &(*at)->next;
            continue;
        }
        *from = (*at)->rank;
        *bytes = (*at)->bytes;
        *size = (*at)->size;
        unlink_way(at);
        if (over > 0)
            return true;
        os_free(*bytes);
    }
    return false;
}

int kri_mpi_line_receive(kri_mpi_line *line, uint64_t most, int *from, unsigned char **bytes,
                         size_t *size)
{
    uint64_t length;
    if (take_come(line, from, bytes, size))
        return 1;
    int there = line->calls->look(from, &length);
    if (there <= 0)
        return there;
    if (length > most || length == 0) {
        line->calls->refuse();
        return -EMSGSIZE;
    }
    *size = (size_t)length;
    *bytes = os_alloc(*size);
    kri_mpi_way *way = *bytes ? remember(&line->in, *from, *bytes, *size) : NULL;
    int err = way ? line->calls->take(*bytes, &way->parcel) : -ENOMEM;
    if (!err && way->parcel)
        return 0;
    if (way)
        drop_last(&line->in);
    else
        line->calls->refuse();
    if (err)
        os_free(*bytes);
    return err ? err : 1;
}

/* MPI may still read and write there: the memory is given up. */
void kri_mpi_line_forget(kri_mpi_line *line, int rank)
{
    for (kri_mpi_way **at = &line->out; *at;)
        if ((*at)->rank == rank)
            unlink_way(at);
        else
            at = &(*at)->next;
    for (kri_mpi_way **at = &line->in; *at;)
        if ((*at)->rank == rank)
            unlink_way(at);
        else
            at = &(*at)->next;
}
