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

# libenrolee. The .pc file names the prefix that is installed to, also with `cmake --install --prefix`.
install(TARGETS enrolee_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${PROJECT_BINARY_DIR}/src/libenrolee.a DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES src/lib/enrolee.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(CODE "
	set(prefix \"\${CMAKE_INSTALL_PREFIX}\")
	set(libdir ${CMAKE_INSTALL_LIBDIR})
	set(includedir ${CMAKE_INSTALL_INCLUDEDIR})
	set(version ${PROJECT_VERSION})
	configure_file(\"${PROJECT_SOURCE_DIR}/dist/enrolee.pc.in\" \"${PROJECT_BINARY_DIR}/dist/enrolee.pc\" @ONLY)")
install(FILES ${PROJECT_BINARY_DIR}/dist/enrolee.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(GLOB library_pages CONFIGURE_DEPENDS docs/man/*.3)
install(FILES ${library_pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man3)
