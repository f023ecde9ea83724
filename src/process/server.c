/* The fork server, from outside.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process/internal.h"

int kri_start_by_server(kr_process *p, kri_start *s)
{
    return kri_start_spawn(p, s);
}

void kri_server_forked(void)
{
}

void kri_server_end(void)
{
}

void kri_serve(int channel, int line)
{
    (void)channel;
    (void)line;
    os_exit_now(1);
}
