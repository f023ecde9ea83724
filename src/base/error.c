/* The names and texts of every result.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/base.h>
#include <string.h>
#ifndef __GLIBC__
#include "base/errno_names.h"
#endif

struct own_error {
    int error;
    const char *name;
    const char *text;
};

static const struct own_error own_errors[] = {
    {KR_EBROKEN, "KR_EBROKEN", "broken: a party gave up, or an initializer failed"},
    {KR_ESHUTDOWN, "KR_ESHUTDOWN", "shut down"},
    {KR_EOF, "KR_EOF", "end of data: every writer is gone"},
    {KR_ECRASHED, "KR_ECRASHED", "the worker process died while it ran the task"},
    {KR_EFORKED, "KR_EFORKED", "belongs to the parent of this forked process"},
    {KR_ECORRUPT, "KR_ECORRUPT", "no such object in this memory, or a damaged one"},
    {KR_EINIT, "KR_EINIT", "spawn and forkserver need kr_init at the beginning of main"},
    {KR_ETASK, "KR_ETASK", "not declared with KR_TASK in that program"},
    {KR_EAUTH, "KR_EAUTH", "the other end has not got the same key"},
    {KR_ETLS, "KR_ETLS", "TLS failed, or its connection was cut off"},
    {KR_ECERT, "KR_ECERT", "the other end's certificate is refused"},
    {KR_EUNSURE, "KR_EUNSURE", "no answer came: it may have been applied or not"},
    {KR_EREPLY, "KR_EREPLY", "the server answered with an error"},
    {KR_OWNER_DIED, "KR_OWNER_DIED", "held, but a process that held it has died"},
};

static const struct own_error *find_own(int error)
{
    for (size_t i = 0; i < sizeof own_errors / sizeof own_errors[0]; i++) {
        if (own_errors[i].error == error)
            return &own_errors[i];
    }
    return NULL;
}

/* The C library's tables are constant and need no lock. */
const char *kr_strerror(int error)
{
    const struct own_error *own = find_own(error);
    if (own != NULL)
        return own->text;
    const char *text = error <= 0 && error > KR_EBROKEN ? strerrordesc_np(-error) : NULL;
    return text != NULL ? text : "unknown error";
}

const char *kr_errname(int error)
{
    const struct own_error *own = find_own(error);
    if (own != NULL)
        return own->name;
    const char *name = error <= 0 && error > KR_EBROKEN ? strerrorname_np(-error) : NULL;
    return name != NULL ? name : "?";
}
