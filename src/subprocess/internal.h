/* What the files of src/subprocess share; the protocol is told at the top of subprocess.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_SUBPROCESS_INTERNAL_H
#define KRI_SUBPROCESS_INTERNAL_H

#include <krait/subprocess.h>

#include "loop/descriptor.h"
#include "os/child.h"
#include "os/spawn.h"
#include "wait/wait.h"

/* What was read of an output. */
typedef struct kri_gathered {
    char *bytes;
    size_t size;
    size_t room;
} kri_gathered;

struct kr_subprocess {
    kr_word references;
    uint32_t generation; /* of forks; const, as the next two */
    int pid;
    int sentinel; /* a pidfd; -1: it was over before one could be had */
    kri_mutex lock;
    bool over; /* guarded by lock, as the rest; and code is its exit code */
    bool busy; /* somebody communicates: the pipes and what follows is his */
    int code;
    int pipes[3]; /* -1: none */
    size_t written;
    kri_gathered gathered[2];
};

/* kri_subprocess_check - is it of this process?  0, -EINVAL, KR_EFORKED. */
int kri_subprocess_check(const kr_subprocess *p);

/* kri_subprocess_await - wait for its end. */
int kri_subprocess_await(kr_subprocess *p, kr_time deadline);

/* kri_subprocess_close - one of its pipes, if it is there; by whoever may. */
void kri_subprocess_close(kr_subprocess *p, int stream);

#endif
