/* Private parts of TLS clients, for client.c and client_context.c. */
#ifndef TLS_CLIENT_INSIDE_H
#define TLS_CLIENT_INSIDE_H

#include <openssl/ssl.h>

#include "tls/client.h"
#include "tls/records.h"
#include "tls/signing.h"

struct tls_client_context {
	SSL_CTX *ctx;
	int key_log; /* -1: none */
	bool reads_while_writing, observed;
};

struct tls_client_memory {
	SSL_SESSION *session; /* NULL: none yet */
};

struct tls_client {
	SSL *ssl;
	struct tls_client_memory *memory; /* borrowed; NULL: sessions are not stored */
	struct tls_records records;
	bool observed, failed, key_failed;
	struct tls_signing signing;
	bool unwritten; /* OpenSSL holds a record of a write that must be repeated */
};

#endif
