/* kr_debug_locks - hear of locks that are acquired in opposite orders, and of deadlocks.
 *
 *     kr_debug_locks(true);              // at the start of main, or in a debugger
 *
 * One runner that takes lock A and then B, and another that takes B and then A, will meet some day.
 * While this is switched on, the orders in which locks are acquired are remembered, with the
 * places; the first acquire that closes a circle of them is reported at once, although nothing has
 * gone wrong yet:
 *
 *     krait: locks are acquired in opposite orders:
 *       MainThread holds a lock at 0x55d0c0a1e0c0, from take_both+0x21 (app) < main+0x40 (app),
 *         and acquires a lock at 0x55d0c0a1e0c8 in take_both+0x3a (app) < main+0x40 (app)
 *       thread 4711 has held a lock at 0x55d0c0a1e0c8, from transfer+0x1f (app) < run+0x11 (app),
 *         and acquired a lock at 0x55d0c0a1e0c0 in transfer+0x33 (app) < run+0x11 (app)
 *
 * And when each of some runners has waited for a second for a lock that the next of them holds, the
 * last of them waiting for one that the first holds, this is reported once, also while other
 * threads go on:
 *
 *     krait: these wait for each other for ever:
 *       MainThread waits for a lock at 0x55d0c0a1e0c8 in take_both+0x3a (app) < ...
 *         which Thread-1 holds, from transfer+0x1f (app) < ...
 *       Thread-1 waits for ...
 *
 * What counts
 *     kr_lock and kr_rlock, and the lock of a kr_condition; with kr_with as well.  A wait takes the
 *     lock again behind what is held, an order that counts from when the wait begins.  Of shared
 *     ones, what this process does with them.
 *     An acquire with KR_NOWAIT never waits, and so makes no order behind the locks that are held;
 *     one with a time limit does.  What is acquired while it is held counts as ever.
 *     A circle is reported once, by whoever closes it; each pair of locks at most twice.
 *     Orders that can never meet, because a third lock is always held around both, are reported
 *     all the same.
 *     A lock is known by its address.  Where another lock comes to lie there, kr_lock_init or a
 *     reinit forgets what was known; without either, an order of the old one may be reported.
 *
 * It remembers 4096 orders and 1024 locks held at a time, and says so when that is not enough.
 * Names of functions are known where the program exports them (-rdynamic); else the place stands
 * as program+0x1234, for addr2line.
 *
 * Switched off, each acquire and release has one branch more, which is always predicted.  Switched
 * on, some microseconds.
 *
 * Python has nothing of the kind; the Linux kernel's lockdep is its model.  For a whole program
 * that stands still see krait/stall.h, which is always on.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_DEBUG_H
#define KRAIT_DEBUG_H

#include <krait/base.h>

KR_EXTERN_BEGIN

/* kr_debug_locks - switch it on or off.
 *
 * Each switching on begins afresh: locks that are held at that moment are not known.  So does a
 * forked child, in which it stays on.
 *
 * Returns   0; -ENOMEM: it stays off
 * Blocks    never
 */
KR_API int kr_debug_locks(bool on);

/* A hook is called by the runner that found it, before it acquires the lock or in the midst of its
 * wait for it, holding what it holds; so it must not acquire such a lock itself.  What it does with
 * locks is not looked at.
 *
 *   report    lines separated by '\n'; at most 16 KiB.  Valid during the call
 */
typedef void (*kr_debug_hook)(const char *report);

/* kr_set_debug_hook - have `hook` called instead of the one before; NULL, as at the start: print to
 * standard error.
 *
 * Returns   the hook before
 * Blocks    never
 */
KR_API kr_debug_hook kr_set_debug_hook(kr_debug_hook hook);

KR_EXTERN_END

#endif
