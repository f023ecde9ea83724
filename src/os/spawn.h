/* The contract with the system about running other programs.
 *
 * As in child.h, errors are negative errno, and nothing blocks unless it says so.  Descriptors that
 * are made here are closed by exec, and none of them has the number of a standard one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_OS_SPAWN_H
#define KRI_OS_SPAWN_H

#include "os/os.h"

enum { OS_INHERITED = -1, OS_AS_OUTPUT = -2, OS_SPAWN_FIRST = 3 };

typedef struct os_spawn {
    const char *program; /* its path */
    char *const *arguments;
    char *const *environment; /* NULL: as here */
    const char *directory;    /* NULL: as here; a relative program is looked for from there */
    int standard[3];          /* descriptors, OS_INHERITED, or OS_AS_OUTPUT (the third only) */
    const int *descriptors;   /* they are OS_SPAWN_FIRST and up in the program */
    int count;
    bool new_session;
    bool default_signals; /* all of them; else those that are ignored stay so, but for SIGPIPE */
} os_spawn;

/* Start a program: its number.  It has the descriptors that are named and no other ones, and no
 * signal is blocked.  Blocks until the program has been loaded, or cannot be: -ENOENT, -EACCES,
 * -ENOEXEC, -ENOTDIR, -E2BIG ...; else -EAGAIN, -ENOMEM, -EMFILE, -EBADF. */
pid_t os_spawn_program(const os_spawn *s);

/* Kill a child that is not known by any descriptor, and reap it.  Blocks until it is over. */
void os_spawn_undo(pid_t id);

/* Where a program of that name lies in a list of folders as $PATH has it (NULL: this process's);
 * a name with a slash is a path.  0; -ENOENT, -EACCES, -ENAMETOOLONG. */
int os_spawn_find(const char *name, const char *folders, char *path, size_t size);

/* Pipes for the standard streams of others; ends[0] is read.  *mine, 0 or 1, does not block. */
int os_spawn_pipe(int ends[2], int mine);
int os_spawn_null(void); /* /dev/null, to read and write */

/* Never blocks where the end is one's own.  How many bytes, 0 of a read: the end; -EAGAIN.  A write
 * that nobody can read is -EPIPE, and raises no signal. */
int64_t os_spawn_read(int pipe, void *bytes, size_t size);
int64_t os_spawn_write(int pipe, const void *bytes, size_t size);

#endif
