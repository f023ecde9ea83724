/* fetch - downloads many URLs at a time, in coroutines or in threads.
 *
 *     fetch -o pages < list
 *
 * SPDX-License-Identifier: MIT
 */
#include "fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOBS_MOST    10000
#define SECONDS_MOST 1e6

static const char help[] =
    "Usage: fetch [OPTION]... [LIST]...\n"
    "Download the http and https URLs in the LISTs, one a line; without a LIST, or for -, those\n"
    "of standard input.  Empty lines and lines that begin with # are skipped.\n"
    "\n"
    "  -j, --jobs=N             N downloads at a time (default: 16)\n"
    "      --threads            each in a thread of a pool instead of a coroutine of a loop\n"
    "  -o, --output=DIRECTORY   keep what comes, as NUMBER-NAME (default: drop it)\n"
    "  -c, --as-completed       print results as they come, not in the order of the LISTs\n"
    "  -t, --timeout=SECONDS    for the head of an answer, and for each pause of its body\n"
    "                           (default: 30)\n"
    "  -m, --max-time=SECONDS   for a URL with all its retries (default: none)\n"
    "  -r, --retries=N          when it may help (default: 3)\n"
    "      --back-off=SECONDS   before the first retry, then twice as long each (default: 0.25)\n"
    "      --max-redirects=N    (default: 10)\n"
    "      --max-size=BYTES     of a body (default: no limit)\n"
    "      --ca-file=FILE       trust these certificates instead of the system's\n"
    "      --insecure           take whatever certificate a server has\n"
    "  -q, --quiet              no summary\n"
    "      --help               print this and exit\n"
    "      --version            print the version and exit\n"
    "\n"
    "Prints for each URL: status, bytes, URL, and the file or what failed, with tabs between.\n"
    "Exit status: 0 if all came, 1 if not, 2 for a mistake in the arguments, 130 when\n"
    "interrupted; what came before that is kept.\n";

enum {
    THREADS = 256,
    BACK_OFF,
    MAX_REDIRECTS,
    MAX_SIZE,
    CA_FILE,
    INSECURE,
    HELP,
    VERSION,
    USAGE_STATUS = 2
};

static const struct option long_options[] = {
    {"jobs", required_argument, NULL, 'j'},
    {"threads", no_argument, NULL, THREADS},
    {"output", required_argument, NULL, 'o'},
    {"as-completed", no_argument, NULL, 'c'},
    {"timeout", required_argument, NULL, 't'},
    {"max-time", required_argument, NULL, 'm'},
    {"retries", required_argument, NULL, 'r'},
    {"back-off", required_argument, NULL, BACK_OFF},
    {"max-redirects", required_argument, NULL, MAX_REDIRECTS},
    {"max-size", required_argument, NULL, MAX_SIZE},
    {"ca-file", required_argument, NULL, CA_FILE},
    {"insecure", no_argument, NULL, INSECURE},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, HELP},
    {"version", no_argument, NULL, VERSION},
    {NULL, 0, NULL, 0},
};

__attribute__((noreturn)) static void refuse(void)
{
    fprintf(stderr, "Try '%s --help' for more information.\n", program_invocation_short_name);
    exit(USAGE_STATUS);
}

__attribute__((noreturn)) static void print_and_exit(const char *text)
{
    if (fputs(text, stdout) == EOF || fflush(stdout) == EOF) {
        complain("write error: %s", strerror(errno));
        exit(EXIT_FAILURE);
    }
    exit(EXIT_SUCCESS);
}

static uint64_t parse_number(const char *text, uint64_t least, uint64_t most)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno || end == text || *end != '\0' || *text == '-' || number < least || number > most) {
        complain("not a number that will do: %s", text);
        refuse();
    }
    return number;
}

static kr_time parse_seconds(const char *text)
{
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end != '\0' || !(seconds > 0 && seconds <= SECONDS_MOST)) {
        complain("not a time that will do: %s", text);
        refuse();
    }
    return (kr_time)(seconds * 1e9);
}

static void take_option(struct options *options, int option)
{
    switch (option) {
    case 'j':
        options->jobs = (unsigned)parse_number(optarg, 1, JOBS_MOST);
        return;
    case THREADS:
        options->threads = true;
        return;
    case 'o':
        options->directory = optarg;
        return;
    case 'c':
        options->as_completed = true;
        return;
    case 't':
        options->timeout = parse_seconds(optarg);
        return;
    case 'm':
        options->max_time = parse_seconds(optarg);
        return;
    case 'r':
        options->retries = (unsigned)parse_number(optarg, 0, 1000);
        return;
    case BACK_OFF:
        options->back_off = parse_seconds(optarg);
        return;
    case MAX_REDIRECTS:
        options->redirects = (unsigned)parse_number(optarg, 0, 1000);
        return;
    case MAX_SIZE:
        options->max_size = parse_number(optarg, 0, UINT64_MAX);
        return;
    case CA_FILE:
        options->ca_file = optarg;
        return;
    case INSECURE:
        options->insecure = true;
        return;
    case 'q':
        options->quiet = true;
        return;
    case HELP:
        print_and_exit(help);
    case VERSION:
        printf("fetch (krait) %s\n", kr_version());
        print_and_exit("");
    default:
        refuse();
    }
}

/* A file must not get the number of a standard stream that the user has closed. */
static void fill_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
}

/* A connection and a file for each job, as far as that is allowed. */
static void allow_descriptors(const struct options *options)
{
    struct rlimit limit;
    rlim_t wanted = 2 * (rlim_t)options->jobs + 64;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void make_directory(const char *directory)
{
    if (mkdir(directory, 0777) == 0 || errno == EEXIST)
        return;
    complain("cannot make %s: %s", directory, strerror(errno));
    exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
    static kr_cancel_scope scope; /* where it stays as long as signals come */
    static char standard_input[] = "-";
    char *no_list[] = {standard_input};
    struct options options = {.jobs = 16,
                              .timeout = kr_sec(30),
                              .max_time = KR_FOREVER,
                              .back_off = kr_ms(250),
                              .retries = 3,
                              .redirects = 10,
                              .max_size = UINT64_MAX};
    int option;
    argv[0] = program_invocation_short_name;
    while ((option = getopt_long(argc, argv, "j:o:ct:m:r:q", long_options, NULL)) != -1)
        take_option(&options, option);
    fill_standard_streams();
    signal(SIGPIPE, SIG_IGN); /* a reader that is gone is a write error like others */
    srandom((unsigned)kr_now());
    allow_descriptors(&options);
    if (options.directory)
        make_directory(options.directory);
    console_open();

    int err = kr_cancel_on_signal(SIGINT, &scope);
    if (!err)
        err = kr_cancel_scope_enter(&scope, KR_FOREVER);
    if (err) {
        complain("cannot start: %s", reason(err));
        return EXIT_FAILURE;
    }
    bool given = optind < argc;
    int status =
        work_run(&options, given ? argv + optind : no_list, given ? (size_t)(argc - optind) : 1);
    (void)kr_cancel_scope_exit(&scope);
    return status;
}
