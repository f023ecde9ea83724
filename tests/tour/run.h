/* Running the tour from a test, in an empty directory that is gone afterwards.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TOUR_RUN_H
#define KRI_TOUR_RUN_H

#define TOOL_NAME "tour"

#include "harness/sanitizers.h"
#include "harness/tool.h"
#include <dirent.h>

#define TOUR_QUOTED KRI_TEST_START "'" TOOL "'"

/* Exit status of a line of the shell; its output is in "out" and "err". */
static inline int tour_run_shell(const char *command)
{
    char line[2048];
    CHECK(snprintf(line, sizeof line, "{ %s ; } >out 2>err </dev/null", command) <
          (int)sizeof line);
    return tool_run_line(line);
}

static inline int tour_run(const char *arguments)
{
    char line[1024];
    snprintf(line, sizeof line, "%s %s", TOUR_QUOTED, arguments);
    return tour_run_shell(line);
}

/* How many files are here. */
static inline int tour_files(void)
{
    int count = 0;
    DIR *here = opendir(".");
    CHECK(here != NULL);
    for (struct dirent *entry; (entry = readdir(here)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(here);
    return count;
}

/* The page is whole, has these sections, and so many timelines at least. */
static inline void check_page(const char *path, const char *sections, int timelines)
{
    char line[1024], said[256];
    int found_sections, found = -1;
    if (system("python3 -c '' 2>/dev/null") != 0) {
        kri_test_note("python3 is not installed: the page is not looked at");
        return;
    }
    snprintf(line, sizeof line, "python3 -B '%s/tests/tour/page.py' %s %s >page.out",
             KRI_TEST_SOURCE, path, sections);
    CHECK_EQ(system(line), 0);
    snprintf(said, sizeof said, "%s", tool_read("page.out"));
    CHECK_EQ(unlink("page.out"), 0);
    CHECK_EQ(sscanf(said, "%d sections, %d timelines", &found_sections, &found), 2);
    CHECK_GE(found, timelines);
}

#endif
