/* Looking at other processes, and terminals.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/io.h"
#include "os/look.h"
#include "os/linux/read_start.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "base/global.h"

_Static_assert(OS_HANGUP == SIGHUP && OS_INTERRUPT == SIGINT && OS_TERMINATE == SIGTERM, "numbers");
_Static_assert(OS_QUIT == SIGQUIT, "numbers");
_Static_assert(OS_STOP == SIGSTOP && OS_KEY_STOP == SIGTSTP && OS_RESIZED == SIGWINCH, "numbers");

enum { STATUS_SIZE = 4096, LINE_SIZE = 4096 + 128 };

static struct termios before KRI_GLOBAL;
static volatile sig_atomic_t changed KRI_GLOBAL; /* the terminal's descriptor + 1; 0: none is */

static uint64_t field_of(const char *status, const char *name)
{
    const char *at = strstr(status, name);
    return at != NULL ? strtoull(at + strlen(name), NULL, 10) : 0;
}

static void read_name(const char *status, os_process_about *about)
{
    size_t length = strcspn(status, "\n");
    const char *name = memchr(status, '\t', length);
    if (name == NULL)
        return;
    name++;
    length -= (size_t)(name - status);
    snprintf(about->name, sizeof about->name, "%.*s", (int)length, name);
}

/* The effective user is the second of four. */
static uint32_t user_in(const char *status)
{
    const char *at = strstr(status, "\nUid:\t");
    if (at == NULL)
        return UINT32_MAX;
    char *rest;
    (void)strtoul(at + strlen("\nUid:\t"), &rest, 10);
    return (uint32_t)strtoul(rest, NULL, 10);
}

/* The fields behind the name, which may contain anything, counted from the state as number 3. */
static void read_stat(pid_t id, os_process_about *about)
{
    enum { STATE = 3, USER_TIME = 14, SYSTEM_TIME = 15, START = 22 };
    char path[40], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)id);
    if (kri_read_start(path, text, sizeof text) <= 0)
        return;
    const char *at = strrchr(text, ')');
    uint64_t ticks = 0;
    for (int field = STATE; at != NULL && field <= START; field++) {
        at = strchr(at, ' ');
        if (at == NULL)
            return;
        at++;
        if (field == STATE) /* of the first thread, which may end before the others */
            about->over = (*at == 'Z' || *at == 'X') && os_process_ended(id);
        if (field == USER_TIME || field == SYSTEM_TIME)
            ticks += strtoull(at, NULL, 10);
        if (field == START)
            about->start = strtoull(at, NULL, 10);
    }
    about->computed = (kr_time)(ticks * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK)));
}

int os_process_look(pid_t id, os_process_about *about)
{
    char path[40], status[STATUS_SIZE];
    snprintf(path, sizeof path, "/proc/%d/status", (int)id);
    *about = (os_process_about){.process = id};
    if (kri_read_start(path, status, sizeof status) <= 0)
        return -ESRCH;
    read_name(status, about);
    about->user = user_in(status);
    about->threads = (uint32_t)field_of(status, "\nThreads:\t");
    about->process = (pid_t)field_of(status, "\nTgid:\t");
    about->resident = field_of(status, "\nVmRSS:\t") * 1024;
    read_stat(id, about);
    return 0;
}

/* "5581a000-5581b000 r--p 00000000 08:01 1234   /path": those from a file's begin. */
static int tell(char *line, int (*each)(const char *path, uintptr_t start, void *arg), void *arg)
{
    unsigned long long start, offset;
    int path_at = 0;
    line[strcspn(line, "\n")] = '\0';
    if (sscanf(line, "%llx-%*x %*s %llx %*s %*s %n", &start, &offset, &path_at) != 2 ||
        path_at == 0 || line[path_at] != '/' || offset != 0)
        return 0;
    return each(line + path_at, (uintptr_t)start, arg);
}

int os_process_files(pid_t id, int (*each)(const char *path, uintptr_t start, void *arg), void *arg)
{
    char path[40], line[LINE_SIZE];
    int saved = errno, err = 0;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)id);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        err = -errno;
        errno = saved;
        return err;
    }
    while (err == 0 && fgets(line, sizeof line, file) != NULL)
        err = tell(line, each, arg);
    fclose(file);
    errno = saved;
    return err;
}

int os_open_file(const char *path)
{
    return os_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
}

/* Terminals. */

bool os_is_terminal(int fd)
{
    int saved = errno;
    bool is = isatty(fd);
    errno = saved;
    return is;
}

bool os_terminal_size(int fd, unsigned *columns, unsigned *rows)
{
    int saved = errno;
    struct winsize size;
    bool known = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
    errno = saved;
    if (known) {
        *columns = size.ws_col;
        *rows = size.ws_row;
    }
    return known;
}

int os_terminal_begin(int fd)
{
    int saved = errno, err = 0;
    struct termios now;
    if (tcgetattr(fd, &now) < 0)
        err = -errno;
    if (err == 0) {
        before = now;
        now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        now.c_cc[VMIN] = 1;
        now.c_cc[VTIME] = 0;
        changed = fd + 1;
        if (tcsetattr(fd, TCSADRAIN, &now) < 0)
            err = -errno;
    }
    if (err != 0)
        changed = 0;
    errno = saved;
    return err;
}

void os_terminal_restore(void)
{
    int saved = errno;
    int fd = (int)changed - 1;
    changed = 0;
    if (fd >= 0)
        (void)tcsetattr(fd, TCSADRAIN, &before);
    errno = saved;
}

bool os_terminal_has_me(int fd)
{
    int saved = errno;
    bool has = tcgetpgrp(fd) == getpgrp();
    errno = saved;
    return has;
}
