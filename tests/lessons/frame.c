/* The frame that the lessons are tested in: what it takes for right, and above all what it does
 * not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/lesson.h"

/* Does a shell script do what the text of an .expected file says? */
static bool holds(const char *script, const char *expected)
{
    static lesson l;
    static char why[LESSON_WHY];
    strcpy(l.text, expected);
    l.command = (const char *const[]){"/bin/sh", "-c", script, NULL};
    return lesson_holds(&l, why);
}

/* The same of an output; and what is said when it is not. */
static char why_not[LESSON_WHY];

static bool prints(const char *output, const char *expected)
{
    static kri_expect expect;
    static char text[LESSON_TEXT], copy[LESSON_TEXT];
    strcpy(text, expected);
    strcpy(copy, output);
    return kri_expect_read(&expect, text, why_not) &&
           kri_expect_match(&expect, &expect.output, copy, why_not);
}

/* Lines and placeholders */

TEST(test_lines_in_order)
{
    CHECK(prints("one\ntwo\n", "one\n# a remark\n\ntwo\n"));
    CHECK(prints("one\ntwo\n", "one\ntwo"));
    CHECK(prints("", ""));
    CHECK(!prints("two\none\n", "one\ntwo\n"));
    CHECK(!prints("one\n", "one\ntwo\n"));
    CHECK(!prints("one\ntwo\nthree\n", "one\ntwo\n"));
    CHECK(!prints("one\n\ntwo\n", "one\ntwo\n"));
    CHECK(!prints("one \n", "one\n"));
}

TEST(test_what_is_said_of_a_wrong_line)
{
    CHECK(!prints("one\n2\n", "one\ntwo\n"));
    CHECK_STR(why_not, "line 2 is\n    2\nnot\n    two");
    CHECK(!prints("one\n", "one\n[any order\ntwo\nthree\n]\n"));
    CHECK_STR(why_not, "line 2 is\n    (the end)\nnot\n    two\n    three");
}

TEST(test_ranges)
{
    CHECK(kri_expect_line("after <0.20..0.50> s", "after 0.20 s"));
    CHECK(kri_expect_line("after <0.20..0.50> s", "after 0.50 s"));
    CHECK(!kri_expect_line("after <0.20..0.50> s", "after 0.19 s"));
    CHECK(!kri_expect_line("after <0.20..0.50> s", "after 0.51 s"));
    CHECK(!kri_expect_line("after <0.20..0.50> s", "after a s"));
    CHECK(!kri_expect_line("after <0.20..0.50> s", "after 0.30"));
    CHECK(kri_expect_line("<3..>", "300"));
    CHECK(!kri_expect_line("<3..>", "2"));
    CHECK(kri_expect_line("<..-1>", "-7"));
    CHECK(!kri_expect_line("<..-1>", "0"));
    CHECK(kri_expect_line("<..>.", "12."));
    CHECK(!kri_expect_line("<..>", ""));
}

TEST(test_text_and_words)
{
    CHECK(kri_expect_line("a <text> c", "a b b c"));
    CHECK(!kri_expect_line("a <text> c", "a  c"));
    CHECK(!kri_expect_line("a <text>", "a "));
    CHECK(kri_expect_line("a <word> c", "a b c"));
    CHECK(!kri_expect_line("a <word> c", "a b b c"));
    CHECK(kri_expect_line("<text A> and <text A>", "b and b and b and b"));
    CHECK(!kri_expect_line("<word A> and <word A>", "b and c"));
    CHECK(kri_expect_line("<word A> and <word B>", "b and b"));
}

TEST(test_pids_and_addresses)
{
    CHECK(kri_expect_line("<pid A> <pid B> <pid A>", "1 22 1"));
    CHECK(!kri_expect_line("<pid A> <pid B>", "1 1"));
    CHECK(!kri_expect_line("<pid A> <pid A>", "1 2"));
    CHECK(!kri_expect_line("<pid>", "0"));
    CHECK(!kri_expect_line("<pid>", "-1"));
    CHECK(kri_expect_line("<address>.", "0x7f03."));
    CHECK(!kri_expect_line("<address>", "0x"));
    CHECK(!kri_expect_line("<address A> <address B>", "0x1 0x1"));
    CHECK(prints("child 7\nof 6\nended 7\n", "child <pid C>\nof <pid P>\nended <pid C>\n"));
    CHECK(!prints("child 7\nof 6\nended 6\n", "child <pid C>\nof <pid P>\nended <pid C>\n"));
}

TEST(test_errors_as_the_c_library_words_them)
{
    char text[200];
    snprintf(text, sizeof text, "failed: %s.", strerror(EDOM));
    CHECK(kri_expect_line("failed: <error EDOM>.", text));
    CHECK(!kri_expect_line("failed: <error ERANGE>.", text));
    CHECK(!kri_expect_line("failed: <error EDOM>.", "failed: EDOM."));
    CHECK(!kri_expect_line("failed: <error>.", text));
    CHECK(!kri_expect_line("failed: <error ENONE>.", text));
}

TEST(test_backslashes)
{
    CHECK(prints("<b>\n[1, 2]\n#\n\\\n", "\\<b>\n\\[1, 2]\n\\#\n\\\\\n"));
    CHECK(!prints("\\<b>\n", "\\<b>\n"));
}

/* Blocks */

TEST(test_any_order)
{
    static const char expected[] = "[any order\na <1..2>\na <2..3>\nb\n]\nend\n";
    CHECK(prints("b\na 1\na 2\nend\n", expected));
    CHECK(prints("a 2\na 1\nb\nend\n", expected)); /* the first line of both fits twice */
    CHECK(prints("a 2\nb\na 3\nend\n", expected));
    CHECK(!prints("a 1\na 1\nb\nend\n", expected));
    CHECK(!prints("a 1\nb\nend\n", expected));
    CHECK(!prints("a 1\na 2\nend\nb\n", expected));
    CHECK(!prints("a 1\na 2\nb\nb\nend\n", expected));
}

/* Which of equal lines is which is not tried out: that would take for ever. */
TEST(test_many_equal_lines_in_any_order)
{
    char output[LESSON_TEXT] = "", expected[LESSON_TEXT] = "[any order\n<text>\n";
    for (int i = 0; i < 100; i++) {
        strcat(output, "the same\n");
        strcat(expected, "the same\n");
    }
    strcat(expected, "]\n");
    CHECK(!prints(output, expected));
    strcat(output, "another\n"); /* only the last turns out to be the one that may be anything */
    CHECK(prints(output, expected));
}

TEST(test_interleaved)
{
    static const char expected[] = "[interleaved\na 1\na 2\n|\nb 1\nb 2\n]\n";
    CHECK(prints("a 1\na 2\nb 1\nb 2\n", expected));
    CHECK(prints("b 1\na 1\nb 2\na 2\n", expected));
    CHECK(!prints("a 2\na 1\nb 1\nb 2\n", expected));
    CHECK(!prints("a 1\nb 1\na 2\n", expected));
    CHECK(!prints("a 1\na 2\nb 1\nb 2\nb 2\n", expected));
}

TEST(test_a_name_is_free_again_when_its_line_was_taken_back)
{
    /* The first line is tried as A's, whose own line then has another number. */
    static const char expected[] = "[any order\n<pid A> <word>\n<pid B> x\n<pid A> y\n]\n";
    CHECK(prints("1 x\n2 x\n2 y\n", expected));
    CHECK(!prints("1 x\n2 x\n3 y\n", expected));
}

TEST(test_times)
{
    static const char expected[] = "[1..2 times\nping\npong\n]\nping\n";
    CHECK(prints("ping\npong\nping\n", expected));
    CHECK(prints("ping\npong\nping\npong\nping\n", expected));
    CHECK(!prints("ping\n", expected));
    CHECK(!prints("ping\npong\nping\npong\nping\npong\nping\n", expected));
    CHECK(prints("end\n", "[0..9 times\nx\n]\nend\n"));
}

/* Files that are wrong */

TEST(test_wrong_files)
{
    static const char *const wrong[] = {
        "<unknown>",
        "<3-4>",
        "<pid",
        "<text >",
        "[any order\na",
        "[any order\n]",
        "[something\n",
        "[2..1 times\na\n]",
        "[0..0 times\na\n]",
        "[interleaved\na\n|\n]",
        "[any order\n[any order\na\n]\n]",
        "[sometimes]\na",
        "a\\",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (prints("a\n", wrong[i]) || strncmp(why_not, "line ", 5) == 0)
            kri_test_fail(__FILE__, __LINE__, "%s is not found to be wrong", wrong[i]);
}

TEST(test_where_it_is_not_run)
{
    static kri_expect expect;
    static char text[] = "[processors 2]\n[not under tsan: forks]\n[not under asan: it leaks]\n";
    CHECK(kri_expect_read(&expect, text, why_not));
    CHECK_EQ(expect.processors, 2);
    CHECK_STR(expect.not_under_tsan, "forks");
    CHECK_STR(expect.not_under_asan, "it leaks");
}

/* Programs */

TEST(test_status)
{
    CHECK(holds("echo a", "a\n"));
    CHECK(holds("echo a; exit 3", "a\n[status 3]\n"));
    CHECK(!holds("echo a; exit 3", "a\n"));
    CHECK(!holds("echo a", "a\n[status 3]\n"));
    CHECK(!holds("exec /does/not/exist", ""));
}

TEST(test_signal)
{
    CHECK(holds("echo a; kill -9 $$", "a\n[signal 9]\n"));
    CHECK(!holds("echo a; kill -9 $$", "a\n"));
    CHECK(!holds("echo a; kill -15 $$", "a\n[signal 9]\n"));
    CHECK(!holds("echo a", "a\n[signal 9]\n"));
    CHECK(!holds("echo a; exit 9", "a\n[signal 9]\n"));
}

TEST(test_error_output)
{
    CHECK(!holds("echo a; echo b >&2", "a\n"));
    CHECK(holds("echo a; echo b >&2", "a\n[error output]\nb\n"));
    CHECK(!holds("echo a", "a\n[error output]\nb\n"));
    CHECK(!holds("echo b", "a\n"));
}

/* Lines that several processes write at the same time are all kept. */
TEST(test_several_writers)
{
    static char expected[LESSON_TEXT] = "[any order\n";
    for (int i = 1; i <= 4; i++)
        for (int j = 1; j <= 100; j++)
            sprintf(expected + strlen(expected), "%d %d\n", i, j);
    strcat(expected, "]\n");
    for (int run = 0; run < 10; run++)
        CHECK(holds("for i in 1 2 3 4; do"
                    "    (j=1; while [ $j -le 100 ]; do echo $i $j; j=$((j + 1)); done) &"
                    "done; wait",
                    expected));
}

/* What is usual may be missed, but not always; what is certain never, not even once. */
TEST(test_usual)
{
    char name[] = "/tmp/krait-frame.XXXXXX", script[256];
    int fd = mkstemp(name);
    CHECK_GE(fd, 0);
    close(fd);
    snprintf(script, sizeof script, "echo >>%s; echo a $(wc -l <%s)", name, name);
    CHECK(holds(script, "a <1..3>\n[usually]\na 3\n"));
    CHECK(!holds(script, "a <5..9>\n[usually]\na <6..9>\n")); /* a 4 at first */
    CHECK(!holds(script, "a <5..99>\n[usually]\na 4\n"));
    unlink(name);
}
