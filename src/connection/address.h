/* Addresses as the program writes them; see address.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_CONNECTION_ADDRESS_H
#define KRI_CONNECTION_ADDRESS_H

#include "os/socket.h"

enum { KRI_ADDRESSES = 8 };

/* kri_address_read - the addresses that a text stands for, at most KRI_ADDRESSES.
 *
 * How many; -EINVAL: it cannot be read; -ENAMETOOLONG; of a host's name also -ENXIO, -EAGAIN,
 * -ENOMEM.  May block for a host's name, see os_address_find. */
int kri_address_read(const char *text, bool listening, os_address *list);

/* kri_address_make_up - a path that nobody has, in $TMPDIR or /tmp. */
int kri_address_make_up(os_address *address);

#endif
