/* Where all threads of a process group stand: see stacks.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/stacks.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GDB_SECONDS = 15, MEMBERS = 32 };

/* The process's group, or -1 when it is gone or a zombie. */
static pid_t live_group(const char *number)
{
    char path[300], line[1024];
    snprintf(path, sizeof path, "/proc/%s/stat", number);
    FILE *file = fopen(path, "re");
    if (!file)
        return -1;
    size_t length = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[length] = '\0';
    char *after_name = strrchr(line, ')');
    char state = 0;
    int parent = 0, group = 0;
    if (!after_name || sscanf(after_name + 1, " %c %d %d", &state, &parent, &group) != 3)
        return -1;
    return state == 'Z' || state == 'X' ? -1 : group;
}

int kri_group_members(pid_t group, pid_t *members, int room)
{
    DIR *folder = opendir("/proc");
    if (!folder)
        return 0;
    int count = 0;
    for (struct dirent *entry; count < room && (entry = readdir(folder));)
        if (isdigit((unsigned char)entry->d_name[0]) && live_group(entry->d_name) == group)
            members[count++] = atoi(entry->d_name);
    closedir(folder);
    return count;
}

static bool print_with_gdb(pid_t process)
{
    char number[20];
    snprintf(number, sizeof number, "%d", (int)process);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(nothing, STDIN_FILENO);
        dup2(nothing, STDERR_FILENO);
        unsetenv("DEBUGINFOD_URLS");
        alarm(GDB_SECONDS);
        execlp("gdb", "gdb", "-nx", "-batch", "-p", number, "-ex", "thread apply all bt",
               (char *)NULL);
        _exit(127);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void print_file(pid_t process, const char *thread, const char *name)
{
    char path[300], text[2048];
    snprintf(path, sizeof path, "/proc/%d/task/%s/%s", (int)process, thread, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    if (length > 0)
        printf("    %s: %s%s", name, text, text[length - 1] == '\n' ? "" : "\n");
}

static void print_from_proc(pid_t process)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)process);
    DIR *folder = opendir(path);
    if (!folder)
        return;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.')
            continue;
        printf("  thread %s\n", entry->d_name);
        print_file(process, entry->d_name, "comm");
        print_file(process, entry->d_name, "wchan");
        print_file(process, entry->d_name, "syscall");
        print_file(process, entry->d_name, "stack");
    }
    closedir(folder);
}

void kri_stacks_print(pid_t group)
{
    pid_t members[MEMBERS];
    int count = kri_group_members(group, members, MEMBERS);
    for (int i = 0; i < count; i++) {
        printf("stacks of process %d:\n", (int)members[i]);
        if (!print_with_gdb(members[i]))
            print_from_proc(members[i]);
    }
}
