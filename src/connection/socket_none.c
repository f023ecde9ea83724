/* Until there are stream sockets.
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/connection.h"

__attribute__((weak)) int kri_socket_unpack(const kri_packed_connection *in, kr_connection **c)
{
    (void)in;
    *c = NULL;
    return -EOPNOTSUPP;
}
