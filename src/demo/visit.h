/*
 * One connection of the frozen server: requests of HTTP/1.1, one after the other. "/" is never asked; every other path
 * is, when its head has come and the connection has no certificate yet. The response tells what came, as JSON with
 * method, body_bytes and body_sha256; where no certificate is got, it is a 403 with the reason as error.
 */
#ifndef DEMO_VISIT_H
#define DEMO_VISIT_H

#include "tls/server.h"

/* What all visits share. */
struct visit_house {
	struct tls_server *server;
	thaw_trust *trust;
	size_t read_ahead; /* bytes */
	unsigned limit_s;
};

/* Blocks until the connection is over, and closes fd. EX_OK, or EX_OSERR: no memory. */
int visit_serve(const struct visit_house *house, int fd);

#endif
