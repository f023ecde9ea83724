/* Libraries that are loaded when they are asked for, and which machine this is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/library.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void (*os_library_function(const char *library, const char *name))(void)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
    void *found = handle != NULL ? dlsym(handle, name) : NULL;
    void (*function)(void);
    memcpy(&function, &found, sizeof function);
    return function;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool os_machine_id(unsigned char id[16])
{
    char text[64];
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0)
        (void)close(fd);
    int digits = 0;
    memset(id, 0, 16);
    for (ssize_t i = 0; i < length && digits < 32; i++) {
        int digit = digit_of(text[i]);
        if (digit < 0)
            continue;
        id[digits / 2] = (unsigned char)(id[digits / 2] << 4 | digit);
        digits++;
    }
    return digits == 32;
}
