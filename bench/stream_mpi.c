/* krait-bench-mpi ROW AMOUNT WORKERS - the streams of two by Open MPI, and their round trips:
 * prints NS 0.
 *
 * Its processes poll: each keeps a processor busy while it waits.
 *
 * SPDX-License-Identifier: MIT
 */
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL = 64, LARGE = 1 << 20 };

static void must(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "krait-bench-mpi: %s is wrong\n", what);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static void send_all(unsigned char *message, int size, unsigned long amount)
{
    for (uint64_t number = 1; number <= amount; number++) {
        memcpy(message, &number, sizeof number);
        memcpy(message + size - sizeof number, &number, sizeof number);
        MPI_Send(message, size, MPI_BYTE, 1, 0, MPI_COMM_WORLD);
    }
}

static void receive_all(unsigned char *message, int size, unsigned long amount)
{
    for (uint64_t i = 1; i <= amount; i++) {
        uint64_t first, last;
        MPI_Recv(message, size, MPI_BYTE, 0, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        memcpy(&first, message, sizeof first);
        memcpy(&last, message + size - sizeof last, sizeof last);
        must(first == i && last == i, "a message");
    }
}

/* A message and its answer, which are one `amount` of both sides. */
static void answer_all(unsigned char *message, int size, unsigned long amount)
{
    for (unsigned long i = 0; i < amount; i++) {
        MPI_Recv(message, size, MPI_BYTE, 0, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        MPI_Send(message, size, MPI_BYTE, 0, 0, MPI_COMM_WORLD);
    }
}

static void ask_all(unsigned char *message, int size, unsigned long amount)
{
    for (uint64_t i = 1; i <= amount; i++) {
        uint64_t answer;
        memcpy(message, &i, sizeof i);
        MPI_Send(message, size, MPI_BYTE, 1, 0, MPI_COMM_WORLD);
        MPI_Recv(message, size, MPI_BYTE, 1, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        memcpy(&answer, message, sizeof answer);
        must(answer == i, "an answer");
    }
}

int main(int argc, char **argv)
{
    int rank;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    must(argc == 4, "the number of arguments");
    int size = strncmp(argv[1], "stream.1mib", 11) == 0 ? LARGE : SMALL;
    bool trips = strstr(argv[1], ".rtt") != NULL;
    /* On one processor each trip is a turn of the scheduler's. */
    unsigned long amount = strtoul(argv[2], NULL, 10) / (trips ? 20 : 1);
    unsigned char *message = calloc(1, (size_t)size);
    must(message != NULL, "calloc");
    double taken = 0;
    for (int warm = 0; warm < 2; warm++) {
        MPI_Barrier(MPI_COMM_WORLD);
        double begun = MPI_Wtime();
        void (*body)(unsigned char *, int, unsigned long) =
            trips ? (rank == 0 ? ask_all : answer_all) : (rank == 0 ? send_all : receive_all);
        body(message, size, warm ? amount : amount / 10);
        taken = MPI_Wtime() - begun;
    }
    if (rank == 1)
        printf("%f 0\n", taken * 1e9 / (double)amount);
    free(message);
    MPI_Finalize();
    return 0;
}
