/* A team: the caller of a loop and the helpers that it calls, who share a range out among them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_EXECUTOR_TEAM_H
#define KRI_EXECUTOR_TEAM_H

#include "executor/executor.h"

typedef struct kri_team kri_team;

/* Lies in the caller's frame.  All but the fields that say otherwise are set before kri_team_run,
 * and are const once a helper may have begun. */
struct kri_team {
    _Alignas(64) kri_word64 next; /* atomic: the first that nobody has taken */
    kr_word error;                /* atomic: what the first piece that failed returned; 0: none */
    kr_word failed;               /* atomic: 1 when a piece did not do all it had to */

    _Alignas(64) size_t count; /* the range is 0 <= i < count */
    size_t grain;              /* a piece is at least so long; 0: found out by running */
    bool exact;                /* and never longer */
    bool leads;                /* the caller takes pieces too */
    bool stands_in;            /* and, where not, when no helper can be had */
    bool at_once;              /* helpers are called first, not when time tells that they pay */
    int most;                  /* runners; 0: workers, or processors where these are fewer */
    kr_time timeout;           /* 0: none */
    kr_executor *executor;

    /* Do first <= i < end; a negative error ends the loop.  Runs inside `scope`, which is cancelled
     * then. */
    int (*piece)(kri_team *team, size_t first, size_t end);

    /* Called before helpers are, in the caller; nobody has taken `first` or what is behind it.  It
     * may set grain and exact.  false: no helpers after all.  NULL: none. */
    bool (*split)(kri_team *team, size_t first);

    /* Set by kri_team_run. */
    size_t reach;          /* what is known of how long pieces may be, without a grain */
    size_t runners;        /* who share the range: 1 until helpers are called */
    kr_cancel_scope scope; /* whatever belongs to the loop runs inside it */
    bool timed;            /* the scope has a time limit */
    bool complete;         /* result: all was taken, and no piece failed */
    int cut;               /* result: -ETIMEDOUT or -ECANCELED: the scope was cut short */
    uint32_t generation;
    kr_future **helpers; /* the caller's */
    int called;          /* the caller's: how many helpers there are */
    int refused;         /* the caller's: why there are none */
};

/* kri_team_run - run all pieces; returns when nobody is at it any more.
 *
 * 0 when complete; the first piece's error; cut; or why no helper came to a caller who does not
 * lead.  KR_EFORKED: in a child that was forked in a piece. */
int kri_team_run(kri_team *team);

/* kri_team_learn - how long a piece may be, after one of `length` took so much time. */
size_t kri_team_learn(size_t length, kr_time took);

/* kri_team_is_cut - for a piece: should what has not begun stay so?  One load, and the clock where
 * there is a time limit. */
static inline bool kri_team_is_cut(const kri_team *team)
{
    return kri_scope_marked(&team->scope) || (team->timed && kr_cancelled());
}

/* The same from item to item: *seen is UINT64_MAX before the first, and holds how many cancels
 * there had been in the process.  Without another one nothing has changed. */
static inline bool kri_team_is_cut_since(const kri_team *team, uint64_t *seen)
{
    uint64_t cancels = kri_load_acq64(&kri_cancels); /* [scope-4] */
    if (__builtin_expect(cancels == *seen && !team->timed, 1))
        return false;
    *seen = cancels;
    return kri_team_is_cut(team);
}

#endif
