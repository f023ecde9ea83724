/* Descriptors on their way.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_WAIT_HALF_OPEN_H
#define KRI_WAIT_HALF_OPEN_H

#include <stdbool.h>

/* A descriptor that belongs to nobody yet: of a connection that is being opened.  A forked child
 * closes its copy, which would keep the other end from seeing that ours has gone.
 *
 *     kri_half_open_begin();             // no fork from here
 *     int fd = ...;                      // which neither waits nor calls anything of the library
 *     kri_half_open_note(&half, fd);     // to here; a negative one is none
 *     ...
 *     kri_half_open_end(&half);          // somebody else sees to it now, or it is to be closed
 *
 * The node lies where it is until then; to end one that is not noted does nothing.
 * kri_half_open_hand_on - the second is noted in place of the first. */
typedef struct kri_half_open {
    bool noted;
    int fd;
    struct kri_half_open *next;
    struct kri_half_open *previous;
} kri_half_open;

void kri_half_open_begin(void);
void kri_half_open_note(kri_half_open *half, int fd);
void kri_half_open_hand_on(kri_half_open *half, kri_half_open *to);
void kri_half_open_end(kri_half_open *half);

#endif
