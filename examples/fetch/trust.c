/* Whom https believes: read when the first asks, for that takes some milliseconds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fetch.h"

#include <errno.h>

static struct {
    kr_lock lock; /* guards the next */
    kr_tls_context *context;
} trust = {.lock = KR_LOCK_INIT};

int trust_get(kr_tls_context **context, const struct options *options)
{
    const kr_tls_options wanted = {.ca_file = options->ca_file, .insecure = options->insecure};
    int err = kr_lock_acquire(&trust.lock, KR_FOREVER);
    if (err)
        return err;
    if (!trust.context)
        err = kr_tls_context_create(&trust.context, &wanted);
    *context = trust.context;
    kr_lock_release(&trust.lock);
    return err == -ENOENT ? BAD_TRUST : err;
}

void trust_forget(void)
{
    kr_tls_context_release(trust.context);
}
