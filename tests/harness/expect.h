/* Comparing what a program printed with what stands in an .expected file.
 *
 * examples/lessons/README.md describes the format.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_HARNESS_EXPECT_H
#define KRI_HARNESS_EXPECT_H

#include <stdbool.h>
#include <stddef.h>

enum { KRI_EXPECT_LINES = 512, KRI_EXPECT_WHY = 1024 };

/* A sequence of lines. */
typedef struct kri_expect_group {
    int first, count;
    int at; /* of the match: how many were seen */
} kri_expect_group;

/* Some groups, mixed with each other anyhow, all of it `least` to `most` times. */
typedef struct kri_expect_element {
    int first, count;
    int least, most;
} kri_expect_element;

typedef struct kri_expect_part {
    bool given;
    int first, count; /* elements */
} kri_expect_part;

typedef struct kri_expect {
    const char *lines[KRI_EXPECT_LINES];
    kri_expect_group groups[KRI_EXPECT_LINES];
    kri_expect_element elements[KRI_EXPECT_LINES];
    int line_count, group_count, element_count;
    kri_expect_part output, usually, error;
    int status, signal, processors;
    const char *not_under_tsan, *not_under_asan, *not_under_qemu; /* why; NULL: it is run there */
} kri_expect;

/* kri_expect_read - read the text of an .expected file, which is cut up and must stay.
 *
 * Returns false when it is wrong; `why`, of KRI_EXPECT_WHY bytes, says what is.
 */
bool kri_expect_read(kri_expect *expect, char *text, char *why);

/* kri_expect_match - is `output`, which is cut up, what the part says?  If not, `why` says where it
 * is not. */
bool kri_expect_match(kri_expect *expect, const kri_expect_part *part, char *output, char *why);

/* kri_expect_line - is the text what a line without blocks stands for? */
bool kri_expect_line(const char *pattern, const char *text);

#endif
