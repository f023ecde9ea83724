# make install: headers, both libraries, the command, pkg-config, and find_package(krait).

include(CMakePackageConfigHelpers)

install(DIRECTORY include/krait DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS krait krait_static EXPORT krait-targets)
install(TARGETS krait_command)
if(TARGET krait_mpi)
  # A plug-in and nothing to link with: in a folder of its own.
  install(TARGETS krait_mpi LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/krait)
endif()
if(KRAIT_EXPLORE)
  install(TARGETS krait_explore EXPORT krait-targets)
endif()
install(EXPORT krait-targets NAMESPACE krait:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/krait)

# Found from where the file lies, so that an installed tree may be moved, and `cmake --install` with
# another --prefix than the one configured is right.
file(RELATIVE_PATH KRAIT_PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" KRAIT_PC_TO_PREFIX "${KRAIT_PC_TO_PREFIX}")
configure_file(cmake/krait.pc.in krait.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/krait.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

write_basic_package_version_file(krait-config-version.cmake COMPATIBILITY SameMinorVersion)
configure_file(cmake/krait-config.cmake.in krait-config.cmake @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/krait-config.cmake
        ${PROJECT_BINARY_DIR}/krait-config-version.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/krait)

# For gdb: `source` it.
install(FILES tools/gdb/krait.py DESTINATION ${CMAKE_INSTALL_DATADIR}/krait/gdb)
