/* Is there an order of the calls, each somewhere between its beginning and its end, in which a
 * sequential object gives the very results that were seen?
 *
 * Wing and Gong's search ("Testing and verifying concurrent objects", 1993), with Lowe's memory of
 * the places where it has been: which calls have had their turn, and the object's state then.
 *
 * A call that has begun and not returned, since its party was killed, has had its turn or has not.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_HARNESS_LINEAR_H
#define KRI_HARNESS_LINEAR_H

#include "base/atomic.h"

typedef struct linear_call {
    uint64_t begun; /* on the history's clock, both; ended 0: it has not returned */
    uint64_t ended;
    int party;
    int what;      /* for the object */
    int64_t value; /* what was given to it */
    int64_t result;
} linear_call;

typedef struct linear_object {
    size_t state_size;
    void (*begin)(void *state); /* from zero bytes; NULL: they are the first state */
    /* Let the call happen.  false: it cannot have this result now; of a call that has not returned
     * any result is right.  The state is no longer of interest then. */
    bool (*step)(void *state, const linear_call *call);
    /* "put 3: 0", for the report; may be NULL */
    void (*describe)(const linear_call *call, char *text, size_t room);
} linear_object;

typedef enum linear_verdict {
    LINEAR_NO,
    LINEAR_YES,
    LINEAR_UNKNOWN, /* after a number of steps for which nobody wants to wait */
} linear_verdict;

/* linear_check - pre: no two calls of one party overlap; `steps`, when not NULL, is told how many
 * places were visited. */
linear_verdict linear_check(const linear_object *object, const linear_call *calls, size_t count,
                            uint64_t *steps);

/* linear_print - the history, a line a call, in the order of their beginnings. */
void linear_print(const linear_object *object, const linear_call *calls, size_t count);

/* A history in memory that all parties share: each has a row of its own.  The clock counts, so that
 * no two moments are the same, whatever the processors' own clocks say. */
enum { LINEAR_PARTIES = 8, LINEAR_CALLS = 512 };

typedef struct linear_history {
    kri_word64 clock;
    kr_word counts[LINEAR_PARTIES]; /* calls begun */
    linear_call calls[LINEAR_PARTIES][LINEAR_CALLS];
} linear_history;

/* linear_begin - note a call that is about to be made; linear_end - that it has returned. */
linear_call *linear_begin(linear_history *history, int party, int what, int64_t value);
void linear_end(linear_history *history, linear_call *call, int64_t result);

/* linear_clear - begin anew.  linear_expect - fail the case, with the history, unless it is right;
 * the parties have ended.  Returns how many places the search has seen. */
void linear_clear(linear_history *history);
uint64_t linear_expect(const linear_object *object, linear_history *history);

#endif
