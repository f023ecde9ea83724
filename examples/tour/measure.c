/* One way of doing a chapter's work.
 *
 * It is measured before there was any trace, twice, short ones more often, of which the quickest
 * counts: what made the others slower was no part of the work.  When all is measured, it is done
 * once more, for the picture.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tour.h"

#include <string.h>
#include <sys/resource.h>

enum { REPEATS_MOST = 7 };

#define LONG              3.0 /* seconds: longer than that is measured once, for want of time */

#define LATE_FOR_PICTURES 0.95 /* of the time */

double now_seconds(void)
{
    return (double)kr_now() / 1e9;
}

bool is_late(const struct tour *tour, double share)
{
    return (double)(kr_now() - tour->begun) >= share * (double)tour->time;
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

double busy_seconds(void)
{
    struct rusage own, children;
    if (getrusage(RUSAGE_SELF, &own) != 0 || getrusage(RUSAGE_CHILDREN, &children) != 0)
        return 0;
    return seconds_of(own.ru_utime) + seconds_of(own.ru_stime) + seconds_of(children.ru_utime) +
           seconds_of(children.ru_stime);
}

struct way *add_way(struct tour *tour, struct chapter *chapter, const char *name)
{
    struct way *way = &chapter->ways[tour->drawing ? chapter->drawn++ : chapter->count++];
    way->name = name;
    return way;
}

static int measure_once(struct way *way, run_fn *run, void *arg)
{
    struct way this = {.name = way->name};
    double busy = busy_seconds(), begun = now_seconds();
    int err = run(arg, &this);
    if (err)
        return err;
    if (this.seconds <= 0)
        this.seconds = now_seconds() - begun;
    this.busy = busy_seconds() - busy;
    if (way->seconds <= 0 || this.seconds < way->seconds)
        *way = this;
    return 0;
}

/* What cannot be done here, for want of memory or of descriptors, is left out; a cancel ends all.
 */
static int left_out(struct way *way, int err)
{
    if (err == 0 || err == -ECANCELED)
        return err;
    way->error = err;
    complain("%s: %s", way->name, kr_strerror(err));
    return 0;
}

/* Without a picture the times are still worth having. */
static int draw(struct way *way, run_fn *run, void *arg)
{
    struct way again = {.name = way->name};
    int err = timeline_begin();
    if (!err) {
        err = run(arg, &again);
        int bad = timeline_end(&way->timeline);
        err = err ? err : bad;
    }
    if (err && err != -ECANCELED) {
        complain("no picture of %s: %s", way->name, kr_strerror(err));
        err = 0;
    }
    return err;
}

static int measure_way(const struct tour *tour, const struct chapter *chapter, struct way *way,
                       run_fn *run, void *arg)
{
    kr_time end = kr_now() + tour->effort.repeat;
    int err = 0;
    if (is_late(tour, chapter->late)) {
        way->error = -ETIME;
        return 0;
    }
    console_step(chapter->title, way->name);
    for (int i = 0; i < REPEATS_MOST && !err; i++) {
        if (i > 0 && kr_now() >= end && (i > 1 || way->seconds >= LONG))
            break;
        err = measure_once(way, run, arg);
    }
    return left_out(way, err);
}

int measure(struct tour *tour, struct chapter *chapter, struct way *way, run_fn *run, void *arg)
{
    int err = 0;
    if (!tour->drawing) {
        err = measure_way(tour, chapter, way, run, arg);
    } else if (chapter->pictures && !way->error && !is_late(tour, LATE_FOR_PICTURES)) {
        console_step(chapter->title, way->name);
        err = draw(way, run, arg);
    }
    return !err && kr_cancelled() ? -ECANCELED : err;
}
