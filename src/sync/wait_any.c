/* kr_wait_any: try all, wait on the words of all, try again.
 *
 * State.  Nothing is kept from call to call, but in the objects themselves.  A call is in turn
 *     checked     nothing was touched
 *     begun       each choice has noted its object's state
 *     watching    from the first round of attempts that found nothing until the return: the objects
 *                 count the caller as one who waits, and attempts say on what to sleep
 *
 * Fields.  All are the caller's alone, but what a wake changes in the place of a spot (wait/any.c).
 *     choice.noted    what its kind remembers from begin to the end
 *     choice.result   written by the attempt that succeeds
 *     choice.room     its spot: the word to sleep on, and what an attempt has seen there
 *     call.told       an address that stands for the call in a report; never changed
 *     call.shared     constant: how many choices lie in shared memory
 *
 * Protocol.
 *     Each kind of object has an attempt, which carries the choice out or says on what word to
 *     wait (choice.h).  A call attempts all in the order of the array; if none succeeds it waits on
 *     all their words at once, and then attempts first the one whose word has woken it, since that
 *     wake was meant for somebody who takes what is there.  If somebody else was faster there, the
 *     wake is used up: the next thing that comes brings its own.  So whatever is attempted next, no
 *     wake has to be passed on.
 *     Only one attempt of a call succeeds, and after it there is no other: so exactly one thing is
 *     taken.
 *
 * Ordering.  Each attempt has the order of its object's own call: what is taken carries with it
 * what its giver wrote.  An attempt that finds nothing says what the word was, and kri_wait_any
 * sleeps only while it is that still; so nothing that comes in between is missed.  For the first
 * wake of several in shared memory see wait/any.c.
 *
 * Why no token that the objects hand over to a waiter?  Each release, set and put would have to
 * know who waits in which way.  Here they change a word and wake, as they do for their own waits.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/choice.h"
#include "sync/internal.h"
#include "wait/stall.h"

#include <limits.h>
#include <stddef.h>

/* One call. */
struct call {
    kr_word told; /* stands for the call in a report */
    kr_choice *choices;
    size_t count;
    unsigned shared; /* how many of them lie in shared memory */
};

enum { NONE = -1 };

/* *shared: how many of them lie in shared memory. */
static int check(const kr_choice *choices, size_t count, unsigned *shared)
{
    if (count == 0 || count > INT_MAX || choices == NULL)
        return -EINVAL;
    *shared = 0;
    for (size_t i = 0; i < count; i++) {
        if (choices[i].kind == NULL || choices[i].object == NULL)
            return -EINVAL;
        int err = choices[i].kind->check != NULL ? choices[i].kind->check(&choices[i]) : 0;
        if (err != 0)
            return err;
        *shared += choices[i].kind->is_shared != NULL && choices[i].kind->is_shared(&choices[i]);
    }
    return *shared > KRI_SPOTS_SHARED ? -EINVAL : 0;
}

static int attempt_all(const struct call *call)
{
    for (size_t i = 0; i < call->count; i++) {
        kr_choice *choice = &call->choices[i];
        if (choice->kind->attempt(choice, kri_choice_spot(choice)))
            return (int)i;
    }
    return NONE;
}

static int attempt_one(const struct call *call, const kri_spot *spot)
{
    size_t i = 0;
    while (kri_choice_spot(&call->choices[i]) != spot)
        i++;
    return call->choices[i].kind->attempt(&call->choices[i], kri_choice_spot(&call->choices[i]))
               ? (int)i
               : NONE;
}

/* The list of spots to wait on; NULL: each would be in vain. */
static kri_spot *link_spots(const struct call *call)
{
    kri_spot *first = NULL;
    for (size_t i = call->count; i-- > 0;) {
        kr_choice *choice = &call->choices[i];
        kri_spot *spot = kri_choice_spot(choice);
        if (choice->kind->is_hopeless != NULL && choice->kind->is_hopeless(choice))
            continue;
        spot->next = first;
        first = spot;
    }
    return first;
}

static void describe(const kr_word *word, kri_text *text)
{
    const struct call *call =
        (const struct call *)(const void *)((const char *)word - offsetof(struct call, told));
    for (size_t i = 0; i < call->count; i++) {
        kri_text_add(text, i == 0 ? "" : " or ");
        call->choices[i].kind->describe(&call->choices[i], text);
    }
}

/* Whoever died in shared memory may have owed a wake: so nobody sleeps there for long. */
static kr_time end_of_sleep(const struct call *call, kr_time deadline)
{
    kr_time slice = call->shared > 0 ? kri_deadline(KRI_SLICE) : KRI_NEVER;
    return slice < deadline ? slice : deadline;
}

static int wait(struct call *call, kri_spot *first, kr_time deadline)
{
    const kri_told told = {&call->told, describe};
    for (;;) {
        kri_spot *which;
        kr_time end = end_of_sleep(call, deadline);
        int err = kri_wait_any(first, end, 0, &told, &which);
        int chosen = which != NULL ? attempt_one(call, which) : NONE;
        if (chosen == NONE && err != -ECANCELED)
            chosen = attempt_all(call);
        if (chosen != NONE)
            return chosen;
        if (err == -ECANCELED || (err == -ETIMEDOUT && end == deadline))
            return err;
    }
}

static int wait_beside_tasks(struct call *call, kri_spot *first, kr_time deadline)
{
    const kr_choice_kind *kind = NULL;
    for (size_t i = 0; i < call->count && kind == NULL; i++)
        if (call->choices[i].kind->before_sleep != NULL)
            kind = call->choices[i].kind;
    if (kind != NULL)
        kind->before_sleep();
    int chosen = wait(call, first, deadline);
    if (kind != NULL)
        kind->after_sleep();
    return chosen;
}

static int choose(struct call *call, kr_time deadline)
{
    int chosen = attempt_all(call);
    if (chosen != NONE)
        return chosen;
    kri_spot *first = link_spots(call);
    if (first == NULL)
        return -EDEADLK;
    return wait_beside_tasks(call, first, deadline);
}

static int wait_watching(struct call *call, kr_time deadline)
{
    for (size_t i = 0; i < call->count; i++)
        if (call->choices[i].kind->watch != NULL)
            call->choices[i].kind->watch(&call->choices[i]);
    int chosen = choose(call, deadline);
    for (size_t i = 0; i < call->count; i++)
        if (call->choices[i].kind->unwatch != NULL)
            call->choices[i].kind->unwatch(&call->choices[i]);
    return chosen;
}

int kr_wait_any(kr_choice *choices, size_t count, kr_time timeout)
{
    struct call call = {.choices = choices, .count = count};
    int err = timeout < 0 ? -EINVAL : check(choices, count, &call.shared);
    if (err != 0)
        return err;
    for (size_t i = 0; i < count; i++)
        if (choices[i].kind->begin != NULL)
            choices[i].kind->begin(&choices[i]);
    int chosen = attempt_all(&call);
    if (chosen != NONE)
        return chosen;
    return timeout == KR_NOWAIT ? -ETIMEDOUT : wait_watching(&call, kri_deadline(timeout));
}
