/* What other threads have for a loop, and how a loop sleeps and is woken by them.
 *
 * State.  One word, the head:
 *     EMPTY      nothing is there, and the loop is awake
 *     an item    the newest of a stack; the loop is awake, or about to be
 *     ON_WORD    nothing is there, and the loop sleeps on `rung`, or is about to
 *     ON_BELL    the same with the bell, a descriptor, beside others
 *     CLOSED     nothing will ever be there again
 *
 * Fields.  The legend is at the struct.  An item's link is its putter's until it is in, then the
 * loop's.
 *
 * Protocol.
 *     Who puts an item swaps it in for what stood there; in the place of ON_WORD or ON_BELL, he
 *     owes a ring.  The loop takes all by one swap, and turns them round.
 *     Before it sleeps the loop replaces EMPTY by ON_...; awake, it puts EMPTY back, and where it
 *     finds an item instead, it knows that a ring is under way.  It is the last touch of a loop by
 *     somebody who has put something: so a loop does not end before all rings that are owed to it
 *     have come, and does not sleep on `rung` again before the one has that would end that sleep.
 *
 * Ordering.
 *     [inbox-1]  what was written before an item was put is visible to the loop: the head is
 *                changed with release and taken with acquire
 *     [inbox-2]  after `rung` was set nobody touches it: set with release, read with acquire.  It
 *                is put back before ON_WORD is, with release, so that it is not put back later
 *                than whoever finds ON_WORD, with acquire, sets it
 *     [inbox-3]  who rings the bell knows its number: it is written before ON_BELL, as above
 *
 * Why not the word `rung` alone, with the bell for all?  Who sleeps on a descriptor costs both
 * sides a system call more than a futex: a loop that waits for no descriptor is to be as fast as a
 * thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "loop/loop.h"
#include "os/events.h"
#include "os/os.h"

/* The kind that no item has. */
enum { EMPTY = 0, ON_WORD = 3, ON_BELL = 7, CLOSED = 11 };

static bool is_item(uint64_t head)
{
    return head != EMPTY && (head & KRI_ITEM_KIND) != 3;
}

static void *address_of(kri_item item)
{
    return (void *)(item & ~(uintptr_t)KRI_ITEM_KIND);
}

static void set_next(kri_item item, kri_item next)
{
    switch (item & KRI_ITEM_KIND) {
    case KRI_ITEM_TASK:
        ((kr_future *)address_of(item))->next = (kr_future *)next;
        break;
    case KRI_ITEM_POSTED:
        ((kri_posted *)address_of(item))->next = next;
        break;
    default:
        kri_waiter_set_next(address_of(item), next);
        break;
    }
}

kri_item kri_inbox_next(kri_item item)
{
    switch (item & KRI_ITEM_KIND) {
    case KRI_ITEM_TASK:
        return (kri_item)((kr_future *)address_of(item))->next;
    case KRI_ITEM_POSTED:
        return ((kri_posted *)address_of(item))->next;
    default:
        return kri_waiter_next(address_of(item));
    }
}

/* The item may be gone once it is in, and so may the inbox unless a ring is owed. */
bool kri_inbox_put(kri_inbox *inbox, kri_item item)
{
    uint64_t head = kri_load_rlx64(&inbox->head);
    kr_word *rung = &inbox->rung;
    if (!is_item(head))
        kri_spin_word_note_waker(&inbox->hint);
    do {
        if (head == CLOSED)
            return false;
        set_next(item, is_item(head) ? (kri_item)head : 0);
    } while (!kri_cas_acq_rel64(&inbox->head, &head, item)); /* [inbox-1] */
    if (head == ON_WORD) {
        kri_store_rel(rung, 1); /* [inbox-2] */
        os_futex_wake(rung, 1, false);
    } else if (head == ON_BELL) {
        os_bell_ring(inbox->bell); /* [inbox-3] */
    }
    return true;
}

bool kri_inbox_some(const kri_inbox *inbox)
{
    return is_item(kri_load_rlx64(&inbox->head));
}

kri_item kri_inbox_take(kri_inbox *inbox)
{
    if (!kri_inbox_some(inbox))
        return 0;
    kri_item newest = (kri_item)kri_swap_acq_rel64(&inbox->head, EMPTY); /* [inbox-1] */
    kri_item oldest = 0;
    while (newest != 0) {
        kri_item next = kri_inbox_next(newest);
        set_next(newest, oldest);
        oldest = newest;
        newest = next;
    }
    return oldest;
}

bool kri_inbox_close(kri_inbox *inbox)
{
    uint64_t head = EMPTY;
    return kri_cas_acq_rel64(&inbox->head, &head, CLOSED);
}

/* Until the ring that ends no sleep of now has come. */
static void settle(kri_inbox *inbox)
{
    while (inbox->owed && kri_load_acq(&inbox->rung) == 0) /* [inbox-2] */
        (void)os_futex_wait(&inbox->rung, 0, KRI_NEVER, false);
    inbox->owed = false;
    kri_store_rlx(&inbox->rung, 0);
}

void kri_inbox_end(kri_inbox *inbox)
{
    settle(inbox);
    while (inbox->owed_rings > 0) {
        (void)os_poll(inbox->bell, OS_READABLE, -1, KRI_NEVER);
        kri_inbox_bell_rang(inbox);
    }
    if (inbox->bell >= 0)
        os_close(inbox->bell);
    inbox->bell = -1;
}

static void sleep_on_word(kri_inbox *inbox, kr_time deadline)
{
    uint64_t head = EMPTY;
    settle(inbox);
    if (!kri_cas_acq_rel64(&inbox->head, &head, ON_WORD)) /* [inbox-2] */
        return;
    while (kri_load_acq(&inbox->rung) == 0) /* [inbox-2] */
        if (os_futex_wait(&inbox->rung, 0, deadline, false) == -ETIMEDOUT)
            break;
    head = ON_WORD;
    inbox->owed = !kri_cas_acq_rel64(&inbox->head, &head, EMPTY);
}

/* The half of the head that changes when an item comes. */
static const kr_word *lower_half(const kri_inbox *inbox)
{
    return (const kr_word *)(const void *)&inbox->head;
}

void kri_inbox_sleep(kri_inbox *inbox, kr_time deadline)
{
    kr_time began = 0;
    if (!kri_spin_word(lower_half(inbox), EMPTY, deadline, &inbox->hint, &began))
        sleep_on_word(inbox, deadline);
    kri_spin_word_learn(&inbox->hint, began);
}

bool kri_inbox_lie_down(kri_inbox *inbox)
{
    uint64_t head = EMPTY;
    return kri_cas_acq_rel64(&inbox->head, &head, ON_BELL); /* [inbox-3] */
}

void kri_inbox_get_up(kri_inbox *inbox)
{
    uint64_t head = ON_BELL;
    if (!kri_cas_acq_rel64(&inbox->head, &head, EMPTY))
        inbox->owed_rings++;
}

void kri_inbox_bell_rang(kri_inbox *inbox)
{
    inbox->owed_rings -= (int64_t)os_bell_take(inbox->bell);
}
