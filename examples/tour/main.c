/* tour - what concurrency is worth on this machine, measured now.
 *
 *     tour
 *     tour --chapter=counting -o counting.html
 *
 * SPDX-License-Identifier: MIT
 */
#include "tour.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { CHAPTERS_RUN = 5, SECONDS = 48 };

enum { QUICK = 256, HELP, VERSION, STATUS_USAGE = 2, STATUS_INTERRUPTED = 130, STEPS = 40 };

static const char help[] =
    "Usage: tour [OPTION]...\n"
    "Measure what threads, processes and coroutines are worth on this machine, in less than a\n"
    "minute, and write a page with pictures of who ran when.\n"
    "\n"
    "  -o, --output=FILE  the page (default: tour.html in $TMPDIR, or in /tmp)\n"
    "  -c, --chapter=NAME only one: waiting, hashing, interpreter, counting, costs\n"
    "  -t, --time=SECONDS after which nothing else is begun (default: 48)\n"
    "      --quick        a small part of the work: to see that all works, not to measure\n"
    "      --help         print this and exit\n"
    "      --version      print the version and exit\n"
    "\n"
    "Exit status: 0, 1 if the page or a whole chapter failed, 2 for a mistake in the arguments,\n"
    "130 when interrupted.\n";

static const struct effort whole = {.fetches = 40,
                                    .many_fetches = 1000,
                                    .latency = 25000000,
                                    .compute = 500000000,
                                    .repeat = 400000000,
                                    .counts = 4000000,
                                    .make = 150000000,
                                    .turns = 20000,
                                    .keep = 10};

static const struct effort quick = {.fetches = 6,
                                    .many_fetches = 40,
                                    .latency = 3000000,
                                    .compute = 10000000,
                                    .repeat = 1,
                                    .counts = 20000,
                                    .make = 2000000,
                                    .turns = 200,
                                    .keep = 2};

static const struct {
    const char *name;
    int (*run)(struct tour *tour);
    int last;    /* of tour.chapters that it fills */
    double late; /* so the first ones never take the time of the last ones */
} chapters[CHAPTERS_RUN] = {{"waiting", chapter_fetch, MANY, 0.2},
                            {"hashing", chapter_hash, HASH, 0.35},
                            {"interpreter", chapter_script, SCRIPT, 0.5},
                            {"counting", chapter_count, COUNT, 0.6},
                            {"costs", measure_costs, COUNT, 0.75}};

__attribute__((noreturn)) static void refuse(void)
{
    fputs("Try 'tour --help' for more information.\n", stderr);
    exit(STATUS_USAGE);
}

__attribute__((noreturn)) static void print_and_exit(const char *text)
{
    if (fputs(text, stdout) == EOF || fflush(stdout) == EOF)
        exit(EXIT_FAILURE);
    exit(EXIT_SUCCESS);
}

static int chapter_called(const char *name)
{
    for (int i = 0; i < CHAPTERS_RUN; i++) {
        if (strcmp(name, chapters[i].name) == 0)
            return i;
    }
    complain("no such chapter: %s", name);
    refuse();
}

static kr_time time_called(const char *text)
{
    char *end;
    long seconds = strtol(text, &end, 10);
    if (end == text || *end || seconds < 0 || seconds > 3600) {
        complain("not a time that will do: %s", text);
        refuse();
    }
    return kr_sec(seconds);
}

static void take_options(struct tour *tour, int argc, char **argv)
{
    static const struct option options[] = {{"output", required_argument, NULL, 'o'},
                                            {"chapter", required_argument, NULL, 'c'},
                                            {"time", required_argument, NULL, 't'},
                                            {"quick", no_argument, NULL, QUICK},
                                            {"help", no_argument, NULL, HELP},
                                            {"version", no_argument, NULL, VERSION},
                                            {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(argc, argv, "o:c:t:", options, NULL)) != -1;) {
        switch (option) {
        case 'o':
            tour->page = optarg;
            break;
        case 'c':
            tour->only = chapter_called(optarg);
            break;
        case 't':
            tour->time = time_called(optarg);
            break;
        case QUICK:
            tour->effort = quick;
            break;
        case HELP:
            print_and_exit(help);
        case VERSION:
            printf("tour (krait) %s\n", kr_version());
            print_and_exit("");
        default:
            refuse();
        }
    }
    if (optind < argc) {
        complain("no argument is taken: %s", argv[optind]);
        refuse();
    }
}

/* In the user's folder nothing is left without being told to. */
static const char *usual_page(void)
{
    static char path[4096];
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/tour.html", folder && *folder ? folder : "/tmp");
    return path;
}

/* "Linux 6.1 on x86_64, 2 processors: AMD EPYC ..." */
static void describe_machine(struct tour *tour)
{
    struct utsname system;
    char line[256], model[160] = "";
    FILE *file = fopen("/proc/cpuinfo", "re");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':')) {
            snprintf(model, sizeof model, ": %.150s", strchr(line, ':') + 2);
            model[strcspn(model, "\n")] = '\0';
            break;
        }
    }
    if (file)
        fclose(file);
    if (uname(&system) != 0)
        return;
    snprintf(tour->machine, sizeof tour->machine, "%.20s %.40s, %d processor%s%s", system.sysname,
             system.machine, tour->processors, tour->processors > 1 ? "s" : "", model);
}

/* So that nothing is measured that a trace has touched, all pictures come after all else. */
static int draw_pictures(struct tour *tour)
{
    int failed = 0;
    tour->drawing = true;
    for (int i = 0; i < CHAPTERS_RUN; i++) {
        if ((tour->only >= 0 && tour->only != i) || chapters[i].run == measure_costs)
            continue;
        int err = chapters[i].run(tour);
        if (err == -ECANCELED)
            return err;
        failed = failed ? failed : err;
    }
    return failed;
}

static int run_chapters(struct tour *tour)
{
    int shown = 0, failed = 0;
    for (int i = 0; i < CHAPTERS_RUN; i++) {
        if (tour->only >= 0 && tour->only != i) {
            shown = chapters[i].last + 1;
            continue;
        }
        for (int k = shown; k <= chapters[i].last; k++)
            tour->chapters[k].late = tour->only < 0 ? chapters[i].late : 1;
        int err = chapters[i].run(tour);
        if (err == -ECANCELED)
            return err;
        for (; shown <= chapters[i].last; shown++) {
            if (tour->chapters[shown].count > 0)
                show_chapter(&tour->chapters[shown]);
        }
        failed = failed ? failed : err; /* the others can be had all the same */
    }
    if (tour->costs[COROUTINE].name)
        show_costs(tour);
    give_advice(tour);
    show_advice(tour);
    int err = draw_pictures(tour);
    return failed ? failed : err;
}

static int finish(struct tour *tour, int failed)
{
    int err = page_write(tour);
    if (err)
        complain("%s: %s", tour->page, strerror(-err));
    else
        printf("\nThe pictures, who ran when and who waited for whom: %s\n", tour->page);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        err = -EIO;
        complain("the tables could not be written to standard output");
    }
    return err || failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void begin(struct tour *tour)
{
    tour->processors = kr_cpu_count();
    tour->workers = tour->processors < 2 ? 2 : tour->processors > 8 ? 8 : tour->processors;
    tour->begun = kr_now();
    describe_machine(tour);
    console_open(STEPS);
    printf("A tour of concurrency on this machine, in less than a minute.\n%s\n", tour->machine);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct tour tour = {.processors = 1, .only = -1};
    static kr_cancel_scope scope;
    kr_init(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    tour.effort = whole;
    tour.time = kr_sec(SECONDS);
    tour.page = usual_page();
    take_options(&tour, argc, argv);
    int err = page_check(tour.page);
    if (err) {
        complain("%s: %s (-o names another place)", tour.page, strerror(-err));
        return EXIT_FAILURE;
    }
    err = kr_cancel_on_signal(SIGINT, &scope);
    if (!err)
        err = kr_cancel_scope_enter(&scope, KR_FOREVER);
    if (err) {
        complain("cannot start: %s", kr_strerror(err));
        return EXIT_FAILURE;
    }
    begin(&tour);
    err = run_chapters(&tour);
    console_close();
    if (kr_cancelled()) {
        /* Threads that still compute would be waited for; processes die with this one. */
        fputs("tour: interrupted\n", stderr);
        _exit(STATUS_INTERRUPTED);
    }
    int status = finish(&tour, err);
    kr_cancel_scope_exit(&scope);
    return status;
}
