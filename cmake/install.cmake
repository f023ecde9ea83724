# What is installed, in four components: runtime (the shared library), mpi (the plug-in), tools (the
# command and what gdb reads), development (headers, static libraries, for pkg-config, find_package,
# manual).

include(CMakePackageConfigHelpers)

install(DIRECTORY include/krait DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
set(KRAIT_PC_LIBRARIES "-lkrait")
set(KRAIT_PC_PRIVATE "-pthread${KRAIT_PRIVATE_LIBS}")
if(KRAIT_SHARED)
  install(TARGETS krait EXPORT krait-targets
          LIBRARY COMPONENT runtime NAMELINK_COMPONENT development)
else() # whoever links has no other
  string(APPEND KRAIT_PC_LIBRARIES " ${KRAIT_PC_PRIVATE}")
endif()
if(KRAIT_STATIC OR NOT KRAIT_SHARED)
  install(TARGETS krait_static EXPORT krait-targets ARCHIVE COMPONENT development)
endif()
if(KRAIT_COMMAND)
  install(TARGETS krait_command RUNTIME COMPONENT tools)
endif()
if(TARGET krait_mpi)
  # A plug-in and nothing to link with: in a folder of its own.
  install(TARGETS krait_mpi LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/krait COMPONENT mpi)
endif()
if(KRAIT_EXPLORE)
  install(TARGETS krait_explore EXPORT krait-targets ARCHIVE COMPONENT development)
endif()
install(EXPORT krait-targets NAMESPACE krait:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/krait
        COMPONENT development)

# Found from where the file lies, so that an installed tree may be moved, and `cmake --install` with
# another --prefix than the one configured is right.
file(RELATIVE_PATH KRAIT_PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" KRAIT_PC_TO_PREFIX "${KRAIT_PC_TO_PREFIX}")
configure_file(cmake/krait.pc.in krait.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/krait.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
        COMPONENT development)
if(KRAIT_EXPLORE)
  configure_file(cmake/krait-explore.pc.in krait-explore.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/krait-explore.pc
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
endif()

write_basic_package_version_file(krait-config-version.cmake COMPATIBILITY SameMinorVersion)
configure_file(cmake/krait-config.cmake.in krait-config.cmake @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/krait-config.cmake
        ${PROJECT_BINARY_DIR}/krait-config-version.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/krait COMPONENT development)

# For gdb: `source` it.
install(FILES tools/gdb/krait.py DESTINATION ${CMAKE_INSTALL_DATADIR}/krait/gdb
        COMPONENT tools)
