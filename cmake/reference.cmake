# The reference manual, made from the headers: man pages and web pages.  Without Python there is none.

find_package(Python3 QUIET COMPONENTS Interpreter)
if(NOT Python3_FOUND)
  message(STATUS "no reference manual: python3 is missing")
  return()
endif()
file(GLOB KRAIT_REFERENCE_SOURCES CONFIGURE_DEPENDS include/krait/*.h tools/reference/*.py
     src/command/*.c)
set(KRAIT_REFERENCE ${PROJECT_BINARY_DIR}/reference)
add_custom_command(
  OUTPUT ${KRAIT_REFERENCE}/made
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${KRAIT_REFERENCE}
  COMMAND ${Python3_EXECUTABLE} -B tools/reference/reference.py . man ${KRAIT_REFERENCE}/man
          ${PROJECT_VERSION}
  COMMAND ${Python3_EXECUTABLE} -B tools/reference/reference.py . html ${KRAIT_REFERENCE}/html
          ${PROJECT_VERSION}
  COMMAND ${CMAKE_COMMAND} -E touch ${KRAIT_REFERENCE}/made
  DEPENDS ${KRAIT_REFERENCE_SOURCES}
  WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
  COMMENT "Writing the reference manual" VERBATIM)
add_custom_target(krait_reference ALL DEPENDS ${KRAIT_REFERENCE}/made)
install(DIRECTORY ${KRAIT_REFERENCE}/man/man1 DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT tools)
install(DIRECTORY ${KRAIT_REFERENCE}/man/man3 ${KRAIT_REFERENCE}/man/man7
        DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT development)
install(DIRECTORY ${KRAIT_REFERENCE}/html DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT development)
