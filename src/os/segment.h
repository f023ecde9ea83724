/* The contract with the system, continued: memory that is known by a descriptor or by a name.
 *
 * A segment is anonymous (a descriptor is all there is of it) or has a name that any process of the
 * machine may open.  The kernel gives its pages as they are touched, unless os_segment_reserve has
 * had them before; what is not there by then, a touch cannot report: SIGBUS.
 *
 * Errors are negative errno.  Descriptors are closed by exec, and by os_close.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_OS_SEGMENT_H
#define KRI_OS_SEGMENT_H

#include <krait/base.h>

/* Descriptors */

/* An empty anonymous one, that may be sealed. */
int os_segment_anonymous(void);

/* Give it so many bytes, all zero.  -EFBIG: the process may make no file so long. */
int os_segment_resize(int fd, size_t size);

/* Have memory for all of its `size` bytes now: a touch cannot fail any more.  May take long.
 * -ENOSPC, -ENOMEM: there is not so much. */
int os_segment_reserve(int fd, size_t size);

/* The same for the bytes from `from` on.  Of what it could not do, some may be done. */
int os_segment_reserve_part(int fd, uint64_t from, uint64_t size);

/* From now on nobody can change its length, nor this. */
int os_segment_seal(int fd);

int os_segment_duplicate(int fd);

typedef struct os_segment {
    uint64_t size;
    uint64_t device; /* these two: which it is */
    uint64_t inode;
    uint32_t user; /* its owner's */
    uint32_t mode; /* as of a file: 0600 */
    bool memory;   /* a segment: nothing else has a descriptor that looks so */
    bool sealed;   /* its length cannot shrink */
    bool named;    /* some name leads to it */
    bool marked;   /* see os_segment_mark */
} os_segment;

int os_segment_look(int fd, os_segment *about);

/* Mappings */

/* All of its first `size` bytes, for reading and writing; os_shared_unmap ends it. */
int os_segment_map(int fd, size_t size, void **memory);

/* Whole pages inside a mapping become zero bytes that take no memory. */
int os_segment_discard(void *memory, size_t size);

/* Core files do without it.  A core file of a mapping with holes takes memory for each of them. */
int os_segment_leave_undumped(void *memory, size_t size);
size_t os_page_size(void);

/* Names: of 1 to OS_SEGMENT_NAME bytes, without a slash */

enum { OS_SEGMENT_NAME = 255 };

/* An empty one that has no name yet, in the place where names are.  It goes with its last
 * descriptor unless it gets one. */
int os_segment_nameless(void);

/* Who may open it, as of a file; and a mark that stays with it and says that it is krait's, to be
 * removed when nobody holds it. */
int os_segment_mark(int fd, unsigned mode, bool marked);

/* The segment gets the name, if none has it.  -EEXIST. */
int os_segment_publish(int fd, const char *name);

int os_segment_open(const char *name); /* -ENOENT, -EACCES */
int os_segment_remove(const char *name);

/* The name of one that a descriptor leads to, and how long it is; -ENOENT: it has none. */
int os_segment_name(int fd, char name[OS_SEGMENT_NAME + 1]);

/* Call each(name, arg) for all names, until it returns other than 0, which is the result. */
int os_segment_list(int (*each)(const char *name, void *arg), void *arg);

/* Holders: a descriptor and its duplicates, also those in forked children, hold together, until the
 * last is closed.  -EAGAIN: others are in the way. */

int os_segment_hold(int fd);  /* beside others who hold it */
int os_segment_seize(int fd); /* alone */

uint32_t os_user(void); /* the effective one */

#endif
