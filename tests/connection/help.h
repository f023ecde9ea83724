/* What tests of connections share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_CONNECTION_HELP_H
#define TESTS_CONNECTION_HELP_H

#include "harness/test.h"
#include <dirent.h>
#include <krait/krait.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* For what must come: a hang, and no slow machine. */
#define PATIENCE kr_sec(30)

typedef struct pipe_pair {
    kr_connection *a, *b;
} pipe_pair;

static inline pipe_pair pair_make(const kr_pipe_options *options)
{
    pipe_pair pair;
    CHECK_EQ(kr_pipe(&pair.a, &pair.b, options), 0);
    return pair;
}

static inline void pair_release(pipe_pair *pair)
{
    kr_connection_release(pair->a);
    kr_connection_release(pair->b);
}

/* A forked child runs body and ends; a check that fails there makes its status 1. */
static inline pid_t pair_fork(pipe_pair *pair, void (*body)(pipe_pair *pair))
{
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0) {
        body(pair);
        _exit(0);
    }
    return child;
}

/* Exit code, or the negative number of the signal. */
static inline int wait_for_child(pid_t child)
{
    int status;
    pid_t got;
    do {
        got = waitpid(child, &status, 0);
    } while (got < 0 && errno == EINTR);
    CHECK_EQ(got, child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Beyond the first three and those that were open when it was asked first. */
static inline int open_descriptors(void)
{
    static int before;
    int count = 0;
    DIR *all = opendir("/proc/self/fd");
    CHECK(all != NULL);
    for (struct dirent *e; (e = readdir(all)) != NULL;)
        count += e->d_name[0] != '.' && atoi(e->d_name) > 2;
    closedir(all);
    count--; /* of the directory */
    if (before == 0)
        before = count + 1;
    return count - (before - 1);
}

__attribute__((constructor)) static inline void help_begin(void)
{
    (void)open_descriptors();
}

/* Until the thread with this number (0: not yet known) of this process sleeps in the kernel. */
static inline void await_asleep(const kr_word *tid)
{
    for (;;) {
        char path[64], line[256] = {0};
        uint32_t id = __atomic_load_n(&tid->bits, __ATOMIC_ACQUIRE);
        snprintf(path, sizeof path, "/proc/%u/stat", id);
        FILE *file = id != 0 ? fopen(path, "re") : NULL;
        if (file != NULL) {
            size_t size = fread(line, 1, sizeof line - 1, file);
            line[size] = 0;
            fclose(file);
        }
        const char *name_end = strrchr(line, ')');
        if (name_end != NULL && name_end[2] == 'S')
            return;
        kri_test_nap();
    }
}

static inline void fill_bytes(unsigned char *bytes, size_t size, uint32_t seed)
{
    uint32_t x = seed * 2654435761u + 1;
    for (size_t i = 0; i < size; i++) {
        x = x * 1664525u + 1013904223u;
        bytes[i] = (unsigned char)(x >> 24);
    }
}

#endif
