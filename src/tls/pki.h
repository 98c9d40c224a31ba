/*
 * A throwaway PKI for demonstrations: a CA, whose key is never stored, a server certificate for loopback names, and a
 * client certificate.
 */
#ifndef TLS_PKI_H
#define TLS_PKI_H

#include "thaw/types.h"

/*
 * Creates ca.pem, server.pem, server.key, client.pem and client.key in directory, which is created (0700) if missing;
 * keys have mode 0600. Keeps existing files if all are present, match, and are valid for another day. Certificates are
 * P-256, valid for 30 days; the server's names are localhost, handshake.localhost, 127.0.0.1 and ::1; the client's
 * subject is CN=Thaw Demo Client. Each file is written under a temporary name and renamed, the CA's last, so that an
 * incomplete set is never used.
 */
enum thaw_status tls_pki_make(const char *directory, struct thaw_error *err) THAW_MUST_CHECK;

#endif
