/* Who hears of signals; the protocol is told at the top of signals.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_THREAD_SIGNALS_H
#define KRI_THREAD_SIGNALS_H

#include <stdbool.h>

/* One who listens to one signal.  hear is called by the service thread, or by whoever changes who
 * listens, with the lock held: it neither waits nor asks for that lock. */
typedef struct kri_listener {
    void (*hear)(struct kri_listener *listener); /* const, as the next two */
    int signo;
    bool gives_way; /* hears only while nobody else listens, and once: the next one takes its
                       default course */
    bool spent;     /* guarded by the lock, as the rest */
    bool listed;
    struct kri_listener *next;
} kri_listener;

void kri_signals_lock(void); /* also held across a fork */
void kri_signals_unlock(void);

/* All with the lock held. */

/* kri_signals_add - hear what comes from now on.  0; -EINVAL: it cannot be caught; -ENOMEM,
 * -EAGAIN, -EMFILE, KR_ESHUTDOWN. */
int kri_signals_add(kri_listener *listener);

/* kri_signals_remove - hear nothing any more, once what came before is heard.  One that is not
 * listed (exit has come, or a fork) is left alone.  The last one gives back the disposition. */
void kri_signals_remove(kri_listener *listener);

/* kri_signals_settle - have what came before heard now. */
void kri_signals_settle(int signo);

#endif
