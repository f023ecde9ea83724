/* A page as JSON, for programs.
 *
 * Times are in seconds, sizes in bytes; what is not known is null.  A text that is not UTF-8 has
 * each of its other bytes as the character of that number.
 *
 * SPDX-License-Identifier: MIT
 */
#include "command/top.h"

#include <stdio.h>
#include <string.h>

/* How many bytes the character has; 0: it is none. */
static size_t character(const unsigned char *at)
{
    static const struct {
        unsigned char first, last;
        unsigned char least, most; /* of the second byte */
        unsigned char length;
    } forms[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        size_t length = forms[i].length;
        if (at[0] < forms[i].first || at[0] > forms[i].last)
            continue;
        if (length > 1 && (at[1] < forms[i].least || at[1] > forms[i].most))
            return 0;
        for (size_t k = 2; k < length; k++)
            if (at[k] < 0x80 || at[k] > 0xbf)
                return 0;
        return length;
    }
    return 0;
}

static void add_text(kri_lines *lines, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    kri_lines_add(lines, "\"");
    while (*at != '\0') {
        size_t length = character(at);
        if (length == 0 || *at < ' ' || *at == 0x7f)
            kri_lines_add(lines, "\\u%04x", *at);
        else if (*at == '"' || *at == '\\')
            kri_lines_add(lines, "\\%c", *at);
        else
            kri_lines_add_bytes(lines, (const char *)at, length);
        at += length != 0 ? length : 1;
    }
    kri_lines_add(lines, "\"");
}

/* Members of an object; each begins with what separates it from the one before. */

static void name_member(kri_lines *lines, const char *name)
{
    bool first = lines->length > 0 && lines->bytes[lines->length - 1] == '{';
    kri_lines_add(lines, "%s\"%s\": ", first ? "" : ", ", name);
}

static void add_number(kri_lines *lines, const char *name, uint64_t value)
{
    name_member(lines, name);
    kri_lines_add(lines, "%ju", (uintmax_t)value);
}

/* 0: not known. */
static void add_known(kri_lines *lines, const char *name, uint64_t value)
{
    name_member(lines, name);
    if (value != 0)
        kri_lines_add(lines, "%ju", (uintmax_t)value);
    else
        kri_lines_add(lines, "null");
}

static void add_seconds(kri_lines *lines, const char *name, uint64_t ns)
{
    name_member(lines, name);
    kri_lines_add(lines, "%ju.%09ju", (uintmax_t)(ns / 1000000000u), (uintmax_t)(ns % 1000000000u));
}

static void add_rate(kri_lines *lines, const char *name, uint64_t thousandths)
{
    name_member(lines, name);
    kri_lines_add(lines, "%ju.%03ju", (uintmax_t)(thousandths / 1000),
                  (uintmax_t)(thousandths % 1000));
}

static void add_bool(kri_lines *lines, const char *name, bool value)
{
    name_member(lines, name);
    kri_lines_add(lines, value ? "true" : "false");
}

static void add_string(kri_lines *lines, const char *name, const char *text)
{
    name_member(lines, name);
    if (text[0] != '\0')
        add_text(lines, text);
    else
        kri_lines_add(lines, "null");
}

static void add_function(kri_lines *lines, const char *name, const kri_top *top, uint64_t address)
{
    char symbol[KRI_SYMBOL_TEXT];
    kri_symbol_of(top->pid, address, symbol);
    add_string(lines, name, symbol);
}

static void begin_list(kri_lines *lines, const char *name)
{
    name_member(lines, name);
    kri_lines_add(lines, "[");
}

/* The last one had a comma behind it. */
static void begin_item(kri_lines *lines)
{
    bool first = lines->length > 0 && lines->bytes[lines->length - 1] == '[';
    kri_lines_add(lines, first ? "{" : ", {");
}

static void end_item(kri_lines *lines)
{
    kri_lines_add(lines, "}");
}

static void end_list(kri_lines *lines)
{
    kri_lines_add(lines, "]");
}

/* Rows. */

static void add_worker(const kri_top *top, const kri_pool_row *pool, const kri_worker_row *row,
                       kri_lines *lines)
{
    static const char *const states[] = {"starting", "idle", "running", "waiting", "left"};
    bool in_task = row->state == KRI_ROW_RUNS || row->state == KRI_ROW_WAITS;
    begin_item(lines);
    add_number(lines, "number", row->number);
    add_known(lines, pool->kind == KRI_ROW_PROCESSES ? "pid" : "thread", row->native);
    add_string(lines, "state", row->state <= KRI_ROW_LEFT ? states[row->state] : "");
    add_number(lines, "done", row->done);
    add_function(lines, "task", top, in_task ? row->task : 0);
    add_seconds(lines, "in_task_for", in_task ? row->since : 0);
    if (pool->kind == KRI_ROW_PROCESSES) {
        int64_t bytes = os_process_resident((pid_t)row->native);
        add_known(lines, "memory", bytes > 0 ? (uint64_t)bytes : 0);
    }
    end_item(lines);
}

static void add_pool(const kri_top *top, const kri_pool_row *row, kri_lines *lines)
{
    static const char *const kinds[] = {"", "threads", "processes", "loops"};
    const kri_view *view = &top->view;
    begin_item(lines);
    add_string(lines, "name", row->name);
    add_string(lines, "kind", row->kind <= KRI_ROW_LOOPS ? kinds[row->kind] : "");
    add_bool(lines, "busy", row->flags & KRI_ROW_BUSY);
    add_bool(lines, "shut", row->flags & KRI_ROW_SHUT);
    add_bool(lines, "broken", row->flags & KRI_ROW_BROKEN);
    add_number(lines, "limit", row->limit);
    add_number(lines, "workers_alive", row->workers);
    add_number(lines, "idle", row->idle);
    add_number(lines, "waiting", row->waiting);
    add_number(lines, "running", row->running);
    add_number(lines, "queued", row->queued);
    add_number(lines, "done", row->done);
    add_number(lines, "cancelled", row->cancelled);
    add_number(lines, "steals", row->steals);
    add_rate(lines, "tasks_per_second", row->rate);
    begin_list(lines, "workers");
    for (uint32_t i = 0; i < view->worker_count; i++)
        if (view->workers[i].pool == row->id)
            add_worker(top, row, &view->workers[i], lines);
    end_list(lines);
    end_item(lines);
}

static void add_loop(const kri_top *top, const kri_loop_row *row, kri_lines *lines)
{
    begin_item(lines);
    add_string(lines, "name", row->name);
    add_known(lines, "thread", row->native);
    add_bool(lines, "seen", !(row->flags & KRI_ROW_UNSEEN));
    add_number(lines, "coroutines", row->tasks);
    add_number(lines, "ready", row->ready);
    add_number(lines, "waiting", row->waiting);
    add_number(lines, "done", row->done);
    add_rate(lines, "tasks_per_second", row->rate);
    add_seconds(lines, "longest_run", row->longest);
    add_function(lines, "longest_run_in", top, row->longest != 0 ? row->longest_task : 0);
    add_seconds(lines, "running_for", row->running);
    add_function(lines, "running", top, row->running != 0 ? row->task : 0);
    end_item(lines);
}

static void add_lock(const kri_top *top, const kri_lock_row *row, kri_lines *lines)
{
    char text[KRI_SYMBOL_TEXT];
    begin_item(lines);
    snprintf(text, sizeof text, "%#jx", (uintmax_t)row->address);
    add_string(lines, "address", text);
    add_string(lines, "name", row->name);
    add_function(lines, "symbol", top, row->address);
    add_bool(lines, "shared", row->shared != 0);
    add_number(lines, "waits", row->waits);
    add_seconds(lines, "waited", row->waited);
    add_seconds(lines, "longest", row->longest);
    add_number(lines, "waiting", row->waiting);
    kri_symbol_of_caller(top->pid, row->places, KRI_PAGE_FRAMES, text);
    add_string(lines, "first_waited_in", text);
    end_item(lines);
}

static void add_program(const kri_top *top, kri_lines *lines)
{
    const os_process_about *p = &top->process;
    add_number(lines, "pid", (uint64_t)top->pid);
    add_string(lines, "program", p->name);
    add_string(lines, "krait", top->library);
    add_number(lines, "threads", p->threads);
    add_number(lines, "memory", p->resident);
    name_member(lines, "processor_percent");
    if (kri_top_processor(top) >= 0)
        kri_lines_add(lines, "%d", kri_top_processor(top));
    else
        kri_lines_add(lines, "null");
    add_seconds(lines, "interval", (uint64_t)top->interval);
    add_seconds(lines, "shown_for", (uint64_t)(top->view.at - top->view.began));
    add_seconds(lines, "age", (uint64_t)kri_top_age(top));
}

static void add_missed(const kri_top *top, kri_lines *lines)
{
    static const char *const names[] = {"thread pools", "process pools", "loops", "locks"};
    begin_list(lines, "missed");
    bool first = true;
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!(top->view.missed >> i & 1))
            continue;
        kri_lines_add(lines, first ? "" : ", ");
        add_text(lines, names[i]);
        first = false;
    }
    end_list(lines);
}

void kri_top_json(const kri_top *top, kri_lines *lines)
{
    const kri_view *view = &top->view;
    kri_lines_add(lines, "{");
    add_program(top, lines);
    add_missed(top, lines);
    begin_list(lines, "pools");
    for (uint32_t i = 0; i < view->pool_count; i++)
        add_pool(top, &view->pools[i], lines);
    end_list(lines);
    begin_list(lines, "loops");
    for (uint32_t i = 0; i < view->loop_count; i++)
        add_loop(top, &view->loops[i], lines);
    end_list(lines);
    begin_list(lines, "locks");
    for (uint32_t i = 0; i < view->lock_count; i++)
        add_lock(top, &view->locks[i], lines);
    end_list(lines);
    add_number(lines, "pools_omitted", view->pools_omitted);
    add_number(lines, "workers_omitted", view->workers_omitted);
    add_number(lines, "loops_omitted", view->loops_omitted);
    add_number(lines, "locks_dropped", view->locks_dropped);
    kri_lines_add(lines, "}\n");
}
