/* A line on a terminal that is drawn over again and again, with a bar at its end.
 *
 * Whoever draws holds a lock of its own around these, but for the first.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXAMPLES_BAR_H
#define EXAMPLES_BAR_H

#include <stddef.h>
#include <stdint.h>

/* bar_human - so many bytes in words, such as "12.3 MB", into 16 bytes or more: the text. */
const char *bar_human(char *text, size_t size, uint64_t bytes);

/* bar_draw - the text, and behind it how much of all is done: 0 to 1; bar_hide - clear the line, if
 * there is one, for something else. */
void bar_draw(const char *text, double share);
void bar_hide(void);

#endif
