/* treesum - SHA-256 of every file below some directories, on all processors.
 *
 *     treesum /usr/share > list
 *     treesum -c list
 *
 * Prints what sha256sum prints for the same files in the order of their paths, byte by byte; with
 * several arguments all paths are sorted together.  A path is printed as `find ARGUMENT -type f`
 * has it.  Symbolic links below the arguments are not followed; an argument that is a link is, for
 * who names a link means what it leads to.
 *
 * SPDX-License-Identifier: MIT
 */
#include "treesum.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATUS_INTERRUPTED 130
#define PATIENCE           kr_ms(50) /* how long the end waits for files that are just being read */

static const char help[] =
    "Usage: treesum [OPTION]... [PATH]...\n"
    "Print or check the SHA-256 checksums of files and of all files below directories.\n"
    "\n"
    "Without a PATH: of all below the current directory.  Regular files below a directory are\n"
    "summed, symbolic links there are not followed.  PATH - is standard input.  The output is\n"
    "that of sha256sum, sorted by path.\n"
    "\n"
    "  -j, --jobs=N          sum N files at a time (default: as many as there are processors)\n"
    "  -p, --processes       in processes instead of threads\n"
    "  -m, --mpi             in the other ranks of the MPI job that this is rank 0 of\n"
    "      --sequential      one file after the other, without a pool\n"
    "  -c, --check           read checksums from the PATHs (or standard input) and check them\n"
    "\n"
    "With --check only:\n"
    "      --ignore-missing  don't fail or report status for missing files\n"
    "      --quiet           don't print OK for each file that is right\n"
    "      --status          print no verdicts, the exit status tells\n"
    "      --strict          fail when a line is no checksum line\n"
    "  -w, --warn            point out lines that are no checksum lines\n"
    "\n"
    "      --help            print this and exit\n"
    "      --version         print the version and exit\n"
    "\n"
    "Exit status: 0 if all went well, 1 if a file could not be read or is not what it should be,\n"
    "130 when interrupted.\n";

struct arguments {
    struct options options;
    bool check;
    bool only_for_check; /* an option was given that needs --check */
    char **paths;
    size_t count;
};

enum { IGNORE_MISSING = 256, QUIET, STATUS, STRICT, SEQUENTIAL, HELP, VERSION };

static const struct option long_options[] = {
    {"check", no_argument, NULL, 'c'},
    {"jobs", required_argument, NULL, 'j'},
    {"processes", no_argument, NULL, 'p'},
    {"mpi", no_argument, NULL, 'm'},
    {"sequential", no_argument, NULL, SEQUENTIAL},
    {"ignore-missing", no_argument, NULL, IGNORE_MISSING},
    {"quiet", no_argument, NULL, QUIET},
    {"status", no_argument, NULL, STATUS},
    {"strict", no_argument, NULL, STRICT},
    {"warn", no_argument, NULL, 'w'},
    {"help", no_argument, NULL, HELP},
    {"version", no_argument, NULL, VERSION},
    {NULL, 0, NULL, 0},
};

__attribute__((noreturn)) static void refuse(void)
{
    fprintf(stderr, "Try '%s --help' for more information.\n", program_invocation_short_name);
    exit(EXIT_FAILURE);
}

__attribute__((noreturn)) static void print_and_exit(const char *text)
{
    if (fputs(text, stdout) == EOF || fflush(stdout) == EOF) {
        complain("write error: %s", strerror(errno));
        exit(EXIT_FAILURE);
    }
    exit(EXIT_SUCCESS);
}

static unsigned parse_jobs(const char *text)
{
    char *end;
    errno = 0;
    long jobs = strtol(text, &end, 10);
    if (errno || end == text || *end != '\0' || jobs < 1 || jobs > 4096) {
        char *quoted = quote(text);
        complain("invalid number of jobs: %s", quoted ? quoted : text);
        refuse();
    }
    return (unsigned)jobs;
}

static void take_option(struct arguments *arguments, int option)
{
    struct options *options = &arguments->options;
    switch (option) {
    case 'c':
        arguments->check = true;
        return;
    case 'j':
        options->workers = parse_jobs(optarg);
        return;
    case 'p':
        options->processes = true;
        return;
    case 'm':
        options->ranks = true;
        return;
    case SEQUENTIAL:
        options->sequential = true;
        return;
    case HELP:
        print_and_exit(help);
    case VERSION:
        printf("treesum (krait) %s\n", kr_version());
        print_and_exit("");
    case '?':
        refuse();
    default:
        break;
    }
    arguments->only_for_check = true;
    options->ignore_missing |= option == IGNORE_MISSING;
    /* Of these three the last one given holds. */
    if (option == QUIET || option == STATUS || option == 'w') {
        options->quiet = option == QUIET;
        options->status = option == STATUS;
        options->warn = option == 'w';
    }
    options->strict |= option == STRICT;
}

static void parse_arguments(struct arguments *arguments, int argc, char **argv)
{
    static char here[] = ".";
    static char standard_input[] = "-";
    static char *no_path[1];
    int option;
    argv[0] = program_invocation_short_name;
    while ((option = getopt_long(argc, argv, "cj:mpw", long_options, NULL)) != -1)
        take_option(arguments, option);
    if (arguments->only_for_check && !arguments->check) {
        complain("--ignore-missing, --quiet, --status, --strict and --warn are meaningful only "
                 "with --check");
        refuse();
    }
    arguments->paths = argv + optind;
    arguments->count = (size_t)(argc - optind);
    if (arguments->count == 0) {
        no_path[0] = arguments->check ? standard_input : here;
        arguments->paths = no_path;
        arguments->count = 1;
    }
}

static int show_sum(void *context, const struct file *file)
{
    bool *complete = context;
    if (!file->error)
        return output_sum(file);
    complain_path(file->path, reason(file->error));
    *complete = false;
    return 0;
}

static int add_paths(struct work *work, struct walk *walk)
{
    struct file file = {0};
    off_t size;
    int got;
    while ((got = walk_next(walk, &file.path, &file.kind, &size)) > 0) {
        int err = work_add(work, &file, size);
        if (err)
            return err;
    }
    return got ? got : work_finish(work);
}

/* Exit status, or a negative error that ended the work. */
static int sum_paths(struct work *work, char **paths, size_t count)
{
    bool complete = true;
    struct walk *walk = walk_open(paths, count, work_wants_sizes(work));
    if (!walk)
        return -ENOMEM;
    work_show(work, show_sum, &complete);
    int err = add_paths(work, walk);
    complete = complete && walk_complete(walk);
    walk_close(walk);
    return err ? err : complete ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* A file must not get the number of a standard stream that the user has closed. */
static void fill_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
}

__attribute__((noreturn)) static void give_up(int err)
{
    complain("cannot start: %s", err == -ENOSYS ? kr_mpi_missing() : kr_strerror(err));
    exit(EXIT_FAILURE);
}

/* Of an MPI job rank 0 goes on, and the others work for it until it has no more to do. */
static void serve_unless_first(const struct options *options)
{
    int err = options->ranks && !options->sequential ? kr_mpi_serve(NULL) : 0;
    if (err == KR_SERVED)
        exit(EXIT_SUCCESS);
    if (err)
        give_up(err);
}

/* Everything inside the scope that Ctrl-C cancels. */
static int run(struct arguments *arguments, struct work *work)
{
    int status;
    if (arguments->check)
        status = check_lists(work, &arguments->options, arguments->paths, arguments->count);
    else
        status = sum_paths(work, arguments->paths, arguments->count);
    int err = output_flush();
    console_close();
    if (err && err != -ECANCELED)
        complain("write error: %s", strerror(-err));
    else if (status < 0 && status != -ECANCELED)
        complain("%s", reason(status));
    return err ? err : status;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    static kr_cancel_scope scope; /* where it stays as long as signals come */
    struct work *work;

    kr_init(argc, argv); /* a worker of -p goes no further */
    setlocale(LC_ALL, "");
    fill_standard_streams();
    signal(SIGPIPE, SIG_IGN); /* a reader that is gone is a write error like others */
    parse_arguments(&arguments, argc, argv);
    serve_unless_first(&arguments.options);
    console_open();

    int err = kr_cancel_on_signal(SIGINT, &scope);
    if (!err)
        err = kr_cancel_scope_enter(&scope, KR_FOREVER);
    if (!err)
        err = work_open(&work, &arguments.options, &scope);
    if (err)
        give_up(err);
    int status = run(&arguments, work);
    bool interrupted = kr_cancelled();
    bool complete = !interrupted && status >= 0;
    if (!complete)
        status = interrupted ? STATUS_INTERRUPTED : EXIT_FAILURE;

    kr_cancel(&scope); /* after a write error, too, there are tasks that need not end their files */
    bool closed = false;
    kr_shield
        closed = work_close(work, complete ? KR_FOREVER : PATIENCE);
    if (!closed)
        _exit(status); /* a worker sleeps in a read that nothing ends, and exit() would wait */
    kr_cancel_scope_exit(&scope);
    return status;
}
