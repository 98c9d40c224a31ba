/* For tests with a TLS client and a TLS server in memory: the connection between them, and the files of both. */
#ifndef PEERS_WORLD_H
#define PEERS_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../made.h"
#include "base/transport.h"
#include "tls/client.h"
#include "tls/credentials.h"
#include "tls/pki.h"
#include "tls/server.h"
#include "tls/session.h"

#define WINDOW_MAX 65536

/* ---- the connection ---- */

/* One direction: at most `window` bytes are in flight. */
struct way {
	unsigned char bytes[WINDOW_MAX];
	size_t window, len;
	uint64_t moved; /* bytes in plus bytes out */
	size_t writes;
	bool ended, broken;
};

struct end {
	struct way *in, *out;
};

/* Its address must not change while it is in use. */
struct duplex {
	struct way up, down; /* up: from the client; down: to the client */
	struct end client, server;
};

static inline ssize_t way_read(void *io, void *data, size_t room)
{
	struct way *way = ((struct end *)io)->in;

	if (way->len == 0 && way->broken)
		return TRANSPORT_BROKEN;
	if (way->len == 0)
		return way->ended ? TRANSPORT_END : TRANSPORT_BLOCKED;
	size_t len = way->len < room ? way->len : room;
	memcpy(data, way->bytes, len);
	memmove(way->bytes, way->bytes + len, way->len - len);
	way->len -= len;
	way->moved += len;
	return (ssize_t)len;
}

static inline ssize_t way_write(void *io, const void *data, size_t len)
{
	struct way *way = ((struct end *)io)->out;
	size_t room = way->len < way->window ? way->window - way->len : 0;

	if (way->broken)
		return TRANSPORT_BROKEN;
	if (room == 0)
		return TRANSPORT_BLOCKED;
	way->writes++;
	len = len < room ? len : room;
	memcpy(way->bytes + way->len, data, len);
	way->len += len;
	way->moved += len;
	return (ssize_t)len;
}

static inline void way_half_close(void *io)
{
	((struct end *)io)->out->ended = true;
}

static inline ssize_t way_discard(void *io, size_t max)
{
	unsigned char unread[256];

	return way_read(io, unread, max < sizeof(unread) ? max : sizeof(unread));
}

static const struct transport_ops way_ops = {
	.read = way_read, .write = way_write, .half_close = way_half_close, .discard = way_discard};

static inline void duplex_open(struct duplex *duplex, size_t window)
{
	memset(duplex, 0, sizeof(*duplex));
	duplex->up.window = duplex->down.window = window;
	duplex->client = (struct end){&duplex->down, &duplex->up};
	duplex->server = (struct end){&duplex->up, &duplex->down};
}

/* ---- a server's exchange ---- */

/* The client's messages of an exchange, as they are reported. */
struct exchange {
	bool open;
	unsigned messages, finished;
};

static inline bool exchange_message(void *arg, bool finished)
{
	struct exchange *exchange = arg;

	exchange->messages += exchange->open;
	exchange->finished += exchange->open && finished;
	return exchange->open;
}

/* Requests a certificate from the client. The exchange must outlive the session, or the next exchange. */
static inline void exchange_begin(struct exchange *exchange, struct tls_session *session, enum thaw_means means,
				  thaw_trust *of)
{
	enum thaw_reason reason = THAW_REASON_NONE;

	*exchange = (struct exchange){.open = true};
	tls_session_on_message(session, exchange_message, exchange);
	assert_int_equal(tls_ask_begin(session, means, of, &reason), THAW_OK);
}

static inline bool exchange_answered(const struct exchange *exchange, const struct tls_session *session)
{
	return exchange->finished > 0 && tls_session_established(session);
}

/* ---- files ---- */

static char folder[] = "/tmp/thaw-unit-peers-XXXXXX";
static char ca[64], certificate[64], key[64], server_pem[64], server_key[64];
static struct tls_credentials *credentials;
static thaw_trust *trust;
static struct tls_server *server; /* asks only when a test says so */

static int set_up_peers(void **state)
{
	struct thaw_error err = {0};

	(void)state;
	if (mkdtemp(folder) == NULL || tls_pki_make(folder, &err) != THAW_OK)
		return -1;
	(void)snprintf(ca, sizeof(ca), "%s/ca.pem", folder);
	(void)snprintf(certificate, sizeof(certificate), "%s/client.pem", folder);
	(void)snprintf(key, sizeof(key), "%s/client.key", folder);
	(void)snprintf(server_pem, sizeof(server_pem), "%s/server.pem", folder);
	(void)snprintf(server_key, sizeof(server_key), "%s/server.key", folder);
	struct tls_host host = {
		.names = (const char *const[]){"*", NULL}, .certificate = server_pem, .key = server_key};
	server = tls_server_new(&host, 1, &err);
	credentials =
		tls_credentials_new(&(struct tls_credentials_source){.certificate = certificate, .key = key}, &err);
	trust = made_trust_load(ca, NULL, &err);
	return server != NULL && credentials != NULL && trust != NULL ? 0 : -1;
}

static int tear_down_peers(void **state)
{
	(void)state;
	tls_server_free(&server);
	tls_credentials_free(&credentials);
	thaw_trust_free(&trust);
	(void)unlink(ca);
	(void)unlink(certificate);
	(void)unlink(key);
	(void)unlink(server_pem);
	(void)unlink(server_key);
	return rmdir(folder);
}

#endif
