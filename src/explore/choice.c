/* The choices of a run.
 *
 * State.  A run is a function of its choices.  Each place where there could be one has a number,
 * its position, which counts also those where only one way was open, so that it does not depend on
 * the bounds.  `list` holds the places of this run where several ways were open, and which was
 * taken.  Way 0 is what a run does that is told nothing: go on, read the latest.
 *
 * Depth first: run with the list as prefix and way 0 after it; then raise the last entry that can
 * be raised and cut what follows.  When none can be raised, all have been run.
 *
 * A seed is the list of the places where another way than 0 was taken: position:code, where the
 * code says what was done ("thread 2 goes on") and not which in a list, for the same reason.
 *
 * SPDX-License-Identifier: MIT
 */
#include "explore/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct choice {
    uint32_t position;
    uint16_t index;
    uint16_t count;
    unsigned code;
} choice;

static choice *list;
static size_t length; /* entries that are valid: of the prefix, then of this run */
static size_t capacity;
static size_t depth; /* entries used so far in this run */
static uint32_t position;
static uint64_t random_state;

static choice *wanted; /* of a replay */
static size_t wanted_count, wanted_next;

/* PCT. */
static unsigned priorities[EX_THREADS];
static uint64_t changes[32];
static unsigned change_count;
static uint64_t longest; /* steps of the longest run so far */

uint64_t kri_ex_random(void)
{
    uint64_t z = (random_state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void kri_ex_choices_clear(void)
{
    length = 0;
    longest = 50;
}

static void pct_begin(void)
{
    unsigned d = kri_ex.o.depth ? kri_ex.o.depth : 3;

    for (unsigned i = 0; i < EX_THREADS; i++) {
        unsigned j = (unsigned)(kri_ex_random() % (i + 1));

        priorities[i] = priorities[j];
        priorities[j] = 1000 + i;
    }
    change_count = d - 1 < 32 ? d - 1 : 32;
    for (unsigned i = 0; i < change_count; i++)
        changes[i] = 1 + kri_ex_random() % longest;
}

void kri_ex_choices_rewind(uint64_t seed)
{
    depth = 0;
    position = 0;
    wanted_next = 0;
    if (kri_ex.mode == EX_DFS)
        return;
    length = 0;
    random_state = seed;
    if (kri_ex.mode == EX_PCT)
        pct_begin();
}

/* One step has been made: a change point lowers who runs now below all others. */
void kri_ex_count_point(void)
{
    if (kri_ex.mode != EX_PCT)
        return;
    if (kri_ex.steps > longest)
        longest = kri_ex.steps;
    for (unsigned i = 0; i < change_count; i++)
        if (changes[i] == kri_ex.steps)
            priorities[kri_ex.self] = 100 - i;
}

static unsigned pct_choose(const unsigned *codes, unsigned count)
{
    unsigned best = 0;
    unsigned most = 0;

    if (codes[0] >= EX_TAKE) /* a load or a wake: mostly the ordinary way */
        return kri_ex_random() % 4 ? 0 : (unsigned)(kri_ex_random() % count);
    for (unsigned i = 0; i < count; i++) {
        unsigned priority = 0;

        if (codes[i] < EX_TIMEOUT)
            priority = priorities[codes[i] - EX_RUN];
        else if (kri_ex_random() % 32 == 0)
            priority = 5000;
        if (priority > most) {
            most = priority;
            best = i;
        }
    }
    return best;
}

static unsigned random_choose(const unsigned *codes, unsigned count)
{
    /* Going on is the likelier one: runs of single steps explore little. */
    if (codes[0] != EX_RUN + kri_ex.self && codes[0] < EX_TAKE)
        return (unsigned)(kri_ex_random() % count);
    return kri_ex_random() % 4 ? 0 : (unsigned)(kri_ex_random() % count);
}

static void append(unsigned index, unsigned count, unsigned code)
{
    if (depth == capacity) {
        capacity = capacity ? capacity * 2 : 1024;
        list = realloc(list, capacity * sizeof *list);
        if (!list)
            abort();
    }
    list[depth++] = (choice){position, (uint16_t)index, (uint16_t)count, code};
    length = depth;
}

static unsigned replay_choose(const unsigned *codes, unsigned count)
{
    while (wanted_next < wanted_count && wanted[wanted_next].position < position)
        wanted_next++;
    if (wanted_next == wanted_count || wanted[wanted_next].position != position)
        return 0;
    for (unsigned i = 0; i < count; i++)
        if (codes[i] == wanted[wanted_next].code)
            return i;
    kri_ex_fail(KR_EXPLORE_CONFUSED, "the seed is not of this scenario: at %u code %u", position,
                wanted[wanted_next].code);
}

/* codes[0] is the ordinary way.  A count of 0 or 1 only counts the place. */
unsigned kri_ex_choose(const unsigned *codes, unsigned count)
{
    unsigned index;

    position++;
    if (count < 2)
        return 0;
    switch (kri_ex.mode) {
    case EX_DFS:
        if (depth < length) {
            choice *c = &list[depth++];

            if (c->position != position || c->count != count)
                kri_ex_fail(KR_EXPLORE_CONFUSED,
                            "the scenario does not repeat: choice %zu is at %u among %u, was at %u "
                            "among %u",
                            depth, position, count, c->position, c->count);
            c->code = codes[c->index];
            return c->index;
        }
        append(0, count, codes[0]);
        return 0;
    case EX_RANDOM:
        index = random_choose(codes, count);
        break;
    case EX_PCT:
        index = pct_choose(codes, count);
        break;
    default:
        index = replay_choose(codes, count);
        break;
    }
    append(index, count, codes[index]);
    return index;
}

bool kri_ex_choices_next(void)
{
    while (length > 0 && list[length - 1].index + 1u == list[length - 1].count)
        length--;
    if (length == 0)
        return false;
    list[length - 1].index++;
    return true;
}

void kri_ex_choices_print(char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    if (size > 2)
        used = (size_t)snprintf(text, size, "k");
    for (size_t i = 0; i < depth && used + 24 < size; i++)
        if (list[i].index != 0)
            used += (size_t)snprintf(text + used, size - used, "%s%u:%u", used > 1 ? "-" : "",
                                     list[i].position, list[i].code);
}

int kri_ex_choices_parse(const char *text)
{
    wanted_count = 0;
    wanted_next = 0;
    if (*text++ != 'k')
        return -EINVAL;
    wanted = realloc(wanted, (strlen(text) / 3 + 1) * sizeof *wanted);
    if (!wanted)
        return -ENOMEM;
    while (*text) {
        char *end;
        unsigned long at = strtoul(text, &end, 10);

        if (end == text || *end != ':')
            return -EINVAL;
        text = end + 1;
        unsigned long code = strtoul(text, &end, 10);
        if (end == text || (*end != '-' && *end != '\0'))
            return -EINVAL;
        text = *end ? end + 1 : end;
        wanted[wanted_count++] = (choice){(uint32_t)at, 0, 0, (unsigned)code};
    }
    return 0;
}
