/* kr_connection, kr_pipe - messages between processes, one by one and whole.
 *
 *     KR_AUTO(kr_connection) *here = NULL, *there = NULL;
 *     err = kr_pipe(&here, &there, NULL);
 *     ...                                             // `there` goes to another process
 *     err = kr_connection_send(here, "hello", 5, KR_FOREVER);
 *
 *     err = kr_connection_recv(there, &bytes, &size, KR_FOREVER);     // over there
 *
 * Python's multiprocessing.Pipe and Connection: send_bytes and recv_bytes, without pickling.  A
 * message comes out as it was sent, or not at all; a process that is killed in the middle of
 * sending has sent nothing.  Messages of no bytes are messages.  A pipe's bytes go through memory
 * that both sides have, so on one machine it is much faster than a socket; connections from
 * kr_listener_accept and kr_client (listener.h) are used by the same calls.
 *
 * Every thread of every process that has an end may use it, also several at a time: a message is
 * sent and received as a whole, by one of them.  Every wait ends by its event, time, cancel, or by
 * the death of the other side.  Signals neither end nor lengthen a wait.
 *
 * Scope    a forked child inherits all connections of its parent, open; as long as it has not
 *          closed its copy of an end, that end is not closed.  Children that krait starts
 *          (process.h) have only those that were given to them.  What is just being opened while
 *          a fork comes is closed in the child.  A process that is stopped (SIGSTOP) inside a send
 *          or a receive, and not asleep there, holds up those that do the same at the same end:
 *          with a timeout until then, with KR_NOWAIT, and in a poll, for a second; -ETIMEDOUT is
 *          the answer
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_CONNECTION_H
#define KRAIT_CONNECTION_H

#include <krait/base.h>

KR_EXTERN_BEGIN

typedef struct kr_connection kr_connection;
struct kr_listener;

/* kr_pipe_options - NULL or zero: the defaults.
 *
 *   .one_way    the first end receives and the second sends, as Pipe(duplex=False) has it; else
 *               both do both
 *   .capacity   bytes that wait in the pipe, each way, before a sender has to; 0: 64 KiB.  Rounded
 *               up to a power of two, at least 4096.  Longer messages pass all the same
 */
typedef struct kr_pipe_options {
    bool one_way;
    size_t capacity;
    uint64_t reserved[4];
} kr_pipe_options;

/* kr_pipe - two ends that are connected with each other.
 *
 * Returns   0; -EINVAL: options; -ENOMEM, -EMFILE, -ENFILE: nothing was made.  An end takes four
 *           descriptors, with .one_way three.  -ENOENT: /proc is not there
 */
KR_API KR_NODISCARD int kr_pipe(kr_connection **a, kr_connection **b,
                                const kr_pipe_options *options);

/* kr_connection_close - close this process's copy of the end; a second time does nothing.
 *
 * No other call on it may be under way in another thread.  Afterwards every other call answers
 * -EBADF, but for the release.
 */
KR_API void kr_connection_close(kr_connection *c);

/* kr_connection_release - close it and give the handle back; NULL is allowed. */
KR_API void kr_connection_release(kr_connection *c);

/* For KR_AUTO(kr_connection): releases *c. */
KR_API void kr_connection_auto(kr_connection **c);

/* kr_connection_duplicate - another handle for the same end, with descriptors of its own.
 *
 * Returns   0; -EBADF: closed; -EOPNOTSUPP: a duplicate would break it; -ENOMEM, -EMFILE, -ENFILE
 */
KR_API KR_NODISCARD int kr_connection_duplicate(kr_connection *c, kr_connection **copy);

/* kr_connection_send - send one message.  Python's send_bytes.
 *
 * Waits while there is no room.  KR_NOWAIT: one try.  Through a pipe a message that is longer than
 * half the capacity passes in pieces, so the other side must receive meanwhile.
 *
 * Returns   0            the message is on its way, and will be received as a whole
 *           -ETIMEDOUT   no room within the timeout; nothing was sent
 *           -ECANCELED   the caller's scope is cancelled; nothing was sent.  Not with KR_NOWAIT
 *           -EPIPE       every process that could receive it has closed its end, or is over: that
 *                        one was killed may be noticed some microseconds late
 *           -EBADF       the end is closed, or only receives
 *           -EMSGSIZE    longer than the connection takes at all
 *           KR_ECORRUPT  (pipes) the other side has damaged the memory
 *           -EINVAL      negative timeout, or no bytes where size is not 0
 *           -ECONNRESET  and the like, of sockets.  There a message that was cut off by a timeout
 *                        or a cancel leaves a connection that cannot be used: see listener.h
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_connection_send(kr_connection *c, const void *bytes, size_t size,
                                           kr_time timeout);

/* kr_connection_recv - receive the next message.  Python's recv_bytes.
 *
 *   bytes   receives memory from malloc, also for a message of no bytes; see
 *           kr_connection_free_bytes
 *   size    receives its length
 *
 * Returns   0
 *           -ETIMEDOUT   none came within the timeout
 *           -ECANCELED   the caller's scope is cancelled.  Not with KR_NOWAIT
 *           KR_EOF       every process that could send has closed its end, or is over, and what
 *                        they had sent is received
 *           -EBADMSG     the next message is a descriptor or a connection; it stays
 *           -EBADF       the end is closed, or only sends
 *           -ENOMEM      no memory for so long a message; it stays
 *           -EMSGSIZE    (sockets) longer than .max_message
 *           KR_ECORRUPT, -EINVAL
 *           On every error *bytes is NULL and *size 0.  Of a message longer than half the capacity
 *           a part may have arrived when the wait ends: the next call on this handle goes on with
 *           it.  If another process that has the same end receives first, that message is lost
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_connection_recv(kr_connection *c, void **bytes, size_t *size,
                                           kr_time timeout);

/* kr_connection_free_bytes - free what kr_connection_recv gave; as free, which does it too. */
KR_API void kr_connection_free_bytes(void *bytes);

/* kr_connection_recv_into - receive a message into memory of the caller's.  Python's
 * recv_bytes_into.
 *
 *   room      of room_size bytes; may be NULL for 0
 *   size      receives the length; NULL: not wanted
 *
 * Returns   as kr_connection_recv; -EMSGSIZE: the message is longer than room_size: it stays, and
 *           *size is its length
 */
KR_API KR_NODISCARD int kr_connection_recv_into(kr_connection *c, void *room, size_t room_size,
                                                size_t *size, kr_time timeout);

/* kr_connection_poll - wait until a receive would not have to.  Python's poll.
 *
 * Returns   0: there is a message or the beginning of one, or the end, or an error to receive;
 *           -ETIMEDOUT: nothing; -ECANCELED; -EBADF: closed, or only sends; -EINVAL; -EMFILE: no
 *           descriptor left by which a wait in a cancel scope can be ended, as in every call here
 */
KR_API KR_NODISCARD int kr_connection_poll(kr_connection *c, kr_time timeout);

/* kr_connection_send_descriptor - let the other side have a descriptor of the same open file.
 * Python's send_handle.  fd stays the caller's.
 *
 * It is a message in order with the others, and received by kr_connection_recv_descriptor only.
 *
 * Returns   as kr_connection_send; -EBADF also: fd is no descriptor; -EOPNOTSUPP: not over sockets
 */
KR_API KR_NODISCARD int kr_connection_send_descriptor(kr_connection *c, int fd, kr_time timeout);

/* kr_connection_recv_descriptor - receive one, into *fd, closed by exec.
 *
 * Returns   as kr_connection_recv; -EBADMSG: the next message is no descriptor; it stays.
 *           -EMFILE, -ENFILE: no room for one in this process; it stays.  On every error *fd is -1
 */
KR_API KR_NODISCARD int kr_connection_recv_descriptor(kr_connection *c, int *fd, kr_time timeout);

/* kr_connection_send_connection - hand an end over to the other side.
 *
 * On success `end` is closed here: an end that two processes hold is the one whose partner waits
 * for ever.  Who wants to keep it sends a kr_connection_duplicate.
 *
 * Returns   as kr_connection_send_descriptor; -EINVAL also: end is c
 */
KR_API KR_NODISCARD int kr_connection_send_connection(kr_connection *c, kr_connection *end,
                                                      kr_time timeout);

/* kr_connection_recv_connection - receive one, into *end.
 *
 * Returns   as kr_connection_recv_descriptor; KR_ECORRUPT: what came is no connection
 */
KR_API KR_NODISCARD int kr_connection_recv_connection(kr_connection *c, kr_connection **end,
                                                      kr_time timeout);

/* kr_connection_descriptor - a descriptor for pollers, such as an event loop.
 *
 * It stays the connection's; do nothing but poll it.  Once kr_connection_poll(c, KR_NOWAIT) has
 * said that there is nothing, it becomes readable when that changes, perhaps also for nothing.
 *
 * Returns   the descriptor; -EBADF: closed, or an end that only sends
 */
KR_API int kr_connection_descriptor(const kr_connection *c);

/* kr_connection_readable, _writable - may this end receive, send?  false when it is closed. */
KR_API bool kr_connection_readable(const kr_connection *c);
KR_API bool kr_connection_writable(const kr_connection *c);

/* kr_waitable - one of what kr_connection_wait waits for: set one of the first two, or leave both
 * NULL and set the third, which is any descriptor that can be polled: a socket, a pidfd. */
typedef struct kr_waitable {
    kr_connection *connection; /* ready: a receive would not wait */
    struct kr_listener *listener;
    int descriptor; /* ready: readable, or hung up */
    bool ready;     /* set by the call */
} kr_waitable;

/* kr_connection_wait - wait until at least one of them is ready, and say which.  Python's
 * multiprocessing.connection.wait.
 *
 * Returns   how many are ready, 1 to count; -ETIMEDOUT: none; -ECANCELED; -EBADF: one is closed, or
 *           only sends, or is no descriptor; -EINVAL: negative timeout, both of the first two are
 *           set, a count of 0 with KR_FOREVER, or more than the process may have descriptors;
 *           -ENOMEM, -EMFILE.  On every error no `ready` is set
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_connection_wait(kr_waitable *list, size_t count, kr_time timeout);

KR_EXTERN_END

#endif
