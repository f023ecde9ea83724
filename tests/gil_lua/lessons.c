/* The lessons of gil_lua, and mistakes in its arguments.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil_lua/tool.h"

#include <signal.h>
#include <string.h>

/* The rest of the line that begins with these words. */
static const char *line_of(const char *text, const char *begin)
{
    static char line[256];
    const char *at = strstr(text, begin);
    if (!at) {
        fprintf(stderr, "no line \"%s\" in:\n%s", begin, text);
        abort();
    }
    snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
    return line + strlen(begin);
}

static void check_counts(const char *out, const char *where, long counted, long lost)
{
    long numbers[2];
    CHECK_EQ(sscanf(line_of(out, where), "%ld %ld", &numbers[0], &numbers[1]), 2);
    CHECK_EQ(numbers[0], counted);
    CHECK_EQ(numbers[1], lost);
}

TEST(an_update_is_lost_between_instructions_and_never_at_the_ends_of_loops)
{
    long counted, lost;
    tool_begin();
    CHECK_EQ(tool_run("lost"), 0);
    const char *out = tool_read("out");
    check_counts(out, "at the ends of loops   at each of them", 20000, 0);
    check_counts(out, "between instructions   at each of them", 10000, 10000);
    check_counts(out, "at the ends of loops   when asked for", 20000, 0);
    CHECK_EQ(
        sscanf(line_of(out, "between instructions   when asked for"), "%ld %ld", &counted, &lost),
        2);
    CHECK_EQ(counted + lost, 20000);
}

TEST(what_is_lost_is_the_same_under_every_policy)
{
    static const char *const runs[] = {"-p interval lost", "-p ticks lost"};
    tool_begin();
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(tool_run(runs[i]), 0);
        const char *out = tool_read("out");
        check_counts(out, "at the ends of loops   at each of them", 20000, 0);
        check_counts(out, "between instructions   at each of them", 10000, 10000);
        check_counts(out, "at the ends of loops   when asked for", 20000, 0);
    }
}

TEST(of_four_threads_three_updates_of_four_are_lost)
{
    tool_begin();
    CHECK_EQ(tool_run("-n 4 lost"), 0);
    check_counts(tool_read("out"), "between instructions   at each of them", 10000, 30000);
    check_counts(tool_read("out"), "at the ends of loops   at each of them", 40000, 0);
}

/* In the order in which they run, with the loop around them. */
TEST(the_listing_shows_read_sum_and_write)
{
    static const char *const words[] = {"FORPREP", "GETTABUP", "ADDI", "SETTABUP", "FORLOOP"};
    tool_begin();
    CHECK_EQ(tool_run("lost"), 0);
    const char *at = tool_read("out");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const char *next = strstr(at, words[i]);
        CHECK(next != NULL);
        at = next;
    }
    CHECK(strstr(tool_read("out"), "  counter\n") != NULL);
}

/* Where luac is installed, each instruction is as it has it. */
TEST(the_listing_is_that_of_luac)
{
    tool_begin();
    if (system("luac5.4 -v >/dev/null 2>&1") != 0)
        SKIP("luac5.4 is not installed (lua5.4)");
    tool_write("f.lua", "local a, b = {}, 'x'\nfor i = 1, #a do a[i] = b .. i end\n"
                        "for k, v in pairs(a) do print(k // 2, v == 7, not v) end\n"
                        "function a.f(...) return select('#', ...) & 3 end\n"
                        "while a do if b < 'y' then break end b = -#a end\n");
    tool_write("script.lua", "print((listing(loadfile('f.lua'))))\n");
    CHECK_EQ(tool_run("run script.lua"), 0);
    CHECK_EQ(system("awk 'NF {print $2}' out >ours; luac5.4 -l -p f.lua | "
                    "awk '/^main/ {on = 1} /^function/ {on = 0} on && /^\\t/ {print $3}' >theirs; "
                    "test -s theirs && diff theirs ours >&2"),
             0);
}

/* How long is looked at by the benchmarks; here, that it is told of each. */
TEST(those_that_compute_and_those_that_sleep_are_told_of)
{
    int threads;
    double seconds, ratio;
    tool_begin();
    CHECK_EQ(tool_run("-t 0.02 compute"), 0);
    const char *line = line_of(tool_read("out"), "of one\n");
    (void)line;
    CHECK_EQ(tool_run("-t 0.02 -n 3 sleep"), 0);
    const char *at = strstr(tool_read("out"), "of one\n");
    CHECK(at != NULL);
    CHECK_EQ(sscanf(at + 7, "%d %lf %lf", &threads, &seconds, &ratio), 3);
    CHECK_EQ(threads, 1);
    CHECK(seconds >= 0.02);
    at = strchr(at + 7, '\n');
    CHECK_EQ(sscanf(at, "%d %lf %lf", &threads, &seconds, &ratio), 3);
    CHECK_EQ(threads, 2);
    CHECK(seconds >= 0.02);
}

TEST(the_same_work_in_states_of_their_own)
{
    static const char *const rows[] = {"threads in one state, under the lock",
                                       "a state each, one after the other",
                                       "a state each, in threads", "a state each, in processes"};
    double seconds;
    tool_begin();
    CHECK_EQ(tool_run("-t 0.02 parallel"), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_EQ(sscanf(line_of(tool_read("out"), rows[i]), "%lf", &seconds), 1);
        CHECK(seconds > 0);
    }
}

TEST(a_convoy_is_measured_under_each_policy)
{
    static const char *const policies[] = {"ticks", "interval", "deadline"};
    int computing;
    double rate, p50, p99, kept;
    tool_begin();
    CHECK_EQ(tool_run("-t 0.1 -n 1 convoy"), 0);
    for (int i = 0; i < 3; i++) {
        const char *at = strstr(tool_read("out"), policies[i]);
        CHECK(at != NULL);
        CHECK_EQ(sscanf(at, "%*s %d %lf %lf %lf", &computing, &rate, &p50, &p99), 4);
        CHECK_EQ(computing, 0);
        CHECK(rate > 0 && p50 > 0 && p50 <= p99);
        at = strstr(at + 1, policies[i]);
        CHECK(at != NULL);
        CHECK_EQ(sscanf(at, "%*s %d %lf %lf %lf %lf %%", &computing, &rate, &p50, &p99, &kept), 5);
        CHECK_EQ(computing, 1);
        CHECK(rate > 0 && kept >= 0);
    }
}

/* serve, with clients that are scripts: over datagrams and connections; it ends with its input. */
TEST(a_server_answers_and_counts_rounds)
{
    static const char client[] =
        "local kind, port = ...\n"
        "local s = kind == 'tcp' and connect(port) or udp()\n"
        "if kind ~= 'tcp' then s:connect(port) end\n"
        "for i = 1, 50 do s:send('message ' .. i) assert(s:recv() == 'message ' .. i) end\n"
        "s:close()\n";
    static const char *const kinds[] = {"udp", "tcp"};
    tool_begin();
    tool_write("client.lua", client);
    for (int i = 0; i < 2; i++) {
        char line[2048];
        snprintf(line, sizeof line,
                 "set -e; mkfifo in.%s; " KRI_TEST_START
                 "'%s' %s -n 1 serve <in.%s >said.%s & exec 3>in.%s;"
                 "until grep -q : said.%s; do sleep 0.01; done;" KRI_TEST_START
                 "'%s' run client.lua %s $(sed 's/.*://' said.%s);"
                 "echo >&3; until [ $(wc -l <said.%s) = 2 ]; do sleep 0.01; done;"
                 "exec 3>&-; wait $!",
                 kinds[i], TOOL, i ? "--tcp" : "", kinds[i], kinds[i], kinds[i], kinds[i], TOOL,
                 kinds[i], kinds[i], kinds[i]);
        CHECK_EQ(system(line), 0);
    }
}

TEST(mistakes_in_the_arguments_are_refused)
{
    static const char *const mistakes[] = {
        "",
        "nothing",
        "lost lost",
        "-p best lost",
        "-n x lost",
        "-n -1 lost",
        "-n 65 lost",
        "-t 0 compute",
        "-t x compute",
        "-i 0 lost",
        "-i -5 lost",
        "-c 0 lost",
        "-c x lost",
        "--no-such",
        "--check lost=",
        "run",
        "--timeline=x.svg lost",
    };
    tool_begin();
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        int status = tool_run(mistakes[i]);
        if (status != 2)
            fprintf(stderr, "gil_lua %s\n", mistakes[i]);
        CHECK_EQ(status, 2);
        CHECK_STR(tool_read("out"), "");
        CHECK(strstr(tool_read("err"), "--help") != NULL);
    }
}

TEST(help_and_version)
{
    tool_begin();
    CHECK_EQ(tool_run("--help"), 0);
    CHECK(strstr(tool_read("out"), "Usage: gil_lua") != NULL);
    CHECK_EQ(tool_run("--version"), 0);
    CHECK(strstr(tool_read("out"), "Lua 5.4") != NULL);
}
