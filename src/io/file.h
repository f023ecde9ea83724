/* Files: done in place by a thread, and by a thread of the library's own for a coroutine.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_IO_FILE_H
#define KRI_IO_FILE_H

#include "io/io.h"

/* At the file's position, of a descriptor that is an OS_FILE. */
int64_t kri_file_read(int fd, void *bytes, size_t size, kr_time timeout);
int64_t kri_file_write(int fd, const void *bytes, size_t size, kr_time timeout);

/* kri_fifo_open - kr_open of an end of a named pipe, as os_open_waits tells it. */
int kri_fifo_open(const char *path, int flags, unsigned mode, unsigned end, kr_time timeout,
                  kr_time deadline);

#endif
