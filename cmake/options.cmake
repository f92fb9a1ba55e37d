# Flags that every target shares. Presets choose OMEF_FLAVOUR; see CMakePresets.json.
set(OMEF_FLAVOUR dev CACHE STRING "dev, asan, tsan, fuzz, cov, tidy or release")

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
foreach(pair openssl:OPENSSL libcrypto:CRYPTO libssl:SSL libevent_core:EVENT sqlite3:SQLITE
		jansson:JANSSON libxml-2.0:XML libutf8proc:UTF8PROC libcurl:CURL inih:INIH libseccomp:SECCOMP cmocka:CMOCKA)
	string(REPLACE ":" ";" pair ${pair})
	list(GET pair 0 module)
	list(GET pair 1 name)
	pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${module})
endforeach()

add_compile_definitions(_DEFAULT_SOURCE OPENSSL_API_COMPAT=30000 OPENSSL_NO_DEPRECATED
	OMEF_VERSION="${PROJECT_VERSION}")
add_compile_options(-Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Wformat=2 -Wundef -Wswitch-enum
	-Wno-unused-parameter -fno-common -fno-strict-aliasing -g)
# Reasons name the file that raised them; where it was built is nobody's business.
add_compile_options(-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=)
include_directories(BEFORE ${PROJECT_SOURCE_DIR}/src)

set(sanitizers address,undefined)
if(OMEF_FLAVOUR STREQUAL release)
	add_compile_options(-O2 -D_FORTIFY_SOURCE=3 -fstack-protector-strong
		-fstack-clash-protection -fcf-protection)
	add_link_options(-pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
elseif(OMEF_FLAVOUR STREQUAL asan)
	add_compile_options(-O1 -fno-omit-frame-pointer -fsanitize=${sanitizers}
		-fno-sanitize-recover=all)
	add_link_options(-fsanitize=${sanitizers})
elseif(OMEF_FLAVOUR STREQUAL tsan)
	add_compile_options(-O1 -fsanitize=thread)
	add_link_options(-fsanitize=thread)
elseif(OMEF_FLAVOUR STREQUAL fuzz)
	add_compile_options(-O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,${sanitizers}
		-fno-sanitize-recover=all)
	add_link_options(-fsanitize=${sanitizers})
elseif(OMEF_FLAVOUR STREQUAL cov)
	add_compile_options(-O0 --coverage -Wno-error) # without optimising gcc guesses wrongly what is unset
	add_compile_definitions(OMEF_COVERAGE) # the sandbox lets the counters be written
	add_link_options(--coverage)
else()
	add_compile_options(-Og)
endif()
