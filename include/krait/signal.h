/* Signals as something to wait for, and as callbacks of a loop.
 *
 *     kr_signal *s;
 *     int signo;
 *     err = kr_signal_open(&s, (int[]){SIGTERM, SIGHUP}, 2);
 *     while (kr_signal_wait(s, &signo, KR_FOREVER) == 0 && signo == SIGHUP)
 *         read_configuration();
 *     kr_signal_close(s);
 *
 * While anybody listens to a signal it is caught in the whole process; a thread of the library's
 * own tells those who listen, so none of them runs in a signal handler.  When nobody listens any
 * more, and in a forked child, the signal has the disposition again that it had before.
 *
 * As with every signal of Unix, several that come before the first one was taken are one.
 *
 * kr_cancel_on_signal (krait/cancel.h) cancels a scope instead.  What else listens hears, too; but
 * kr_run leaves SIGINT to whoever listens to it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_SIGNAL_H
#define KRAIT_SIGNAL_H

#include <krait/base.h>

KR_EXTERN_BEGIN

typedef struct kr_signal kr_signal;

/* kr_signal_open - listen to `count` signals from now on.
 *
 * Returns   0 and *s, to be closed
 *           -EINVAL    no such signal, or SIGKILL, SIGSTOP or one that reports a fault of the
 *                      program; count is not 1 to 64
 *           -ENOMEM, -EAGAIN, -EMFILE   no service thread could be had
 *           KR_ESHUTDOWN  the process is exiting
 *           On an error nothing changed
 */
KR_API KR_NODISCARD int kr_signal_open(kr_signal **s, const int *signos, int count);

/* kr_signal_wait - take one that has come; the one with the lowest number first.
 *
 * Of several runners that wait each gets another one.
 *
 * Returns   0 and *signo (may be NULL)
 *           -ETIMEDOUT, -ECANCELED   none was taken
 *           KR_ESHUTDOWN  it was closed meanwhile, or the process is exiting
 *           -EINVAL       a negative timeout, or s is NULL
 *           KR_EFORKED    it is the parent's; close is all that is left
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_signal_wait(kr_signal *s, int *signo, kr_time timeout);

/* kr_signal_close - listen no more; NULL is allowed.  Waits under way end.  What has come and was
 * not taken is dropped. */
KR_API void kr_signal_close(kr_signal *s);
KR_API void kr_signal_auto(kr_signal **s); /* for KR_AUTO(kr_signal) */

/* kr_signal_handle - have fn(signo, arg) called in the calling thread's loop, in its turn, each
 * time the signal has come; Python's loop.add_signal_handler.
 *
 * It is called by the loop itself, as callbacks of krait/call_later.h are: a wait that would have
 * to sleep returns -ECANCELED there.  It may also call this function.  It takes the place of the
 * handler that the signal had in this loop; with fn NULL that is taken away: from then on it is not
 * called.  The end of kr_run, or of the pool of loops, takes all away.
 *
 *   fn     NULL: none any more
 *
 * Returns   0; -ENOENT: fn is NULL, and there was none; -EPERM: the calling thread has no loop;
 *           else as kr_signal_open
 */
typedef void (*kr_signal_fn)(int signo, void *arg);
KR_API KR_NODISCARD int kr_signal_handle(int signo, kr_signal_fn fn, void *arg);

KR_EXTERN_END

#endif
