/* One URL: redirects, retries, and the time it may take.
 *
 * Nothing here knows whether it runs in a thread or in a coroutine.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fetch.h"

#include <errno.h>
#include <stdlib.h>

#define PAUSE_MOST kr_sec(60)

/* What an attempt needs, beside a stack. */
struct trip {
    const struct options *options;
    struct job *job;
    struct url url;
    struct wire wire;
    struct answer answer;
    struct sink sink;
};

/* From the connection to the head of the answer, all in one time limit: a server that gives a byte
 * now and then does not keep us. */
static int ask(struct trip *trip)
{
    kr_cancel_scope limit = KR_CANCEL_SCOPE_INIT;
    int err = kr_cancel_scope_enter(&limit, trip->options->timeout);
    if (err)
        return err;
    err = wire_open(&trip->wire, &trip->url, trip->options);
    if (!err)
        err = http_ask(&trip->wire, &trip->url, &trip->answer);
    int cut = kr_cancel_scope_exit(&limit);
    return err == -ECANCELED && cut ? cut : err;
}

static int receive(struct trip *trip)
{
    struct job *job = trip->job;
    int err = sink_open(&trip->sink, trip->options, job, &trip->url);
    if (!err)
        err = body_receive(&trip->wire, &trip->answer, &trip->sink);
    job->bytes = trip->sink.bytes;
    if (!err)
        err = sink_keep(&trip->sink, &job->file);
    sink_drop(&trip->sink);
    return err;
}

static bool is_redirect(const struct answer *answer)
{
    return (answer->status == 301 || answer->status == 302 || answer->status == 303 ||
            answer->status == 307 || answer->status == 308) &&
           answer->location[0] != '\0';
}

/* 0: the body is here; 1: it is to be had from where trip->url leads now. */
static int hop(struct trip *trip)
{
    int err = ask(trip);
    if (!err) {
        trip->job->status = trip->answer.status;
        if (trip->answer.status / 100 == 2)
            err = receive(trip);
        else if (is_redirect(&trip->answer))
            err = url_follow(&trip->url, trip->answer.location);
        else
            err = BAD_STATUS;
    }
    wire_close(&trip->wire);
    return !err && trip->answer.status / 100 != 2 ? 1 : err;
}

static int attempt(struct trip *trip)
{
    trip->job->status = 0;
    trip->answer.retry_after = 0;
    int err = url_parse(&trip->url, trip->job->url);
    if (err)
        return err;
    for (unsigned hops = 0; hops <= trip->options->redirects; hops++) {
        err = hop(trip);
        if (err <= 0)
            return err;
    }
    return TOO_MANY_HOPS;
}

/* May it be better the next time? */
static bool is_passing(int error, int status)
{
    switch (error) {
    case BAD_STATUS:
        return status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
    case CUT_OFF:
    case -ETIMEDOUT:
    case -ECONNREFUSED:
    case -ECONNRESET:
    case -ECONNABORTED:
    case -EPIPE:
    case -EHOSTUNREACH:
    case -ENETUNREACH:
    case -EAGAIN: /* the resolver's */
    case -EMFILE:
    case -ENFILE:
        return true;
    default:
        return false;
    }
}

/* Twice as long each time, and a random half of that, so that not all come back at once; or as long
 * as the server has asked for. */
static kr_time pause_of(const struct trip *trip, unsigned retry)
{
    kr_time pause = trip->options->back_off;
    while (retry-- > 0 && pause < PAUSE_MOST)
        pause *= 2;
    if (pause > PAUSE_MOST)
        pause = PAUSE_MOST;
    pause -= pause / 1000 * (random() % 500);
    return pause > trip->answer.retry_after ? pause : trip->answer.retry_after;
}

static int fetch(struct trip *trip)
{
    struct job *job = trip->job;
    for (;;) {
        int err = attempt(trip);
        if (!err || !is_passing(err, job->status) || job->retries == trip->options->retries)
            return err;
        kr_time pause = pause_of(trip, job->retries);
        err = kr_sleep(pause);
        if (err)
            return err;
        job->retries++;
    }
}

/* All that in the time that there is for it. */
static int fetch_in_time(struct job *job, const struct options *options)
{
    struct trip *trip = malloc(sizeof *trip);
    if (!trip)
        return -ENOMEM;
    kr_cancel_scope limit = KR_CANCEL_SCOPE_INIT;
    trip->options = options;
    trip->job = job;
    int err = kr_cancel_scope_enter(&limit, trip->options->max_time);
    if (!err) {
        err = fetch(trip);
        int cut = kr_cancel_scope_exit(&limit);
        if (err && cut)
            err = cut;
    }
    free(trip);
    return err;
}

int task_fetch(const void *arg, void *result)
{
    struct job *job = result;
    job->error = fetch_in_time(job, arg);
    work_slot_free(job->work);
    console_done();
    output_done(job);
    return job->error == -ECANCELED ? -ECANCELED : 0; /* others go on, whatever became of this */
}
