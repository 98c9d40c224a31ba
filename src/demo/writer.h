/*
 * A client that writes its whole request before it reads a byte, as Python's http.client, wget, Java's
 * HttpsURLConnection and many others do. It answers a request for its certificate when it gets to read it: after the
 * last byte of its body.
 */
#ifndef DEMO_WRITER_H
#define DEMO_WRITER_H

#include "tls/client.h"

struct writer_options {
	uint16_t port;
	const char *pki;  /* the folder with ca.pem, client.pem and client.key */
	const char *file; /* what it uploads */
	enum tls_client_version version;
};

/* PUT /late; prints the response's body, and on a line of its own its status, as `curl -w '\n%{http_code}\n'` does. For
 * child_fork(). */
int writer_run(void *options);

#endif
