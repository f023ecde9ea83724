/* gil_lua - threads in one Lua state, under an interpreter lock.
 *
 *     gil_lua lost
 *     gil_lua --timeline out.svg
 *     gil_lua run SCRIPT
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil_lua.h"

#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: gil_lua [OPTION]... LESSON\n"
    "  or:  gil_lua [OPTION]... run SCRIPT [ARGUMENT]...\n"
    "  or:  gil_lua [OPTION]... --timeline FILE\n"
    "Run threads in one Lua state, under an interpreter lock.\n"
    "\n"
    "Lessons:\n"
    "  lost                 counter = counter + 1 is several instructions: what gets lost, when\n"
    "  compute              threads that compute take turns: n take n times as long\n"
    "  sleep                threads that sleep do not hold the lock: n take as long as one\n"
    "  parallel             the same work in one state, in a state each, in processes\n"
    "  convoy               a thread that answers requests beside others that compute\n"
    "  serve                the same for clients elsewhere; ends with its standard input\n"
    "\n"
    "  -p, --policy=NAME    deadline (default), interval as CPython, ticks as CPython before 3.2\n"
    "  -i, --interval=MS    how long a thread may hold the lock while others wait (default: 5)\n"
    "  -c, --check=WHERE    check points: loops (at their ends), or a number N: before each N-th\n"
    "                       instruction (default: 1000)\n"
    "  -n, --threads=N      (default: 2; compute, sleep, convoy: 1 to 4)\n"
    "  -t, --time=SECONDS   of a lesson, roughly (default: 1)\n"
    "      --tcp            serve: connections instead of datagrams\n"
    "      --apart          serve: those that compute on one processor, the other on a second\n"
    "      --timeline=FILE  draw who held the lock when: of a script, or of a convoy of its own,\n"
    "                       under the interval and the deadline policy or the one that is named\n"
    "      --help           print this and exit\n"
    "      --version        print the version and exit\n"
    "\n"
    "Scripts have beside Lua's library: spawn, print, sleep, now, read_line, queue, lock, udp, "
    "tcp,\n"
    "listing.  Exit status: 0, 1 after an error, also in a thread, 2 for a mistake in the "
    "arguments.\n";

enum { TIMELINE = 256, TCP, APART, HELP, VERSION, USAGE_STATUS = 2, CHECK_MOST = 1000000000 };

static const struct option long_options[] = {
    {"policy", required_argument, NULL, 'p'},
    {"interval", required_argument, NULL, 'i'},
    {"check", required_argument, NULL, 'c'},
    {"threads", required_argument, NULL, 'n'},
    {"time", required_argument, NULL, 't'},
    {"tcp", no_argument, NULL, TCP},
    {"apart", no_argument, NULL, APART},
    {"timeline", required_argument, NULL, TIMELINE},
    {"help", no_argument, NULL, HELP},
    {"version", no_argument, NULL, VERSION},
    {NULL, 0, NULL, 0},
};

static const char *const policies[] = {
    [KR_GIL_DEADLINE] = "deadline", [KR_GIL_INTERVAL] = "interval", [KR_GIL_TICKS] = "ticks"};

static const struct lesson {
    const char *name;
    int (*run)(const struct options *options);
    int threads;
} lessons[] = {
    {"lost", lesson_lost, 2},         {"compute", lesson_compute, 4}, {"sleep", lesson_sleep, 4},
    {"parallel", lesson_parallel, 2}, {"convoy", lesson_convoy, 4},   {"serve", run_server, 2},
};

const char *policy_name(kr_gil_policy policy)
{
    return policies[policy];
}

void complain(const char *format, ...)
{
    va_list arguments;
    char text[1024];
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "gil_lua: %s\n", text);
}

__attribute__((noreturn)) static void refuse(void)
{
    fputs("Try 'gil_lua --help' for more information.\n", stderr);
    exit(USAGE_STATUS);
}

__attribute__((noreturn)) static void print_and_exit(const char *text)
{
    if (fputs(text, stdout) == EOF || fflush(stdout) == EOF)
        exit(EXIT_FAILURE);
    exit(EXIT_SUCCESS);
}

static int parse_number(const char *text, int least, int most)
{
    char *end;
    long number = strtol(text, &end, 10);
    if (end == text || *end != '\0' || number < least || number > most) {
        complain("not a number that will do: %s", text);
        refuse();
    }
    return (int)number;
}

static kr_time parse_time(const char *text, double unit)
{
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || !(number * unit >= 1 && number * unit <= 3600e9)) {
        complain("not a time that will do: %s", text);
        refuse();
    }
    return (kr_time)(number * unit);
}

static kr_gil_policy parse_policy(const char *text)
{
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, policies[i]) == 0)
            return (kr_gil_policy)i;
    }
    complain("no such policy: %s", text);
    refuse();
}

static void take_option(struct options *options, int option)
{
    switch (option) {
    case 'p':
        options->setup.gil.policy = parse_policy(optarg);
        options->one_policy = true;
        return;
    case 'i':
        options->setup.gil.switch_interval = parse_time(optarg, 1e6);
        return;
    case 'c':
        options->setup.check =
            strcmp(optarg, "loops") == 0 ? CHECK_LOOPS : parse_number(optarg, 1, CHECK_MOST);
        return;
    case 'n':
        options->threads = parse_number(optarg, 0, 64);
        return;
    case 't':
        options->time = parse_time(optarg, 1e9);
        return;
    case TCP:
        options->tcp = true;
        return;
    case APART:
        options->apart = true;
        return;
    case TIMELINE:
        options->timeline = optarg;
        return;
    case HELP:
        print_and_exit(help);
    case VERSION:
        printf("gil_lua (krait) %s, %s\n", kr_version(), LUA_RELEASE);
        exit(EXIT_SUCCESS);
    default:
        refuse();
    }
}

static int run_lesson(struct options *options, const char *name)
{
    for (size_t i = 0; i < sizeof lessons / sizeof *lessons; i++) {
        if (strcmp(name, lessons[i].name) == 0) {
            if (options->threads < 0)
                options->threads = lessons[i].threads;
            return lessons[i].run(options);
        }
    }
    complain("no such lesson: %s", name);
    refuse();
}

int main(int argc, char **argv)
{
    struct options options = {.setup.check = CHECK_USUAL, .threads = -1, .time = 1000000000};
    int option, err;
    kr_init(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    while ((option = getopt_long(argc, argv, "+p:i:c:n:t:", long_options, NULL)) != -1)
        take_option(&options, option);
    if (optind == argc && !options.timeline) {
        complain("no lesson");
        refuse();
    }
    if (optind == argc) {
        options.threads = options.threads < 0 ? 2 : options.threads;
        err = draw_convoy(&options);
    } else if (strcmp(argv[optind], "run") == 0 && optind + 1 < argc) {
        err = run_file(&options, argv[optind + 1], argv + optind + 2);
    } else if (optind + 1 < argc || options.timeline) {
        complain(options.timeline ? "draws scripts and a convoy of its own" : "too many arguments");
        refuse();
    } else {
        err = run_lesson(&options, argv[optind]);
    }
    return err || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
