# Examples and tests of another processor: what they start is started by the emulator, too.
#
# SPDX-License-Identifier: MIT

list(GET CMAKE_CROSSCOMPILING_EMULATOR 0 emulator)
find_program(KRAIT_EMULATOR ${emulator} REQUIRED)
add_library(krait_emulated OBJECT tests/harness/emulated.c)
target_link_libraries(krait_emulated PRIVATE krait_build)
target_compile_definitions(krait_emulated PRIVATE KRI_EMULATOR="${KRAIT_EMULATOR}"
                           KRI_EMULATED_ROOT="${CMAKE_FIND_ROOT_PATH}")
link_libraries(krait_emulated)
