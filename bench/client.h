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
#define CLIENT_BUFFER     4096
#define CLIENT_STREAMS    32 /* at most, of an HTTP/2 connection at a time */

/* What all clients do. Numbers are counted over all of them since the last forget() of load.c. */
struct client_plan {
	struct sockaddr_in server;
	const char *name;           /* of the server: SNI, Host, and what its certificate must be for */
	char head[CLIENT_HEAD_MAX]; /* of the request; over HTTP/2 its header block, for the first one of a connection
				     */
	size_t head_len;
	unsigned streams; /* requests of a connection at a time, over HTTP/2; 0: HTTP/1.1 */
	double end_at;    /* until then each response of HTTP/2 is followed by another request */
	uint64_t body;    /* bytes */
	bool fresh;       /* a connection for each request */
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
	const char *head; /* what is to be sent before the body */
	size_t head_len, head_left;
	uint64_t body_left;
	bool write_blocked; /* OpenSSL wants the same write again before anything else is read */
	bool read_blocked;  /* what a read has caused to be written, the answer to an ask, blocks */
	uint32_t next_id;   /* of a stream; 0: nothing was sent yet */
	unsigned under_way;
	size_t in_len;
	char in[CLIENT_BUFFER];  /* the response, or frames */
	char out[CLIENT_BUFFER]; /* frames: the head of HTTP/2 */
};

void client_init(struct client *client, struct client_plan *plan);

/* Starts a request. NULL, or what went wrong, as static text or in a buffer of this folder. */
const char *client_begin(struct client *client);

/* Goes as far as it can after those events of its socket. NULL, or what went wrong, as above. */
const char *client_step(struct client *client, uint32_t events);

/* Sends close_notify, where there is a connection, and closes it. */
void client_close(struct client *client);

double client_now(void);

/* ---- client_h2.c ---- */

/* The header block of the plan's GET. False: the path or the name is too long. */
bool client_h2_init(struct client_plan *plan, const char *path);

/* Appends as many requests to `out` as the plan has streams. NULL, or what went wrong. */
const char *client_h2_begin(struct client *client);

/* Takes the frames that are whole, and appends what must be answered to `out`. NULL, or what is not as it should be. */
const char *client_h2_take(struct client *client);

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
