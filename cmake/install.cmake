# What belongs to an installed gateway beside its program; libthaw.cmake installs the library.
foreach(page thaw.1 thaw.yaml.5)
	string(REGEX REPLACE ".*\\." "" section ${page})
	install(FILES packaging/${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section} COMPONENT thaw)
endforeach()
install(FILES packaging/completions/thaw.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME thaw
	COMPONENT thaw)
install(FILES packaging/completions/_thaw DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions COMPONENT thaw)
install(FILES packaging/completions/thaw.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT thaw)
# The unit names the program where it is installed, which `cmake --install --prefix` may decide.
install(CODE "
	file(READ \"${PROJECT_SOURCE_DIR}/packaging/thaw.service\" unit)
	string(REPLACE /usr/bin/thaw \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/thaw\" unit \"\${unit}\")
	file(WRITE \"${PROJECT_BINARY_DIR}/thaw.service\" \"\${unit}\")"
	COMPONENT thaw)
install(FILES ${PROJECT_BINARY_DIR}/thaw.service packaging/thaw.socket DESTINATION lib/systemd/system COMPONENT thaw)
install(FILES packaging/thaw.yaml DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples RENAME first.yaml COMPONENT thaw)
install(FILES packaging/thaw.logrotate DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples COMPONENT thaw)
install(FILES packaging/thaw.sysusers DESTINATION lib/sysusers.d RENAME thaw.conf COMPONENT thaw)
install(FILES packaging/thaw.tmpfiles DESTINATION lib/tmpfiles.d RENAME thaw.conf COMPONENT thaw)
file(GLOB guides docs/*.md)
install(FILES README.md CHANGELOG.md LICENSE ${guides} DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT thaw)
install(FILES docs/status.png docs/probe.svg DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT thaw)
install(FILES docs/thaw.yaml DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples COMPONENT thaw)
install(DIRECTORY examples/balancer examples/certbot examples/cloud examples/container examples/kubernetes examples/nginx
	DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples COMPONENT thaw PATTERN deploy-hook EXCLUDE PATTERN make-root EXCLUDE)
install(PROGRAMS examples/certbot/deploy-hook DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples/certbot COMPONENT thaw)
install(PROGRAMS examples/container/make-root DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples/container COMPONENT thaw)
