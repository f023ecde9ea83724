/* Where the program is: return addresses, and what they are called.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/os.h"
#include <dlfcn.h>
#ifdef __GLIBC__
#include <execinfo.h>
#endif
#include <stdio.h>
#include <string.h>

#ifdef __GLIBC__
int os_backtrace(const void **frames, int most)
{
    return backtrace((void **)(uintptr_t)frames, most);
}
#else
/* Other C libraries have none; the compiler's, in Debian's libgcc_eh, asks glibc for help. */
int os_backtrace(const void **frames, int most)
{
    (void)frames, (void)most;
    return 0;
}
#endif

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* A return address may lie behind the last instruction of its function. */
void os_describe_place(const void *address, char *text, size_t size)
{
    Dl_info info;
    const char *at = address;
    if (dladdr(at - 1, &info) == 0 || info.dli_fname == NULL)
        snprintf(text, size, "%p", address);
    else if (info.dli_sname != NULL)
        snprintf(text, size, "%s+0x%tx (%s)", info.dli_sname, at - (const char *)info.dli_saddr,
                 base_name(info.dli_fname));
    else
        snprintf(text, size, "%s+0x%tx", base_name(info.dli_fname),
                 at - (const char *)info.dli_fbase);
}
