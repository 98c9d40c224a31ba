# libthaw: the engine as a library of its own, shared and static, that exports exactly what libthaw.symbols lists.
set(LIBTHAW_SYMBOLS ${PROJECT_SOURCE_DIR}/cmake/libthaw.symbols)
set(LIBTHAW_PARTS thaw_ask thaw_spool thaw_tls thaw_base)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${LIBTHAW_SYMBOLS})
set(libthaw_headers include/thaw/ask.h include/thaw/spool.h include/thaw/thaw.h include/thaw/types.h)

# The list as a linker's version script.
file(STRINGS ${LIBTHAW_SYMBOLS} symbols)
list(JOIN symbols ";\n\t\t" joined)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/libthaw.map CONTENT "THAW_0 {\n\tglobal:\n\t\t@joined@;\n\tlocal: *;\n};\n" @ONLY)

# Only what the public functions need is linked: -u names them, the archives give the rest.
set(roots "")
foreach(symbol ${symbols})
	list(APPEND roots LINKER:-u,${symbol})
endforeach()
file(WRITE ${CMAKE_BINARY_DIR}/libthaw-empty.c "")
add_library(thaw_shared SHARED ${CMAKE_BINARY_DIR}/libthaw-empty.c)
set_target_properties(thaw_shared PROPERTIES OUTPUT_NAME thaw VERSION ${PROJECT_VERSION} SOVERSION 0
	LINK_DEPENDS ${CMAKE_BINARY_DIR}/libthaw.map)
target_link_libraries(thaw_shared PRIVATE ${LIBTHAW_PARTS} PkgConfig::OPENSSL)
target_link_options(thaw_shared PRIVATE ${roots} LINKER:--version-script=${CMAKE_BINARY_DIR}/libthaw.map)
if(NOT THAW_SANITIZE)
	target_link_options(thaw_shared PRIVATE LINKER:--no-undefined)
endif()

# The static one is a single object, so that no internal name can clash with its user's.
set(undefined "")
foreach(symbol ${symbols})
	list(APPEND undefined -Wl,-u,${symbol})
endforeach()
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/libthaw.a
	COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o libthaw.o ${undefined} -Wl,--start-group $<TARGET_FILE:thaw_ask>
		$<TARGET_FILE:thaw_spool> $<TARGET_FILE:thaw_tls> $<TARGET_FILE:thaw_base> -Wl,--end-group
	COMMAND ${CMAKE_OBJCOPY} --keep-global-symbols=${LIBTHAW_SYMBOLS} libthaw.o
	COMMAND ${CMAKE_COMMAND} -E rm -f libthaw.a
	COMMAND ${CMAKE_AR} rcs libthaw.a libthaw.o
	DEPENDS ${LIBTHAW_PARTS} ${LIBTHAW_SYMBOLS}
	WORKING_DIRECTORY ${CMAKE_BINARY_DIR} VERBATIM)
add_custom_target(thaw_static ALL DEPENDS ${CMAKE_BINARY_DIR}/libthaw.a)

# The example, under our own warnings.
add_executable(embed examples/embed.c)
target_include_directories(embed PRIVATE include)
target_link_libraries(embed PRIVATE thaw_shared PkgConfig::OPENSSL)

# From the .pc file back to the prefix, however deep the library folder lies, so that an installed tree can be moved.
file(RELATIVE_PATH THAW_PC_UP /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" THAW_PC_UP "${THAW_PC_UP}")
configure_file(cmake/thaw.pc.in ${CMAKE_BINARY_DIR}/thaw.pc @ONLY)
install(TARGETS thaw_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT development)
install(FILES ${CMAKE_BINARY_DIR}/libthaw.a DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(FILES ${CMAKE_BINARY_DIR}/thaw.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
install(FILES ${libthaw_headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/thaw COMPONENT development)
if(TARGET thaw)
	install(TARGETS thaw RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT thaw)
endif()
