/* To be replaced by the loop's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/descriptor.h"

bool kri_in_coroutine(void)
{
    return false;
}

void kri_descriptor_drained(int fd, unsigned events)
{
    (void)fd;
    (void)events;
}

bool kri_descriptor_is_drained(int fd, unsigned events)
{
    (void)fd;
    (void)events;
    return false;
}

unsigned kri_descriptor_kind(int fd)
{
    (void)fd;
    return 0;
}

void kri_descriptor_set_kind(int fd, unsigned kind)
{
    (void)fd;
    (void)kind;
}

void kri_descriptor_fresh(int fd)
{
    (void)fd;
}

void kri_descriptor_closing(int fd)
{
    (void)fd;
}
