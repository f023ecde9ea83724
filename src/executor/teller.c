/* A thread that calls the program back for an executor.
 *
 * Callbacks, and the hook for errors that nobody asks for, are the program's code.  It may wait for
 * another task of the same executor, or for what a waiter for one has.  So the threads by which
 * tasks end must not run it, and neither must a waiter that does their work: they leave it to the
 * teller.
 *
 * Fields.  The legend is at the struct.  The mutex is the innermost; nothing is called inside.
 *
 * Protocol.
 *     Who gives appends, and then counts at the bell and wakes it.  The teller reads the bell,
 *     takes all that is due, announces that, and sleeps while the bell is what it was.
 *     Who ends it has seen that all is given that will be.
 *
 * Ordering.
 *     [teller-1]  who gives or closes does so and then counts; the teller reads the count and then
 *                 looks.  So if it has not seen that, the count differs from what it has read, and
 *                 it does not sleep: counting releases, reading acquires, and kri_wait reads again
 *                 as [wait-1] says.
 *
 * Why one after the other?  Callbacks of one executor run in the order in which their tasks ended,
 * as with one thread that did all; one that waits holds up others that are due, and no task.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/teller.h"

#include "wait/stall.h"

static void call(kri_teller *teller)
{
    kri_add_sc(&teller->bell, 1); /* [teller-1] */
    kri_wake(&teller->bell, 1, 0);
}

static void tell(kri_teller *teller)
{
    kri_mutex_lock(&teller->mutex);
    kri_due due = teller->due;
    teller->due = (kri_due){NULL, NULL};
    kri_mutex_unlock(&teller->mutex);
    kri_due_announce(&due);
}

static int serve(void *arg)
{
    kri_teller *teller = *(kri_teller *const *)arg;
    kri_stall_serve();
    while (!kri_load_acq(&teller->closing)) {
        /* [teller-1] */
        uint32_t seen = kri_load_acq(&teller->bell);
        tell(teller);
        if (!kri_load_acq(&teller->closing))
            (void)kri_wait(&teller->bell, seen, KRI_NEVER, KRI_UNCANCELLABLE | KRI_IDLE);
    }
    tell(teller);
    return 0;
}

int kri_teller_start(kri_teller *teller)
{
    kr_thread_options options = {.name = "krait-teller", .daemon = KR_DAEMON_YES};
    return kr_thread_start(&teller->thread, serve, &teller, sizeof teller, &options);
}

void kri_teller_end(kri_teller *teller)
{
    kri_store_rel(&teller->closing, 1);
    call(teller);
    (void)kr_thread_join(teller->thread, NULL, KR_FOREVER);
}

void kri_teller_give(kri_teller *teller, kri_due *due)
{
    if (!due->first)
        return;
    kri_mutex_lock(&teller->mutex);
    kri_due_join(&teller->due, due);
    kri_mutex_unlock(&teller->mutex);
    call(teller);
}
