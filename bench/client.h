/*
 * One client of the load generator: a connection that does one request after another, without blocking. client_tls.c is
 * the part that knows TLS.
 *
 * A client is idle, or in the middle of a request. client_begin() begins a request; events of the socket continue it
 * (client_step()) until the client is idle again. It connects if it has no connection. In the kind `fresh` it closes
 * the connection after each response.
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
#define CLIENT_STREAMS    32 /* most concurrent streams of an HTTP/2 connection */

/* What all clients do. The counters cover all clients since the last forget() of load.c. */
struct client_plan {
	struct sockaddr_in server;
	const char *name;           /* server name: for SNI, Host, and the check of its certificate */
	char head[CLIENT_HEAD_MAX]; /* of the request; over HTTP/2 the header block of a connection's first request */
	size_t head_len;
	unsigned streams;  /* concurrent requests of a connection over HTTP/2; 0: HTTP/1.1 */
	double end_at;     /* until this time each response over HTTP/2 is followed by another request */
	uint64_t body;     /* bytes */
	uint64_t response; /* bytes of a response's body; 0: two */
	bool fresh;        /* a new connection for each request */
	bool tls12;        /* TLS 1.2; otherwise TLS 1.3 */
	bool resume;       /* each client resumes its session, from its second connection on */
	SSL_CTX *tls;
	int epoll;
	struct {
		uint64_t done, connections, asked, tickets, resumed;
	} counted;
};

enum client_state { CLIENT_IDLE, CLIENT_CONNECTING, CLIENT_HANDSHAKE, CLIENT_SENDING, CLIENT_RECEIVING };

struct client {
	struct client_plan *plan;
	enum client_state state;
	int fd; /* -1: no connection */
	SSL *ssl;
	SSL_SESSION *session; /* to be resumed; NULL: none yet */
	bool resuming;        /* this connection does */
	uint32_t watched;     /* events */
	const char *head;     /* the bytes to send before the body */
	size_t head_len, head_left;
	uint64_t body_left;
	bool write_blocked; /* OpenSSL wants the same write again before any read */
	bool read_blocked;  /* a read must write first (the answer to an ask), and that write is blocked */
	uint32_t next_id;   /* of a stream; 0: nothing sent yet */
	unsigned under_way;
	uint64_t response_left; /* after what was read with the response's head */
	size_t in_len;
	char in[CLIENT_BUFFER];  /* response bytes or frames */
	char out[CLIENT_BUFFER]; /* frames to send: the head of HTTP/2 */
};

void client_init(struct client *client, struct client_plan *plan);

/* Starts a request. Returns NULL, or an error: static text, or text in a buffer of this folder. */
const char *client_begin(struct client *client);

/* Continues as far as possible after those events of its socket. Returns NULL, or an error as above. */
const char *client_step(struct client *client, uint32_t events);

/* Closes the connection, if there is one, after a close_notify. */
void client_close(struct client *client);

double client_now(void);

/* ---- client_h2.c ---- */

/* Makes the header block of the plan's GET. False: the path or the name is too long. */
bool client_h2_init(struct client_plan *plan, const char *path);

/* Appends as many requests to `out` as the plan has streams. Returns NULL, or an error. */
const char *client_h2_begin(struct client *client);

/* Takes the complete frames, and appends the required answers to `out`. Returns NULL, or an error. */
const char *client_h2_take(struct client *client);

/* ---- client_tls.c ---- */

enum client_io { CLIENT_IO_OK, CLIENT_IO_WANT_IN, CLIENT_IO_WANT_OUT, CLIENT_IO_FAILED };

/* Makes one context for all clients of the plan: TLS 1.3 or 1.2, AES-128-GCM, X25519. certificate and key: PEM files,
 * or NULL. False: an error; *why has the text. */
bool client_tls_init(struct client_plan *plan, const char *ca, const char *certificate, const char *key,
		     const char **why);

/* For client->fd. NULL: out of memory. */
SSL *client_tls_new(struct client *client);

enum client_io client_tls_handshake(struct client *client);
enum client_io client_tls_read(struct client *client, void *into, size_t room, size_t *got);
enum client_io client_tls_write(struct client *client, const void *from, size_t len, size_t *written);

/* Checks that the handshake used what was planned, and counts one that resumed. Returns NULL, or what differs. */
const char *client_tls_check(struct client *client);

/* The text of the last failure; doing: what was being done. */
const char *client_tls_failure(const char *doing);

#endif
