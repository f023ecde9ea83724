/* Blocks with a time limit.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/timeout.h>

#include "wait/wait.h"

bool kr_timeout_next(kr_timeout_guard *guard, kr_time time)
{
    kr_timeout *timeout = guard->timeout;
    if (guard->begun)
        return false;
    timeout->scope = (kr_cancel_scope)KR_CANCEL_SCOPE_INIT;
    timeout->result = kr_cancel_scope_enter(&timeout->scope, time);
    guard->begun = timeout->result == 0;
    return guard->begun;
}

void kr_timeout_end(kr_timeout_guard *guard)
{
    if (guard->begun)
        guard->timeout->result = kr_cancel_scope_exit(&guard->timeout->scope);
}
