/* Starting another program: the options, where it lies, its pipes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "subprocess/internal.h"
#include <string.h>

enum { PATH_BYTES = 4096 };

static int check_options(const char *const *argv, const kr_subprocess_options *o)
{
    const int to[3] = {o->stdin_to, o->stdout_to, o->stderr_to};
    if (argv == NULL || argv[0] == NULL || o->descriptor_count < 0 ||
        o->descriptor_count > KR_HANDED_MAX || (o->descriptor_count > 0 && o->descriptors == NULL))
        return -EINVAL;
    for (int i = 0; i < 4; i++)
        if (o->reserved[i] != 0)
            return -EINVAL;
    for (int i = 0; i < 3; i++)
        if (to[i] < (i == 2 ? KR_TO_STDOUT : KR_TO_NULL))
            return -EINVAL;
    for (int i = 0; i < o->descriptor_count; i++)
        if (!os_descriptor_valid(o->descriptors[i]))
            return -EBADF;
    return 0;
}

/* Its pipes.  theirs: what the program gets, to be closed here when it has them. */
typedef struct ends {
    int standard[3];
    int theirs[3];
    int count;
} ends;

static int open_pipe(kr_subprocess *p, ends *e, int stream)
{
    int pair[2], mine = stream == 0 ? 1 : 0;
    int err = os_spawn_pipe(pair, mine);
    if (err < 0)
        return err;
    p->pipes[stream] = pair[mine];
    kri_descriptor_fresh(pair[mine]);
    e->standard[stream] = e->theirs[e->count++] = pair[1 - mine];
    return 0;
}

static int open_end(kr_subprocess *p, ends *e, int stream, int to)
{
    if (to == KR_TO_PIPE)
        return open_pipe(p, e, stream);
    e->standard[stream] = to == KR_TO_SAME ? OS_INHERITED : to == KR_TO_STDOUT ? OS_AS_OUTPUT : to;
    if (to != KR_TO_NULL)
        return to > 0 && !os_descriptor_valid(to) ? -EBADF : 0;
    int fd = os_spawn_null();
    if (fd < 0)
        return fd;
    e->standard[stream] = e->theirs[e->count++] = fd;
    return 0;
}

static int open_ends(kr_subprocess *p, ends *e, const kr_subprocess_options *o)
{
    int err = open_end(p, e, 0, o->stdin_to);
    if (err == 0)
        err = open_end(p, e, 1, o->stdout_to);
    if (err == 0)
        err = open_end(p, e, 2, o->stderr_to);
    return err;
}

static const char *folders_of(const kr_subprocess_options *o)
{
    if (o->path != NULL || o->env == NULL)
        return o->path;
    for (const char *const *at = o->env; *at != NULL; at++)
        if (strncmp(*at, "PATH=", 5) == 0)
            return *at + 5;
    return NULL;
}

static int spawn(kr_subprocess *p, const char *const *argv, const kr_subprocess_options *o,
                 const ends *e)
{
    char path[PATH_BYTES];
    int err = os_spawn_find(argv[0], folders_of(o), path, sizeof path);
    if (err < 0)
        return err;
    os_spawn s = {.program = path,
                  .arguments = (char *const *)(uintptr_t)argv,
                  .environment = (char *const *)(uintptr_t)o->env,
                  .directory = o->cwd,
                  .standard = {e->standard[0], e->standard[1], e->standard[2]},
                  .descriptors = o->descriptors,
                  .count = o->descriptor_count,
                  .new_session = o->new_session,
                  .default_signals = o->default_signals};
    p->pid = os_spawn_program(&s);
    return p->pid < 0 ? p->pid : 0;
}

/* A program is begun only when there was a descriptor to know it by a moment before.  Where SIGCHLD
 * is ignored it may be over, and gone, already. */
static int begin(kr_subprocess *p, const char *const *argv, const kr_subprocess_options *o,
                 const ends *e)
{
    int place = os_pidfd_open(os_process_id());
    if (place < 0)
        return place;
    int err = spawn(p, argv, o, e);
    os_close(place);
    if (err < 0)
        return err;
    p->sentinel = os_pidfd_open(p->pid);
    if (p->sentinel == -ESRCH) {
        p->over = true;
        p->code = KR_EXIT_UNKNOWN;
    } else if (p->sentinel < 0) {
        os_spawn_undo(p->pid);
        return p->sentinel;
    } else {
        kri_descriptor_fresh(p->sentinel);
    }
    return 0;
}

static int start(kr_subprocess *p, const char *const *argv, const kr_subprocess_options *o)
{
    ends e = {.count = 0};
    int err = open_ends(p, &e, o);
    if (err == 0)
        err = begin(p, argv, o, &e);
    for (int i = 0; i < e.count; i++)
        os_close(e.theirs[i]);
    return err;
}

int kr_subprocess_start(kr_subprocess **result, const char *const *argv,
                        const kr_subprocess_options *options)
{
    kr_subprocess_options defaults = {0};
    const kr_subprocess_options *o = options != NULL ? options : &defaults;
    if (result == NULL)
        return -EINVAL;
    *result = NULL;
    int err = check_options(argv, o);
    if (err < 0)
        return err;
    kr_subprocess *p = os_alloc(sizeof *p);
    if (p == NULL)
        return -ENOMEM;
    kri_store_rlx(&p->references, 1);
    p->generation = kri_fork_generation();
    p->sentinel = p->pipes[0] = p->pipes[1] = p->pipes[2] = -1;
    err = start(p, argv, o);
    if (err < 0) {
        p->over = true;
        kr_subprocess_release(p);
    } else {
        *result = p;
    }
    return err;
}

int kr_subprocess_shell(kr_subprocess **p, const char *command,
                        const kr_subprocess_options *options)
{
    const char *argv[] = {"/bin/sh", "-c", command, NULL};
    return kr_subprocess_start(p, command != NULL ? argv : NULL, options);
}

int kr_subprocess_run(const char *const *argv, const kr_subprocess_options *options,
                      kr_subprocess_data *data, int *code, kr_time timeout)
{
    kr_subprocess *p;
    kr_subprocess_options o = options != NULL ? *options : (kr_subprocess_options){0};
    if (timeout < 0)
        return -EINVAL;
    if (data != NULL) {
        o.stdin_to = data->input != NULL && o.stdin_to == KR_TO_SAME ? KR_TO_PIPE : o.stdin_to;
        o.stdout_to = o.stdout_to == KR_TO_SAME ? KR_TO_PIPE : o.stdout_to;
        o.stderr_to = o.stderr_to == KR_TO_SAME ? KR_TO_PIPE : o.stderr_to;
    }
    int err = kr_subprocess_start(&p, argv, &o);
    if (err < 0)
        return err;
    err = kr_subprocess_communicate(p, data, timeout);
    if (err == 0 && code != NULL)
        *code = p->code;
    kr_subprocess_release(p);
    return err;
}
