/* The pump: a coroutine that sends on what a write has left, while something is left.
 *
 * A coroutine of its own, for a write that returned is nobody's; begun when bytes are left and over
 * when none is, so an idle stream has none.  Cancelled with its loop it leaves the rest to whoever
 * flushes or closes the stream; so does one that is cancelled before it has begun, which is why its
 * end is a callback of its future.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/executor.h"
#include "stream/internal.h"
#include "stream/pump.h"
#include <krait/coroutine.h>

bool kri_stream_can_pump(void)
{
    return kr_running_loop() != NULL;
}

static int run(const void *arg, void *result)
{
    kr_stream *s = (kr_stream *)(uintptr_t)arg;
    int err = 0;
    (void)result;
    kri_mutex_lock(&s->lock);
    s->sending = false;
    while (err == 0 && kri_stream_some_left(s) && !s->closing && s->out.error == 0)
        err = kri_stream_push(s, KRI_NEVER);
    kri_stream_raise(s);
    kri_stream_leave(s);
    return 0; /* the stream tells of errors */
}

/* It may have been cancelled before it began. */
static int be_over(kr_future *future, void *arg)
{
    kr_stream *s = arg;
    if (kri_future_error(future) != 0) {
        kri_mutex_lock(&s->lock);
        s->sending = false;
        kri_stream_raise(s);
        kri_stream_leave(s);
    }
    kri_stream_drop(s);
    return 0;
}

int kri_stream_pump(kr_stream *s)
{
    s->sending = true; /* for the pump */
    kri_mutex_unlock(&s->lock);
    kri_stream_hold(s);
    int err = kri_stream_spawn("stream", run, s, be_over);
    if (err < 0)
        kri_stream_drop(s); /* never the last: the writer has a handle */
    kri_mutex_lock(&s->lock);
    if (err < 0)
        s->sending = false;
    return err;
}

int kri_stream_spawn(const char *name, kr_task_fn fn, void *arg, kr_done_fn over)
{
    kr_future *future;
    kr_spawn_options options = {.name = name};
    int err = kr_spawn(&future, fn, arg, 0, 0, &options);
    if (err < 0)
        return err;
    err = kr_future_add_done_callback(future, over, arg);
    if (err < 0)
        (void)kr_future_cancel(future); /* it has not begun */
    kr_future_release(future);
    return err;
}
