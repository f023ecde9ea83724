/* A file of JSON, written piece by piece: after the first error nothing more.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TRACE_OUTPUT_H
#define KRI_TRACE_OUTPUT_H

#include <krait/base.h>

typedef struct kri_output {
    int fd;
    int error; /* the first */
    size_t length;
    char bytes[1 << 14];
} kri_output;

int kri_output_open(kri_output *out, const char *path);
int kri_output_close(kri_output *out); /* the first error of all */
void kri_output_add(kri_output *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));                 /* at most 512 bytes */
void kri_output_string(kri_output *out, const char *text); /* with quotes, escaped */

#endif
