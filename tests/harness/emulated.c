/* Where tests run under an emulator: programs of the other processor are started by it.
 *
 * The kernel cannot start them itself, so every way to start a program comes here first, and puts
 * the emulator before those that are built as this one is.  Linked into all that may be run.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MOST_ARGUMENTS = 256, PATH_ROOM = 4096, OWN = EM_AARCH64 };

/* What is to be started in a program's place. */
typedef struct plan {
    const char *program;
    char *const *arguments;
    char path[PATH_ROOM];
    char *room[MOST_ARGUMENTS];
} plan;

static int machine_of(const char *path)
{
    Elf64_Ehdr header = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, &header, sizeof header);
    if (fd >= 0)
        close(fd);
    bool is = got == sizeof header && memcmp(header.e_ident, ELFMAG, SELFMAG) == 0;
    return is ? header.e_machine : EM_NONE;
}

/* 0, or the errno. */
static int make_plan(plan *p, const char *path, char *const arguments[])
{
    *p = (plan){.program = path, .arguments = arguments};
    /* The link itself leads to the emulator. */
    if (strcmp(path, "/proc/self/exe") != 0)
        snprintf(p->path, sizeof p->path, "%s", path);
    else if (readlink(path, p->path, sizeof p->path - 1) < 0)
        return errno;
    if (access(p->path, X_OK) != 0)
        return errno;
    if (machine_of(p->path) != OWN)
        return 0;
    char *before[] = {"qemu", "-L", KRI_EMULATED_ROOT, "-0", arguments[0], p->path};
    size_t count = sizeof before / sizeof *before;
    memcpy(p->room, before, sizeof before);
    for (size_t i = 1; arguments[0] != NULL && arguments[i] != NULL; i++) {
        if (count == MOST_ARGUMENTS - 1)
            return E2BIG;
        p->room[count++] = arguments[i];
    }
    p->program = KRI_EMULATOR;
    p->arguments = p->room;
    return 0;
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const arguments[],
                char *const environment[])
{
    int (*next)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                const posix_spawnattr_t *, char *const[], char *const[]);
    *(void **)&next = dlsym(RTLD_NEXT, "posix_spawn");
    plan p;
    int error = make_plan(&p, path, arguments);
    /* It may be there in the folder that the actions go to, where those of the kernel are found. */
    if (error == ENOENT && actions != NULL && path[0] != '/')
        return next(pid, path, actions, attributes, arguments, environment);
    return error != 0
               ? error
               : next(pid, p.program, actions, attributes, (char **)p.arguments, environment);
}

int execve(const char *path, char *const arguments[], char *const environment[])
{
    plan p;
    errno = make_plan(&p, path, arguments);
    return errno != 0 ? -1 : (int)syscall(SYS_execve, p.program, p.arguments, environment);
}

int execv(const char *path, char *const arguments[])
{
    return execve(path, arguments, environ);
}

int execvp(const char *name, char *const arguments[])
{
    if (strchr(name, '/') != NULL)
        return execv(name, arguments);
    const char *at = getenv("PATH");
    for (at = at != NULL ? at : "/bin:/usr/bin"; *at != '\0'; at += *at == ':') {
        char path[PATH_ROOM];
        int length = (int)strcspn(at, ":");
        snprintf(path, sizeof path, "%.*s/%s", length, at, name);
        if (access(path, X_OK) == 0)
            return execv(path, arguments);
        at += length;
    }
    errno = ENOENT;
    return -1;
}

static void collect(char **arguments, const char *first, va_list rest)
{
    arguments[0] = (char *)(uintptr_t)first;
    for (size_t i = 0; arguments[i] != NULL && i + 1 < MOST_ARGUMENTS; i++)
        arguments[i + 1] = va_arg(rest, char *);
}

int execl(const char *path, const char *first, ...)
{
    char *arguments[MOST_ARGUMENTS] = {0};
    va_list rest;
    va_start(rest, first);
    collect(arguments, first, rest);
    va_end(rest);
    return execv(path, arguments);
}

int execlp(const char *name, const char *first, ...)
{
    char *arguments[MOST_ARGUMENTS] = {0};
    va_list rest;
    va_start(rest, first);
    collect(arguments, first, rest);
    va_end(rest);
    return execvp(name, arguments);
}
