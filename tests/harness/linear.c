/* The search; see linear.h.
 *
 * The beginnings and ends of all calls stand in a list in the order of time.  A call may have its
 * turn when its beginning stands before the first end that is left in the list.  It is taken out
 * then, and the search goes on from the front; when the first end is reached, none of the calls
 * before it fits, so the last turn is taken back and the one behind it is tried.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/linear.h"

#include "harness/test.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST_STEPS = 2000000, FIRST_ROOM = 1024 };

typedef struct moment {
    uint64_t time;
    int call;
    bool end;
    int before, after; /* in the list; the head is number 0 */
} moment;

typedef struct search {
    const linear_object *object;
    const linear_call *calls;
    size_t count;
    moment *moments; /* [1..moment_count], behind the head */
    size_t moment_count;
    int *end_of;          /* of each call: its end's moment, 0: none */
    size_t left;          /* calls that have ended and had no turn yet */
    unsigned char *place; /* a bit for each call, whether it had its turn; then the state */
    size_t bits_size, place_size;
    int *turns;            /* moments of the calls that had their turn, in their order */
    unsigned char *states; /* before each of these turns */
    size_t depth;
    unsigned char *seen; /* places; an open hash table */
    bool *taken;
    size_t room, used;
} search;

static void *must_alloc(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size ? size : 1);
    CHECK(memory != NULL);
    return memory;
}

/* The memory of places */

static uint64_t hash(const unsigned char *bytes, size_t size)
{
    uint64_t sum = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ bytes[i]) * 0x100000001b3u;
    return sum ^ (sum >> 29);
}

static size_t find_place(const search *s, const unsigned char *place)
{
    size_t at = hash(place, s->place_size) & (s->room - 1);
    while (s->taken[at] && memcmp(s->seen + at * s->place_size, place, s->place_size) != 0)
        at = (at + 1) & (s->room - 1);
    return at;
}

static void keep_place(search *s, size_t at, const unsigned char *place)
{
    s->taken[at] = true;
    memcpy(s->seen + at * s->place_size, place, s->place_size);
    s->used++;
}

static void grow(search *s)
{
    search old = *s;
    s->room = old.room ? old.room * 2 : FIRST_ROOM;
    s->used = 0;
    s->seen = must_alloc(s->room, s->place_size);
    s->taken = must_alloc(s->room, sizeof *s->taken);
    for (size_t i = 0; i < old.room; i++)
        if (old.taken[i]) {
            const unsigned char *place = old.seen + i * s->place_size;
            keep_place(s, find_place(s, place), place);
        }
    free(old.seen);
    free(old.taken);
}

/* false: it has been here before. */
static bool is_new_place(search *s)
{
    if (s->used * 2 >= s->room)
        grow(s);
    size_t at = find_place(s, s->place);
    if (s->taken[at])
        return false;
    keep_place(s, at, s->place);
    return true;
}

/* The list of moments */

static int compare_moments(const void *left, const void *right)
{
    const moment *a = left, *b = right;
    if (a->time != b->time)
        return a->time < b->time ? -1 : 1;
    return (int)a->end - (int)b->end; /* at the same time: they overlap */
}

static void make_list(search *s)
{
    s->moments = must_alloc(2 * s->count + 1, sizeof *s->moments);
    s->end_of = must_alloc(s->count, sizeof *s->end_of);
    for (size_t i = 0; i < s->count; i++) {
        s->moments[++s->moment_count] = (moment){.time = s->calls[i].begun, .call = (int)i};
        if (s->calls[i].ended == 0)
            continue;
        s->moments[++s->moment_count] =
            (moment){.time = s->calls[i].ended, .call = (int)i, .end = true};
        s->left++;
    }
    qsort(s->moments + 1, s->moment_count, sizeof *s->moments, compare_moments);
    for (int i = 0; i <= (int)s->moment_count; i++) {
        s->moments[i].before = i - 1;
        s->moments[i].after = i < (int)s->moment_count ? i + 1 : 0;
        if (i > 0 && s->moments[i].end)
            s->end_of[s->moments[i].call] = i;
    }
    s->moments[0].before = (int)s->moment_count;
}

static void take_out(search *s, int at)
{
    moment *m = &s->moments[at];
    s->moments[m->before].after = m->after;
    s->moments[m->after].before = m->before;
}

static void put_back(search *s, int at)
{
    moment *m = &s->moments[at];
    s->moments[m->before].after = at;
    s->moments[m->after].before = at;
}

/* Turns */

static unsigned char *state_of(search *s)
{
    return s->place + s->bits_size;
}

static bool try_turn(search *s, int at)
{
    size_t call = (size_t)s->moments[at].call, size = s->object->state_size;
    unsigned char *kept = s->states + s->depth * size;
    memcpy(kept, state_of(s), size);
    s->place[call / 8] |= (unsigned char)(1u << call % 8);
    if (s->object->step(state_of(s), &s->calls[call]) && is_new_place(s)) {
        s->turns[s->depth++] = at;
        take_out(s, at);
        if (s->end_of[call] != 0)
            take_out(s, s->end_of[call]);
        s->left -= s->calls[call].ended != 0;
        return true;
    }
    memcpy(state_of(s), kept, size);
    s->place[call / 8] &= (unsigned char)~(1u << call % 8);
    return false;
}

/* The moment after the one whose turn was taken back; 0: there is none to take back. */
static int take_back(search *s)
{
    if (s->depth == 0)
        return 0;
    int at = s->turns[--s->depth];
    size_t call = (size_t)s->moments[at].call, size = s->object->state_size;
    memcpy(state_of(s), s->states + s->depth * size, size);
    s->place[call / 8] &= (unsigned char)~(1u << call % 8);
    if (s->end_of[call] != 0)
        put_back(s, s->end_of[call]);
    put_back(s, at);
    s->left += s->calls[call].ended != 0;
    return at;
}

static linear_verdict run(search *s, uint64_t *steps)
{
    int at = s->moments[0].after;
    for (*steps = 0; s->left > 0; ++*steps) {
        if (*steps == MOST_STEPS)
            return LINEAR_UNKNOWN;
        if (at != 0 && !s->moments[at].end) {
            at = try_turn(s, at) ? s->moments[0].after : s->moments[at].after;
            continue;
        }
        int back = take_back(s);
        if (back == 0)
            return LINEAR_NO;
        at = s->moments[back].after;
    }
    return LINEAR_YES;
}

linear_verdict linear_check(const linear_object *object, const linear_call *calls, size_t count,
                            uint64_t *steps)
{
    uint64_t own_steps;
    search s = {.object = object, .calls = calls, .count = count};
    make_list(&s);
    s.bits_size = (count + 63) / 64 * 8; /* the state behind it is aligned */
    s.place_size = s.bits_size + object->state_size;
    s.place = must_alloc(s.place_size, 1);
    s.turns = must_alloc(count, sizeof *s.turns);
    s.states = must_alloc(count, object->state_size);
    if (object->begin)
        object->begin(state_of(&s));
    linear_verdict verdict = run(&s, steps ? steps : &own_steps);
    free(s.moments);
    free(s.end_of);
    free(s.place);
    free(s.turns);
    free(s.states);
    free(s.seen);
    free(s.taken);
    return verdict;
}

void linear_print(const linear_object *object, const linear_call *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[128];
        snprintf(text, sizeof text, "call %d(%jd) = %jd", calls[i].what, (intmax_t)calls[i].value,
                 (intmax_t)calls[i].result);
        if (object->describe)
            object->describe(&calls[i], text, sizeof text);
        kri_test_note("%8ju to %8ju  party %d  %s", (uintmax_t)calls[i].begun,
                      (uintmax_t)calls[i].ended, calls[i].party, text);
    }
}

/* Recording */

linear_call *linear_begin(linear_history *history, int party, int what, int64_t value)
{
    uint32_t number = kri_load_rlx(&history->counts[party]);
    CHECK(number < LINEAR_CALLS);
    linear_call *call = &history->calls[party][number];
    *call = (linear_call){.party = party, .what = what, .value = value};
    call->begun = kri_add_sc64(&history->clock, 1) + 1;
    kri_store_rel(&history->counts[party], number + 1);
    return call;
}

void linear_end(linear_history *history, linear_call *call, int64_t result)
{
    call->result = result;
    call->ended = kri_add_sc64(&history->clock, 1) + 1;
}

void linear_clear(linear_history *history)
{
    memset(history, 0, sizeof *history);
}

static int compare_calls(const void *left, const void *right)
{
    const linear_call *a = left, *b = right;
    return a->begun < b->begun ? -1 : a->begun > b->begun;
}

uint64_t linear_expect(const linear_object *object, linear_history *history)
{
    linear_call *calls = must_alloc(LINEAR_PARTIES * LINEAR_CALLS, sizeof *calls);
    size_t count = 0;
    uint64_t steps;
    for (int party = 0; party < LINEAR_PARTIES; party++)
        for (uint32_t i = 0; i < kri_load_acq(&history->counts[party]); i++)
            calls[count++] = history->calls[party][i];
    qsort(calls, count, sizeof *calls, compare_calls);
    linear_verdict verdict = linear_check(object, calls, count, &steps);
    if (verdict == LINEAR_NO)
        linear_print(object, calls, count);
    CHECK(verdict != LINEAR_NO);
    if (verdict == LINEAR_UNKNOWN) /* a call took so long that too many orders are possible */
        kri_test_note("a history of %zu calls was not decided", count);
    free(calls);
    return steps;
}
