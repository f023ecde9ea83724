/* What the files that read share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_STREAM_READ_H
#define KRI_STREAM_READ_H

#include "stream/internal.h"

/* Become the one that reads: 0, -EBUSY, -EBADF; and cease to be. */
int kri_stream_begin_read(kr_stream *s);
void kri_stream_end_read(kr_stream *s);

/* Read some more ahead: how many bytes, 0: the end. */
int64_t kri_stream_fill(kr_stream *s, kr_time deadline);

#endif
