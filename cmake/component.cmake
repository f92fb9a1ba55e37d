# component(name DIR folder [USES other components...] [PKGS imported targets...])
# One static library per folder of src/. USES repeats the row of tests/arch/layers.txt: a link line
# that the table does not allow is found by tests/arch.
function(component name)
	cmake_parse_arguments(C "" "DIR" "USES;PKGS" ${ARGN})
	file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${C_DIR}/*.c)
	if(sources)
		add_library(${name} STATIC ${sources})
		target_link_libraries(${name} PUBLIC ${C_USES} ${C_PKGS})
	else()
		add_library(${name} INTERFACE)
		target_link_libraries(${name} INTERFACE ${C_USES} ${C_PKGS})
	endif()
endfunction()
