/* The words that places of one bucket wait on, and for each the line of them, in order of arrival.
 *
 * The first place of each line stands in a digital search tree: at each level the next bit of the
 * word's path, its address multiplied by an odd number, says on which side the rest is.  So to find
 * one among n others takes about log2 n steps, whatever the words are, and nothing has to be kept
 * in balance.  Whoever leaves the tree is followed by the next of his line, or else by any leaf
 * below him, which may stand wherever its path comes by.
 *
 * All of it is guarded by the bucket's lock.  Nothing is allocated: it lies in the places.
 *
 * Why not a list?  100,000 coroutines that each wait on a word of their own are a hundred to a
 * bucket, each in another page: to wake them all took seconds.  Why not more buckets?  A fork takes
 * all their locks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_WAIT_WORDS_H
#define KRI_WAIT_WORDS_H

#include "wait/wait.h"

typedef struct kri_words {
    kri_place *root;
} kri_words;

#ifdef KRI_MODEL
/* By the order of first use, which is the same each run. */
unsigned kri_explore_location(const void *address);
#define KRI_WORD_NUMBER(word) kri_explore_location(word)
#else
#define KRI_WORD_NUMBER(word) ((uintptr_t)(word) >> 2)
#endif

static inline uint64_t kri_word_path(const kr_word *word)
{
    return (uint64_t)KRI_WORD_NUMBER(word) * 0x9e3779b97f4a7c15u;
}

/* Where the first of the word's stands, or would. */
static inline kri_place **kri_words_find(kri_words *words, const kr_word *word)
{
    kri_place **at = &words->root;
    uint64_t path = kri_word_path(word);
    for (; *at != NULL && (*at)->word != word; path <<= 1)
        at = &(*at)->side[path >> 63];
    return at;
}

static inline void kri_words_append(kri_words *words, kri_place *place)
{
    kri_place **at = kri_words_find(words, place->word);
    kri_place *first = *at;
    place->next = NULL;
    place->queued = true;
    if (first == NULL) {
        place->previous = place->side[0] = place->side[1] = NULL;
        place->last = place;
        *at = place;
    } else {
        place->previous = first->last;
        first->last->next = place;
        first->last = place;
    }
}

/* A leaf below, which stands nowhere then; NULL: it is one itself. */
static inline kri_place *kri_words_take_leaf(kri_place *place)
{
    kri_place **at = NULL;
    for (kri_place *p = place; p->side[0] != NULL || p->side[1] != NULL; p = *at)
        at = &p->side[p->side[0] == NULL];
    kri_place *leaf = at != NULL ? *at : NULL;
    if (leaf != NULL)
        *at = NULL;
    return leaf;
}

static inline void kri_words_take_out(kri_words *words, kri_place *place)
{
    kri_place **at = kri_words_find(words, place->word);
    kri_place *heir = place->next;
    place->queued = false;
    if (place->previous != NULL) {
        place->previous->next = heir;
        *(heir != NULL ? &heir->previous : &(*at)->last) = place->previous;
        return;
    }
    if (heir != NULL) {
        heir->previous = NULL;
        heir->last = place->last;
    } else {
        heir = kri_words_take_leaf(place);
    }
    if (heir != NULL) {
        heir->side[0] = place->side[0];
        heir->side[1] = place->side[1];
    }
    *at = heir;
}

/* Line by line; false: `visit` has had enough.  As deep as the tree, some twenty at most. */
static inline bool kri_words_each(const kri_place *first,
                                  bool (*visit)(const kri_place *place, void *arg), void *arg)
{
    for (const kri_place *place = first; place != NULL; place = place->next)
        if (!visit(place, arg))
            return false;
    return first == NULL || (kri_words_each(first->side[0], visit, arg) &&
                             kri_words_each(first->side[1], visit, arg));
}

#endif
