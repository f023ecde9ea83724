/* All of krait, but for the explorer.
 *
 * Where to begin:
 *
 *   threads             kr_thread_start, kr_thread_join
 *   tasks and results   kr_thread_pool, kr_submit, kr_future_result, kr_map, kr_group_open
 *   processes           kr_init and KR_TASK, kr_process_pool, kr_process_start, kr_pipe
 *   coroutines          kr_run, kr_spawn, kr_loop_pool
 *   meeting points      kr_queue_create, kr_lock_acquire, kr_with, kr_condition_wait_for,
 *                       kr_event_wait, kr_semaphore_acquire, kr_barrier_wait, kr_wait_any
 *   shared memory       kr_shared_alloc, kr_value_create, kr_arena_create, kr_manager_open
 *   input and output    kr_read, kr_stream_connect, kr_server_open, kr_subprocess_run
 *   the end of a wait   kr_time, kr_timeout_scope, kr_cancel, kr_cancel_on_signal
 *   an interpreter      kr_gil_create, kr_gil_attach
 *   to see what is on   kr_status_start, kr_trace_start, kr_debug_locks
 *
 * What all have in common.  The result is 0 or a count, or a negative error, errno's or krait's
 * own, which kr_errname and kr_strerror put in words.  What may wait has a kr_time as its last
 * argument; it ends by what it waits for, by that time (-ETIMEDOUT), or by a cancel (-ECANCELED).
 * Options are structures: NULL is the default, and so is zero in each field.  What a task is given
 * is copied.  Handles are given up by the ..._release or ..._close of their kind, or by KR_AUTO at
 * the end of a block.  Threads and coroutines, and in shared memory processes, use the same calls.
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
