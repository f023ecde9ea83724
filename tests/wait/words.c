/* The lines of places of one bucket: in order for each word, wherever they are left, and found in
 * few steps, however many words there are.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wait/words.h"
#include "harness/test.h"
#include <stdlib.h>

enum { WORDS = 40, PLACES = 120, STEPS = 20000 };

static kr_word words_of_test[WORDS];

/* What should be there: for each word its places in order of arrival. */
static struct {
    kri_place *line[PLACES];
    int count;
} expected[WORDS];

static int word_of(const kri_place *place)
{
    return (int)(place->word - words_of_test);
}

static void expect_in(kri_place *place)
{
    int word = word_of(place);
    expected[word].line[expected[word].count++] = place;
}

static void expect_out(const kri_place *place)
{
    int word = word_of(place), at = 0;
    while (expected[word].line[at] != place)
        at++;
    expected[word].count--;
    for (; at < expected[word].count; at++)
        expected[word].line[at] = expected[word].line[at + 1];
}

static bool count_one(const kri_place *place, void *arg)
{
    CHECK(place->queued);
    ++*(int *)arg;
    return true;
}

static void compare(kri_words *words, int all)
{
    for (int i = 0; i < WORDS; i++) {
        const kri_place *previous = NULL, *first = *kri_words_find(words, &words_of_test[i]);
        const kri_place *place = first;
        for (int k = 0; k < expected[i].count; k++) {
            CHECK(place == expected[i].line[k]);
            CHECK(place->previous == previous);
            previous = place;
            place = place->next;
        }
        CHECK(place == NULL);
        CHECK(first == NULL || first->last == previous);
    }
    int count = 0;
    CHECK(kri_words_each(words->root, count_one, &count));
    CHECK_EQ(count, all);
}

TEST(words_as_places_come_and_go)
{
    static kri_place places[PLACES];
    kri_words words = {NULL};
    unsigned short seed[3] = {(unsigned short)kri_test_seed(), 1, 2};
    int all = 0;
    for (int step = 0; step < STEPS; step++) {
        kri_place *place = &places[nrand48(seed) % PLACES];
        if (place->queued) {
            expect_out(place);
            kri_words_take_out(&words, place);
            CHECK(!place->queued);
            all--;
        } else {
            place->word = &words_of_test[nrand48(seed) % WORDS];
            kri_words_append(&words, place);
            expect_in(place);
            all++;
        }
        compare(&words, all);
    }
}

static bool stop_at_third(const kri_place *place, void *arg)
{
    (void)place;
    return ++*(int *)arg < 3;
}

TEST(a_visit_that_has_enough_ends)
{
    kri_place places[6] = {{.word = NULL}};
    kri_words words = {NULL};
    int seen = 0;
    CHECK(kri_words_each(words.root, stop_at_third, &seen));
    for (int i = 0; i < 6; i++) {
        places[i].word = &words_of_test[i / 2];
        kri_words_append(&words, &places[i]);
    }
    CHECK(!kri_words_each(words.root, stop_at_third, &seen));
    CHECK_EQ(seen, 3);
}

/* Words that lie at equal distances, as in arrays, in blocks of memory, and on coroutines' stacks,
 * those of one bucket of 1024: the deepest is some steps below the logarithm of their number. */
enum { MANY = 1024, DEEPEST = 10 + 4 };

static int depth_of(kri_words *words, const kr_word *word)
{
    int depth = 0;
    uint64_t path = kri_word_path(word);
    for (const kri_place *p = words->root; p->word != word; path <<= 1, depth++)
        p = p->side[path >> 63];
    return depth;
}

static int deepest_at(uintptr_t distance, kri_place *places)
{
    kri_words words = {NULL};
    uintptr_t at = 0x7f0000000000;
    uint64_t bucket = kri_word_path((kr_word *)at) >> 40 & 1023;
    int deepest = 0;
    for (int count = 0; count < MANY; at += distance) {
        if ((kri_word_path((kr_word *)at) >> 40 & 1023) != bucket)
            continue;
        places[count] = (kri_place){.word = (kr_word *)at};
        kri_words_append(&words, &places[count++]);
    }
    for (int i = 0; i < MANY; i++) {
        int depth = depth_of(&words, places[i].word);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest;
}

TEST(words_at_equal_distances_are_found_soon)
{
    static const uintptr_t distances[] = {4,    8,     16,        24,        64,    96,     192,
                                          4096, 16384, 64 * 1024, 80 * 1024, 65600, 1 << 20};
    kri_place *places = calloc(MANY, sizeof *places);
    CHECK(places != NULL);
    for (size_t i = 0; i < sizeof distances / sizeof distances[0]; i++) {
        int deepest = deepest_at(distances[i], places);
        kri_test_note("distance %zu: %d steps", (size_t)distances[i], deepest);
        CHECK(deepest <= DEEPEST);
    }
    free(places);
}
