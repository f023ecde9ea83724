/* Chapter 4: many that count in one place.
 *
 * counter = counter + 1 is a load, an addition and a store.  Between the load and the store of one
 * runner another may store: then one of the two counts is lost.  Both are atomic here (relaxed), so
 * that what is shown is the race of the program's logic, and not undefined behaviour of C.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tour.h"

#include <string.h>

enum { COUNTERS_MOST = 8, ATTEMPTS = 20 };

enum how { LOAD_AND_STORE, ONE_ADDITION, LOCKED };

/* Lies in memory that forked processes share. */
struct place {
    kr_barrier start;
    kr_lock lock;
    long counter;
    bool give_way; /* between load and store, now and then */
};

struct task {
    struct place *place;
    enum how how;
    long counts;
};

static int count_racing(const struct task *task)
{
    struct place *place = task->place;
    for (long i = 0; i < task->counts; i++) {
        long value = __atomic_load_n(&place->counter, __ATOMIC_RELAXED);
        if (place->give_way && i % 10000 == 0)
            kr_yield();
        __atomic_store_n(&place->counter, value + 1, __ATOMIC_RELAXED);
    }
    return 0;
}

static int count_at_once(const struct task *task)
{
    for (long i = 0; i < task->counts; i++)
        __atomic_fetch_add(&task->place->counter, 1, __ATOMIC_RELAXED);
    return 0;
}

static int count_locked(const struct task *task)
{
    struct place *place = task->place;
    for (long i = 0; i < task->counts; i++) {
        int err = kr_lock_acquire(&place->lock, KR_FOREVER);
        if (err)
            return err < 0 ? err : KR_ECRASHED; /* KR_OWNER_DIED: counts may be missing */
        place->counter++;
        kr_lock_release(&place->lock);
    }
    return 0;
}

/* All begin together; the result is how many seconds this one took. */
static int count(const void *arg, void *result)
{
    const struct task *task = arg;
    int err = kr_barrier_wait(&task->place->start, kr_sec(20));
    if (err < 0)
        return err;
    double begun = now_seconds();
    kr_trace_begin("counts");
    switch (task->how) {
    case LOAD_AND_STORE:
        err = count_racing(task);
        break;
    case ONE_ADDITION:
        err = count_at_once(task);
        break;
    case LOCKED:
        err = count_locked(task);
        break;
    }
    kr_trace_end();
    *(double *)result = now_seconds() - begun;
    return err;
}

struct job {
    enum kind kind;
    enum how how;
    int counters;
    long counts;
    struct place *place;
    long lost, most; /* counts lost in the last run, and in the worst */
};

static int set_up(struct job *job)
{
    struct place *place = job->place;
    kr_barrier_options shared = {.scope = KR_SHARED};
    place->counter = 0;
    kr_lock_init(&place->lock, job->kind == PROCESSES ? KR_SHARED : KR_PRIVATE);
    return kr_barrier_init(&place->start, job->counters, job->kind == PROCESSES ? &shared : NULL);
}

static int run(void *arg, struct way *way)
{
    struct job *job = arg;
    struct task tasks[COUNTERS_MOST];
    double seconds[COUNTERS_MOST] = {0};
    int err = set_up(job);
    for (int i = 0; i < job->counters; i++)
        tasks[i] = (struct task){job->place, job->how, job->counts};
    if (!err)
        err = team_run(&(struct team){.kind = job->kind,
                                      .workers = job->counters,
                                      .task = count,
                                      .args = tasks,
                                      .arg_size = sizeof *tasks,
                                      .results = seconds,
                                      .result_size = sizeof *seconds,
                                      .count = job->counters});
    if (err) /* some may still count */
        return err;
    for (int i = 0; i < job->counters; i++)
        way->seconds = seconds[i] > way->seconds ? seconds[i] : way->seconds;
    job->lost = job->counters * job->counts - job->place->counter;
    job->most = job->lost > job->most ? job->lost : job->most;
    return 0;
}

/* On one processor a thread is rarely interrupted between load and store.  What may happen there
 * will happen: here it is given the occasion. */
static int until_lost(struct job *job)
{
    struct way way = {.name = NULL};
    int err = 0;
    for (int i = 0; i < ATTEMPTS && !err; i++) {
        err = run(job, &way);
        if (err || job->lost > 0)
            return err;
        job->place->give_way = i > ATTEMPTS / 4;
    }
    return err;
}

static void note_lost(struct tour *tour, const struct job *job, struct way *way)
{
    long all = job->counters * job->counts;
    if (job->how == LOAD_AND_STORE) {
        tour->lost_share = (double)job->most / (double)all;
        tour->gave_way = job->place->give_way;
    }
    way->wrong = job->most > 0;
    if (way->wrong)
        snprintf(way->note, sizeof way->note, "%.3g %% lost",
                 100 * (double)job->most / (double)all);
    else
        snprintf(way->note, sizeof way->note, "none lost");
}

static int measure_ways(struct tour *tour, struct chapter *chapter, struct job *job)
{
    static const struct {
        const char *name;
        enum kind kind;
        enum how how;
    } ways[] = {{"threads, no lock", THREADS, LOAD_AND_STORE},
                {"threads, a lock", THREADS, LOCKED},
                {"threads, an atomic add", THREADS, ONE_ADDITION},
                {"processes, a shared lock", PROCESSES, LOCKED}};
    int err = 0;
    for (int i = 0; i < 4 && !err; i++) {
        struct way *way = add_way(tour, chapter, ways[i].name);
        job->kind = ways[i].kind;
        job->how = ways[i].how;
        job->most = 0;
        job->place->give_way = false;
        if (job->how == LOAD_AND_STORE && !tour->drawing)
            err = until_lost(job);
        if (!err)
            err = measure(tour, chapter, way, run, job);
        if (!err && !way->error && !tour->drawing)
            note_lost(tour, job, way);
    }
    return err;
}

int chapter_count(struct tour *tour)
{
    struct chapter *chapter = &tour->chapters[COUNT];
    struct job job = {.counters = tour->workers < COUNTERS_MOST ? tour->workers : COUNTERS_MOST,
                      .counts = tour->effort.counts,
                      .place = kr_shared_alloc(sizeof(struct place))};
    chapter->id = "counting";
    chapter->title = "Counting together";
    chapter->pictures = true;
    chapter->amount = (double)job.counts * job.counters;
    chapter->unit = "counts";
    snprintf(chapter->what, sizeof chapter->what,
             "%d runners add 1 to the same number, each %ld times, all at the same time.",
             job.counters, job.counts);
    if (!job.place)
        return -ENOMEM;
    int err = measure_ways(tour, chapter, &job);
    if (err == -ECANCELED)
        return err; /* some may still count there */
    if (tour->gave_way) {
        size_t used = strlen(chapter->what);
        snprintf(chapter->what + used, sizeof chapter->what - used,
                 " Without a lock nothing was lost at first; then each gave way to the others now "
                 "and then between load and store.");
    }
    kr_shared_free(job.place);
    return err;
}
