/* Libraries that are loaded when they are asked for, and which machine this is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/library.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

void (*os_library_function(const char *library, const char *name))(void)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
    void *found = handle != NULL ? dlsym(handle, name) : NULL;
    void (*function)(void);
    memcpy(&function, &found, sizeof function);
    return function;
}

static const char own_path_mark = 0; /* lies in the object with this code */

/* Of the program itself the loader knows only what it was called, which need not be its name. */
static bool own_path(char *path, size_t size)
{
    Dl_info own, program;
    if (dladdr((const void *)&own_path_mark, &own) == 0)
        return false;
    if (dladdr((const void *)getauxval(AT_PHDR), &program) != 0 &&
        program.dli_fbase == own.dli_fbase) {
        ssize_t length = readlink("/proc/self/exe", path, size - 1);
        if (length < 0 || (size_t)length == size - 1)
            return false;
        path[length] = '\0';
        return true;
    }
    size_t length = strlen(own.dli_fname);
    if (length >= size)
        return false;
    memcpy(path, own.dli_fname, length + 1);
    return true;
}

bool os_library_folder(char *path, size_t size)
{
    char *slash = own_path(path, size) ? strrchr(path, '/') : NULL;
    if (slash == NULL)
        return false;
    slash[1] = '\0';
    return true;
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
