/* The contract with the system about libraries that are loaded when they are asked for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_OS_LIBRARY_H
#define KRI_OS_LIBRARY_H

#include "os/os.h"

/* Load a shared library with all that it needs, whose symbols are for whatever it loads itself, and
 * find a function in it.  It is never unloaded.  NULL: the library or the function is not there.  A
 * name without a slash is looked for where the object with this code is told to look, and where the
 * system's loader does.  May block. */
void (*os_library_function(const char *library, const char *name))(void);

/* Where the object lies that has this code: the shared library, or the program that was linked with
 * the static one.  Its folder with the slash.  false: the system does not tell, or there is no
 * room. */
bool os_library_folder(char *path, size_t size);

/* 16 bytes that no other machine has, nor this one before its last start.  false: the system does
 * not tell. */
bool os_machine_id(unsigned char id[16]);

#endif
