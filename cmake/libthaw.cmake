# The public libraries, shared and static: each exports exactly what its list of symbols names. libthaw is the engine,
# libthaw-curl the helper for libcurl's users.

include(CMakePackageConfigHelpers)

# Raised when a program that was linked with the version before cannot use this one.
set(THAW_ABI 1)

# thaw_library(NAME SUMMARY COMPONENT
#              PARTS folders, the highest first HEADERS files LIBRARIES imported targets REQUIRES of its .pc file
#              FINDS packages with versions and LINKS their targets, of its CMake package)
# makes the targets ${target}_shared and ${target}_static of lib${NAME}, target being NAME with '_' for '-', and installs
# them as the components ${COMPONENT} and ${COMPONENT}-dev.
function(thaw_library name summary component)
	cmake_parse_arguments(lib "" "REQUIRES" "PARTS;HEADERS;LIBRARIES;FINDS;LINKS" ${ARGN})
	string(REPLACE - _ target ${name})
	string(TOUPPER ${target} version)
	set(symbols_file ${PROJECT_SOURCE_DIR}/cmake/lib${name}.symbols)
	set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${symbols_file})

	# The list as a linker's version script.
	file(STRINGS ${symbols_file} symbols)
	list(JOIN symbols ";\n\t\t" joined)
	set(map ${CMAKE_BINARY_DIR}/lib${name}.map)
	file(CONFIGURE OUTPUT ${map} CONTENT "@version@_${THAW_ABI} {\n\tglobal:\n\t\t@joined@;\n\tlocal: *;\n};\n" @ONLY)

	# Only what the public functions need is linked: -u names them, the archives give the rest.
	set(roots "")
	set(undefined "")
	foreach(symbol ${symbols})
		list(APPEND roots LINKER:-u,${symbol})
		list(APPEND undefined -Wl,-u,${symbol})
	endforeach()
	file(WRITE ${CMAKE_BINARY_DIR}/libthaw-empty.c "")
	add_library(${target}_shared SHARED ${CMAKE_BINARY_DIR}/libthaw-empty.c)
	set_target_properties(${target}_shared PROPERTIES OUTPUT_NAME ${name} VERSION ${THAW_ABI}.${PROJECT_VERSION_MINOR}.${PROJECT_VERSION_PATCH}
		SOVERSION ${THAW_ABI}
		LINK_DEPENDS ${map})
	target_link_libraries(${target}_shared PRIVATE ${lib_PARTS} ${lib_LIBRARIES})
	target_link_options(${target}_shared PRIVATE ${roots} LINKER:--version-script=${map})
	if(NOT THAW_SANITIZE)
		target_link_options(${target}_shared PRIVATE LINKER:--no-undefined)
	endif()

	# The static one is a single object, so that no internal name can clash with its user's.
	set(archives "")
	foreach(part ${lib_PARTS})
		list(APPEND archives $<TARGET_FILE:${part}>)
	endforeach()
	add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/lib${name}.a
		COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o lib${name}.o ${undefined} -Wl,--start-group ${archives} -Wl,--end-group
		COMMAND ${CMAKE_OBJCOPY} --keep-global-symbols=${symbols_file} lib${name}.o
		COMMAND ${CMAKE_COMMAND} -E rm -f lib${name}.a
		COMMAND ${CMAKE_AR} rcs lib${name}.a lib${name}.o
		DEPENDS ${lib_PARTS} ${symbols_file}
		WORKING_DIRECTORY ${CMAKE_BINARY_DIR} VERBATIM)
	add_custom_target(${target}_static ALL DEPENDS ${CMAKE_BINARY_DIR}/lib${name}.a)

	# From the .pc file back to the prefix, however deep the library folder lies, so that an installed tree can be moved.
	file(RELATIVE_PATH THAW_PC_UP /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
	string(REGEX REPLACE "/$" "" THAW_PC_UP "${THAW_PC_UP}")
	configure_file(cmake/thaw.pc.in ${CMAKE_BINARY_DIR}/${name}.pc @ONLY)
	install(TARGETS ${target}_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT ${component}
		NAMELINK_COMPONENT ${component}-dev)
	install(FILES ${CMAKE_BINARY_DIR}/lib${name}.a DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT ${component}-dev)
	install(FILES ${CMAKE_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT ${component}-dev)
	install(FILES ${lib_HEADERS} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/thaw COMPONENT ${component}-dev)

	# The package for find_package().
	set(package ${CMAKE_INSTALL_LIBDIR}/cmake/${name})
	file(RELATIVE_PATH up /${package} /)
	string(REGEX REPLACE "/$" "" up "${up}")
	list(JOIN lib_LINKS ";" links)
	set(finds "")
	foreach(find ${lib_FINDS})
		string(APPEND finds "find_dependency(${find})\n")
	endforeach()
	configure_file(cmake/Config.cmake.in ${CMAKE_BINARY_DIR}/${name}Config.cmake @ONLY)
	write_basic_package_version_file(${CMAKE_BINARY_DIR}/${name}ConfigVersion.cmake VERSION ${PROJECT_VERSION}
		COMPATIBILITY SameMinorVersion)
	install(FILES ${CMAKE_BINARY_DIR}/${name}Config.cmake ${CMAKE_BINARY_DIR}/${name}ConfigVersion.cmake DESTINATION ${package}
		COMPONENT ${component}-dev)

	# A manual page for each header, made by script/man3, and a link to it for each function that its NAME has.
	foreach(header ${lib_HEADERS})
		get_filename_component(page ${header} NAME_WE)
		string(REGEX REPLACE "_thaw$" "" page thaw_${page})
		set(file packaging/man3/${page}.3)
		set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${file})
		file(STRINGS ${PROJECT_SOURCE_DIR}/${file} names REGEX "^thaw[a-z0-9_, ]* .- ")
		string(REGEX MATCHALL "thaw_[a-z0-9_]+" names "${names}")
		install(FILES ${file} DESTINATION ${CMAKE_INSTALL_MANDIR}/man3 COMPONENT ${component}-dev)
		foreach(function ${names})
			if(function IN_LIST symbols)
				file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/man3/${function}.3 CONTENT ".so man3/${page}.3\n")
				install(FILES ${CMAKE_BINARY_DIR}/man3/${function}.3 DESTINATION ${CMAKE_INSTALL_MANDIR}/man3
					COMPONENT ${component}-dev)
			endif()
		endforeach()
	endforeach()
endfunction()

thaw_library(thaw "Client certificates on demand, in the middle of a TLS connection, without the freeze" library
	PARTS thaw_ask thaw_spool thaw_tls thaw_base
	HEADERS include/thaw/ask.h include/thaw/identity.h include/thaw/spool.h include/thaw/thaw.h include/thaw/trust.h
		include/thaw/types.h
	LIBRARIES PkgConfig::OPENSSL
	REQUIRES "openssl >= 3.0"
	FINDS "OpenSSL 3.0"
	LINKS OpenSSL::SSL OpenSSL::Crypto)
thaw_library(thaw-curl "Uploads with libcurl that a late request for a client certificate cannot freeze" curl
	PARTS thaw_curl thaw_tls thaw_base
	HEADERS include/thaw/curl.h
	LIBRARIES PkgConfig::CURL PkgConfig::OPENSSL
	REQUIRES "libcurl >= 7.87, openssl >= 3.0"
	FINDS "CURL 7.87" "OpenSSL 3.0"
	LINKS CURL::libcurl OpenSSL::SSL OpenSSL::Crypto)

# The examples, under our own warnings.
add_executable(embed examples/embed.c)
target_include_directories(embed PRIVATE include)
target_link_libraries(embed PRIVATE thaw_shared PkgConfig::OPENSSL)
add_executable(upload examples/upload.c)
target_include_directories(upload PRIVATE include)
target_link_libraries(upload PRIVATE thaw_curl_shared PkgConfig::CURL)

if(TARGET thaw)
	install(TARGETS thaw RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT thaw)
endif()
