# Libraries that krait can do without.  KRAIT_WITH_<name> says of each:
#
#   AUTO   used where it is there (the default)
#   ON     needed: without it the configuration fails
#   OFF    not used, even where it is there
#
# What would need one that is not used answers -ENOSYS; docs/options.md says what that is.
#
# SPDX-License-Identifier: MIT

set(KRAIT_OPTIONAL_DEFINITIONS "")

# krait_optional(NAME TEXT): declares KRAIT_WITH_<NAME>; <NAME> is to be looked for if it is not OFF.
function(krait_optional name text)
  set(KRAIT_WITH_${name} AUTO CACHE STRING "${text}: AUTO, ON or OFF")
  set_property(CACHE KRAIT_WITH_${name} PROPERTY STRINGS AUTO ON OFF)
  if(NOT KRAIT_WITH_${name} MATCHES "^(AUTO|ON|OFF)$")
    message(FATAL_ERROR "KRAIT_WITH_${name} is ${KRAIT_WITH_${name}}, and must be AUTO, ON or OFF")
  endif()
endfunction()

# krait_goes_without(NAME LIBRARY WHAT): it is not there, or not wanted.
function(krait_goes_without name library what)
  if(KRAIT_WITH_${name} STREQUAL OFF)
    message(STATUS "no ${what}: KRAIT_WITH_${name} is OFF")
  elseif(KRAIT_WITH_${name} STREQUAL ON)
    message(FATAL_ERROR "KRAIT_WITH_${name} is ON, and ${library} is missing")
  else()
    message(STATUS "no ${what}: ${library} is missing")
  endif()
endfunction()

krait_optional(OPENSSL "Use OpenSSL's libcrypto, for authkeys")
krait_optional(TLS "Use OpenSSL's libssl, for TLS")
krait_optional(MPI "Use Open MPI, for kr_mpi_pool")
krait_optional(HIREDIS "Use hiredis, for what lives on a server")
krait_optional(MSGPACK "Use msgpack-c, for structured values")

# Keyed digests, for connections with an authkey, and TLS.
set(OpenSSL_FOUND FALSE)
if(NOT KRAIT_WITH_OPENSSL STREQUAL OFF)
  find_package(OpenSSL 3 COMPONENTS Crypto OPTIONAL_COMPONENTS SSL)
endif()
if(OpenSSL_FOUND)
  set(KRAIT_PRIVATE_LIBS " -lcrypto") # in krait.pc
  set(KRAIT_OPENSSL_COMPONENTS Crypto)
  set(KRAIT_OPENSSL_LIBRARIES OpenSSL::Crypto)
  list(APPEND KRAIT_OPTIONAL_DEFINITIONS KRI_HAVE_OPENSSL)
else()
  krait_goes_without(OPENSSL "OpenSSL's libcrypto (libssl-dev)" authkeys)
endif()
if(OpenSSL_FOUND AND TARGET OpenSSL::SSL AND NOT KRAIT_WITH_TLS STREQUAL OFF)
  string(PREPEND KRAIT_PRIVATE_LIBS " -lssl")
  list(PREPEND KRAIT_OPENSSL_COMPONENTS SSL)
  list(PREPEND KRAIT_OPENSSL_LIBRARIES OpenSSL::SSL)
  list(APPEND KRAIT_OPTIONAL_DEFINITIONS KRI_HAVE_SSL)
else()
  krait_goes_without(TLS "OpenSSL's libssl (libssl-dev)" TLS)
endif()
target_link_libraries(krait_objects PRIVATE ${KRAIT_OPENSSL_LIBRARIES})
string(REPLACE ";" " " KRAIT_OPENSSL_COMPONENTS "${KRAIT_OPENSSL_COMPONENTS}") # as written

# kr_mpi_pool, which loads what speaks MPI when it is asked to.
set(MPI_C_FOUND FALSE)
if(NOT KRAIT_WITH_MPI STREQUAL OFF)
  find_package(MPI QUIET COMPONENTS C)
endif()
if(MPI_C_FOUND)
  list(APPEND KRAIT_OPTIONAL_DEFINITIONS KRI_HAVE_MPI)
  set_source_files_properties(src/remote/mpi.c PROPERTIES COMPILE_DEFINITIONS
    KRI_PLUGIN_FOLDER="${CMAKE_INSTALL_FULL_LIBDIR}/krait")
  add_library(krait_mpi MODULE src/remote/mpi/plugin.c)
  target_link_libraries(krait_mpi PRIVATE krait_build MPI::MPI_C)
  target_include_directories(krait_mpi PRIVATE src)
  set_target_properties(krait_mpi PROPERTIES OUTPUT_NAME krait-mpi)
else()
  krait_goes_without(MPI "Open MPI (libopenmpi-dev)" kr_mpi_pool)
endif()
# Programs of this build find it in the build folder.  RPATH and not RUNPATH: a sanitizer that is
# asked in the program's place looks where the program says only so.
set(KRAIT_PLUGIN_PATH -Wl,--disable-new-dtags,-rpath,${PROJECT_BINARY_DIR})

# Servers that speak Redis' protocol.
set(KRAIT_HIREDIS "")
if(NOT KRAIT_WITH_HIREDIS STREQUAL OFF)
  find_path(KRAIT_HIREDIS_INCLUDE hiredis/hiredis.h)
  find_library(KRAIT_HIREDIS_LIBRARY hiredis)
endif()
if(NOT KRAIT_WITH_HIREDIS STREQUAL OFF AND KRAIT_HIREDIS_INCLUDE AND KRAIT_HIREDIS_LIBRARY)
  string(APPEND KRAIT_PRIVATE_LIBS " -lhiredis")
  list(APPEND KRAIT_OPTIONAL_DEFINITIONS KRI_HAVE_HIREDIS)
  target_include_directories(krait_objects SYSTEM PRIVATE ${KRAIT_HIREDIS_INCLUDE})
  set(KRAIT_HIREDIS ${KRAIT_HIREDIS_LIBRARY})
else()
  krait_goes_without(HIREDIS "hiredis (libhiredis-dev)" servers)
endif()

# Structured values, for managers.
if(NOT KRAIT_WITH_MSGPACK STREQUAL OFF)
  find_library(KRAIT_MSGPACK_LIBRARY NAMES msgpack-c msgpackc)
  find_path(KRAIT_MSGPACK_INCLUDE msgpack.h)
endif()
if(NOT KRAIT_WITH_MSGPACK STREQUAL OFF AND KRAIT_MSGPACK_LIBRARY AND KRAIT_MSGPACK_INCLUDE)
  set(KRAIT_MSGPACK_LIBRARIES ${KRAIT_MSGPACK_LIBRARY})
  list(APPEND KRAIT_OPTIONAL_DEFINITIONS KRI_HAVE_MSGPACK)
  target_include_directories(krait_objects SYSTEM PRIVATE ${KRAIT_MSGPACK_INCLUDE})
  string(APPEND KRAIT_PRIVATE_LIBS " -lmsgpackc")
else()
  krait_goes_without(MSGPACK "msgpack-c (libmsgpack-dev)" MessagePack)
endif()

target_compile_definitions(krait_objects PRIVATE ${KRAIT_OPTIONAL_DEFINITIONS})
