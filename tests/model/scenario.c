/* Runs a scenario as a test case, and in a mutant's program the other way round.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"

#include <stdlib.h>

/* Defined in the changed source of a mutant only. */
extern const char *const kri_mutant __attribute__((weak));
extern const char *const kri_mutant_scenario __attribute__((weak));

void kri_scenario_register(kri_scenario *s, void (*run)(void))
{
    s->entry.name = s->name;
    if (&kri_mutant) {
        if (strcmp(s->name, kri_mutant_scenario) != 0)
            return;
        s->entry.name = kri_mutant;
        s->must_find = KR_EXPLORE_CONFUSED; /* any failure will do */
    }
    s->entry.run = run;
    kri_test_register(&s->entry);
}

static const char *const results[] = {
    "passed", "check", "deadlock", "livelock", "race", "freed", "leak", "confused",
};

void kri_scenario_run(const kri_scenario *s)
{
    kr_explore_options o = s->options;
    kr_explore_report report;
    const char *long_run = getenv("KR_LONG");

    o.name = s->entry.name;
    if (o.time == 0)
        o.time = KR_FOREVER; /* the runner has a limit */
    bool is_long = long_run && *long_run == '1' && o.mode == KR_EXPLORE_ALL &&
                   s->must_find == KR_EXPLORE_PASSED;
    if (is_long) { /* one preemption more than else */
        o.preemptions = o.preemptions != 0 ? o.preemptions + 1 : 3;
        o.schedules = 0;
        /* Then the bound before it has been exhausted at least. */
        o.time = kr_sec(4 * kri_test_budget());
    }
    o.quiet = s->must_find != KR_EXPLORE_PASSED && !getenv("KR_EXPLORE_SHOW");
    int failed = kr_explore(&o, s->body, NULL, &report);
    CHECK_GE(failed, 0);
    kri_test_note("explored %s: %s after %llu schedules, preemptions %d, exhausted %s, %.2f s%s%s",
                  o.name, results[report.result], (unsigned long long)report.schedules,
                  report.preemptions < 1000 ? (int)report.preemptions : -1,
                  report.exhausted ? "yes" : "no", (double)report.elapsed / 1e9, failed ? ": " : "",
                  report.message);
    if (s->must_find == KR_EXPLORE_CONFUSED) {
        CHECK(report.result != KR_EXPLORE_PASSED);
        CHECK(report.result != KR_EXPLORE_CONFUSED);
    } else {
        CHECK_STR(results[report.result], results[s->must_find]);
    }
    if (failed && !getenv("KR_EXPLORE_REPLAY")) { /* the seed must repeat it */
        kr_explore_report again;
        o.replay = report.seed;
        o.quiet = true;
        CHECK_EQ(kr_explore(&o, s->body, NULL, &again), 1);
        CHECK_STR(results[again.result], results[report.result]);
    }
    if (is_long)
        CHECK(report.exhausted || report.preemptions == o.preemptions);
    else if (o.mode == KR_EXPLORE_ALL && !failed && o.schedules == 0)
        CHECK(report.exhausted || getenv("KR_EXPLORE_REPLAY"));
}
