/*
 * One connection of the frozen server: HTTP/1.1 requests, one after another. It never asks for the path "/"; for
 * every other path it asks after the head, unless the connection has a certificate. The response is JSON with
 * method, body_bytes and body_sha256; without a certificate it is a 403 with the reason in error.
 */
#ifndef DEMO_VISIT_H
#define DEMO_VISIT_H

#include "tls/server.h"

/* Shared by all connections. */
struct visit_context {
	struct tls_server *server;
	thaw_trust *trust;
	size_t read_ahead; /* bytes */
	unsigned limit_s;
};

/* Blocks until the connection is over, and closes fd. EX_OK, or EX_OSERR: out of memory. */
int visit_serve(const struct visit_context *context, int fd);

#endif
