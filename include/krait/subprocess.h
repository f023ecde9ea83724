/* kr_subprocess - another program: started, written to, read from, waited for.
 *
 *     kr_subprocess *p;
 *     kr_subprocess_data data = {.input = text, .input_size = length};
 *     err = kr_subprocess_start(&p, (const char *[]){"sort", "-u", NULL},
 *                               &(kr_subprocess_options){.stdin_to = KR_TO_PIPE,
 *                                                        .stdout_to = KR_TO_PIPE});
 *     if (err == 0) {
 *         err = kr_subprocess_communicate(p, &data, kr_sec(10));
 *         ...                                   // data.output, data.output_size; free(data.output)
 *         kr_subprocess_release(p);             // kills it, if it still runs
 *     }
 *
 * Python's subprocess and asyncio.subprocess in one: all calls work in threads and in coroutines,
 * where they suspend.  A child is known by a pidfd, so no signal ever goes to another process, and
 * what is done with SIGCHLD is no matter, but for the exit code (KR_EXIT_UNKNOWN, as of
 * kr_process).  No child that was released stays as a zombie.
 *
 * The program begins with no descriptor but the standard ones and those that are handed over, with
 * no signal blocked, and with SIGPIPE as by default.
 *
 * Scope    the process that started it.  In a forked child every call for a handle of its parent
 *          answers KR_EFORKED, but for the release.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_SUBPROCESS_H
#define KRAIT_SUBPROCESS_H

#include <krait/base.h>
#include <krait/process.h>

KR_EXTERN_BEGIN

typedef struct kr_subprocess kr_subprocess;

/* Where a standard stream goes; else a descriptor, 1 or more. */
enum {
    KR_TO_SAME = 0,    /* as in this process */
    KR_TO_PIPE = -1,   /* to us, see kr_subprocess_pipe */
    KR_TO_NULL = -2,   /* /dev/null */
    KR_TO_STDOUT = -3, /* of stderr: where stdout goes */
};

typedef struct kr_subprocess_options {
    int stdin_to; /* KR_TO_, or a descriptor, which stays open here */
    int stdout_to;
    int stderr_to;
    const char *const *env; /* "NAME=value" ..., NULL at the end; NULL: as here */
    const char *cwd;        /* NULL: as here.  A program "./x" is looked for from there */
    const char *path;       /* where a program without a slash is looked for; NULL: .env's PATH,
                               or ours */
    bool new_session;       /* of its own: no terminal's signals reach it */
    bool default_signals;   /* also what is ignored here (nohup) is as by default */
    const int *descriptors; /* handed over: they are 3, 4, ... there, and stay open here */
    int descriptor_count;   /* at most KR_HANDED_MAX */
    uint64_t reserved[4];
} kr_subprocess_options;

/* kr_subprocess_start - run a program.
 *
 *   p        gets a handle, to be released
 *   argv     its name, or its path where that has a slash, and the arguments, NULL at the end
 *   options  NULL: all as here
 *
 * Returns   0           the program runs
 *           -ENOENT     there is no such program, or no such .cwd
 *           -EACCES, -ENOEXEC, -ENOTDIR, -E2BIG ...   it cannot be run: errors of exec
 *           -EINVAL     no argv, options that make no sense, or a reserved one is set
 *           -EBADF      no such descriptor
 *           -EAGAIN, -ENOMEM, -EMFILE, -ENFILE   a limit of the system is reached
 *           -ENOSYS     the system has no descriptors of processes: Linux before 5.4
 *           On an error there is no child
 * Blocks    the thread, until the program is loaded: some 100 us; no cancel ends that
 */
KR_API KR_NODISCARD int kr_subprocess_start(kr_subprocess **p, const char *const *argv,
                                            const kr_subprocess_options *options);

/* kr_subprocess_shell - start a line of /bin/sh.
 *
 * Returns   as kr_subprocess_start; what the shell does not find is told by its exit code, 127 */
KR_API KR_NODISCARD int kr_subprocess_shell(kr_subprocess **p, const char *command,
                                            const kr_subprocess_options *options);

/* kr_subprocess_wait - wait until it has ended.
 *
 *   code    gets 0 to 255, or the negative number of a signal, or KR_EXIT_UNKNOWN.  May be NULL
 *
 * Any number of runners may wait, any number of times.  A child that fills a pipe which nobody
 * reads does not end: see kr_subprocess_communicate.
 *
 * Returns   0; -ETIMEDOUT: it runs; -ECANCELED: the caller's scope is cancelled; -EMFILE: as
 *           kr_read; -EINVAL: a negative timeout; KR_EFORKED
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API int kr_subprocess_wait(kr_subprocess *p, int *code, kr_time timeout);

/* kr_subprocess_returncode - how it ended, if it has, without waiting; `code` as of
 * kr_subprocess_wait.
 *
 * Returns   0; -EAGAIN: it runs; -EINVAL: code is NULL; KR_EFORKED */
KR_API KR_NODISCARD int kr_subprocess_returncode(kr_subprocess *p, int *code);

/* kr_subprocess_pid - its number, which is another's some time after it has ended and was waited
 * for.
 *
 * Returns   the number; KR_EFORKED */
KR_API int kr_subprocess_pid(const kr_subprocess *p);

/* kr_subprocess_sentinel - a descriptor that becomes readable when it ends: the handle's.
 *
 * Returns   the descriptor; -EBADF: there is none; KR_EFORKED */
KR_API int kr_subprocess_sentinel(const kr_subprocess *p);

/* kr_subprocess_signal, kr_subprocess_terminate, kr_subprocess_kill - send a signal; SIGTERM;
 * SIGKILL.  One that has ended is left alone.
 *
 * Returns   0; -EINVAL: no such signal; -EPERM; KR_EFORKED */
KR_API int kr_subprocess_signal(kr_subprocess *p, int signo);
KR_API int kr_subprocess_terminate(kr_subprocess *p);
KR_API int kr_subprocess_kill(kr_subprocess *p);

/* kr_subprocess_pipe - our end of the pipe to its standard stream 0, 1 or 2: a descriptor that does
 * not block, for kr_read and kr_write.  It is the handle's.  Writing to a program that reads no
 * more is -EPIPE.
 *
 * kr_subprocess_take_pipe - the same, and from now on it is the caller's: for a kr_stream.
 * kr_subprocess_close_pipe - close it, as by kr_close: the end of its input.
 *
 * Returns   the descriptor, 0 of the last; -EBADF: there is none (any more); -EBUSY: somebody
 *           communicates; -EINVAL, KR_EFORKED
 */
KR_API KR_NODISCARD int kr_subprocess_pipe(kr_subprocess *p, int stream);
KR_API KR_NODISCARD int kr_subprocess_take_pipe(kr_subprocess *p, int stream);
KR_API int kr_subprocess_close_pipe(kr_subprocess *p, int stream);

/* What goes in and comes out. */
typedef struct kr_subprocess_data {
    const void *input; /* of kr_subprocess_communicate */
    size_t input_size;
    size_t limit; /* bytes of either output; 0: no limit */
    char *output; /* its result, for free(3), a zero byte behind it; NULL: no pipe */
    size_t output_size;
    char *error_output;
    size_t error_output_size;
    uint64_t reserved[4];
} kr_subprocess_data;

/* kr_subprocess_communicate - write the input, read both outputs until their ends, all at once, so
 * that none waits for another; close the pipes, and wait for the end of the program.
 *
 * A program that does not read all of its input is no error.  Descendants that have inherited an
 * output keep it open.  On an error what was read and written so far is kept in the handle: another
 * call, with the same input, goes on from there; after a kr_subprocess_kill that is how to get it.
 *
 *   data     NULL: no input, no outputs wanted
 *
 * Returns   0
 *           -ETIMEDOUT, -ECANCELED   it may be called again, see above
 *           -EMSGSIZE   an output is longer than .limit
 *           -EBUSY      another runner does it already
 *           -ENOMEM, -EMFILE
 *           -EINVAL     a negative timeout, a size without an input, or a reserved field is set
 *           KR_EFORKED
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_subprocess_communicate(kr_subprocess *p, kr_subprocess_data *data,
                                                  kr_time timeout);

/* kr_subprocess_run - start, communicate, release: a program from its beginning to its end.
 *
 * With data its outputs are pipes where the options say KR_TO_SAME, and its input, where there is
 * some.  On an error it is killed, and what it has written is lost.
 *
 * Returns   0; the errors of kr_subprocess_start and kr_subprocess_communicate
 */
KR_API KR_NODISCARD int kr_subprocess_run(const char *const *argv,
                                          const kr_subprocess_options *options,
                                          kr_subprocess_data *data, int *code, kr_time timeout);

/* kr_subprocess_retain - one more handle to the same child, which it returns.
 *
 * kr_subprocess_release - give one back; NULL is allowed.  With the last one the pipes are closed,
 * and a child that still runs is killed and waited for, whatever scope is cancelled; where it shall
 * go on, let kr_subprocess_wait be over first, or keep the handle.  In a forked child the handle
 * alone is given back. */
KR_API kr_subprocess *kr_subprocess_retain(kr_subprocess *p);
KR_API void kr_subprocess_release(kr_subprocess *p);
KR_API void kr_subprocess_auto(kr_subprocess **p); /* for KR_AUTO(kr_subprocess) */

KR_EXTERN_END

#endif
