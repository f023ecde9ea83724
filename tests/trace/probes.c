/* Probes for perf and bpftrace: those that docs/trace.md names are in the program.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trace/help.h"

#include <stdio.h>

static const char *const probes[] = {
    "submit",         "task__begin",    "task__end",    "steal",       "wait__begin",
    "wait__end",      "wake",           "cancel",       "hand__over",  "gil__wait",
    "gil__waited",    "gil__held",      "gil__free",    "mark",        "coroutine__switch",
    "thread__start",  "thread__begin",  "thread__end",  "user__begin", "user__end",
    "process__start", "process__begin", "process__end",
};
enum { PROBES = sizeof probes / sizeof probes[0] };

/* The parts of the library that a static program gets hang on what it uses. */
static int use(void *arg)
{
    kr_executor *pool;
    kr_gil *gil;
    CHECK_EQ(kr_gil_create(&gil, NULL), 0);
    CHECK_EQ(kr_gil_destroy(gil), 0);
    CHECK_EQ(kr_process_pool(&pool, NULL), 0);
    kr_executor_release(pool);
    return arg != NULL;
}

TEST(test_probes)
{
    char line[512];
    bool found[PROBES] = {false};
    int some = 0;
    CHECK_EQ(kr_run(use, NULL), 0);
    snprintf(line, sizeof line, "readelf -n /proc/%d/exe 2>/dev/null", (int)getpid());
    FILE *notes = popen(line, "r");
    CHECK(notes != NULL);
    bool ours = false;
    while (fgets(line, sizeof line, notes) != NULL) {
        char word[128];
        if (sscanf(line, " Provider: %127s", word) == 1)
            ours = strcmp(word, "krait") == 0;
        else if (ours && sscanf(line, " Name: %127s", word) == 1)
            for (int i = 0; i < PROBES; i++)
                if (strcmp(word, probes[i]) == 0)
                    some += found[i] = true;
    }
    pclose(notes);
    if (some == 0)
        SKIP("built without <sys/sdt.h>, or there is no readelf");
    for (int i = 0; i < PROBES; i++)
        if (!found[i])
            kri_test_fail(__FILE__, __LINE__, "there is no probe %s", probes[i]);
}
