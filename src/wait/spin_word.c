/* Spinning on a word before sleeping on it, as long as it is likely to pay: on shared words, and
 * wherever an object knows more than the parking table does.
 *
 * The reasons are those of spin.c: see there.  What differs: nobody here knows who else waits on
 * the word, so its object says so by a bit in the word, and whoever finds it set does not spin.
 * And the hints stand in the object, beside the word, because the processes have nothing else in
 * common.
 *
 * Fields of a hint, one word; all of it is relaxed, and two who change it at once may lose one of
 * the changes: that costs time, never correctness.
 *     bits 0 to 11    processor of the last waker + 1; 0: none yet, or unknown; all ones: another
 *                     one than the waiter's, says the object, which knows more
 *     bits 12 to 23   the same of the waker before: where two wake each other through one object,
 *                     the last one is mostly the waiter itself
 *     bits 24 to 31   how many waits in a row were long
 *
 * Where no waker is known yet nobody spins: the first wait sleeps, and its waker leaves its
 * processor.  So one question decides, whether the last waker runs beside us, and it holds also
 * where each process is bound to a processor of its own, which a look at our own processors would
 * not tell.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "os/os.h"
#include "wait/internal.h"

enum { MICROSECOND = 1000 };
enum {
    FULL_BUDGET = 60 * MICROSECOND,
    REDUCED_BUDGET = 6 * MICROSECOND,
    LEAST_BUDGET = MICROSECOND
};
enum { LONG_WAIT = 150 * MICROSECOND };
enum { LONG_WAITS_TO_REDUCE = 3, LONG_WAITS_TO_LEAST = 6 };
enum { LOOKS_PER_CLOCK = 8 };
enum { CPU = KRI_WAKER_ELSEWHERE, CPU_BITS = 12, WAKERS = (1 << 2 * CPU_BITS) - 1 };
enum { ONE_LONG_WAIT = WAKERS + 1 };

static uint32_t here(void)
{
    int cpu = os_cpu_current();
    return cpu < 0 || cpu + 1 >= CPU ? KRI_WAKER_UNKNOWN : (uint32_t)cpu + 1;
}

static kr_time budget_of(uint32_t hint)
{
    uint32_t long_waits = hint / ONE_LONG_WAIT;
    if (long_waits < LONG_WAITS_TO_REDUCE)
        return FULL_BUDGET;
    return long_waits < LONG_WAITS_TO_LEAST ? REDUCED_BUDGET : LEAST_BUDGET;
}

static bool waker_is_elsewhere(const kr_word *hint)
{
    uint32_t mine = here();
    if (mine == KRI_WAKER_UNKNOWN)
        return false;
    uint32_t wakers = kri_load_rlx(hint);
    uint32_t waker = wakers & CPU;
    if (waker == mine)
        waker = wakers >> CPU_BITS & CPU;
    return waker != KRI_WAKER_UNKNOWN && waker != mine;
}

/* One that has hooks would keep its interpreter lock meanwhile; a coroutine, its thread. */
static bool may_spin(void)
{
    const kri_party *self = kri_party_self();
    return self->hooks == NULL && self->thread != 0;
}

bool kri_spin_word(const kr_word *word, uint32_t expected, kr_time deadline, const kr_word *hint,
                   kr_time *began)
{
    if (deadline == 0 || !waker_is_elsewhere(hint) || !may_spin())
        return false;
    kr_time now = os_now();
    kr_time end = now + budget_of(kri_load_rlx(hint));
    *began = now;
    if (deadline < end)
        end = deadline;
    while (now < end && waker_is_elsewhere(hint)) {
        for (int i = 0; i < LOOKS_PER_CLOCK; i++) {
            if (kri_load_rlx(word) != expected)
                return true;
            os_pause();
        }
        now = os_now();
    }
    return false;
}

void kri_spin_word_learn(kr_word *hint, kr_time began)
{
    if (began == 0)
        return;
    uint32_t old = kri_load_rlx(hint);
    uint32_t long_waits = old / ONE_LONG_WAIT;
    uint32_t learned = 0;
    if (os_now() - began > LONG_WAIT)
        learned = long_waits < LONG_WAITS_TO_LEAST ? long_waits + 1 : long_waits;
    if (learned != long_waits)
        kri_store_rlx(hint, (old & WAKERS) | learned * ONE_LONG_WAIT);
}

void kri_spin_word_note(kr_word *hint, uint32_t waker)
{
    uint32_t old = kri_load_rlx(hint);
    uint32_t noted = (old & ~(uint32_t)WAKERS) | (old & CPU) << CPU_BITS | waker;
    if (noted != old)
        kri_store_rlx(hint, noted);
}

void kri_spin_word_note_waker(kr_word *hint)
{
    uint32_t mine = here();
    if (mine != KRI_WAKER_UNKNOWN)
        kri_spin_word_note(hint, mine);
}
