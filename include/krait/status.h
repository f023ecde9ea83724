/* kr_status - a page on which the program shows what it is doing, for `krait top`.
 *
 *     kr_status_start(NULL);              // or KR_STATUS=1 in the environment
 *
 *     $ krait top 4711                    // in another terminal
 *
 * The page tells of thread pools, process pools and pools of loops: their workers, what each of
 * these is at, how many tasks wait, and how many end in a second; of loops, and how many of their
 * coroutines are ready or wait; and for which locks there was waiting, how often and how long.
 *
 * It is shared memory with a name made of the process's number, which the program's user alone may
 * read, and root.  One thread of the library's own writes it, every .interval; it never waits for a
 * lock: what it cannot have at once it leaves out, and the page says so.  The page goes with
 * kr_status_stop and at exit.  What a killed program leaves is removed by the next one that starts
 * a page, and by the command `krait clean`.
 *
 * What it costs.  Switched off, a lock that has to wait and a turn of a loop have one branch more,
 * which is always predicted; a lock that is free has none.  Switched on, a wait for a lock takes
 * some 100 ns more, a switch between coroutines some 50, since loops take the time of each.
 *
 * Forked children have no page; they may start one.  Children that krait starts show up in the page
 * of their parent, as workers of its pools, and do not heed KR_STATUS.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_STATUS_H
#define KRAIT_STATUS_H

#include <krait/base.h>

KR_EXTERN_BEGIN

/* kr_status_options - NULL or zero: the defaults.
 *
 *   .interval   from one writing of the page to the next; 0: 250 ms.  At least 10 ms
 */
typedef struct kr_status_options {
    kr_time interval;
    uint64_t reserved[4];
} kr_status_options;

/* kr_status_start - show the page from now on.
 *
 * The counts of locks begin at 0.  In the environment KR_STATUS=1 does the same at the program's
 * first thread, pool, loop or process; if that fails, it says so on standard error.
 *
 * Returns   0
 *           -EALREADY   it is shown
 *           -EINVAL     options
 *           -EEXIST     the name is in use, by a process of another container with the same number
 *           -EAGAIN     the system would not start the thread
 *           -ENOMEM; -ENOSPC: no room in /dev/shm; -EMFILE, -ENFILE; -ENOENT, -EACCES, -EOPNOTSUPP:
 *           no usable /dev/shm or /proc
 */
KR_API KR_NODISCARD int kr_status_start(const kr_status_options *options);

/* kr_status_stop - take the page away.
 *
 * Returns   0; -EALREADY: there is none
 */
KR_API int kr_status_stop(void);

/* kr_status_name - what the page calls a lock, which else goes by its address and by where it was
 * first waited for.
 *
 *   lock   a kr_lock, kr_rlock or the lock of a kr_condition; it may come before kr_status_start
 *   name   its first 31 bytes are kept; NULL: forget it, as is to be done before the lock's memory
 *          is used for something else
 *
 * Returns   0; -EINVAL: lock is NULL; -ENOMEM: no memory, or too many locks have names
 */
KR_API KR_NODISCARD int kr_status_name(const void *lock, const char *name);

KR_EXTERN_END

#endif
