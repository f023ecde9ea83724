# One program for each tests/<folder>/<name>.c, and the runner.
#
# The list of programs is written to tests/programs in the build folder.

include(CheckSymbolExists)

add_library(krait_harness STATIC tests/harness/test.c tests/harness/bunch.c tests/harness/linear.c
            tests/harness/party.c tests/harness/party_sleep.c tests/harness/party_threads.c
            tests/harness/party_coroutines.c
            tests/harness/party_processes.c tests/harness/stop.c)
target_link_libraries(krait_harness PUBLIC krait_testing)
target_include_directories(krait_harness PUBLIC tests)
if(KRAIT_HAVE_MEMCHECK_H)
  target_compile_definitions(krait_harness PRIVATE KRI_HAVE_VALGRIND)
endif()
# Comparing what a program prints.
target_sources(krait_harness PRIVATE tests/harness/expect.c tests/harness/pattern.c)

add_executable(kri-runner tests/harness/runner.c tests/harness/stacks.c)
target_link_libraries(kri-runner PRIVATE krait_build)
target_include_directories(kri-runner PRIVATE tests)
set_target_properties(kri-runner PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

# Cases that fail, each in its own way, for the tests of the runner.
add_executable(kri-faults tests/harness/faults.c)
target_link_libraries(kri-faults PRIVATE krait_harness)
set_target_properties(kri-faults PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

file(GLOB sources CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/tests tests/*/*.c)
list(FILTER sources EXCLUDE REGEX "^(harness|model|package)/")

# What tests/faults refuse when krait writes with flags: the C library's call, or the system's own.
set(CMAKE_REQUIRED_DEFINITIONS -D_GNU_SOURCE)
check_symbol_exists(pwritev2 sys/uio.h KRAIT_HAS_PWRITEV2)
unset(CMAKE_REQUIRED_DEFINITIONS)
set(writes_with_flags syscall)
if(KRAIT_HAS_PWRITEV2)
  set(writes_with_flags pwritev2)
endif()

set(programs "")
# What a line of the shell has before a program of this build: see emulated.cmake.
set(start "")
if(CMAKE_CROSSCOMPILING_EMULATOR)
  set(start "${KRAIT_EMULATOR} -L ${CMAKE_FIND_ROOT_PATH} ")
endif()

foreach(source ${sources})
  string(REGEX REPLACE "[.]c$" "" name ${source})
  string(REPLACE "/" "_" target test_${name})
  get_filename_component(folder ${name} DIRECTORY)
  get_filename_component(program ${name} NAME)
  add_executable(${target} tests/${source})
  target_link_libraries(${target} PRIVATE krait_harness)
  if(folder STREQUAL coroutine)
    target_link_libraries(${target} PRIVATE m) # rounding modes
  endif()
  if(folder MATCHES "^(remote|treesum)$")
    target_link_options(${target} PRIVATE ${KRAIT_PLUGIN_PATH})
    if(TARGET krait_mpi)
      add_dependencies(${target} krait_mpi)
    endif()
  endif()
  if(folder STREQUAL top)
    add_dependencies(${target} krait_command)
  endif()
  if(folder STREQUAL faults)
    # Their calls of src/os come to tests/harness/faulty.c and its like first.
    target_sources(${target} PRIVATE tests/harness/faulty.c tests/harness/faulty_system.c)
    target_link_options(${target} PRIVATE
      -Wl,--wrap=os_alloc,--wrap=os_free,--wrap=os_pages,--wrap=os_pages_free
      -Wl,--wrap=os_shared_map,--wrap=os_shared_touch,--wrap=os_shared_unmap,--wrap=os_futex_wait
      -Wl,--wrap=os_futex_wait_either,--wrap=os_futex_wait_any,--wrap=os_futex_requeue
      -Wl,--wrap=os_process_start,--wrap=os_process_ended
      -Wl,--wrap=os_segment_anonymous,--wrap=os_segment_nameless,--wrap=os_segment_resize
      -Wl,--wrap=os_segment_reserve,--wrap=os_segment_reserve_part,--wrap=os_segment_seal,--wrap=os_segment_duplicate
      -Wl,--wrap=os_segment_look,--wrap=os_segment_map,--wrap=os_segment_mark
      -Wl,--wrap=os_segment_publish,--wrap=os_segment_open,--wrap=os_segment_hold
      -Wl,--wrap=os_bell_create,--wrap=os_events_create,--wrap=os_events_add
      -Wl,--wrap=os_events_add_bell,--wrap=os_thread_start,--wrap=os_stack_guard_light
      -Wl,--wrap=os_stack_guard_mapped,--wrap=os_signal_stack_begin,--wrap=os_open
      -Wl,--wrap=os_accept,--wrap=os_net_socket,--wrap=os_net_bind
      -Wl,--wrap=os_watch_create,--wrap=os_watch_add_for,--wrap=os_net_watch_connect
      -Wl,--wrap=os_call_pair,--wrap=os_rights_pair,--wrap=os_duplicate
      -Wl,--wrap=os_spawn_pipe,--wrap=os_spawn_null,--wrap=os_spawn_program
      -Wl,--wrap=os_pidfd_open,--wrap=os_pidfd_signal,--wrap=os_fork,--wrap=os_spawn_self
      -Wl,--wrap=os_channel_create,--wrap=os_life_create,--wrap=os_duplicate_above
      -Wl,--wrap=os_stack_map,--wrap=os_net_connect,--wrap=${writes_with_flags})
  endif()
  # Tests that run an example find it below this folder.
  target_compile_definitions(${target} PRIVATE KRI_TEST_BUILD="${CMAKE_BINARY_DIR}"
                             KRI_TEST_SOURCE="${PROJECT_SOURCE_DIR}" KRI_TEST_START="${start}")
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${program}
                        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/${folder})
  string(APPEND programs "tests/${name}\n")
endforeach()
file(WRITE ${CMAKE_BINARY_DIR}/tests/programs "${programs}")
