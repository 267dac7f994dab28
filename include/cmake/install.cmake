# SPDX-License-Identifier: MIT
# Headers, the libraries, pkg-config's sennit.pc and sennit-tls.pc, and the CMake package sennit.

include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/sennit)

install(FILES ${public_headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sennit)

# An export set each: whoever uses a shared library needs nothing of hwloc's or OpenSSL's.
set(libraries sennit)
if(SENNIT_TLS)
	list(APPEND libraries sennit-tls)
endif()
foreach(library IN LISTS libraries)
	foreach(kind shared static)
		install(TARGETS ${library}-${kind} EXPORT ${library}-${kind}
			ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
			LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
		install(EXPORT ${library}-${kind} NAMESPACE sennit:: DESTINATION ${package_dir})
	endforeach()
endforeach()

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/sennit-config.cmake.in
	${CMAKE_CURRENT_BINARY_DIR}/sennit-config.cmake INSTALL_DESTINATION ${package_dir}
	NO_SET_AND_CHECK_MACRO)
# While the major version is 0, each minor version is a release of its own.
set(compatibility SameMajorVersion)
if(PROJECT_VERSION_MAJOR EQUAL 0)
	set(compatibility SameMinorVersion)
endif()
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/sennit-config-version.cmake
	COMPATIBILITY ${compatibility})
install(FILES
	${CMAKE_CURRENT_BINARY_DIR}/sennit-config.cmake
	${CMAKE_CURRENT_BINARY_DIR}/sennit-config-version.cmake
	DESTINATION ${package_dir})

# sennit.pc finds its prefix from where it lies, unless libdir was given as an absolute path.
cmake_path(APPEND pc_libdir "\${prefix}" "${CMAKE_INSTALL_LIBDIR}")
cmake_path(APPEND pc_includedir "\${prefix}" "${CMAKE_INSTALL_INCLUDEDIR}")
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
	set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
else()
	file(RELATIVE_PATH up "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
	string(REGEX REPLACE "/$" "" pc_prefix "\${pcfiledir}/${up}")
endif()
set(pc_private_libs ${HWLOC_LIBRARY_DIRS})
list(REMOVE_ITEM pc_private_libs ${CMAKE_C_IMPLICIT_LINK_DIRECTORIES})
list(TRANSFORM pc_private_libs PREPEND "-L")
list(TRANSFORM HWLOC_LIBRARIES PREPEND "-l" OUTPUT_VARIABLE hwloc_libs)
list(APPEND pc_private_libs ${hwloc_libs} -pthread)
list(JOIN pc_private_libs " " pc_private_libs)
foreach(library IN LISTS libraries)
	configure_file(${CMAKE_CURRENT_LIST_DIR}/${library}.pc.in ${library}.pc @ONLY)
	install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${library}.pc
		DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
