/* Which process is it, and is it over?
 *
 * State.  The identity of the calling process is
 *     0                nobody has asked, or the start time could not be read so far
 *     pid and start    from then on, until the process ends or a forked child forgets it
 *
 * Fields.
 *     kri_process_known   atomic: the identity as above
 *     next_look           atomic: 0, or the start time could not be read: when to try again
 *     Both are put back to 0 in a forked child, before it can take anything in shared memory.
 *
 * Protocol.  A pid alone may belong to another process by the time somebody asks, so its start time
 * goes with it: two processes with one pid do not start within one tick.  A process is over when
 * its pid names none, or when the system says that it has ended, reaped or not, or when the pid now
 * names one that started at another time.  What cannot be found out counts as alive: to believe a
 * living one dead would let two into one section.
 *     Where the start time cannot be read, for want of a descriptor, the process goes by its pid
 *     alone and tries again now and then.  Once it succeeds it has had two names, and what it took
 *     under the first it still holds: so who asks whether something is the caller's asks
 *     kri_process_is_self, which knows both.
 *
 * Ordering.  The identity is one word and orders nothing; two threads that ask first both store the
 * same, or one has only the pid, which is the process' name too.  next_look is stored before the
 * pid alone is given out as a name, so whoever has taken something under it sees that.
 *
 * Why not the state in /proc?  It is Z also when only the first thread of a process has ended.  Why
 * not kill(pid, 0) alone?  It succeeds for a zombie.  Why does the pid alone not count as the
 * caller's for everybody?  A process that died with this pid may have left it behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/global.h"
#include "os/os.h"
#include "sync/internal.h"

kri_word64 kri_process_known KRI_GLOBAL;

#ifdef KRI_MODEL

/* Logical processes have all globals in common. */
kri_owner kri_process_begin(void)
{
    pid_t id = os_process_id();
    return (os_process_start(id) << 32) | (uint32_t)id;
}

bool kri_process_was(kri_owner owner)
{
    (void)owner;
    return false;
}

#else

enum { BETWEEN_LOOKS = 10 * 1000 * 1000 };

static kri_word64 next_look KRI_GLOBAL;

static void forget(void)
{
    kri_store_rlx64(&kri_process_known, 0);
    kri_store_rlx64(&next_look, 0);
}

kri_owner kri_process_begin(void)
{
    pid_t id = os_process_id();
    uint64_t now = (uint64_t)os_now();
    if (now < kri_load_rlx64(&next_look))
        return (uint32_t)id;
    (void)kri_at_fork_child(forget);
    kri_owner self = (os_process_start(id) << 32) | (uint32_t)id;
    if (self >> 32 != 0)
        kri_store_rlx64(&kri_process_known, self);
    else
        kri_store_rlx64(&next_look, now + BETWEEN_LOOKS);
    return self;
}

bool kri_process_was(kri_owner owner)
{
    return kri_load_rlx64(&next_look) != 0 && owner == (uint32_t)os_process_id();
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
    if (kri_process_is_self(owner))
        return false;
    if (os_process_ended(id))
        return true;
    return !started_then(id, (uint32_t)(owner >> 32));
}
