/* For tests of managers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_MANAGER_HELP_H
#define TESTS_MANAGER_HELP_H

#include "harness/test.h"
#include <krait/dict.h>
#include <krait/manager.h>

static inline kr_manager *manager_new(void)
{
    kr_manager *m = NULL;
    CHECK_EQ(kr_manager_open(&m, NULL, NULL), 0);
    return m;
}

static inline kr_dict *dict_new(kr_manager *m, const char *name)
{
    kr_dict *d = NULL;
    CHECK_EQ(kr_dict_open(&d, m, name), 0);
    return d;
}

static inline kr_manager_statistics statistics(kr_manager *m)
{
    kr_manager_statistics s;
    CHECK_EQ(kr_manager_trim(m), 0);
    CHECK_EQ(kr_manager_read_statistics(m, &s), 0);
    CHECK_EQ(s.spare + s.used + s.fixed, s.taken);
    CHECK_LE(s.taken, s.limit);
    return s;
}

/* The dict holds nothing and is the only object: when it is gone, nothing is left but what the
 * directory needs for one name, which hangs on where its hash falls. */
static inline void check_empty(kr_manager *m, kr_dict *d)
{
    enum { DIRECTORY = 5 * 4096 };
    if (kr_manager_descriptor(m) < 0) { /* on a server, which knows what it has */
        CHECK_EQ(kr_dict_length(d), 0);
        return;
    }
    CHECK_EQ(kr_dict_length(d), 0);
    CHECK_EQ(kr_manager_delete(m, kr_dict_name(d)), 0);
    kr_manager_statistics is = statistics(m);
    CHECK_LE(is.used, DIRECTORY);
    CHECK_EQ(is.objects, 0);
}

#endif
