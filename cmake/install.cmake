# `cmake --install`: binaries (named in src/CMakeLists.txt), manual pages, which the programs print
# themselves, and what systemd needs. DESTDIR and CMAKE_INSTALL_PREFIX are obeyed.
include(GNUInstallDirs)

function(manual_page program page section)
	set(out ${PROJECT_BINARY_DIR}/man/${page}.${section})
	add_custom_command(OUTPUT ${out}
		COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/man
		COMMAND ${program} help manual ${ARGN} > ${out}
		DEPENDS ${program} VERBATIM)
	set_property(GLOBAL APPEND PROPERTY manual_pages ${out})
	install(FILES ${out} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endfunction()

manual_page(openmef openmef 1 openmef)
manual_page(openmef openmef.conf 5 openmef.conf)
manual_page(enrolee enrolee 1)
get_property(manual_pages GLOBAL PROPERTY manual_pages)
add_custom_target(manual ALL DEPENDS ${manual_pages})

# The unit names the binary where it will lie, also with `cmake --install --prefix`.
install(CODE "
	file(READ \"${PROJECT_SOURCE_DIR}/dist/openmef.service\" unit)
	string(REPLACE /usr/bin/ \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/\" unit \"\${unit}\")
	file(WRITE \"${PROJECT_BINARY_DIR}/dist/openmef.service\" \"\${unit}\")")
install(FILES ${PROJECT_BINARY_DIR}/dist/openmef.service DESTINATION lib/systemd/system)
install(FILES dist/openmef.sysusers DESTINATION lib/sysusers.d RENAME openmef.conf)
