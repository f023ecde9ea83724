/* kr_manager - named objects that processes share: dicts, lists, queues, locks and others.
 *
 *     KR_AUTO(kr_manager) *m = NULL;
 *     err = kr_manager_open(&m, NULL, NULL);              // children inherit it
 *     err = kr_manager_open(&m, "prices", NULL);          // whoever opens it by this name
 *     err = kr_manager_open(&m, "redis://host/0", NULL);  // whoever reaches that server
 *     KR_AUTO(kr_dict) *d = NULL;
 *     err = kr_dict_open(&d, m, "of today");
 *
 * Python's multiprocessing.Manager, with no server process in the way: on one machine the objects
 * lie in shared memory, and a call is a lock and a copy.  The same calls work on a Redis or Valkey
 * server; docs/manager.md has a table of what differs.
 *
 * In shared memory
 * - A process that is killed at any instruction leaves every object as if the call it was in had
 *   not been made, or had been made whole; nothing leaks.  The next one in sees to that.
 * - A process that is stopped (SIGSTOP) inside a call holds up others that want the same part of
 *   an object, each until .timeout has passed: -ETIMEDOUT, and nothing was done.
 * - A process that calls exec while another of its threads is inside a call holds up others in the
 *   same way until it ends, since it lives on: end such threads before.
 * - Memory is had from the system before it is touched, so a full /dev/shm is -ENOSPC and never
 *   SIGBUS; it grows as it is needed up to .limit, and what is free again is given back.
 * - All processes are of one pid namespace, one time namespace and one machine.
 * - A handle works in forked children of the process that opened it.
 *
 * Any thread or coroutine may use any handle; no call in shared memory may be made from a signal
 * handler.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_MANAGER_H
#define KRAIT_MANAGER_H

#include <krait/base.h>
#include <krait/tls.h>

KR_EXTERN_BEGIN

typedef struct kr_manager kr_manager;

/* What kr_manager_open may do with a name in shared memory. */
typedef enum kr_manager_open_how {
    KR_MANAGER_CREATE_OR_ATTACH,
    KR_MANAGER_CREATE, /* -EEXIST if somebody has it */
    KR_MANAGER_ATTACH, /* -ENOENT if nobody has it */
} kr_manager_open_how;

/* kr_manager_options - NULL or zero: the defaults.
 *
 *   .how      see above; a name only
 *   .limit    shared memory, at creation: at most so many bytes, its administration (some 70 KiB)
 *             among them, and at least 1 MiB; 0: 1 GiB.  Nothing is taken before it is needed
 *   .mode     a name: who may attach, as of a file: 0600, 0660, 0666; 0: 0600
 *   .keep     a name, at creation: it stays until kr_shared_memory_unlink, whether or not anybody
 *             has it
 *   .timeout  how long one call waits for an answer of the server, or for a process that was
 *             stopped; 0: 5 s
 *   .tls      rediss: whom to trust; NULL: what the system trusts
 */
typedef struct kr_manager_options {
    kr_manager_open_how how;
    size_t limit;
    unsigned mode;
    bool keep;
    kr_time timeout;
    kr_tls_context *tls;
    uint64_t reserved[4];
} kr_manager_options;

/* kr_manager_open - a handle for a manager.
 *
 *   where   NULL: a new one in anonymous memory: for children, and for whoever is sent its
 *           descriptor
 *           a name, as of kr_shared_memory (with which it shares them): in shared memory; of the
 *           same user.  It is removed with the last handle, or with what the killed have left
 *           "redis://[user:password@]host[:port][/number]", "rediss://..." (TLS),
 *           "unix:path[?db=number]": a server
 *
 * Returns   0; -EINVAL: options or where; -ENOMEM, -EMFILE, -ENFILE; -EFBIG: over RLIMIT_FSIZE;
 *           in shared memory: -ENOSPC: no room in /dev/shm; -EEXIST, -ENOENT: see .how; -EPERM,
 *           -EACCES: another user's; -EXDEV: of another pid or time namespace; -EBUSY: it is being
 *           removed; KR_ECORRUPT: something else, of another version, or damaged; -ENAMETOOLONG;
 *           of a server: -ENOSYS: built without hiredis (package libhiredis-dev); -ECONNREFUSED,
 *           -ENOENT and the like: it is not there, and did not come within .timeout; KR_EAUTH: user
 *           or password; KR_ETLS, KR_ECERT; -ETIMEDOUT, -ECANCELED
 * Blocks    server: a thread sleeps, a coroutine is suspended, at most .timeout
 */
KR_API KR_NODISCARD int kr_manager_open(kr_manager **m, const char *where,
                                        const kr_manager_options *options);

/* kr_manager_attach_descriptor - a handle for the manager in shared memory that a descriptor leads
 * to, which was inherited or received and stays the caller's.
 *
 *   options   .timeout only
 *
 * Returns   as kr_manager_open; -EBADF */
KR_API KR_NODISCARD int kr_manager_attach_descriptor(kr_manager **m, int fd,
                                                     const kr_manager_options *options);

/* kr_manager_release - give the handle back; NULL is allowed.  Handles of its objects stay usable:
 * the last of them all gives the memory, or the connections, back. */
KR_API void kr_manager_release(kr_manager *m);
KR_API void kr_manager_auto(kr_manager **m); /* for KR_AUTO(kr_manager) */

/* kr_manager_descriptor - of the manager's memory, to be sent or inherited; the handle's own.
 *
 * Returns   the descriptor; -1: it is on a server */
KR_API int kr_manager_descriptor(const kr_manager *m);

/* Kinds of objects. */
typedef enum kr_manager_kind {
    KR_MANAGER_DICT = 1,
    KR_MANAGER_LIST,
    KR_MANAGER_SET,
    KR_MANAGER_NAMESPACE,
    KR_MANAGER_VALUE,
    KR_MANAGER_ARRAY,
    KR_MANAGER_QUEUE,
    KR_MANAGER_LOCK,
    KR_MANAGER_RLOCK,
    KR_MANAGER_CONDITION,
    KR_MANAGER_SEMAPHORE,
    KR_MANAGER_EVENT,
    KR_MANAGER_BARRIER,
} kr_manager_kind;

/* Names of objects have 1 to 255 bytes.  One name is one object, whatever its kind. */
enum { KR_MANAGER_NAME = 255 };

/* kr_manager_delete - take the object of that name away, with what it holds.
 *
 * Who has a handle gets -ESTALE from then on.
 *
 * Returns   0; -ENOENT: no object of that name; -EBUSY: a lock or the like that is held or waited
 *           for; -EINVAL, -ETIMEDOUT; KR_ECORRUPT */
KR_API int kr_manager_delete(kr_manager *m, const char *name);

/* kr_manager_each - call each(name, kind, arg) for all objects that were there when it was called,
 * in no order, until it returns other than 0, which is the result.
 *
 * Nothing is locked meanwhile.
 *
 * Returns   what each returned last, 0 where there was nothing; -EINVAL, -ETIMEDOUT; KR_ECORRUPT */
KR_API KR_NODISCARD int kr_manager_each(
    kr_manager *m, int (*each)(const char *name, kr_manager_kind kind, void *arg), void *arg);

/* A picture of shared memory. */
typedef struct kr_manager_statistics {
    uint64_t limit;
    uint64_t taken;   /* from the system, of it */
    uint64_t fixed;   /* of what is taken: administration, which stays */
    uint64_t spare;   /* of what is taken: free, and kept for the next who needs it */
    uint64_t used;    /* of what is taken: by pages that hold something */
    uint64_t objects; /* with names */
    uint64_t deaths;  /* of processes inside a call, that were put right */
    uint64_t undone;  /* of those: unfinished calls that were undone */
    uint64_t reserved[4];
} kr_manager_statistics;

/* kr_manager_read_statistics - of one instant.
 *
 * Returns   0; -EINVAL; -EOPNOTSUPP: on a server; -ETIMEDOUT; KR_ECORRUPT */
KR_API KR_NODISCARD int kr_manager_read_statistics(kr_manager *m,
                                                   kr_manager_statistics *statistics);

/* kr_manager_trim - give the spare memory back to the system.
 *
 * Returns   as kr_manager_read_statistics */
KR_API int kr_manager_trim(kr_manager *m);

KR_EXTERN_END

#endif
