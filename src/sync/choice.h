/* How a kind of object takes part in kr_wait_any.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_SYNC_CHOICE_H
#define KRI_SYNC_CHOICE_H

#include "wait/wait.h"
#include <krait/wait_any.h>

typedef struct kr_choice_kind {
    /* Can it be waited for at all?  0, or the error with which kr_wait_any returns. */
    int (*check)(const kr_choice *choice);

    /* Does it lie in shared memory, or is it woken as if it did?  As `shared` of the spot will say;
     * NULL: never. */
    bool (*is_shared)(const kr_choice *choice);

    /* Once before the first attempt: note the object's state; NULL: nothing to do. */
    void (*begin)(kr_choice *choice);

    /* If no choice can be carried out at once: from watch to unwatch the caller counts as one who
     * waits for the object; NULL: nothing to do.  Attempts before the watch do not sleep. */
    void (*watch)(kr_choice *choice);
    void (*unwatch)(kr_choice *choice);

    /* Carry it out, if that can be done now, and set choice->result.  false: it cannot, and the
     * spot's word, expected and shared say when to try again.
     *
     * pre: a wake of the word may have been spent on this party.  Who finds that the object is
     * ready carries it out; so a wake is used or there was nothing to be had any more. */
    bool (*attempt)(kr_choice *choice, kri_spot *spot);

    /* It will never be ready while the caller waits; NULL: such a thing is not. */
    bool (*is_hopeless)(const kr_choice *choice);

    /* Around all sleep of a call that has a choice of this kind; NULL: nothing to do. */
    void (*before_sleep)(void);
    void (*after_sleep)(void);

    /* As kri_describe. */
    void (*describe)(const kr_choice *choice, kri_text *text);
} kr_choice_kind;

static inline kri_spot *kri_choice_spot(kr_choice *choice)
{
    return (kri_spot *)(void *)choice->room;
}

/* For attempts that did not succeed. */
static inline void kri_spot_set(kri_spot *spot, kr_word *word, uint32_t expected, bool shared)
{
    spot->word = word;
    spot->expected = expected;
    spot->shared = shared;
}

_Static_assert(sizeof(kri_spot) <= sizeof(((kr_choice *)0)->room), "the room is large enough");

#endif
