/* Watching shared words for coroutines.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_LOOP_SENTRY_H
#define KRI_LOOP_SENTRY_H

#include "wait/wait.h"

int kri_sentry_post(kri_sentry *watch); /* as the party's `watch` and `unwatch` */
bool kri_sentry_relieve(kri_sentry *watch);
void kri_sentries_forked(void);

#endif
