/* What results mean to those who report failures.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BASE_RESULT_H
#define KRI_BASE_RESULT_H

#include <krait/base.h>

/* Whose end was asked for, by a cancel or by the shutdown of what it worked with: nobody needs to
 * hear of it. */
static inline bool kri_is_orderly_end(int result)
{
    return result >= 0 || result == -ECANCELED || result == KR_ESHUTDOWN;
}

#endif
