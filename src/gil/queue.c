/* The queue of those who wait for an interpreter lock, under its lock.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil/gil.h"

void kri_gil_insert_before(kr_gil *g, kr_gil_thread *t, kr_gil_thread *behind)
{
    kr_gil_thread *before = behind != NULL ? behind->before : g->last;
    t->behind = behind;
    t->before = before;
    *(before != NULL ? &before->behind : &g->first) = t;
    *(behind != NULL ? &behind->before : &g->last) = t;
    t->queued = true;
    g->waiting++;
}

void kri_gil_append(kr_gil *g, kr_gil_thread *t)
{
    kri_gil_insert_before(g, t, NULL);
}

void kri_gil_take_out(kr_gil *g, kr_gil_thread *t)
{
    *(t->before != NULL ? &t->before->behind : &g->first) = t->behind;
    *(t->behind != NULL ? &t->behind->before : &g->last) = t->before;
    t->queued = false;
    g->waiting--;
}
