/*
 * One client of the load generator: a connection that does request after request, without blocking. client_tls.c is
 * the part of it that knows TLS.
 *
 * A client is idle, or in the middle of a request. client_begin() takes it from the one into the other; the events of
 * its socket move it on (client_step()) until it is idle again. It connects where it has no connection, and in the kind
 * `fresh` it closes the connection behind each response.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#define CLIENT_HEAD_MAX   1024
#define CLIENT_RECORD     16384 /* bytes of body written at a time: a TLS record */
#define CLIENT_WRITES_MAX 16    /* records in one step */

/* What all clients do. Numbers are counted over all of them since the last forget() of load.c. */
struct client_plan {
	struct sockaddr_in server;
	const char *name;           /* of the server: SNI, Host, and what its certificate must be for */
	char head[CLIENT_HEAD_MAX]; /* of the request */
	size_t head_len;
	uint64_t body; /* bytes */
	bool fresh;    /* a connection for each request */
	SSL_CTX *tls;
	int epoll;
	struct {
		uint64_t done, connections, asked, tickets;
	} counted;
};

enum client_state { CLIENT_IDLE, CLIENT_CONNECTING, CLIENT_HANDSHAKE, CLIENT_SENDING, CLIENT_RECEIVING };

struct client {
	struct client_plan *plan;
	enum client_state state;
	int fd; /* -1: no connection */
	SSL *ssl;
	uint32_t watched; /* events */
	size_t head_left; /* of the request, to be sent */
	uint64_t body_left;
	bool write_blocked; /* OpenSSL wants the same write again before anything else is read */
	bool read_blocked;  /* what a read has caused to be written, the answer to an ask, blocks */
	size_t in_len;
	char in[CLIENT_HEAD_MAX]; /* the response */
};

void client_init(struct client *client, struct client_plan *plan);

/* Starts a request. NULL, or what went wrong, as static text or in a buffer of this folder. */
const char *client_begin(struct client *client);

/* Goes as far as it can after those events of its socket. NULL, or what went wrong, as above. */
const char *client_step(struct client *client, uint32_t events);

/* Sends close_notify, where there is a connection, and closes it. */
void client_close(struct client *client);

/* ---- client_tls.c ---- */

enum client_io { CLIENT_IO_OK, CLIENT_IO_WANT_IN, CLIENT_IO_WANT_OUT, CLIENT_IO_FAILED };

/* One context for all clients of the plan: TLS 1.3, TLS_AES_128_GCM_SHA256, X25519, no resumption. certificate and
 * key: PEM files, or NULL. False: *why tells. */
bool client_tls_init(struct client_plan *plan, const char *ca, const char *certificate, const char *key,
		     const char **why);

/* NULL: no memory. */
SSL *client_tls_new(struct client_plan *plan, int fd);

enum client_io client_tls_handshake(struct client *client);
enum client_io client_tls_read(struct client *client, void *into, size_t room, size_t *got);
enum client_io client_tls_write(struct client *client, const void *from, size_t len, size_t *written);

/* That it came out as planned; NULL, or what did not. */
const char *client_tls_check(const struct client *client);

/* Of the last failure, with what was being done. */
const char *client_tls_failure(const char *doing);

#endif
