/* KR_TRACE=FILE: a trace of the whole program, without a change of it.
 *
 * It begins as the library is loaded, and is written at exit.  "%p" in the name stands for the
 * process' number: programs that this one starts have the variable, too.  A child of krait's own
 * has its parent's trace, and leaves the file to it.  A program that has more rights than who runs
 * it, by set-user-ID, does not heed the variable: it would replace any file.  A program that starts
 * a trace itself gets that, as ever: this one ends there, and no file is written.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/child.h"
#include "trace/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/global.h"
#include "os/child.h"
#include "os/os.h"

enum { PATH = 4096 };

static char file[PATH] KRI_GLOBAL;
static pid_t writer KRI_GLOBAL; /* forked children inherit the handler of exit */
static int number KRI_GLOBAL;   /* of the trace */

/* false: it is too long. */
static bool make_path(const char *from)
{
    size_t at = 0;
    while (*from != 0 && at < sizeof file - 16) {
        if (from[0] == '%' && from[1] == 'p') {
            at += (size_t)snprintf(file + at, 16, "%ld", (long)os_process_id());
            from += 2;
        } else {
            file[at++] = *from++;
        }
    }
    file[at] = 0;
    return *from == 0;
}

static void complain(const char *what)
{
    char line[PATH + 128];
    snprintf(line, sizeof line, "krait: KR_TRACE=%s: %s", file, what);
    os_print_error(line);
}

static void write_file(void)
{
    if (os_process_id() != writer)
        return;
    if (kri_trace_last() != number) {
        complain("not written, since the program has started a trace itself");
        return;
    }
    (void)kr_trace_stop();
    int err = kr_trace_write(file);
    if (err < 0)
        complain(kr_strerror(err));
}

void kri_trace_from_environment(void)
{
    const char *path = secure_getenv("KR_TRACE");
    if (path == NULL || *path == 0 || os_argument_begins(KRI_CHILD_ARGUMENT))
        return;
    int err = make_path(path) ? kri_trace_start_yielding() : -ENAMETOOLONG;
    if (err > 0) {
        number = err;
        writer = os_process_id();
        err = os_at_exit(write_file);
    }
    if (err < 0)
        complain(kr_strerror(err));
}
