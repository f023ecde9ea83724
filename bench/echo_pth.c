/* Echo by GNU Pth, a thread of its own for each connection.
 *
 * SPDX-License-Identifier: MIT
 */
#include "echo.h"

#include <pth.h>
#include <stdint.h>
#include <unistd.h>

static void *serve(void *arg)
{
    char bytes[ECHO_OWN_ROOM];
    int fd = (int)(intptr_t)arg;
    for (ssize_t got; (got = pth_read(fd, bytes, sizeof bytes)) > 0;) {
        if (pth_write(fd, bytes, (size_t)got) != got)
            break;
    }
    close(fd);
    return NULL;
}

void echo_pth(int listener)
{
    ECHO_MUST(pth_init() == TRUE && pth_fdmode(listener, PTH_FDMODE_BLOCK) >= 0);
    pth_attr_t attributes = pth_attr_new();
    pth_attr_set(attributes, PTH_ATTR_JOINABLE, FALSE);
    pth_attr_set(attributes, PTH_ATTR_STACK_SIZE, 4 * ECHO_OWN_ROOM);
    for (;;) {
        int fd = pth_accept(listener, NULL, NULL);
        ECHO_MUST(fd >= 0);
        ECHO_MUST(pth_spawn(attributes, serve, (void *)(intptr_t)fd) != NULL);
    }
}
