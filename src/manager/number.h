/* Integers as decimal digits, as a server writes them, too.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_NUMBER_H
#define KRI_MANAGER_NUMBER_H

#include <krait/base.h>

enum { KRI_NUMBER = 24 }; /* room for any */

/* kri_number_write - how many bytes; no zero byte behind them is promised. */
size_t kri_number_write(int64_t number, char text[KRI_NUMBER]);

/* kri_number_read - 0; -EBADMSG: it is no integer; -EOVERFLOW: no int64_t holds it. */
int kri_number_read(const char *text, size_t size, int64_t *number);

#endif
