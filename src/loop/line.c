/* Going through the queue of what is ready in a loop.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/line.h"

void kri_line_each_task(const kri_line *line, void (*visit)(kr_future *f))
{
    kri_item item = line->count != 0 ? line->first : 0;
    for (; item != 0; item = kri_line_next(item)) {
        if ((item & KRI_ITEM_KIND) == KRI_ITEM_TASK)
            visit(kri_item_address(item));
        else if (kri_item_is_runner(item))
            visit(((kri_runner *)item)->future);
    }
}
