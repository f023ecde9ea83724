/* Running other programs: posix_spawn, which makes a child that shares this process's memory until
 * it has become the program, and says why it could not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/spawn.h"
#include "os/child.h"
#include "os/linux/libc.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STANDARD = 3, MOST = 3 + 200 };

/* Copies of all that the program gets, with numbers above those that they will have there: so none
 * is overwritten before it is used. */
typedef struct copies {
    int count;
    int fds[MOST];
} copies;

static int copy(copies *c, int fd, int above)
{
    int made = fcntl(fd, F_DUPFD_CLOEXEC, above);
    if (made < 0)
        return -errno;
    c->fds[c->count++] = made;
    return made;
}

static void close_copies(copies *c)
{
    for (int i = 0; i < c->count; i++)
        close(c->fds[i]);
}

static int place(posix_spawn_file_actions_t *actions, copies *c, int fd, int as, int above)
{
    int made = copy(c, fd, above);
    return made < 0 ? made : -posix_spawn_file_actions_adddup2(actions, made, as);
}

static int add_descriptors(posix_spawn_file_actions_t *actions, const os_spawn *s, copies *c)
{
    int above = OS_SPAWN_FIRST + s->count, err = 0;
    if (s->count > MOST - STANDARD)
        return -EMFILE;
    for (int i = 0; i < STANDARD && err == 0; i++) {
        if (s->standard[i] >= 0)
            err = place(actions, c, s->standard[i], i, above);
        else if (s->standard[i] == OS_AS_OUTPUT)
            err = -posix_spawn_file_actions_adddup2(actions, STDOUT_FILENO, i);
    }
    for (int i = 0; i < s->count && err == 0; i++)
        err = place(actions, c, s->descriptors[i], OS_SPAWN_FIRST + i, above);
    if (err == 0)
        err = -posix_spawn_file_actions_addclosefrom_np(actions, above);
    if (err == 0 && s->directory != NULL)
        err = -posix_spawn_file_actions_addchdir_np(actions, s->directory);
    return err;
}

/* SIGPIPE and SIGXFSZ are ignored by programs for themselves; what else is ignored is so for a
 * reason that concerns children, too (nohup). */
static void set_attributes(posix_spawnattr_t *attributes, const os_spawn *s)
{
    sigset_t set;
    int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    sigemptyset(&set);
    posix_spawnattr_setsigmask(attributes, &set);
    sigaddset(&set, SIGPIPE);
    sigaddset(&set, SIGXFSZ);
    if (s->default_signals)
        sigfillset(&set);
    posix_spawnattr_setsigdefault(attributes, &set);
    posix_spawnattr_setflags(attributes,
                             (short)(flags | (s->new_session ? POSIX_SPAWN_SETSID : 0)));
}

static pid_t spawn_with(const os_spawn *s, posix_spawn_file_actions_t *actions)
{
    posix_spawnattr_t attributes;
    pid_t pid = 0;
    int error = posix_spawnattr_init(&attributes);
    if (error != 0)
        return -error;
    set_attributes(&attributes, s);
    error = posix_spawn(&pid, s->program, actions, &attributes, s->arguments,
                        s->environment != NULL ? s->environment : environ);
    posix_spawnattr_destroy(&attributes);
    return error != 0 ? -error : pid;
}

pid_t os_spawn_program(const os_spawn *s)
{
    posix_spawn_file_actions_t actions;
    copies c = {.count = 0};
    int saved = errno;
    pid_t pid = -posix_spawn_file_actions_init(&actions);
    if (pid == 0) {
        pid = add_descriptors(&actions, s, &c);
        if (pid == 0)
            pid = spawn_with(s, &actions);
        posix_spawn_file_actions_destroy(&actions);
    }
    close_copies(&c);
    errno = saved;
    return pid;
}

void os_spawn_undo(pid_t id)
{
    int saved = errno;
    kill(id, SIGKILL);
    while (waitpid(id, NULL, 0) < 0 && errno == EINTR)
        continue;
    errno = saved;
}

/* Finding programs */

static int look_at(const char *path)
{
    struct stat about;
    if (stat(path, &about) < 0)
        return errno == EACCES ? -EACCES : -ENOENT;
    return S_ISREG(about.st_mode) && access(path, X_OK) == 0 ? 0 : -EACCES;
}

/* An empty folder is the current one. */
static int look_in(const char *folder, size_t length, const char *name, char *path, size_t size)
{
    int written = length == 0 ? snprintf(path, size, "./%s", name)
                              : snprintf(path, size, "%.*s/%s", (int)length, folder, name);
    return (size_t)written >= size ? -ENAMETOOLONG : look_at(path);
}

static int find(const char *name, const char *folders, char *path, size_t size)
{
    int found = -ENOENT;
    for (const char *at = folders; at != NULL;) {
        const char *end = strchrnul(at, ':');
        int err = look_in(at, (size_t)(end - at), name, path, size);
        if (err == 0)
            return 0;
        found = err == -ENOENT ? found : err;
        at = *end == ':' ? end + 1 : NULL;
    }
    return found;
}

int os_spawn_find(const char *name, const char *folders, char *path, size_t size)
{
    if (name[0] == '\0')
        return -ENOENT;
    if (strchr(name, '/') != NULL)
        return (size_t)snprintf(path, size, "%s", name) < size ? 0 : -ENAMETOOLONG;
    int saved = errno;
    if (folders == NULL)
        folders = getenv("PATH");
    int err = find(name, folders != NULL ? folders : "/usr/bin:/bin", path, size);
    errno = saved;
    return err;
}

/* Pipes */

int os_spawn_pipe(int ends[2], int mine)
{
    int saved = errno;
    int err = pipe2(ends, O_CLOEXEC) < 0 ? -errno : os_both_above_standard(ends);
    if (err == 0 && fcntl(ends[mine], F_SETFL, O_NONBLOCK) < 0) {
        err = -errno;
        close(ends[0]);
        close(ends[1]);
    }
    errno = saved;
    return err;
}

int os_spawn_null(void)
{
    int saved = errno;
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int result = fd < 0 ? -errno : os_above_standard(fd);
    errno = saved;
    return result;
}

int64_t os_spawn_read(int pipe, void *bytes, size_t size)
{
    int saved = errno;
    ssize_t got;
    do {
        got = read(pipe, bytes, size);
    } while (got < 0 && errno == EINTR);
    int64_t result = got < 0 ? -errno : got;
    errno = saved;
    return result;
}
