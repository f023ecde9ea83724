/* treesum - what its parts tell each other.
 *
 *     main.c      options, and which of the two jobs: sum or check
 *     check.c     -c: reads lists of checksums and judges
 *     walk.c      all files of all arguments in the order of their paths
 *     tree.c      all files below one directory in the order of their paths
 *     work.c      shares the files out over a pool of krait's, gives results back in order
 *     task.c      what the pool's workers do, be they threads or processes
 *     digest.c    SHA-256 of one file
 *     io.c        opening and waiting
 *     output.c    lines on standard output
 *     console.c   messages and the progress bar on standard error
 *     quote.c     names in messages, as a shell would take them
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TREESUM_H
#define TREESUM_H

#include <krait/krait.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define DIGEST_SIZE 32 /* bytes */

struct options {
    unsigned workers; /* 0: as many as there are processors */
    bool sequential;
    bool processes;
    bool ranks;                                       /* of an MPI job */
    bool ignore_missing, quiet, status, strict, warn; /* of -c */
};

/* How a path came to us decides how it is opened. */
enum file_kind {
    FILE_FOUND, /* by walking: it was a regular file, and a link in its place is not followed */
    FILE_NAMED, /* by the user or a list: read whatever it is, "-" being standard input */
    FILE_NOTE,  /* no file: a message that goes out at this place of the order */
};

struct file {
    const char *path;
    const unsigned char *wanted; /* the digest it should have; NULL: nobody knows */
    off_t size;                  /* bytes when it was found; -1: nobody has looked */
    int error;                   /* negative errno: there is no digest */
    enum file_kind kind;
    unsigned char digest[DIGEST_SIZE];
};

/* walk.c: iterates; the arguments stay the caller's and must outlive it. */
struct walk;
struct walk *walk_open(char **arguments, size_t count, bool measure);
/* 1: a file, whose path is good until the next call; 0: no more; negative: an error */
int walk_next(struct walk *walk, const char **path, enum file_kind *kind, off_t *size);
bool walk_complete(const struct walk *walk); /* false: a directory could not be read */
void walk_close(struct walk *walk);

/* tree.c */
struct tree;
int tree_open(struct tree **tree, const char *directory, bool measure);
int tree_next(struct tree *tree, const char **path, off_t *size);
bool tree_complete(const struct tree *tree);
void tree_close(struct tree *tree);

/* work.c: `show` gets each file in the order of work_add, in the caller's thread; what it returns
 * below zero ends the work. */
struct work;
typedef int show_fn(void *context, const struct file *file);
int work_open(struct work **work, const struct options *options, kr_cancel_scope *scope);
int work_add(struct work *work, const struct file *file, off_t size);
int work_finish(struct work *work);
void work_show(struct work *work, show_fn *show, void *context);
bool work_wants_sizes(const struct work *work);
bool work_close(struct work *work, kr_time patience); /* false: a worker is still busy */

/* task.c: a batch as it goes to a worker, and as it comes back. */
struct parcel_file {
    off_t size;
    enum file_kind kind;
    uint32_t path; /* bytes from the parcel's beginning */
};

struct parcel {
    uint64_t count;
    struct parcel_file files[]; /* and behind them their paths */
};

struct outcome {
    int error;
    unsigned char digest[DIGEST_SIZE];
};

int task_sum(const void *arg, void *result); /* arg: a parcel; result: as many outcomes */

/* digest.c: in any thread; ends early where the scope that was named last is cancelled. */
void digest_scope(const kr_cancel_scope *scope);
void digest_file(struct file *file);

/* io.c */
int open_path(const char *path, int flags); /* as open(2), for paths of any length */
/* 0 once poll(2) has something to say, -ECANCELED when the scope (NULL: the caller's) is cancelled
 */
int wait_ready(int fd, short events, const kr_cancel_scope *scope);

/* output.c: zero or a negative errno, the same for every call after the first that failed. */
int output_sum(const struct file *file);
int output_verdict(const char *path, const char *verdict);
int output_flush(void);
int output_idle(void); /* the program is about to wait: let readers see what is there */

/* console.c */
void console_open(void);
bool console_has_bar(void);
void console_expect(uint64_t files, uint64_t bytes); /* that much more is known of */
void console_all_known(void);                        /* nothing more will be expected */
void console_done(uint64_t files, uint64_t bytes);   /* from any thread */
void console_hide(void);                             /* somebody else is about to write */
void console_close(void);
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);
void complain_path(const char *path, const char *what);
const char *reason(int error); /* of a negative one, krait's own too */

/* quote.c: `name` as one word for a shell; the caller frees it; NULL: no memory */
char *quote(const char *name);

/* check.c: exit status, or a negative error that ended the work */
int check_lists(struct work *work, const struct options *options, char **lists, size_t count);

#endif
