/* Chapter 3: an interpreter that computes.
 *
 * Under the interpreter lock all threads run in one state, as those of a Python program do; without
 * it each piece of work has a state of its own, as with sub-interpreters or a free-threaded build.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tour.h"

enum { PIECES = 24, FIRST = 100000, TRIAL = 2000 };

/* Read by all runners; made before there are any. */
static struct {
    struct interpreter *state; /* the one that threads share under the lock */
    kr_gil *lock;
} shared;

struct piece {
    long from, to;
    bool locked;
};

/* In the shared state. */
static int find_locked(const struct piece *piece, long *primes)
{
    kr_gil_thread *lock;
    int err = kr_gil_attach(shared.lock, &lock);
    if (err)
        return err;
    err = interpreter_primes(shared.state, piece->from, piece->to, lock, primes);
    kr_gil_detach(lock);
    return err;
}

static int find_apart(const struct piece *piece, long *primes)
{
    struct interpreter *state;
    int err = interpreter_open(&state);
    if (err)
        return err;
    err = interpreter_primes(state, piece->from, piece->to, NULL, primes);
    interpreter_close(state);
    return err;
}

static int find_primes(const void *arg, void *result)
{
    const struct piece *piece = arg;
    char name[32];
    snprintf(name, sizeof name, "from %ld", piece->from);
    kr_trace_begin(name);
    int err = piece->locked ? find_locked(piece, result) : find_apart(piece, result);
    kr_trace_end();
    return err;
}

struct job {
    enum kind kind;
    bool locked;
    int workers;
    long length; /* of a piece */
    long primes; /* there are; 0: not known yet */
};

static int run(void *arg, struct way *way)
{
    struct job *job = arg;
    struct piece pieces[PIECES];
    long primes[PIECES] = {0}, all = 0;
    (void)way;
    for (int i = 0; i < PIECES; i++)
        pieces[i] =
            (struct piece){FIRST + i * job->length, FIRST + (i + 1) * job->length, job->locked};
    int err = team_run(&(struct team){.kind = job->kind,
                                      .workers = job->workers,
                                      .task = find_primes,
                                      .args = pieces,
                                      .arg_size = sizeof *pieces,
                                      .results = primes,
                                      .result_size = sizeof *primes,
                                      .count = PIECES});
    if (err)
        return err;
    for (int i = 0; i < PIECES; i++)
        all += primes[i];
    if (job->primes && job->primes != all)
        return -EBADMSG;
    job->primes = all;
    return 0;
}

/* How long a piece is so that one at a time they take about as long as they are to take. */
static int find_length(const struct tour *tour, long *length)
{
    struct piece piece = {FIRST, FIRST + TRIAL, false};
    long primes;
    double begun = busy_seconds();
    int err = find_apart(&piece, &primes);
    double once = busy_seconds() - begun, wanted = (double)tour->effort.compute / 1e9;
    *length = (long)(wanted / PIECES / (once > 1e-6 ? once : 1e-6) * TRIAL) + 1;
    return err;
}

static int measure_ways(struct tour *tour, struct chapter *chapter, long length)
{
    static const struct {
        const char *name;
        enum kind kind;
        bool locked;
    } ways[] = {{"one at a time", ALONE, false},
                {"threads, interpreter lock", THREADS, true},
                {"threads, a state each", THREADS, false},
                {"processes", PROCESSES, false}};
    struct job job = {.workers = tour->workers, .length = length};
    int err = 0;
    for (int i = 0; i < 4 && !err; i++) {
        job.kind = ways[i].kind;
        job.locked = ways[i].locked;
        err = measure(tour, chapter, add_way(tour, chapter, ways[i].name), run, &job);
    }
    snprintf(chapter->what, sizeof chapter->what,
             "Bytecode of %s looks for the primes from %d to %ld, by %d workers on %d processor%s. "
             "Under the lock all threads run in one state. All ways must find the same primes.",
             interpreter_name, FIRST, FIRST + PIECES * length, tour->workers, tour->processors,
             tour->processors > 1 ? "s" : "");
    return err;
}

int chapter_script(struct tour *tour)
{
    struct chapter *chapter = &tour->chapters[SCRIPT];
    long length = (long)(chapter->amount / PIECES); /* as it was measured with */
    chapter->id = "interpreter";
    chapter->title = "Work that computes: an interpreter";
    chapter->pictures = true;
    chapter->unit = "numbers";
    int err = kr_gil_create(&shared.lock, NULL);
    if (!err)
        err = interpreter_open(&shared.state);
    if (!err && !tour->drawing) {
        err = find_length(tour, &length);
        chapter->amount = (double)length * PIECES;
    }
    if (!err)
        err = measure_ways(tour, chapter, length);
    if (err == -ECANCELED)
        return err; /* workers may still be in the state */
    if (shared.state)
        interpreter_close(shared.state);
    kr_gil_destroy(shared.lock);
    if (err)
        complain("interpreter: %s", kr_strerror(err));
    return err;
}
