/*
 * A throwaway PKI for trying things out: one CA, whose key is never written anywhere, a server certificate for this
 * machine's loopback names, and a client certificate.
 */
#ifndef TLS_PKI_H
#define TLS_PKI_H

#include "thaw/types.h"

/*
 * Makes ca.pem, server.pem, server.key, client.pem and client.key in directory, which is made (0700) if it is missing;
 * keys are 0600. Files that are all there, belong together and are valid for another day are left as they are.
 * Certificates are P-256, valid for 30 days; the server's names are localhost, handshake.localhost, 127.0.0.1 and ::1;
 * the client's subject is CN=Thaw Demo Client. Nothing is half made: each file is written aside and renamed, the CA's
 * last.
 */
enum thaw_status tls_pki_make(const char *directory, struct thaw_error *err) THAW_MUST_CHECK;

#endif
