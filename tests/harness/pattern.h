/* A line of an .expected file, and a line of output.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_HARNESS_PATTERN_H
#define KRI_HARNESS_PATTERN_H

#include <stdbool.h>

enum { KRI_PATTERN_NAMES = 256 };

/* What the names of placeholders stood for until now. */
typedef struct kri_pattern_names {
    struct kri_pattern_name {
        const char *kind, *name, *text; /* none of them ends at its end */
        int kind_length, name_length, text_length;
    } names[KRI_PATTERN_NAMES];
    int count;
} kri_pattern_names;

/* kri_pattern_valid - is every placeholder one that there is? */
bool kri_pattern_valid(const char *pattern);

/* kri_pattern_match - does the pattern stand for the text?  If not, the names are as before. */
bool kri_pattern_match(const char *pattern, const char *text, kri_pattern_names *names);

#endif
