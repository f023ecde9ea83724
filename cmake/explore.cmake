# krait_explore: the library compiled for the interleaving explorer, and the explorer.
#
# A program links it in place of krait.  -fsanitize=thread makes the compiler announce plain
# accesses and C11 atomics; the explorer answers those calls, so nothing is linked with it.
#
# SPDX-License-Identifier: MIT

set(KRAIT_ANNOUNCE -fsanitize=thread -fno-omit-frame-pointer -O1 -g)
if(CMAKE_C_COMPILER_ID STREQUAL GNU)
  list(APPEND KRAIT_ANNOUNCE --param=tsan-instrument-func-entry-exit=0)
endif()

file(GLOB KRAIT_EXPLORER_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/explore/*.c)
add_library(krait_explorer_core OBJECT ${KRAIT_EXPLORER_SOURCES})
target_link_libraries(krait_explorer_core PRIVATE krait_build)
target_include_directories(krait_explorer_core PRIVATE ${PROJECT_SOURCE_DIR}/src)
target_compile_definitions(krait_explorer_core PRIVATE KRI_MODEL=1)
target_compile_options(krait_explorer_core PRIVATE -O2 -g -fno-omit-frame-pointer)

# The flags of krait's own sources under the explorer, and of tests that look inside.
add_library(krait_announced INTERFACE)
target_link_libraries(krait_announced INTERFACE krait_build)
target_compile_definitions(krait_announced INTERFACE KRI_MODEL=1 KR_EXPLORE=1)
target_compile_options(krait_announced INTERFACE ${KRAIT_ANNOUNCE})
target_include_directories(krait_announced INTERFACE ${PROJECT_SOURCE_DIR}/src)

add_library(krait_model_objects OBJECT ${KRAIT_PORTABLE_SOURCES} ${KRAIT_MODEL_LOOP_SOURCES})
target_link_libraries(krait_model_objects PRIVATE krait_announced)

add_library(krait_explore STATIC $<TARGET_OBJECTS:krait_model_objects>
            $<TARGET_OBJECTS:krait_explorer_core>)
target_include_directories(krait_explore PUBLIC
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
target_compile_definitions(krait_explore PUBLIC KR_EXPLORE=1)
target_compile_options(krait_explore INTERFACE -fsanitize=thread -fno-omit-frame-pointer -g)
target_link_libraries(krait_explore PUBLIC Threads::Threads)
add_library(krait::krait_explore ALIAS krait_explore)
