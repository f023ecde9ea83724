/* The reports of the diagnosis of locks, in words, and the hook that gets them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/global.h"
#include "os/os.h"
#include "sync/debug.h"
#include "wait/stall.h"

static kri_word64 debug_hook KRI_GLOBAL; /* a kr_debug_hook; 0: the default */
KRI_THREAD_LOCAL(bool, own_reporting)

enum { REPORT_SIZE = 16384, PLACE_SIZE = 256 };

kr_debug_hook kr_set_debug_hook(kr_debug_hook hook)
{
    uint64_t before = kri_swap_acq_rel64(&debug_hook, (uint64_t)(uintptr_t)hook);
    return (kr_debug_hook)(uintptr_t)before;
}

bool kri_debug_is_reporting(void)
{
    return *own_reporting();
}

static void give(const char *text)
{
    kr_debug_hook hook = (kr_debug_hook)(uintptr_t)kri_load_acq64(&debug_hook);
    *own_reporting() = true;
    if (hook != NULL)
        hook(text);
    else
        os_print_error(text);
    *own_reporting() = false;
}

static void add_place(kri_text *text, const kri_debug_place *place)
{
    for (int i = 0; i < KRI_DEBUG_FRAMES && place->frames[i] != NULL; i++) {
        char name[PLACE_SIZE];
        os_describe_place(place->frames[i], name, sizeof name);
        kri_text_add(text, "%s%s", i == 0 ? "" : " < ", name);
    }
}

static void add_order(kri_text *text, const kri_debug_line *line, bool before)
{
    kri_text_add(text, "\n  ");
    kri_text_add_thread(text, line->thread);
    kri_text_add(text, " %s a lock at %p, from ", before ? "has held" : "holds",
                 (const void *)line->held);
    add_place(text, &line->held_at);
    kri_text_add(text, ",\n    and %s a lock at %p in ", before ? "acquired" : "acquires",
                 (const void *)line->wanted);
    add_place(text, &line->wanted_at);
}

static void add_wait(kri_text *text, const kri_debug_line *line, int holder)
{
    kri_text_add(text, "\n  ");
    kri_text_add_thread(text, line->thread);
    kri_text_add(text, " waits for a lock at %p in ", (const void *)line->wanted);
    add_place(text, &line->wanted_at);
    kri_text_add(text, ",\n    which ");
    kri_text_add_thread(text, holder);
    kri_text_add(text, " holds, from ");
    add_place(text, &line->held_at);
}

void kri_debug_report_order(const kri_debug_line *lines, int count)
{
    static const char title[] = "krait: locks are acquired in opposite orders:";
    char *report = os_alloc(REPORT_SIZE);
    kri_text text = {.end = report, .room = REPORT_SIZE};
    if (report == NULL) {
        give(title);
        return;
    }
    kri_text_add(&text, "%s", title);
    for (int i = 0; i < count; i++)
        add_order(&text, &lines[i], i > 0);
    give(report);
    os_free(report);
}

void kri_debug_report_cycle(const kri_debug_line *lines, int count)
{
    static const char title[] = "krait: these wait for each other for ever:";
    char *report = os_alloc(REPORT_SIZE);
    kri_text text = {.end = report, .room = REPORT_SIZE};
    if (report == NULL) {
        give(title);
        return;
    }
    kri_text_add(&text, "%s", title);
    for (int i = 0; i < count; i++)
        add_wait(&text, &lines[i], lines[(i + 1) % count].thread);
    give(report);
    os_free(report);
}

void kri_debug_report_full(const char *what, unsigned most)
{
    char line[PLACE_SIZE];
    kri_text text = {.end = line, .room = sizeof line};
    kri_text_add(&text, "krait: more than %u %s: the diagnosis of locks misses some from here on",
                 most, what);
    give(line);
}
