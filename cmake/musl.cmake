# Toolchain: musl in the place of glibc, by Debian's musl-gcc.
#
# musl comes without the kernel's headers, and next to those lie glibc's, which must not be seen.
#
# SPDX-License-Identifier: MIT
set(CMAKE_C_COMPILER musl-gcc)
set(KRAIT_KERNEL_HEADERS ${CMAKE_BINARY_DIR}/kernel)
file(MAKE_DIRECTORY ${KRAIT_KERNEL_HEADERS})
foreach(folder linux asm-generic)
  file(CREATE_LINK /usr/include/${folder} ${KRAIT_KERNEL_HEADERS}/${folder} SYMBOLIC)
endforeach()
cmake_host_system_information(RESULT machine QUERY OS_PLATFORM)
file(CREATE_LINK /usr/include/${machine}-linux-gnu/asm ${KRAIT_KERNEL_HEADERS}/asm SYMBOLIC)
set(CMAKE_C_FLAGS_INIT "-idirafter ${KRAIT_KERNEL_HEADERS}")
# Libraries of glibc's world are of no use.
set(CMAKE_FIND_ROOT_PATH /usr/lib/${machine}-linux-musl)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
