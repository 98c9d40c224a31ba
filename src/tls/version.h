/* The version of the TLS library. */
#ifndef TLS_VERSION_H
#define TLS_VERSION_H

/* "OpenSSL 3.0.22 1 Oct 2026": the version at run time, which may be newer than the headers. Static. */
const char *tls_library_version(void);

#endif
