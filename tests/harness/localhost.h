/* For cases that are about names of machines: is there one that every machine should know?
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_HARNESS_LOCALHOST_H
#define KRI_HARNESS_LOCALHOST_H

#include "harness/test.h"

#include <netdb.h>

/* The rest of the case is left out where /etc/hosts lacks it. */
#define NEED_LOCALHOST()                                                                           \
    do {                                                                                           \
        if (!knows_localhost())                                                                    \
            SKIP("the name localhost is not known here");                                          \
    } while (0)

static inline bool knows_localhost(void)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
    if (getaddrinfo("localhost", "80", &hints, &list) != 0)
        return false;
    freeaddrinfo(list);
    return true;
}

#endif
