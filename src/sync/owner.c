/* Which process is it, and is it over?
 *
 * Fields.
 *     kri_process_known   atomic: the calling process, 0 until somebody asks; put back to 0 in a
 *                         forked child, before it can take anything in shared memory
 *
 * Protocol.  A pid alone may belong to another process by the time somebody asks, so its start time
 * goes with it: two processes with one pid do not start within one tick.  A process is over when
 * its pid names none, or when a descriptor of it says that it has ended, reaped or not, or when the
 * pid now names one that started at another time.  What cannot be found out counts as alive: to
 * believe a living one dead would let two into one section.
 *
 * Ordering.  The identity is one word and orders nothing; two threads that ask first both store the
 * same.
 *
 * Why not the state in /proc?  It is Z also when only the first thread of a process has ended.  Why
 * not kill(pid, 0) alone?  It succeeds for a zombie.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/global.h"
#include "os/os.h"
#include "sync/internal.h"

kri_word64 kri_process_known KRI_GLOBAL;

static kri_owner look_up(void)
{
    pid_t id = os_process_id();
    return (os_process_start(id) << 32) | (uint32_t)id;
}

#ifdef KRI_MODEL

/* Logical processes have all globals in common. */
kri_owner kri_process_begin(void)
{
    return look_up();
}

#else

static void forget(void)
{
    kri_store_rlx64(&kri_process_known, 0);
}

kri_owner kri_process_begin(void)
{
    (void)kri_at_fork_child(forget);
    kri_owner self = look_up();
    kri_store_rlx64(&kri_process_known, self);
    return self;
}

#endif

static bool started_then(pid_t id, uint32_t start)
{
    uint32_t found = (uint32_t)os_process_start(id);
    return start == 0 || found == 0 || found == start;
}

bool kri_process_dead(kri_owner owner)
{
    pid_t id = (pid_t)(uint32_t)owner;
    if (owner == kri_process_self())
        return false;
    if (os_process_ended(id))
        return true;
    return !started_then(id, (uint32_t)(owner >> 32));
}
