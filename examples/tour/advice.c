/* What follows from the numbers, and from nothing else: another machine may get other advice.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../bar.h"
#include "tour.h"

#include <stdarg.h>

/* Less than this is no gain that one would write code for. */
#define WORTH 1.3

__attribute__((format(printf, 2, 3))) static void advise(struct tour *tour, const char *format, ...)
{
    va_list arguments;
    if (tour->advice_count == ADVICE_MOST)
        return;
    char *text = tour->advice[tour->advice_count++];
    va_start(arguments, format);
    vsnprintf(text, sizeof tour->advice[0], format, arguments);
    va_end(arguments);
}

/* How many times as fast as the first way; 0: not known. */
static double gain(const struct chapter *chapter, int way)
{
    const struct way *first = &chapter->ways[0], *this = &chapter->ways[way];
    if (way >= chapter->count || first->error || this->error || this->seconds <= 0)
        return 0;
    return first->seconds / this->seconds;
}

/* The ways of FETCH are alone, threads, coroutines, processes; of MANY threads, coroutines. */
static void on_waiting(struct tour *tour)
{
    const struct chapter *few = &tour->chapters[FETCH], *many = &tour->chapters[MANY];
    double threads = gain(few, 1), coroutines = gain(few, 2), processes = gain(few, 3);
    double more = gain(many, 1);
    if (threads == 0 || coroutines == 0)
        return;
    if (coroutines < WORTH && threads < WORTH) {
        advise(tour,
               "Work that waits gained nothing here (coroutines %.2f times as fast as one at "
               "a time): this machine needs as long for the pages as the server lets it wait.",
               coroutines);
        return;
    }
    char third[80] = "";
    if (processes > 0)
        snprintf(third, sizeof third, ", %.1f times in processes, which take longer to make",
                 processes);
    advise(tour,
           "Work that waits: do it all at once. %.0f pages came %.1f times as fast in coroutines, "
           "%.1f times in threads%s.",
           few->amount, coroutines, threads, third);
    if (more > WORTH)
        advise(tour,
               "For many that wait take coroutines: %.0f pages came %.1f times as fast as in "
               "threads. For some dozens threads do as well.",
               many->amount, more);
    else if (more > 0 && more < 1 / WORTH)
        advise(
            tour,
            "%.0f at once came %.1f times as fast in threads as in coroutines, whose loop has one "
            "thread. A pool of loops (kr_loop_pool) has as many as it is asked for.",
            many->amount, 1 / more);
    else if (more > 0)
        advise(tour,
               "Even %.0f at once came about as fast in threads as in coroutines (%.2f times); "
               "what speaks for coroutines is how little memory they keep.",
               many->amount, more);
}

/* The ways of both are alone, threads under the lock, threads, processes. */
static void on_computing(struct tour *tour)
{
    const struct chapter *hash = &tour->chapters[HASH], *script = &tour->chapters[SCRIPT];
    double threads = gain(hash, 2), processes = gain(hash, 3), locked = gain(script, 1);
    double apart = gain(script, 2);
    double best = threads > processes ? threads : processes;
    if (best == 0)
        return;
    if (tour->processors == 1)
        advise(tour,
               "This machine has one processor for us. Threads and processes cannot make computing "
               "faster here (%.2f and %.2f times): use them, or coroutines, for what waits.",
               threads, processes);
    else if (best < WORTH)
        advise(tour,
               "%d processors, but computing became only %.2f times as fast: something else "
               "is using them now, or the memory is the limit. Measure again.",
               tour->processors, best);
    else
        advise(tour,
               "Computing: %d threads on %d processors were %.2f times as fast as one, processes "
               "%.2f times. %s",
               tour->workers, tour->processors, threads, processes,
               processes < threads / 1.1 ? "Take threads, unless a task may crash."
                                         : "Take processes where a task may crash, threads else.");
    if (locked > 0 && apart > 0 && apart > locked * WORTH)
        advise(
            tour,
            "An interpreter lock takes away what threads gain: in one state they were %.2f times "
            "as fast as one at a time, with a state each %.2f times. Give each thread a "
            "state, or each worker a process; under the lock use threads for waiting only.",
            locked, apart);
    else if (locked > 0 && tour->processors == 1)
        advise(tour,
               "The interpreter lock costs little here (%.2f times as fast as one at a time, "
               "without it %.2f times), since there is no second processor that it would keep "
               "idle.",
               locked, apart);
}

/* The ways are no lock, a lock, an atomic addition, processes with a shared lock. */
static void on_counting(struct tour *tour)
{
    const struct chapter *count = &tour->chapters[COUNT];
    const struct way *racing = &count->ways[0], *lock = &count->ways[1];
    const struct way *shared = &count->ways[3];
    char locked[32], remote[32];
    if (count->count < 4 || lock->error || racing->error || shared->error || count->amount <= 0)
        return;
    time_text(locked, sizeof locked, lock->seconds / count->amount);
    time_text(remote, sizeof remote, shared->seconds / count->amount);
    if (tour->lost_share > 0)
        advise(tour,
               "Never count without a lock: %.3g %% of the counts were lost. A lock that all "
               "want at once takes %s a count, one between processes %s; let each count for "
               "itself and add up once at the end, and it costs nothing.",
               100 * tour->lost_share, locked, remote);
    else
        advise(tour,
               "Counting without a lock lost nothing this time, which proves nothing: with one "
               "processor it needs an interruption between load and store. A lock that all "
               "want takes %s a count, one between processes %s.",
               locked, remote);
}

/* A runner is worth making for work that takes ten times as long. */
static void on_costs(struct tour *tour)
{
    const struct cost *costs = tour->costs;
    const struct cost *coroutine = &costs[COROUTINE], *thread = &costs[THREAD];
    const struct cost *process = &costs[FORKED];
    char text[3][32], sizes[2][16];
    if (coroutine->make <= 0 || thread->make <= 0 || process->make <= 0)
        return;
    advise(tour,
           "To make a runner costs at most a tenth of its work from %s on for a coroutine, "
           "from %s for a thread, from %s for a process. For less use a pool, which makes "
           "them once.",
           time_text(text[0], sizeof text[0], 10 * coroutine->make),
           time_text(text[1], sizeof text[1], 10 * thread->make),
           time_text(text[2], sizeof text[2], 10 * process->make));
    if (coroutine->keep > 0 && process->keep > 0)
        advise(tour,
               "In 1 GB there is room for %.0f thousand coroutines that wait (%s each), or for "
               "%.0f processes (%s each).",
               1e6 / coroutine->keep,
               bar_human(sizes[0], sizeof sizes[0], (uint64_t)coroutine->keep), 1e9 / process->keep,
               bar_human(sizes[1], sizeof sizes[1], (uint64_t)process->keep));
}

void give_advice(struct tour *tour)
{
    on_waiting(tour);
    on_computing(tour);
    on_counting(tour);
    on_costs(tour);
    if (tour->advice_count == 0)
        advise(tour, "Too little could be measured for any advice.");
}
