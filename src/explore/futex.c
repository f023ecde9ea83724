/* Sleeping on words, as the kernel has it.
 *
 * Sleepers are the threads themselves, in the order in which they fell asleep.  A wake of fewer
 * than all takes the longest sleeper first; for a wake of one, any of them is a choice, since the
 * kernel promises no order.  A private wake does not see a shared sleeper, nor the other way round.
 *
 * SPDX-License-Identifier: MIT
 */
#include "explore/engine.h"

void kri_ex_forget_words(ex_thread *t)
{
    for (unsigned i = 0; i < EX_WORDS; i++)
        t->words[i] = NULL;
    t->several = false;
}

const kr_word *kri_ex_sleeps_on(const ex_thread *t)
{
    unsigned i = EX_WORDS - 1;
    while (i > 0 && t->words[i] == NULL)
        i--;
    return t->words[i];
}

static int sleep_now(kr_time deadline)
{
    if (deadline <= kri_ex.now)
        return -ETIMEDOUT;
    EX_SELF->deadline = deadline;
    EX_SELF->state = EX_SLEEPING;
    kri_ex_block();
    return EX_SELF->result;
}

int os_futex_wait_any(const os_sleep *list, unsigned count, kr_time deadline)
{
    ex_thread *self = EX_SELF;

    EX_SITE(&self->site);
    if (count > EX_WORDS)
        kri_ex_fail(KR_EXPLORE_CHECK, "a sleep on more than %d words", EX_WORDS);
    for (unsigned i = 0; i < count; i++)
        kri_ex_look(list[i].word);
    kri_ex_point(true);
    for (unsigned i = 0; i < count; i++) {
        kri_ex_check_freed(list[i].word, "a sleep");
        if (list[i].word->bits == list[i].expected)
            continue;
        EX_TRACE("sleep refused", list[i].word, list[i].word->bits, "");
        return -EAGAIN;
    }
    for (unsigned i = 0; i < count; i++) {
        EX_TRACE("sleeps", list[i].word, list[i].expected, deadline == OS_NEVER ? "" : "timed");
        self->words[i] = list[i].word;
        self->shared[i] = list[i].shared;
    }
    self->several = count > 1;
    int result = sleep_now(deadline);
    kri_ex_forget_words(self);
    const kr_word *last = list[result > 0 ? result : 0].word;
    EX_TRACE("awake", last, last->bits, result == -ETIMEDOUT ? "timed out" : "");
    return result;
}

int os_futex_wait(kr_word *word, uint32_t expected, kr_time deadline, bool shared)
{
    const os_sleep alone = {word, expected, shared};
    return os_futex_wait_any(&alone, 1, deadline);
}

int os_futex_wait_either(kr_word *cancel, uint32_t cancel_expected, kr_word *word,
                         uint32_t expected, kr_time deadline)
{
    const os_sleep both[2] = {{cancel, cancel_expected, false}, {word, expected, true}};
    return os_futex_wait_any(both, 2, deadline);
}

/* Which of its words makes the thread a sleeper on this one: -1: none. */
static int sleeps_on(const ex_thread *t, const kr_word *word, bool shared)
{
    bool asleep = t->state == EX_SLEEPING || (t->state == EX_READY && t->several);
    for (int i = EX_WORDS - 1; i >= 0; i--)
        if (asleep && t->words[i] == word && t->shared[i] == shared)
            return i;
    return -1;
}

/* As the kernel has it: one that slept on several words is still found through the others until it
 * runs, and is told of the last. */
static void wake_sleeper(unsigned thread, const kr_word *word, bool shared)
{
    ex_thread *t = &kri_ex.threads[thread];
    int at = sleeps_on(t, word, shared);

    if (at < 0)
        return;
    t->words[at] = NULL;
    if (t->several && t->state == EX_READY) {
        t->result = at > t->result ? at : t->result;
        return;
    }
    t->state = EX_READY;
    t->result = at;
    t->yielded = false;
    kri_ex.changes++;
}

static unsigned list_sleepers(const kr_word *word, bool shared, unsigned *codes)
{
    unsigned count = 0;

    for (unsigned i = 0; i < kri_ex.thread_count; i++) {
        if (sleeps_on(&kri_ex.threads[i], word, shared) < 0)
            continue;
        unsigned at = count++;
        while (at > 0 && kri_ex.threads[codes[at - 1] - EX_TAKE].since > kri_ex.threads[i].since) {
            codes[at] = codes[at - 1];
            at--;
        }
        codes[at] = EX_TAKE + i;
    }
    return count;
}

int os_futex_wake(kr_word *word, int count, bool shared)
{
    unsigned codes[EX_THREADS];
    int woken = 0;

    if (!kri_ex.active)
        return 0;
    EX_SITE(&EX_SELF->site);
    kri_ex_point(true);
    unsigned sleepers = list_sleepers(word, shared, codes);
    if (count == 1 && sleepers > 0) {
        unsigned taken = codes[kri_ex_choose(codes, sleepers)] - EX_TAKE;

        wake_sleeper(taken, word, shared);
        woken = 1;
    } else {
        for (unsigned i = 0; i < sleepers && woken < count; i++, woken++) {
            wake_sleeper(codes[i] - EX_TAKE, word, shared);
        }
    }
    EX_TRACE("wakes", word, (uint64_t)woken, "");
    return woken;
}

/* The kernel keeps their order. */
int os_futex_requeue(kr_word *from, int count, kr_word *to, bool shared)
{
    unsigned codes[EX_THREADS];
    int moved = 0;

    if (!kri_ex.active)
        return 0;
    EX_SITE(&EX_SELF->site);
    kri_ex_look(from);
    kri_ex_look(to);
    kri_ex_point(true);
    unsigned sleepers = list_sleepers(from, shared, codes);
    for (unsigned i = 0; i < sleepers && moved < count; i++, moved++) {
        ex_thread *t = &kri_ex.threads[codes[i] - EX_TAKE];

        t->words[sleeps_on(t, from, shared)] = to;
        t->since = ++kri_ex.sleeps;
    }
    EX_TRACE("requeues", from, (uint64_t)moved, "");
    return moved;
}
