/* A page as text, for people.
 *
 * Names come from another program, and are cleaned.
 *
 * SPDX-License-Identifier: MIT
 */
#include "command/top.h"

#include <stdio.h>
#include <string.h>

enum { NUMBER = 32, NAME = 64, KINDS = 4, STATES = 5, MANY_WORKERS = 16 };

static const char *const kinds[KINDS] = {"?", "threads", "processes", "loops"};
static const char *const states[STATES] = {"starts", "idle", "runs", "waits", "left"};

/* Pieces. */

static const char *clean(const char *name, char out[NAME])
{
    snprintf(out, NAME, "%.*s", NAME - 1, name);
    return kri_text_clean(out);
}

/* 1234567 -> 1,234,567 */
static const char *grouped(uint64_t n, char out[NUMBER])
{
    char digits[NUMBER];
    int length = snprintf(digits, sizeof digits, "%ju", (uintmax_t)n);
    int at = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

static const char *duration(uint64_t ns, char out[NUMBER])
{
    double seconds = (double)ns / 1e9;
    if (ns == 0)
        snprintf(out, NUMBER, "-");
    else if (ns < 1000)
        snprintf(out, NUMBER, "%ju ns", (uintmax_t)ns);
    else if (ns < 1000000)
        snprintf(out, NUMBER, "%.*f us", ns < 10000 ? 1 : 0, seconds * 1e6);
    else if (ns < 1000000000)
        snprintf(out, NUMBER, "%.*f ms", ns < 10000000 ? 1 : 0, seconds * 1e3);
    else if (seconds < 600)
        snprintf(out, NUMBER, "%.1f s", seconds);
    else if (seconds < 36000)
        snprintf(out, NUMBER, "%.0f min", seconds / 60);
    else
        snprintf(out, NUMBER, "%.1f h", seconds / 3600);
    return out;
}

static const char *memory(int64_t bytes, char out[NUMBER])
{
    double mib = (double)bytes / 1048576;
    if (bytes < 0)
        snprintf(out, NUMBER, "-");
    else if (mib < 1024)
        snprintf(out, NUMBER, "%.1f MiB", mib);
    else
        snprintf(out, NUMBER, "%.2f GiB", mib / 1024);
    return out;
}

static const char *rate(uint64_t thousandths, char out[NUMBER])
{
    if (thousandths != 0 && thousandths < 10000)
        snprintf(out, NUMBER, "%.1f", (double)thousandths / 1000);
    else
        (void)grouped((thousandths + 500) / 1000, out);
    return out;
}

static void heading(kri_lines *lines, const char *text)
{
    kri_lines_add(lines, "\n%c%s\n", KRI_HEADING, text);
}

/* The program. */

static void add_program(const kri_top *top, kri_lines *lines)
{
    char number[NUMBER], name[NAME];
    const os_process_about *p = &top->process;
    kri_lines_add(lines, "%c%s  process %d", KRI_HEADING, clean(p->name, name), (int)top->pid);
    kri_lines_add(lines, "  %u thread%s  %s", (unsigned)p->threads, p->threads == 1 ? "" : "s",
                  memory((int64_t)p->resident, number));
    if (kri_top_processor(top) >= 0)
        kri_lines_add(lines, "  processor %d%%", kri_top_processor(top));
    kri_lines_add(lines, "  shown for %s  krait %s\n",
                  duration((uint64_t)(top->view.at - top->view.began), number),
                  clean(top->library, name));
    if (kri_top_is_stale(top))
        kri_lines_add(lines, "This is %s old: the program is stopped, or has no time to write.\n",
                      duration((uint64_t)kri_top_age(top), number));
}

static void add_missed(const kri_top *top, kri_lines *lines)
{
    uint32_t missed = top->view.missed;
    if (missed == 0)
        return;
    kri_lines_add(lines, "Busy, and so not to be seen at this moment:%s%s%s%s\n",
                  missed & KRI_MISSED_POOLS ? " thread pools" : "",
                  missed & KRI_MISSED_PROCESSES ? " process pools" : "",
                  missed & KRI_MISSED_LOOPS ? " loops" : "",
                  missed & KRI_MISSED_LOCKS ? " some locks" : "");
}

/* Pools. */

static void add_flags(uint32_t flags, kri_lines *lines)
{
    if (flags & KRI_ROW_BROKEN)
        kri_lines_add(lines, "  broken");
    else if (flags & KRI_ROW_SHUT)
        kri_lines_add(lines, "  shut");
    if (flags & KRI_ROW_BUSY)
        kri_lines_add(lines, "  (busy: some numbers are missing)");
    kri_lines_add(lines, "\n");
}

static void add_pool(const kri_pool_row *row, kri_lines *lines)
{
    char name[NAME], workers[NUMBER], a[NUMBER], b[NUMBER], c[NUMBER], d[NUMBER];
    const char *kind = kinds[row->kind < KINDS ? row->kind : 0];
    if (row->flags & KRI_ROW_BUSY)
        snprintf(workers, sizeof workers, "-/%u", (unsigned)row->limit);
    else
        snprintf(workers, sizeof workers, "%u/%u", (unsigned)row->workers, (unsigned)row->limit);
    kri_lines_add(lines, "%-20s %-9s %9s %9s %9s %12s %11s", clean(row->name, name), kind, workers,
                  grouped(row->running, a),
                  row->kind == KRI_ROW_LOOPS ? "-" : grouped(row->queued, b), grouped(row->done, c),
                  rate(row->rate, d));
    add_flags(row->flags, lines);
}

static bool is_in_task(const kri_worker_row *row)
{
    return row->state == KRI_ROW_RUNS || row->state == KRI_ROW_WAITS;
}

static void add_worker(const kri_top *top, const kri_pool_row *pool, const kri_worker_row *row,
                       kri_lines *lines)
{
    char symbol[KRI_SYMBOL_TEXT], name[NAME], a[NUMBER], b[NUMBER], c[NUMBER];
    bool process = pool->kind == KRI_ROW_PROCESSES;
    kri_symbol_of(top->pid, row->task, symbol);
    kri_lines_add(lines, "  worker %-4u %7s %8u  %-6s %12s", (unsigned)row->number,
                  process ? "process" : "thread", (unsigned)row->native,
                  states[row->state < STATES ? row->state : 0], grouped(row->done, a));
    if (process)
        kri_lines_add(lines, " %11s", memory(os_process_resident((pid_t)row->native), b));
    if (is_in_task(row))
        kri_lines_add(lines, "  %8s in %s", duration(row->since, c),
                      symbol[0] != '\0' ? clean(symbol, name) : "a task");
    kri_lines_add(lines, "\n");
}

/* Where there are many, those that are idle are only counted. */
static void add_workers(const kri_top *top, const kri_pool_row *pool, kri_lines *lines)
{
    const kri_view *view = &top->view;
    unsigned idle = 0;
    bool many = pool->workers > MANY_WORKERS;
    for (uint32_t i = 0; i < view->worker_count; i++) {
        const kri_worker_row *row = &view->workers[i];
        if (row->pool != pool->id)
            continue;
        if (many && row->state == KRI_ROW_IDLE)
            idle++;
        else
            add_worker(top, pool, row, lines);
    }
    if (idle > 0)
        kri_lines_add(lines, "  and %u that are idle\n", idle);
}

static void add_pools(const kri_top *top, kri_lines *lines)
{
    const kri_view *view = &top->view;
    if (view->pool_count == 0)
        return;
    heading(lines, "POOL                 KIND        WORKERS   RUNNING    QUEUED         DONE "
                   "   A SECOND");
    for (uint32_t i = 0; i < view->pool_count; i++) {
        add_pool(&view->pools[i], lines);
        add_workers(top, &view->pools[i], lines);
    }
    if (view->pools_omitted + view->workers_omitted > 0)
        kri_lines_add(lines, "and %u pools and %u workers more\n", (unsigned)view->pools_omitted,
                      (unsigned)view->workers_omitted);
}

/* Loops. */

static void add_loop(const kri_top *top, const kri_loop_row *row, kri_lines *lines)
{
    char symbol[KRI_SYMBOL_TEXT], name[NAME];
    char a[NUMBER], b[NUMBER], c[NUMBER], d[NUMBER], e[NUMBER], f[NUMBER];
    clean(row->name, name);
    if (row->flags & KRI_ROW_UNSEEN) {
        kri_lines_add(lines, "%-20s %9s %10s   asleep since before it was looked at\n", name, "-",
                      grouped(row->tasks, a));
        return;
    }
    kri_lines_add(lines, "%-20s %9u %10s %8s %9s %12s %11s %8s", name, (unsigned)row->native,
                  grouped(row->tasks, a), grouped(row->ready, b), grouped(row->waiting, c),
                  grouped(row->done, d), rate(row->rate, e), duration(row->longest, f));
    if (row->longest != 0 && row->longest_task != 0) {
        kri_symbol_of(top->pid, row->longest_task, symbol);
        kri_lines_add(lines, " in %s", clean(symbol, name));
    }
    kri_lines_add(lines, "\n");
    if (row->running > 10000000) {
        kri_symbol_of(top->pid, row->task, symbol);
        kri_lines_add(lines, "  held up for %s now by %s\n", duration(row->running, a),
                      symbol[0] != '\0' ? clean(symbol, name) : "a coroutine");
    }
}

static void add_loops(const kri_top *top, kri_lines *lines)
{
    const kri_view *view = &top->view;
    if (view->loop_count == 0)
        return;
    heading(lines, "LOOP                    THREAD COROUTINES    READY   WAITING         DONE "
                   "   A SECOND  LONGEST RUN");
    for (uint32_t i = 0; i < view->loop_count; i++)
        add_loop(top, &view->loops[i], lines);
    if (view->loops_omitted > 0)
        kri_lines_add(lines, "and %u more\n", (unsigned)view->loops_omitted);
}

/* Locks. */

static void add_lock(const kri_top *top, const kri_lock_row *row, kri_lines *lines)
{
    char symbol[KRI_SYMBOL_TEXT], caller[KRI_SYMBOL_TEXT], name[NAME], place[NAME];
    char a[NUMBER], b[NUMBER], c[NUMBER], d[NUMBER];
    kri_symbol_of(top->pid, row->address, symbol);
    kri_symbol_of_caller(top->pid, row->places, KRI_PAGE_FRAMES, caller);
    kri_lines_add(lines, "%-28s %9s %10s %9s %9s %8u  %s%s\n",
                  clean(row->name[0] != '\0' ? row->name : symbol, name), duration(row->waited, a),
                  grouped(row->waits, b),
                  duration(row->waits != 0 ? row->waited / row->waits : 0, c),
                  duration(row->longest, d), (unsigned)row->waiting, clean(caller, place),
                  row->shared ? " (in shared memory)" : "");
}

static void add_locks(const kri_top *top, kri_lines *lines)
{
    const kri_view *view = &top->view;
    if (view->lock_count == 0)
        return;
    heading(lines, "LOCK                            WAITED      WAITS      MEAN   LONGEST      NOW "
                   " FIRST IN");
    for (uint32_t i = 0; i < view->lock_count; i++)
        add_lock(top, &view->locks[i], lines);
    if (view->locks_dropped > 0)
        kri_lines_add(lines, "and others, for which was waited less\n");
}

void kri_top_text(const kri_top *top, kri_lines *lines)
{
    const kri_view *view = &top->view;
    add_program(top, lines);
    add_missed(top, lines);
    add_pools(top, lines);
    add_loops(top, lines);
    add_locks(top, lines);
    if (view->pool_count + view->loop_count + view->lock_count == 0 && view->missed == 0)
        kri_lines_add(lines, "\nNo pools, no loops, and no lock that anybody had to wait for.\n");
}
