/* Who is next at the interpreter lock: CPython's two ways of deciding, and krait's.
 *
 * Rows 31 and 32 of docs/lessons.md.  Before 3.2 CPython counted instructions and gave the lock
 * away every hundred of them; since then whoever waits asks for it after an interval, 5 ms.
 *
 * One thread computes.  Another is a visitor: it waits for something, needs the lock for a moment,
 * and waits again, as a server does.  Watch how long it has to wait for the lock each time.  Under
 * the interval policy that is the interval, again and again: the convoy.  By krait's own policy who
 * has had little is let in early.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { VISITS = 20 };

static kr_gil *gil;
static kr_event over;

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int compute(void *arg)
{
    volatile unsigned sum = 0;
    kr_gil_thread *self;
    (void)arg;
    int err = kr_gil_attach(gil, &self);
    if (err)
        return err;
    while (!err && !kr_event_is_set(&over)) {
        for (unsigned i = 0; i < 100; i++) /* some instructions of an interpreter */
            sum = sum + i;
        err = kr_gil_check(self);
    }
    kr_gil_detach(self);
    return err;
}

static int visit(void *arg)
{
    kr_gil_metrics *metrics = *(kr_gil_metrics **)arg;
    kr_gil_thread *self;
    int err = kr_gil_attach(gil, &self);
    if (err)
        return err;
    for (int i = 0; i < VISITS && !err; i++)
        err = kr_sleep(kr_ms(1)); /* gives the lock away; the end of it asks for it again */
    kr_gil_measure_thread(self, metrics);
    kr_gil_detach(self);
    return err;
}

static int show(const char *name, kr_gil_policy policy)
{
    KR_AUTO(kr_thread) *computer = NULL;
    KR_AUTO(kr_thread) *visitor = NULL;
    kr_gil_metrics visits = {0}, *to = &visits, all = {0};
    kr_event_clear(&over);
    int err = kr_gil_create(&gil, &(kr_gil_options){.policy = policy});
    if (err)
        return err;
    err = kr_thread_start(&computer, compute, NULL, 0, NULL);
    if (!err)
        err = kr_thread_start(&visitor, visit, &to, sizeof to, NULL);
    if (!err)
        err = kr_thread_join(visitor, NULL, KR_FOREVER);
    kr_event_set(&over);
    if (!err)
        err = kr_thread_join(computer, NULL, KR_FOREVER);
    kr_gil_measure(gil, &all);
    if (!err)
        err = kr_gil_destroy(gil);
    if (!err)
        printf("%-9s waited %.3f ms half of the times, %.3f ms at most; %d hand-overs\n", name,
               (double)visits.wait.p50 / 1e6, (double)visits.wait.max / 1e6, (int)all.switches);
    return err;
}

int main(void)
{
    int err = show("ticks", KR_GIL_TICKS);
    if (!err)
        err = show("interval", KR_GIL_INTERVAL);
    if (!err)
        err = show("deadline", KR_GIL_DEADLINE);
    return err ? fail("policy", err) : EXIT_SUCCESS;
}
