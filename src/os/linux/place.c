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

static void describe_offset(const Dl_info *info, const char *at, char *text, size_t size)
{
    snprintf(text, size, "%s+0x%tx", base_name(info->dli_fname),
             at - (const char *)info->dli_fbase);
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
        describe_offset(&info, at, text, size);
}

/* A stripped file still has the names that it exports. */
void os_describe_function(const void *function, char *text, size_t size)
{
    Dl_info info;
    if (os_function_name(function, text, size))
        return;
    if (dladdr(function, &info) == 0 || info.dli_fname == NULL)
        snprintf(text, size, "%p", function);
    else if (info.dli_sname != NULL && info.dli_saddr == function)
        snprintf(text, size, "%s", info.dli_sname);
    else
        describe_offset(&info, function, text, size);
}
