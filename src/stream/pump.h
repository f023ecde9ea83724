/* Coroutines of the library's own, for streams and servers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_STREAM_PUMP_H
#define KRI_STREAM_PUMP_H

#include <krait/executor.h>

/* kri_stream_spawn - have fn(arg, NULL) run as a coroutine of the caller's loop, and over(.., arg)
 * once it is over, also where it never began: whoever lists the coroutines may cancel it, and so
 * does the end of the loop.  0; on an error neither is called. */
int kri_stream_spawn(const char *name, kr_task_fn fn, void *arg, kr_done_fn over);

#endif
