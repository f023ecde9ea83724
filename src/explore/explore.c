/* The public face: one run after the other, and the report.
 *
 * The bounds are raised one at a time: first every schedule without a preemption, then with one,
 * and so on.  That costs little, since each bound has many times the schedules of the one before,
 * and what is found first has the fewest preemptions that show it.
 *
 * Before the search a few random runs learn which locations threads share (memory.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/options.h"
#include "explore/engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* So that the section exists, also in a program that uses nothing of krait.  Without the attribute
 * the compiler leaves out what is never read. */
__attribute__((used)) KRI_GLOBAL static unsigned char marker;

enum { LEARNING_RUNS = 60, LOOK_EVERY = 64, ORDINARY_SECONDS = 60 };
#define UNLIMITED (1u << 30)

typedef struct search {
    void (*scenario)(void *);
    void *arg;
    kr_explore_report *report;
    kr_time began;
    kr_time said;  /* when progress was told last */
    uint64_t seed; /* as given, for PCT and random */
    bool late;     /* the time was up */
    bool learning;
} search;

static kr_time wall_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (kr_time)t.tv_sec * 1000000000 + t.tv_nsec;
}

static unsigned bound(unsigned given, unsigned ordinary, const char *variable)
{
    const char *text = getenv(variable);

    if (text && *text)
        return (unsigned)strtoul(text, NULL, 10);
    if (given == KR_EXPLORE_NONE)
        return 0;
    return given ? given : ordinary;
}

static uint64_t number(uint64_t given, uint64_t ordinary, const char *variable)
{
    const char *text = getenv(variable);

    if (text && *text)
        return strtoull(text, NULL, 0);
    return given ? given : ordinary;
}

/* A whole number of seconds in the environment; 0: no limit. */
static kr_time time_limit(kr_time given)
{
    uint64_t ordinary = (uint64_t)(given ? given : (kr_time)ORDINARY_SECONDS * 1000000000);
    uint64_t seconds = number(UINT64_MAX, 0, "KR_EXPLORE_TIME");

    if (seconds == UINT64_MAX)
        return (kr_time)ordinary;
    return seconds > 0 && seconds < INT64_MAX / 1000000000 ? (kr_time)seconds * 1000000000
                                                           : KR_FOREVER;
}

static int settle(const kr_explore_options *given)
{
    kr_explore_options *o = &kri_ex.o;

    *o = given ? *given : (kr_explore_options){0};
    if (!kri_reserved_is_clear(o->reserved))
        return -EINVAL;
    if ((unsigned)o->mode > KR_EXPLORE_RANDOM || o->victim > 31 || o->time < 0)
        return -EINVAL;
    if (!o->name)
        o->name = "scenario";
    o->preemptions = bound(o->preemptions, 2, "KR_EXPLORE_PREEMPTIONS");
    o->stale = bound(o->stale, 2, "KR_EXPLORE_STALE");
    o->early = bound(o->early, 1, "KR_EXPLORE_EARLY");
    o->spurious = bound(o->spurious, 0, "KR_EXPLORE_SPURIOUS");
    o->failures = bound(o->failures, 0, "KR_EXPLORE_FAILURES");
    o->schedules =
        number(o->schedules, o->mode == KR_EXPLORE_ALL ? 0 : 10000, "KR_EXPLORE_SCHEDULES");
    o->time = time_limit(o->time);
    o->progress |= bound(0, 0, "KR_EXPLORE_PROGRESS") != 0 || (!o->quiet && isatty(STDERR_FILENO));
    o->steps = number(o->steps, 20000, "KR_EXPLORE_STEPS");
    o->seed = number(o->seed, 1, "KR_EXPLORE_SEED");
    o->every_point |= bound(0, 0, "KR_EXPLORE_EVERY_POINT") != 0;
    const char *replay = getenv("KR_EXPLORE_REPLAY");
    if (replay && *replay)
        o->replay = replay;
    return 0;
}

static void check_leaks(void)
{
    ex_site site = {{NULL}};
    char line[1][256];
    size_t leaked = kri_ex_leaked(&site.frames[0]);

    if (leaked == 0)
        return;
    kri_ex_print_sites(&site, 1, line);
    kri_ex.result = KR_EXPLORE_LEAK;
    snprintf(kri_ex.message, sizeof kri_ex.message, "leak: %zu bytes, allocated in %.180s", leaked,
             line[0]);
}

/* One run. */
static void execute(const search *s, unsigned preemptions, uint64_t seed)
{
    bool replay = kri_ex.mode == EX_REPLAY;

    memset(__start_kri_globals, 0, (size_t)(__stop_kri_globals - __start_kri_globals));
    kri_ex_begin();
    kri_ex.preemptions = replay ? UNLIMITED : preemptions;
    kri_ex.stale = replay ? UNLIMITED : kri_ex.o.stale;
    kri_ex.early = replay ? UNLIMITED : kri_ex.o.early;
    kri_ex.spurious = replay ? UNLIMITED : kri_ex.o.spurious;
    kri_ex.failures = replay ? UNLIMITED : kri_ex.o.failures;
    kri_ex.deaths = 1;
    kri_ex_memory_begin();
    kri_ex_race_begin();
    kri_ex_os_begin();
    kri_ex_names_begin();
    kri_ex_choices_rewind(seed);
    kri_ex_start(0, s->scenario, s->arg);
    kri_ex_enter(0);
    if (kri_ex.result == KR_EXPLORE_PASSED && !kri_ex.again && !kri_ex.o.keeps_memory &&
        kri_ex.dead == 0)
        check_leaks();
    s->report->steps += kri_ex.steps;
}

/* "1200 schedules in 3 s, now those with 2 preemptions" */
static void say_progress(const search *s, kr_time took)
{
    const kr_explore_report *r = s->report;
    char which[64] = "";

    if (s->learning)
        snprintf(which, sizeof which, ", the first of them at random");
    else if (kri_ex.mode == EX_DFS)
        snprintf(which, sizeof which, ", now those with %u preemptions", r->preemptions);
    fprintf(stderr, "explore %s: %" PRIu64 " schedules in %d s%s\n", kri_ex.o.name, r->schedules,
            (int)(took / 1000000000), which);
}

/* Looks at the clock now and then: a run takes some microseconds, but may take a second. */
static bool is_late(search *s)
{
    if (s->report->schedules % LOOK_EVERY != 0 && kri_ex.steps < 1000)
        return false;
    kr_time now = wall_clock();
    if (kri_ex.o.progress && now - s->said >= 1000000000) {
        s->said = now;
        say_progress(s, now - s->began);
    }
    s->late = now - s->began >= kri_ex.o.time;
    return s->late;
}

static bool enough(search *s)
{
    const kr_explore_options *o = &kri_ex.o;

    return s->late || (o->schedules && s->report->schedules >= o->schedules) || is_late(s);
}

static bool failed(const search *s)
{
    if (kri_ex.result == KR_EXPLORE_PASSED)
        return false;
    s->report->result = kri_ex.result;
    snprintf(s->report->message, sizeof s->report->message, "%s", kri_ex.message);
    kri_ex_choices_print(s->report->seed, sizeof s->report->seed);
    return true;
}

/* Random runs; true when one failed. */
static bool sample(search *s, enum ex_mode mode, uint64_t runs, unsigned preemptions)
{
    kri_ex.mode = mode;
    kri_ex.all_shared = true;
    for (uint64_t i = 0; i < runs && !enough(s); i++) {
        execute(s, preemptions, s->seed + i);
        s->report->schedules++;
        if (failed(s))
            return true;
    }
    return false;
}

/* All schedules with so many preemptions; true when one failed. */
static bool exhaust(search *s, unsigned preemptions)
{
    kri_ex.mode = EX_DFS;
    kri_ex.all_shared = kri_ex.o.every_point;
    s->report->preemptions = preemptions;
    kri_ex_choices_clear();
    for (;;) {
        execute(s, preemptions, 0);
        s->report->schedules++;
        if (kri_ex.again) {
            kri_ex_choices_clear();
            continue;
        }
        if (failed(s))
            return true;
        if (!kri_ex_choices_next()) {
            s->report->exhausted = preemptions == kri_ex.o.preemptions;
            return false;
        }
        if (enough(s))
            return false;
    }
}

static void look(search *s)
{
    kri_ex_memory_clear_shared();
    kri_ex_choices_clear();
    if (kri_ex.o.mode != KR_EXPLORE_ALL) {
        s->report->preemptions = UNLIMITED;
        sample(s, kri_ex.o.mode == KR_EXPLORE_PCT ? EX_PCT : EX_RANDOM, kri_ex.o.schedules,
               UNLIMITED);
        return;
    }
    s->learning = true;
    bool found_at_random = sample(s, EX_RANDOM, LEARNING_RUNS, kri_ex.o.preemptions);
    s->learning = false;
    if (found_at_random) {
        /* The search will find a simpler one, most likely. */
        kr_explore_report found = *s->report;
        s->report->result = KR_EXPLORE_PASSED;
        for (unsigned p = 0; p <= kri_ex.o.preemptions && !enough(s); p++)
            if (exhaust(s, p))
                break;
        if (s->report->result == KR_EXPLORE_PASSED) {
            found.schedules = s->report->schedules;
            found.steps = s->report->steps;
            *s->report = found;
        }
        s->report->exhausted = false;
        return;
    }
    for (unsigned p = 0; p <= kri_ex.o.preemptions && !enough(s); p++)
        if (exhaust(s, p))
            return;
}

/* Make the run of a seed once more, noting what happens. */
static void replay(const search *s, const char *seed, bool print)
{
    if (kri_ex_choices_parse(seed) < 0) {
        s->report->result = KR_EXPLORE_CONFUSED;
        snprintf(s->report->message, sizeof s->report->message, "no seed: %.200s", seed);
        return;
    }
    kri_ex.mode = EX_REPLAY;
    kri_ex.all_shared = true;
    kri_ex.tracing = print;
    if (print)
        kri_ex_trace_begin();
    execute(s, 0, 0);
    kri_ex.tracing = false;
    if (print)
        kri_ex_trace_print();
}

static const char *const result_names[] = {
    "passed", "check", "deadlock", "livelock", "race", "freed", "leak", "confused",
};

static void print_failure(const search *s)
{
    kr_explore_report *r = s->report;
    kr_explore_result was = r->result;

    fprintf(stderr, "explore %s: %s: %s\n", kri_ex.o.name, result_names[was], r->message);
    fprintf(stderr, "the schedule (step, thread, operation, callers):\n");
    replay(s, r->seed, true);
    if (kri_ex.result != was)
        fprintf(stderr, "explore %s: the replay gave: %s\n", kri_ex.o.name,
                result_names[kri_ex.result]);
    fprintf(stderr, "repeat with KR_EXPLORE_REPLAY=%s\n", r->seed);
}

/* How far it came in its time: what was not looked at may hold anything. */
static void print_late(const search *s)
{
    const kr_explore_report *r = s->report;
    const char *name = kri_ex.o.name;

    printf("explore %s: the time was up after %" PRIu64 " schedules: ", name, r->schedules);
    if (kri_ex.o.mode != KR_EXPLORE_ALL)
        printf("of %" PRIu64, kri_ex.o.schedules);
    else if (r->preemptions == 0)
        printf("some without a preemption");
    else
        printf("all with fewer than %u preemptions, and some with %u of %u", r->preemptions,
               r->preemptions, kri_ex.o.preemptions);
    printf("; more by KR_EXPLORE_TIME=SECONDS\n");
}

static void print_summary(const kr_explore_report *r)
{
    const kr_explore_options *o = &kri_ex.o;
    static const char *const modes[] = {"all", "pct", "random"};
    char preemptions[16] = "any";

    if (r->preemptions < UNLIMITED)
        snprintf(preemptions, sizeof preemptions, "%u", r->preemptions);
    printf("explore name=%s result=%s mode=%s preemptions=%s stale=%u early=%u schedules=%" PRIu64
           " steps=%" PRIu64 " exhausted=%s seconds=%.3f%s%s\n",
           o->name, result_names[r->result], o->replay ? "replay" : modes[o->mode], preemptions,
           o->stale, o->early, r->schedules, r->steps, r->exhausted ? "yes" : "no",
           (double)r->elapsed / 1e9, r->result != KR_EXPLORE_PASSED ? " seed=" : "",
           r->result != KR_EXPLORE_PASSED ? r->seed : "");
    fflush(stdout);
}

int kr_explore(const kr_explore_options *options, void (*scenario)(void *arg), void *arg,
               kr_explore_report *report)
{
    kr_explore_report own;
    search s = {.scenario = scenario, .arg = arg, .report = report ? report : &own};

    if (kri_ex.active || !scenario)
        return -EINVAL;
    int err = settle(options);
    if (err == 0)
        err = kri_ex_stacks_map();
    if (err == 0)
        err = kri_ex_memory_map();
    if (err == 0)
        err = kri_ex_race_map();
    if (err == 0)
        err = kri_ex_arena_map();
    if (err < 0)
        return err;
    *s.report = (kr_explore_report){0};
    s.began = s.said = wall_clock();
    s.seed = kri_ex.o.seed * 1000003u;
    kri_ex_catch_faults(true);
    if (kri_ex.o.replay) {
        replay(&s, kri_ex.o.replay, !kri_ex.o.quiet);
        s.report->schedules = 1;
        failed(&s);
    } else {
        look(&s);
        if (s.report->result != KR_EXPLORE_PASSED && !kri_ex.o.quiet)
            print_failure(&s);
    }
    kri_ex_catch_faults(false);
    s.report->elapsed = wall_clock() - s.began;
    if (!kri_ex.o.quiet) {
        if (s.late && s.report->result == KR_EXPLORE_PASSED)
            print_late(&s);
        print_summary(s.report);
    }
    return s.report->result == KR_EXPLORE_PASSED ? 0 : 1;
}

/* Inside a scenario */

int kr_explore_spawn_in(unsigned process, void (*run)(void *arg), void *arg)
{
    EX_SITE(&EX_SELF->site);
    int id = kri_ex_start(process, run, arg);

    if (id > 0)
        EX_TRACE("starts", NULL, (uint64_t)id, "");
    return id;
}

int kr_explore_spawn(void (*run)(void *arg), void *arg)
{
    return kr_explore_spawn_in(EX_SELF->process, run, arg);
}

void kr_explore_join(int thread)
{
    EX_SITE(&EX_SELF->site);
    kri_ex_join((unsigned)thread);
}

void kr_explore_join_all(void)
{
    EX_SITE(&EX_SELF->site);
    for (unsigned i = 1; i < kri_ex.thread_count; i++)
        if (!kri_ex.threads[i].reaped && i != kri_ex.self)
            kri_ex_join(i);
}

/* Whoever knows of a death knows that all the dead one did is done. */
bool kr_explore_alive(unsigned process)
{
    kri_ex_point(true);
    if (!(kri_ex.dead & (1u << process)))
        return true;
    for (unsigned i = 0; i < kri_ex.thread_count; i++)
        if (kri_ex.threads[i].process == process)
            kri_ex_learn_from(kri_ex.self, i);
    return false;
}

void kr_explore_failed(const char *what, const char *file, int line)
{
    if (kri_ex.active)
        kri_ex_fail(KR_EXPLORE_CHECK, "%s:%d: %s is false", file, line, what);
    fprintf(stderr, "%s:%d: %s is false\n", file, line, what);
    abort();
}

void *kr_explore_alloc(size_t size)
{
    void *p = kri_ex_alloc(size, __builtin_return_address(0));

    if (!p)
        kri_ex_fail(KR_EXPLORE_LEAK, "a run allocates too much");
    return p;
}

void kr_explore_free(void *memory)
{
    os_free(memory);
}

bool kr_explore_asleep(int thread)
{
    enum ex_state state = kri_ex.threads[thread].state;

    return state == EX_SLEEPING || state == EX_POLLING;
}

void kr_explore_yield(void)
{
    os_pause();
}

void kr_explore_point(void)
{
    if (kri_ex.active)
        kri_ex_point(true);
}
