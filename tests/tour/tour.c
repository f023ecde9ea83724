/* The tour: what it prints, the page that it writes, and what becomes of it when something is
 * missing: time, descriptors, processors, room for the page.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tour/run.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const char *const titles[] = {"\nWork that waits\n",
                                     "\nMany that wait\n",
                                     "\nWork that computes: hashing\n",
                                     "\nWork that computes: an interpreter\n",
                                     "\nCounting together\n",
                                     "\nWhat a runner costs\n",
                                     "\nWhat follows\n"};

/* In this order, each once. */
static void check_titles(const char *out)
{
    const char *at = out;
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++) {
        at = strstr(at, titles[i]);
        CHECK(at != NULL);
        at++;
    }
}

static void check_number_everywhere(const char *out)
{
    CHECK(strstr(out, "nan") == NULL);
    CHECK(strstr(out, "inf ") == NULL);
}

TEST(the_whole_tour)
{
    tool_begin();
    tool_write("out.html", "what was there before");
    CHECK_EQ(tour_run("--quick -t 600 -o out.html"), 0);
    const char *out = tool_read("out");
    CHECK_STR(tool_read("err"), "");
    check_titles(out);
    check_number_everywhere(out);
    CHECK(strstr(out, "left out") == NULL);
    CHECK(strstr(out, " lost\n") != NULL);
    CHECK(strstr(out, "\n  - To make a runner costs") != NULL);
    CHECK(strstr(out, "whom: out.html\n") != NULL);
    CHECK(strstr(out, " ?") == NULL); /* nothing of the costs is unknown */
    check_page("out.html", "advice costs waiting many hashing interpreter counting", 16);
    struct stat status;
    CHECK_EQ(stat("out.html", &status), 0);
    CHECK_EQ(status.st_mode & 0600, 0600);
    CHECK_EQ(tour_files(), 3); /* out, err and the page: nothing temporary */
}

TEST(one_chapter)
{
    tool_begin();
    CHECK_EQ(tour_run("--quick --chapter=counting -o out.html"), 0);
    const char *out = tool_read("out");
    CHECK(strstr(out, "\nCounting together\n") != NULL);
    CHECK(strstr(out, "hashing") == NULL);
    CHECK(strstr(out, "What a runner costs") == NULL);
    check_page("out.html", "advice counting", 4);
}

TEST(without_time_all_is_left_out)
{
    tool_begin();
    CHECK_EQ(tour_run("--quick --time 0 -o out.html"), 0);
    const char *out = tool_read("out");
    check_titles(out);
    check_number_everywhere(out);
    CHECK(strstr(out, "left out: no time is left") != NULL);
    CHECK(strstr(out, "Too little could be measured") != NULL);
    check_page("out.html", "advice costs waiting hashing interpreter counting", 0);
}

TEST(with_few_descriptors)
{
    tool_begin();
    struct rlimit limit = {60, 60};
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    int status = tour_run("--quick -t 600 -o out.html");
    CHECK_EQ(status, 0);
    check_number_everywhere(tool_read("out"));
    check_page("out.html", "advice costs waiting hashing interpreter counting", 1);
}

/* Advice that only more than one processor deserves is not given. */
TEST(on_one_processor)
{
    tool_begin();
    cpu_set_t all, one;
    CPU_ZERO(&one);
    CHECK_EQ(sched_getaffinity(0, sizeof all, &all), 0);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++) {
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    }
    CHECK_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    CHECK_EQ(tour_run("--quick -t 600 -o out.html"), 0);
    const char *out = tool_read("out");
    CHECK(strstr(out, ", 1 processor") != NULL);
    CHECK(strstr(out, "This machine has one processor for us.") != NULL);
    CHECK(strstr(out, "Computing: ") == NULL);
    check_page("out.html", "advice costs waiting hashing interpreter counting", 16);
}

TEST(a_page_that_cannot_be_written_is_said_at_once)
{
    static const char *const pages[] = {"no/such/folder.html", ".", "/proc/tour.html",
                                        "out/x.html"};
    tool_begin();
    for (int i = 0; i < 4; i++) {
        char line[64];
        snprintf(line, sizeof line, "-o %s", pages[i]);
        CHECK_EQ(tour_run(line), 1);
        CHECK(strstr(tool_read("err"), pages[i]) != NULL);
        CHECK_STR(tool_read("out"), "");
    }
    CHECK_EQ(tour_files(), 2);
}

TEST(a_full_disk)
{
    tool_begin();
    CHECK_EQ(tour_run("--quick -c counting -o /dev/full"), 1);
    CHECK(strstr(tool_read("err"), "No space left on device") != NULL);
    CHECK(strstr(tool_read("out"), "\nCounting together\n") != NULL);
    CHECK(strstr(tool_read("out"), "The pictures") == NULL);
    CHECK_EQ(tour_run("--quick -c counting -o out.html >/dev/full"), 1);
    CHECK_STR(tool_read("err"), "tour: the tables could not be written to standard output\n");
}

/* What was there before stays, and nothing temporary. */
TEST(a_file_that_cannot_grow)
{
    tool_begin();
    tool_write("out.html", "what was there before");
    CHECK_EQ(tour_run_shell("trap '' XFSZ; ulimit -f 8; exec " TOUR_QUOTED
                            " --quick -c counting -o out.html"),
             1);
    CHECK(strstr(tool_read("err"), "File too large") != NULL);
    CHECK_STR(tool_read("out.html"), "what was there before");
    CHECK_EQ(tour_files(), 3);
}

/* A trace of the user's own gives way to those for the pictures. */
TEST(with_a_trace_from_outside)
{
    tool_begin();
    CHECK_EQ(
        tour_run_shell("KR_TRACE=trace.json exec " TOUR_QUOTED " --quick -c counting -o out.html"),
        0);
    CHECK(strstr(tool_read("err"), "KR_TRACE=trace.json: not written, since ") != NULL);
    CHECK(strstr(tool_read("out"), "left out") == NULL);
    check_page("out.html", "advice counting", 4);
    CHECK_EQ(access("trace.json", F_OK), -1);
}

TEST(what_it_is_told_wrongly)
{
    static const char *const lines[] = {
        "--no-such-option", "-c nowhere", "-t soon", "-t -1", "page", "-t ''"};
    tool_begin();
    for (int i = 0; i < 6; i++) {
        CHECK_EQ(tour_run(lines[i]), 2);
        CHECK(strstr(tool_read("err"), "Try 'tour --help'") != NULL);
    }
    CHECK_EQ(tour_run("--help"), 0);
    CHECK(strncmp(tool_read("out"), "Usage: tour", 11) == 0);
    CHECK_EQ(tour_run("--help >/dev/full"), 1);
}
