/* A trace as a file in the trace event format, which Perfetto and Chrome read.
 *
 * Every line of theirs has a process' and a thread's number.  Threads have their own; coroutines
 * and interpreter locks get some that no thread has, in order of their first event.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trace/inside.h"

#include <stdio.h>
#include <string.h>

#include "os/os.h"
#include "trace/output.h"

enum { FIRST_COROUTINE = 1000000000, FIRST_GIL = 2000000000, ROOM = 64 };

/* Kinds of entries in the table. */
enum { COROUTINE = 1, GIL, THREAD, PROCESS };

typedef struct writing {
    kri_output *out;
    const kri_trace_book *book;
    kri_trace_table lines;
    uint64_t coroutines;
    uint64_t gils;
    bool some; /* an event stands there already */
    bool failed;
} writing;

static const struct {
    const char *category;
    const char *name; /* of events that have none */
} kinds[KR_TRACE_KINDS] = {
    [KR_TRACE_THREAD] = {"runner", "thread"}, [KR_TRACE_PROCESS] = {"runner", "process"},
    [KR_TRACE_RUN] = {"runner", "runs"},      [KR_TRACE_TASK] = {"task", "task"},
    [KR_TRACE_WAIT] = {"wait", "waits"},      [KR_TRACE_GIL_WAIT] = {"gil", "wants the gil"},
    [KR_TRACE_GIL_HELD] = {"gil", "held"},    [KR_TRACE_USER] = {"user", ""},
    [KR_TRACE_WAKE] = {"wait", "wakes"},      [KR_TRACE_HAND_OVER] = {"wait", "hands over"},
    [KR_TRACE_SUBMIT] = {"task", "submits"},  [KR_TRACE_STEAL] = {"task", "steals"},
    [KR_TRACE_START] = {"runner", "starts"},  [KR_TRACE_MARK] = {"user", ""},
};

/* An event begins: its braces, who and when. */
static void begin(writing *w, const char *phase, const kr_trace_event *e, uint64_t line, kr_time at)
{
    kr_time since = at > w->book->begin ? at - w->book->begin : 0;
    kri_output_add(w->out, "%s{\"ph\":\"%s\",\"pid\":%d,\"tid\":%llu,\"ts\":%lld.%03d",
                   w->some ? ",\n" : "", phase, (int)e->process, (unsigned long long)line,
                   (long long)(since / 1000), (int)(since % 1000));
    w->some = true;
}

static void name_line(writing *w, const char *what, int32_t process, uint64_t line,
                      const char *name)
{
    kri_output_add(w->out, "%s{\"ph\":\"M\",\"pid\":%d,\"tid\":%llu,\"name\":\"%s\"",
                   w->some ? ",\n" : "", (int)process, (unsigned long long)line, what);
    kri_output_add(w->out, ",\"args\":{\"name\":");
    kri_output_string(w->out, name);
    kri_output_add(w->out, "}}");
    w->some = true;
}

static kri_trace_entry *entry(writing *w, int32_t process, unsigned kind, uint64_t key)
{
    kri_trace_entry *e =
        kri_trace_entry_of(&w->lines, (uint64_t)(uint32_t)process << 32 | kind, key);
    w->failed = w->failed || e == NULL;
    return e;
}

/* The number of a line that is no thread's, named at its first event. */
static uint64_t made_up(writing *w, int32_t process, unsigned kind, uint64_t key)
{
    kri_trace_entry *e = entry(w, process, kind, key);
    if (e == NULL)
        return 0;
    if (e->value == 0) {
        char name[ROOM];
        bool gil = kind == GIL;
        uint64_t number = gil ? ++w->gils : ++w->coroutines;
        e->value = (gil ? FIRST_GIL : FIRST_COROUTINE) + number;
        snprintf(name, sizeof name, gil ? "gil 0x%llx" : "coroutine %llu",
                 (unsigned long long)(gil ? key : key & UINT32_MAX));
        name_line(w, "thread_name", process, e->value, name);
    }
    return e->value;
}

static uint64_t line_of_runner(writing *w, int32_t process, uint64_t runner)
{
    return runner > UINT32_MAX ? made_up(w, process, COROUTINE, runner) : runner;
}

static uint64_t line_of(writing *w, const kr_trace_event *e)
{
    if (e->kind == KR_TRACE_GIL_HELD)
        return made_up(w, e->process, GIL, e->object);
    if (e->kind == KR_TRACE_RUN)
        return (uint64_t)e->thread;
    return line_of_runner(w, e->process, e->runner);
}

/* The runner as a person would call it. */
static void add_runner(writing *w, const char *key, const kr_trace_event *e, uint64_t runner)
{
    char name[KRI_TRACE_NAME] = "";
    if (runner == 0)
        return;
    kri_output_add(w->out, ",\"%s\":", key);
    if (runner > UINT32_MAX) {
        kri_output_add(w->out, "\"coroutine %llu\"", (unsigned long long)(runner & UINT32_MAX));
        return;
    }
    (void)kri_trace_name_of(w->book, e->process, (int32_t)runner, name);
    if (name[0] == 0)
        snprintf(name, sizeof name, "thread %llu", (unsigned long long)runner);
    kri_output_string(w->out, name);
}

static void add_arguments(writing *w, const kr_trace_event *e)
{
    kri_output_add(w->out, ",\"args\":{\"processor\":%d", (int)e->processor);
    if (e->object != 0)
        kri_output_add(w->out, ",\"object\":\"0x%llx\"", (unsigned long long)e->object);
    if (e->kind == KR_TRACE_WAIT || e->kind == KR_TRACE_GIL_WAIT)
        add_runner(w, "woken by", e, e->other);
    else if (e->kind == KR_TRACE_WAKE)
        add_runner(w, "wakes", e, e->other);
    else if (e->kind == KR_TRACE_GIL_HELD)
        add_runner(w, "holder", e, e->runner);
    else if (e->other != 0)
        kri_output_add(w->out, ",\"other\":\"0x%llx\"", (unsigned long long)e->other);
    if (e->unfinished)
        kri_output_add(w->out, ",\"unfinished\":true");
    kri_output_add(w->out, "}}");
}

static void add_name(writing *w, const kr_trace_event *e)
{
    char made[ROOM];
    const char *name = e->name[0] != 0 ? e->name : kinds[e->kind].name;
    if (e->kind == KR_TRACE_RUN) {
        snprintf(made, sizeof made, "coroutine %llu", (unsigned long long)(e->runner & UINT32_MAX));
        name = made;
    } else if (e->kind == KR_TRACE_SUBMIT && e->name[0] != 0) {
        snprintf(made, sizeof made, "submits %s", e->name);
        name = made;
    }
    kri_output_add(w->out, ",\"cat\":\"%s\",\"name\":", kinds[e->kind].category);
    kri_output_string(w->out, name);
}

static void add_arrow(writing *w, const char *phase, const kr_trace_event *e, uint64_t line,
                      kr_time at, uint64_t id)
{
    begin(w, phase, e, line, at);
    kri_output_add(w->out, ",\"id\":%llu,\"cat\":\"flow\",\"name\":\"leads to\"%s}",
                   (unsigned long long)id, phase[0] == 'f' ? ",\"bp\":\"e\"" : "");
}

static void add_item(writing *w, const kri_trace_item *item)
{
    const kr_trace_event *e = &item->event;
    uint64_t line = line_of(w, e);
    begin(w, e->duration != 0 ? "X" : "i", e, line, e->at);
    if (e->duration != 0)
        kri_output_add(w->out, ",\"dur\":%lld.%03d", (long long)(e->duration / 1000),
                       (int)(e->duration % 1000));
    else
        kri_output_add(w->out, ",\"s\":\"t\"");
    add_name(w, e);
    add_arguments(w, e);
    if (item->flow_from != 0)
        add_arrow(w, "s", e, line, e->at, item->flow_from);
    if (item->flow_to != 0) /* what ends at this moment is still there a nanosecond before */
        add_arrow(w, "f", e, line, item->to_end ? e->at + e->duration - 1 : e->at, item->flow_to);
}

/* A thread's whole time, so that each of its moments, and each arrow, is inside something. */
static void add_thread(writing *w, const kr_trace_event *first)
{
    char name[KRI_TRACE_NAME] = "";
    kri_trace_entry *e = entry(w, first->process, THREAD, (uint32_t)first->thread);
    if (e == NULL || e->value != 0)
        return;
    e->value = 1;
    if (first->thread == first->process)
        strcpy(name, "MainThread");
    else
        (void)kri_trace_name_of(w->book, first->process, first->thread, name);
    name_line(w, "thread_name", first->process, (uint64_t)first->thread, name);
    e = entry(w, first->process, PROCESS, 0);
    if (e == NULL || e->value != 0)
        return;
    e->value = 1;
    (void)!kr_trace_name(first->process, 0, true, name, sizeof name);
    name_line(w, "process_name", first->process, (uint64_t)first->process, name);
}

static void add_totals(writing *w)
{
    const kr_trace_totals *t = &w->book->totals;
    kri_output_add(w->out,
                   "\n],\"displayTimeUnit\":\"ns\",\"otherData\":{\"program\":\"krait %s\","
                   "\"events\":%llu,\"lost\":%llu,\"threads left out\":%llu}}\n",
                   kr_version(), (unsigned long long)t->events, (unsigned long long)t->lost,
                   (unsigned long long)t->left_out);
}

static int write_book(kri_output *out, const kri_trace_book *book)
{
    writing w = {.out = out, .book = book};
    kri_output_add(out, "{\"traceEvents\":[\n");
    for (size_t i = 0; i < book->count && !w.failed && out->error == 0; i++) {
        add_thread(&w, &book->items[i].event);
        add_item(&w, &book->items[i]);
    }
    add_totals(&w);
    kri_trace_table_free(&w.lines);
    return w.failed ? -ENOMEM : 0;
}

/* The buffer is too large for the stack of a coroutine. */
static int write_to(const char *path)
{
    kri_trace_book book;
    int err = kri_trace_gather(&book);
    if (err < 0)
        return err;
    kri_output *out = os_alloc(sizeof *out);
    err = out != NULL ? kri_output_open(out, path) : -ENOMEM;
    if (err == 0) {
        err = write_book(out, &book);
        int closed = kri_output_close(out);
        err = err == 0 ? closed : err;
    }
    os_free(out);
    kri_trace_book_free(&book);
    return err;
}

int kr_trace_write(const char *path)
{
    int err = path != NULL ? kri_trace_lock() : -EINVAL;
    if (err < 0)
        return err;
    err = write_to(path);
    kri_trace_unlock();
    return err;
}
