/* The collector of a process pool dozes while nobody would hear of it.
 *
 * Who submits several tasks and takes their results one after the other never waits for long: what
 * he asks for is mostly done, and the first look of a leader takes it, see collector.c.  But the
 * worker that comes to the next task meanwhile must not keep the last one to itself, and calls the
 * collector.  That was a wake-up for each task, often on the processor on which the submitter was
 * about to copy the next argument.
 *
 * State.  `dozes` is 1 while the collector does.  `relied` counts those who hear of the end of a
 * task by the collector only: who waits while another one leads, and futures with a watcher or a
 * callback.
 *
 * Protocol.  A collector that was called, or has found something, sets its bell to CALLED, so that
 * nobody calls it, and sleeps for a short time.  Then it looks for what is done, as ever.
 *     Whoever comes to rely on it counts himself and ends the sleep, both under the mutex under
 *     which the collector has seen that there is nobody before it sleeps.  A shutdown, and a task
 *     for which there is no slot, end it too; the collector of a bounded pool never dozes.  Who
 *     only asks whether a future is done takes what is completed himself.
 *     So nobody is kept waiting: what is late is the end of what nobody looks at.
 *
 * Why not longer?  Arguments' memory, and errors of tasks that nobody asks for, are waiting too.
 * Why not on a single processor?  There the collector that is called keeps the worker from running,
 * so that the submitter puts many tasks before one is begun.  Without it each put had the worker
 * take the processor for one task: a map of tiny ones took twice as long.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/doze.h"

bool kri_doze_begin(kri_doze *doze)
{
    if (doze->relied)
        return false;
    kri_store_rlx(&doze->dozes, 1);
    return true;
}

void kri_doze_sleep(kri_doze *doze, kr_time until)
{
    int err = 0;
    while (kri_load_rlx(&doze->dozes) && err != -ETIMEDOUT)
        err = kri_wait(&doze->dozes, 1, until, KRI_UNCANCELLABLE | KRI_IDLE);
}

void kri_doze_over(kri_doze *doze)
{
    kri_store_rlx(&doze->dozes, 0);
}

void kri_doze_end(kri_doze *doze)
{
    if (!kri_load_rlx(&doze->dozes))
        return;
    kri_store_sc(&doze->dozes, 0);
    kri_wake(&doze->dozes, 1, 0);
}

void kri_doze_rely(kri_doze *doze)
{
    doze->relied++;
    kri_doze_end(doze);
}

void kri_doze_rely_no_more(kri_doze *doze)
{
    doze->relied--;
}
