/* Results on standard output, one line each:
 *
 *     STATUS <tab> BYTES <tab> URL <tab> FILE, or - for none, or "failed: " and why
 *
 * Tasks write themselves, through a buffer under a lock: whoever is done first in order writes what
 * is done behind him, too.  The lock is taken whether or not the task is cancelled, the write is
 * not: so Ctrl-C ends it where nobody reads, and what is left in the buffer has its last chance at
 * the end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fetch.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LAST_CHANCE kr_ms(100)

static struct {
    kr_lock lock; /* guards all below */
    bool as_completed;
    struct job *first, *last; /* of the list; first: the first that was not shown */
    char *text;               /* what is to be written */
    size_t used, room;
    int error; /* the first, for good */
} output = {.lock = KR_LOCK_INIT};

static void lock(void)
{
    int err = 0;
    kr_shield
        err = kr_lock_acquire(&output.lock, KR_FOREVER);
    assert(!err); /* there is nothing that could end that wait */
    (void)err;
}

void output_open(bool as_completed)
{
    output.as_completed = as_completed;
}

static void put(const char *text, size_t size)
{
    if (size > output.room - output.used) {
        size_t room = 2 * (output.used + size);
        char *bigger = realloc(output.text, room);
        if (!bigger) {
            output.error = -ENOMEM;
            return;
        }
        output.text = bigger;
        output.room = room;
    }
    memcpy(output.text + output.used, text, size);
    output.used += size;
}

/* What is not for a terminal becomes a question mark. */
static void clean(char *line)
{
    for (; *line != '\0'; line++) {
        if ((unsigned char)*line < ' ' || *line == 0x7f)
            *line = '?';
    }
}

static void put_job(struct job *job)
{
    char numbers[48] = "-\t0\t";
    char *url = strdup(job->url);
    job->shown = true;
    if (!url) {
        output.error = -ENOMEM;
        return;
    }
    clean(url);
    if (job->status)
        snprintf(numbers, sizeof numbers, "%d\t%llu\t", job->status,
                 (unsigned long long)job->bytes);
    put(numbers, strlen(numbers));
    put(url, strlen(url));
    free(url);
    const char *said = job->error ? reason(job->error) : job->file ? job->file : "-";
    const char *before = job->error ? "\tfailed: " : "\t";
    put(before, strlen(before));
    put(said, strlen(said));
    put("\n", 1);
}

static void flush(kr_time timeout)
{
    size_t written = 0;
    if (output.used == 0 || output.error)
        return;
    console_hide();
    int err = kr_write_all(STDOUT_FILENO, output.text, output.used, &written, timeout);
    if (err != -ECANCELED)
        output.error = err;
    memmove(output.text, output.text + written, output.used - written);
    output.used -= written;
}

static void put_done(bool all)
{
    while (output.first && (all || output.first->done)) {
        if (output.first->done && !output.first->shown)
            put_job(output.first);
        output.first = output.first->next_shown;
    }
}

void output_expect(struct job *job)
{
    lock();
    if (output.first)
        output.last->next_shown = job;
    else
        output.first = job;
    output.last = job;
    kr_lock_release(&output.lock);
}

void output_done(struct job *job)
{
    lock();
    job->done = true;
    if (output.as_completed)
        put_job(job);
    put_done(false);
    flush(KR_FOREVER);
    kr_lock_release(&output.lock);
}

int output_error(void)
{
    lock();
    int err = output.error;
    kr_lock_release(&output.lock);
    return err;
}

int output_close(void)
{
    lock();
    put_done(true);
    kr_shield
        flush(LAST_CHANCE);
    int err = output.error;
    free(output.text);
    output.text = NULL;
    output.used = output.room = 0;
    kr_lock_release(&output.lock);
    return err;
}
