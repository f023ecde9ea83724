/* All of krait, but for the explorer.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_KRAIT_H
#define KRAIT_KRAIT_H

#include <krait/address.h>
#include <krait/arena.h>
#include <krait/barrier.h>
#include <krait/base.h>
#include <krait/call_later.h>
#include <krait/cancel.h>
#include <krait/completed.h>
#include <krait/condition.h>
#include <krait/connection.h>
#include <krait/context_var.h>
#include <krait/coroutine.h>
#include <krait/datagram.h>
#include <krait/debug.h>
#include <krait/dict.h>
#include <krait/event.h>
#include <krait/executor.h>
#include <krait/future.h>
#include <krait/gather.h>
#include <krait/gil.h>
#include <krait/group.h>
#include <krait/holder.h>
#include <krait/init.h>
#include <krait/io.h>
#include <krait/items.h>
#include <krait/list.h>
#include <krait/listener.h>
#include <krait/local.h>
#include <krait/lock.h>
#include <krait/managed.h>
#include <krait/managed_sync.h>
#include <krait/manager.h>
#include <krait/map.h>
#include <krait/mpi_pool.h>
#include <krait/msgpack.h>
#include <krait/namespace.h>
#include <krait/parallel.h>
#include <krait/process.h>
#include <krait/process_pool.h>
#include <krait/queue.h>
#include <krait/remote.h>
#include <krait/redis.h>
#include <krait/redis_pool.h>
#include <krait/rlock.h>
#include <krait/semaphore.h>
#include <krait/server.h>
#include <krait/set.h>
#include <krait/shared_memory.h>
#include <krait/signal.h>
#include <krait/stall.h>
#include <krait/status.h>
#include <krait/stream.h>
#include <krait/subprocess.h>
#include <krait/thread.h>
#include <krait/timeout.h>
#include <krait/timer.h>
#include <krait/tls.h>
#include <krait/trace.h>
#include <krait/value.h>
#include <krait/wait_any.h>
#include <krait/with.h>

#endif
