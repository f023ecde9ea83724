/* Writing a program's input and reading its outputs at once.
 *
 * One descriptor stands for the three pipes (an epoll set, which is itself readable while one of
 * them is ready), so that a thread or a coroutine has one thing to wait for, and no helper is
 * needed.  Who communicates has the pipes for himself (`busy`).  The state is the handle's: a call
 * that is cut short by time or cancel has lost nothing, and the next one goes on.
 *
 * In a loop the set's events come by edges.  So the set is waited for only when all pipes have just
 * been found empty, or full; while there is something, nobody waits, but time and cancel are looked
 * at, and other coroutines come to their turn.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/socket.h"
#include "subprocess/internal.h"
#include <krait/coroutine.h>
#include <string.h>

enum { AT_ONCE = 65536 };

typedef struct exchange {
    kr_subprocess *p;
    const kr_subprocess_data *data;
    kr_time deadline;
    int watch;
} exchange;

/* Each step answers 1: some bytes have moved, or it is the end; 0: nothing at present; an error. */

static void end_pipe(exchange *x, int stream)
{
    os_watch_remove(x->watch, x->p->pipes[stream]);
    kri_subprocess_close(x->p, stream);
}

static int write_some(exchange *x)
{
    kr_subprocess *p = x->p;
    size_t left = x->data->input_size > p->written ? x->data->input_size - p->written : 0;
    int64_t n = 0;
    if (p->pipes[0] < 0)
        return 0;
    if (left > 0) {
        const char *at = (const char *)x->data->input + p->written;
        n = os_spawn_write(p->pipes[0], at, left < AT_ONCE ? left : AT_ONCE);
    }
    if (n == -EAGAIN)
        return 0;
    if (n < 0 && n != -EPIPE)
        return (int)n;
    p->written += n > 0 ? (size_t)n : 0;
    if (n <= 0 || (size_t)n == left)
        end_pipe(x, 0);
    return 1;
}

/* Room for some more, and for the zero byte behind it. */
static int make_room(kri_gathered *g)
{
    if (g->room - g->size >= AT_ONCE / 2)
        return 0;
    size_t room = g->room < AT_ONCE ? AT_ONCE : g->room * 2;
    char *bytes = room > g->room ? os_alloc(room) : NULL;
    if (bytes == NULL)
        return -ENOMEM;
    if (g->size > 0)
        memcpy(bytes, g->bytes, g->size);
    os_free(g->bytes);
    g->bytes = bytes;
    g->room = room;
    return 0;
}

/* One byte above the limit shows that there is more; it is kept, for a call with another limit. */
static int read_some(exchange *x, int stream)
{
    kri_gathered *g = &x->p->gathered[stream - 1];
    size_t limit = x->data->limit;
    if (x->p->pipes[stream] < 0)
        return 0;
    if (limit != 0 && g->size > limit)
        return -EMSGSIZE;
    int err = make_room(g);
    if (err < 0)
        return err;
    size_t room = g->room - g->size - 1;
    size_t most = room < AT_ONCE ? room : AT_ONCE;
    if (limit != 0 && limit - g->size < most)
        most = limit - g->size + 1;
    int64_t n = os_spawn_read(x->p->pipes[stream], g->bytes + g->size, most);
    if (n == -EAGAIN)
        return 0;
    if (n < 0)
        return (int)n;
    g->size += (size_t)n;
    if (n == 0)
        end_pipe(x, stream);
    return limit != 0 && g->size > limit ? -EMSGSIZE : 1;
}

static int step(exchange *x)
{
    int moved = write_some(x);
    for (int i = 1; i <= 2 && moved >= 0; i++) {
        int some = read_some(x, i);
        moved = some < 0 ? some : moved | some;
    }
    return moved;
}

static bool done(const exchange *x)
{
    return x->p->pipes[0] < 0 && x->p->pipes[1] < 0 && x->p->pipes[2] < 0;
}

static int exchange_all(exchange *x)
{
    while (!done(x)) {
        int moved = step(x);
        if (moved < 0)
            return moved;
        if (moved == 0) {
            moved = kri_wait_fd(x->watch, OS_READABLE, x->deadline);
            if (moved < 0)
                return moved;
        } else if (kr_yield() < 0) {
            return -ECANCELED;
        } else if (x->deadline != KRI_NEVER && os_now() >= x->deadline && !done(x)) {
            return -ETIMEDOUT;
        }
    }
    return 0;
}

static int watch_pipes(exchange *x)
{
    x->watch = os_watch_create();
    int err = x->watch < 0 ? x->watch : 0;
    kri_descriptor_fresh(x->watch);
    for (int i = 0; i < 3 && err == 0; i++)
        if (x->p->pipes[i] >= 0)
            err = os_watch_add_for(x->watch, x->p->pipes[i], i == 0 ? OS_WRITABLE : OS_READABLE);
    return err;
}

static int communicate(exchange *x)
{
    int err = done(x) ? 0 : watch_pipes(x);
    if (err == 0)
        err = exchange_all(x);
    if (x->watch >= 0)
        kri_descriptor_close(x->watch);
    return err == 0 ? kri_subprocess_await(x->p, x->deadline) : err;
}

/* Only whoever comes first. */
static int occupy(kr_subprocess *p, bool busy)
{
    kri_mutex_lock(&p->lock);
    int err = p->busy && busy ? -EBUSY : 0;
    if (err == 0)
        p->busy = busy;
    kri_mutex_unlock(&p->lock);
    return err;
}

static void hand_out(kri_gathered *g, char **bytes, size_t *size)
{
    *bytes = g->bytes;
    *size = g->size;
    if (g->bytes != NULL)
        g->bytes[g->size] = '\0';
    *g = (kri_gathered){0};
}

static int check(const kr_subprocess *p, const kr_subprocess_data *data, kr_time timeout)
{
    if (timeout < 0 || (data != NULL && data->input == NULL && data->input_size > 0))
        return -EINVAL;
    for (int i = 0; data != NULL && i < 4; i++)
        if (data->reserved[i] != 0)
            return -EINVAL;
    return kri_subprocess_check(p);
}

int kr_subprocess_communicate(kr_subprocess *p, kr_subprocess_data *data, kr_time timeout)
{
    kr_subprocess_data none = {.input = NULL};
    int err = check(p, data, timeout);
    if (err == 0)
        err = occupy(p, true);
    if (err < 0)
        return err;
    exchange x = {p, data != NULL ? data : &none, kri_deadline(timeout), -1};
    err = communicate(&x);
    if (err == 0 && data != NULL) {
        hand_out(&p->gathered[0], &data->output, &data->output_size);
        hand_out(&p->gathered[1], &data->error_output, &data->error_output_size);
    }
    (void)occupy(p, false);
    return err;
}
