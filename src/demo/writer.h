/*
 * A client that writes its whole request before it reads a byte, like Python's http.client, wget, Java's
 * HttpsURLConnection and many others. It answers a request for its certificate when it reads it: after the last byte
 * of its body.
 */
#ifndef DEMO_WRITER_H
#define DEMO_WRITER_H

#include "tls/client.h"

struct writer_options {
	uint16_t port;
	const char *pki;  /* a folder with ca.pem, client.pem and client.key */
	const char *file; /* the file to upload */
	enum tls_client_version version;
};

/* PUT /late; prints the response's body and then its status on a line of its own, like `curl -w ' %{http_code} '`.
 * For child_fork(). */
int writer_run(void *options);

#endif
