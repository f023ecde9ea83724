/* krait - the command: what a program is doing, what one may leave behind, and which version this
 * is.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/base.h>
#include <krait/shared_memory.h>
#include "command/top.h"
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: krait COMMAND\n"
    "\n"
    "  top [PID]  what a program that uses krait is doing: its pools, loops and locks; see\n"
    "             krait top --help\n"
    "  clean      remove the named shared memory that krait has made and nobody holds any more:\n"
    "             what is left of programs that were killed.  Of the calling user; root: of all\n"
    "  --version  which version this is\n"
    "  help       this\n";

/* A name may hold any byte. */
static void print_name(const char *name)
{
    for (const unsigned char *c = (const unsigned char *)name; *c != '\0'; c++) {
        if (*c < ' ' || *c == '\\' || *c == 0x7f)
            printf("\\%03o", *c);
        else
            putchar(*c);
    }
}

static void print_removed(const char *name, size_t size, void *arg)
{
    (void)arg;
    printf("removed ");
    print_name(name);
    printf(" (%zu bytes)\n", size);
}

static int clean(void)
{
    int count = kr_shared_memory_clean(print_removed, NULL);
    if (count < 0) {
        fprintf(stderr, "krait: /dev/shm: %s\n", kr_strerror(count));
        return 1;
    }
    if (count == 0)
        puts("nothing to remove");
    return 0;
}

static int run(const char *command)
{
    if (strcmp(command, "clean") == 0)
        return clean();
    if (strcmp(command, "--version") == 0 || strcmp(command, "version") == 0) {
        printf("krait %s\n", kr_version());
        return 0;
    }
    if (strcmp(command, "help") == 0 || strcmp(command, "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    fprintf(stderr, "krait: no command is called '%s'\n%s", command, usage);
    return 2;
}

int main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "top") == 0)
        return kri_top_run(argc - 2, argv + 2);
    if (argc != 2) {
        fputs(usage, stderr);
        return 2;
    }
    int status = run(argv[1]);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("krait: cannot write to the standard output\n", stderr);
        return 1;
    }
    return status;
}
