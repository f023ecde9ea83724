/* What other files do with listeners.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_CONNECTION_LISTENER_H
#define KRI_CONNECTION_LISTENER_H

#include <krait/listener.h>

/* kri_listeners_close_all - in a forked child of ours, which has none: of this process, whose
 * copies would keep the addresses taken.  No other thread may run. */
void kri_listeners_close_all(void);

#endif
