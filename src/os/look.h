/* The contract with the system for who looks at another process, from a terminal.
 *
 * As in os.h, errors are negative errno.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_OS_LOOK_H
#define KRI_OS_LOOK_H

#include "os/os.h"

typedef struct os_process_about {
    char name[32]; /* as ps has it */
    uint32_t user; /* its owner's, effective */
    uint32_t threads;
    pid_t process;     /* whose thread it is; of a process its own number */
    uint64_t start;    /* as os_process_start */
    uint64_t resident; /* bytes */
    kr_time computed;  /* time of processors so far */
    bool over;         /* nobody has asked for its status yet */
} os_process_about;

int os_process_look(pid_t id, os_process_about *about); /* -ESRCH */

/* What a process has mapped: each(path, start, arg) for each file, where its first byte lies, until
 * it returns other than 0, which is the result. */
int os_process_files(pid_t id, int (*each)(const char *path, uintptr_t start, void *arg),
                     void *arg);

int os_open_file(const char *path); /* to read; a pipe is not waited for */

/* Terminals */

bool os_is_terminal(int fd);
bool os_terminal_size(int fd, unsigned *columns, unsigned *rows);

/* From now on keys come one at a time and are not shown; os_terminal_restore puts back what was.
 * One terminal at a time.  Signals are sent by keys as ever. */
int os_terminal_begin(int fd);
void os_terminal_restore(void); /* async-signal-safe; does nothing the second time */

bool os_terminal_has_me(int fd); /* is this process in the foreground there? */

/* Numbers of signals, for os_signal_catch. */
enum os_terminal_signal {
    OS_HANGUP = 1,
    OS_INTERRUPT = 2,
    OS_QUIT = 3,
    OS_TERMINATE = 15,
    OS_STOP = 19,
    OS_KEY_STOP = 20,
    OS_RESIZED = 28
};

#endif
