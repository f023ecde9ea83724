/* What the tests of cancel scopes share: a world of threads, and one wait of each kind in it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TESTS_WAIT_EACH_H
#define KRI_TESTS_WAIT_EACH_H

#include "sync/waits.h"

static inline waits_world *begin(void)
{
    party_be(&party_threads);
    return waits_begin();
}

/* They all end alike: how. */
static inline int wait_each(waits_world *world, kr_time timeout)
{
    int first = waits_kinds[0].wait(world, timeout);

    for (int i = 1; i < WAITS_KINDS; i++)
        CHECK_EQ(waits_kinds[i].wait(world, timeout), first);
    return first;
}

#endif
