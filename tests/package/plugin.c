/* Says what kr_mpi_pool lacks; status 1: something.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>
#include <stdio.h>

int main(void)
{
    const char *missing = kr_mpi_missing();
    puts(missing ? missing : "nothing");
    return missing != NULL;
}
