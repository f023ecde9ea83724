/* Every program of examples/lessons does what stands in its .expected file.
 *
 * The cases are found as the test starts: one for each lesson, which is built from NN_name.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/lesson.h"

#include <glob.h>

#define SOURCES KRI_TEST_SOURCE "/examples/lessons/"
#define BUILT   KRI_TEST_BUILD "/examples/lessons/"

static lesson shown;

static void read_expected(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, SOURCES "%s.expected", name);
    FILE *file = fopen(path, "re");
    if (!file)
        kri_test_fail(__FILE__, __LINE__, "there is no %s", path);
    size_t length = fread(shown.text, 1, sizeof shown.text, file);
    CHECK(length < sizeof shown.text);
    shown.text[length] = '\0';
    fclose(file);
}

/* What the file says of where it cannot be run.  It is read for good in lesson_holds. */
static void skip_where_it_says(void)
{
    static char copy[LESSON_TEXT];
    char why[KRI_EXPECT_WHY];
    strcpy(copy, shown.text);
    if (!kri_expect_read(&shown.expect, copy, why))
        return;
    const kri_expect *e = &shown.expect;
    if (KRI_TSAN && e->not_under_tsan)
        SKIP(e->not_under_tsan);
    if (KRI_ASAN && e->not_under_asan)
        SKIP(e->not_under_asan);
    if (KRI_QEMU && e->not_under_qemu)
        SKIP(e->not_under_qemu);
    if (kr_cpu_count() < e->processors)
        SKIP("too few processors");
}

static void run_lesson(void)
{
    const char *name = kri_test_name();
    char path[512], why[LESSON_WHY] = "";
    snprintf(path, sizeof path, BUILT "%s", name);
    if (access(BUILT, X_OK) != 0)
        SKIP("the examples are not built");
    read_expected(name);
    skip_where_it_says();
    shown.command = (const char *const[]){path, NULL};
    if (lesson_holds(&shown, why))
        return;
    fprintf(stderr, "%s%s", shown.output, shown.error);
    kri_test_fail(name, 0, "%s", why);
}

/* A file that belongs to no program is a lesson that nobody runs. */
TEST(test_every_expected_file_has_a_program)
{
    glob_t found;
    CHECK_EQ(glob(SOURCES "*.expected", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char *end = strstr(found.gl_pathv[i], ".expected");
        strcpy(end, ".c");
        if (access(found.gl_pathv[i], R_OK) != 0)
            kri_test_fail(found.gl_pathv[i], 0, "is not there");
    }
    globfree(&found);
}

__attribute__((constructor)) static void register_lessons(void)
{
    static kri_test_case entries[100];
    static char names[100][64];
    glob_t found;
    int count = 0;
    if (glob(SOURCES "[0-9][0-9]_*.c", 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc && count < 100; i++, count++) {
        const char *name = strrchr(found.gl_pathv[i], '/') + 1;
        snprintf(names[count], sizeof names[count], "%.*s", (int)(strlen(name) - 2), name);
        entries[count] = (kri_test_case){names[count], run_lesson, NULL};
        kri_test_register(&entries[count]);
    }
    globfree(&found);
}
