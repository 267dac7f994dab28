# SPDX-License-Identifier: MIT
# Target docs: the reference of include/sennit and the pages of include/docs, at <build>/docs/html.
# Any warning is an error.

find_program(SENNIT_DOXYGEN doxygen DOC "Doxygen, for the target docs")
if(SENNIT_DOXYGEN)
	configure_file(${CMAKE_CURRENT_LIST_DIR}/Doxyfile.in Doxyfile @ONLY)
	add_custom_target(docs VERBATIM
		COMMAND ${SENNIT_DOXYGEN} -q ${CMAKE_CURRENT_BINARY_DIR}/Doxyfile
		COMMENT "Reference of include/sennit and pages of include/docs, at docs/html")
endif()
