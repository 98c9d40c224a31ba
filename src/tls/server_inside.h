/* Private parts of struct tls_server and struct tls_conn, for server.c, conn.c, demand.c and hosts.c. */
#ifndef TLS_SERVER_INSIDE_H
#define TLS_SERVER_INSIDE_H

#include <openssl/ssl.h>

#include "tls/server.h"
#include "tls/session.h"
#include "tls/signer.h"
#include "tls/signing.h"
#include "tls/ticket_keys.h"

struct tls_host_context {
	char **names; /* NULL-terminated */
	SSL_CTX *ctx;
	bool remote; /* the signer has its key: a handshake waits for its signature */
	struct tls_policy policy;
	thaw_trust *at_handshake; /* a reference */
	thaw_trust **trusts;      /* references: all trusts of its routes */
	size_t trust_count;
	unsigned char sid_context[TLS_TICKET_BINDING_SIZE];
};

struct tls_server {
	struct tls_host_context *hosts;
	size_t count;
	SSL_CTX *base; /* initial context of every connection; its ticket keys are used for all hosts */
	struct tls_ticket_keys *ticket_keys; /* from a file, or a copy of OpenSSL's own */
};

struct tls_conn {
	struct tls_server *server;
	SSL *ssl;
	int host;   /* -1 until the ClientHello */
	bool hello; /* the ClientHello has arrived */
	bool http2; /* will be, or was, selected */
	enum tls_demand demand;
	struct tls_signing signing;
	thaw_trust *demanded; /* trust of the ask on demand; belongs to the host */
	tls_away_fn *away;
	void *away_arg;
	char name[TLS_NAME_MAX + 1];
};

/* hosts.c: the host's own reference to that trust. NULL: none of its routes uses it. */
thaw_trust *tls_host_trust(const struct tls_host_context *host, const thaw_trust *trust);

/* demand.c: the trust under which this connection is asked in its handshake, and why; NULL: it is not asked. Call it in
 * the ClientHello callback. */
thaw_trust *tls_demand_find(const struct tls_conn *conn, enum tls_demand *why);

/* conn.c: OpenSSL's callbacks. */
int tls_on_client_hello(SSL *ssl, int *alert, void *arg);
int tls_on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len,
		void *arg);

#endif
