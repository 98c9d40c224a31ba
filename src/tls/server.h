/*
 * TLS servers. A process has one struct tls_server, with a context for each host, selected by SNI in the ClientHello
 * callback. A struct tls_conn is one connection: an SSL over a transport.
 */
#ifndef TLS_SERVER_H
#define TLS_SERVER_H

#include "base/transport.h"
#include "thaw/ask.h"
#include "tls/credentials.h"
#include "tls/offer.h"

struct tls_server;
struct tls_conn;

/* Settings for all hosts. Names are separated by ':'; NULL: the default. */
struct tls_protocol {
	bool no_tls12, no_tls13;
	const char *groups, *ciphers, *suites; /* ciphers: of TLS 1.2; suites: of TLS 1.3 */
	const char *groups_place;              /* of the setting, for messages; NULL: none */
};

struct tls_host {
	/* NULL-terminated, lower case. "*.DOMAIN": any single label instead of "*"; "*": the default host. */
	const char *const *names;
	const char *certificate, *key; /* PEM files; key: or a pkcs11: URI */
	struct tls_key_setting key_setting;
	const struct tls_protocol *protocol; /* one for all hosts; NULL: the defaults */
	enum tls_http2 http2;
	bool asks_late;     /* at least one route asks after the handshake */
	bool hold_to_tls12; /* limit clients to TLS 1.2 that must be asked late and cannot be asked over TLS 1.3 */
	thaw_trust *at_handshake;  /* NULL: do not ask in the handshake */
	thaw_trust *const *trusts; /* all trusts of this host's routes: tickets are bound to them */
	size_t trust_count;
};

/* Reads the files; copies what it keeps. Checks that keys match their certificates. NULL with *err set. */
struct tls_server *tls_server_new(const struct tls_host *hosts, size_t count, struct thaw_error *err);
void tls_server_free(struct tls_server **server);

/*
 * Uses the ticket keys in this file (ticket_keys.h). Call it once, before the first connection. Otherwise OpenSSL
 * generates keys, for this server and the processes that are forked after it was made. THAW_FAILED: the server can only
 * be freed.
 */
enum thaw_status tls_server_use_ticket_keys(struct tls_server *server, const char *file,
					    struct thaw_error *err) THAW_MUST_CHECK;

/* The index of the host with that name, otherwise of the default host; -1: none. */
int tls_server_host(const struct tls_server *server, const char *name);
/* Whether a host other than the default has that name. */
bool tls_server_has(const struct tls_server *server, const char *name);

/* The policy of that host; it belongs to the server. */
const struct tls_policy *tls_server_policy(const struct tls_server *server, int host);

/* NULL: out of memory. The transport must outlive the connection. */
struct tls_conn *tls_conn_new(struct tls_server *server, struct transport transport);
void tls_conn_free(struct tls_conn **conn);

/*
 * The handshake on demand (offer.h). A connection that may follow one that was reset is asked in its handshake if
 *
 *	- `away` returns the trust of the host under which the client was sent away. It is called in the ClientHello
 * callback, and may call tls_conn_name() and tls_conn_kind();
 *	- or the client's session ticket has a note of that;
 *	- or the client's ticket has a certificate that a trust of the host accepts: browsers that were sent away once
 * continue with HTTP/1.1.
 *
 * Such a certificate request never fails the handshake.
 */
/* How long a ticket's note is valid: browsers return immediately. Also the table's note, after the client has answered.
 * */
#define TLS_AWAY_MS 10000

enum tls_demand { TLS_DEMAND_NONE, TLS_DEMAND_NOTE, TLS_DEMAND_TICKET, TLS_DEMAND_CERTIFICATE, TLS_DEMANDS };

struct tls_away {
	const thaw_trust *trust; /* NULL: it was not sent away */
	uint64_t wall_ms;        /* current time since 1970, for the age of tickets' notes */
};
typedef struct tls_away tls_away_fn(void *arg);

/* Call it before the handshake. Without it the notes of tickets are ignored, too. */
void tls_conn_on_away(struct tls_conn *conn, tls_away_fn *away, void *arg);

/* Why the client is asked on demand, known after the ClientHello. */
enum tls_demand tls_conn_demand(const struct tls_conn *conn);

/* Whether that was under this trust: the client's certificate, or its absence, answers every late ask under it. */
bool tls_conn_demanded(const struct tls_conn *conn, const thaw_trust *trust);

/*
 * Sends a session ticket with a note that this client was sent away from the host and must be asked under trust. For an
 * HTTP/2 connection, before its stream is reset. Bytes that the transport does not take now are sent before later
 * writes. False: not sent, because of TLS 1.2, an existing certificate, or out of memory.
 */
bool tls_conn_note_ticket(struct tls_conn *conn, const thaw_trust *trust, uint64_t wall_ms);

enum tls_client_kind tls_conn_kind(const struct tls_conn *conn);

/* Whether HTTP/2 was selected. */
bool tls_conn_http2(const struct tls_conn *conn);

/* The SSL, for thaw_conn_new() before the handshake. */
struct ssl_st *tls_conn_ssl(struct tls_conn *conn);

/*
 * Begins a step of this connection, which limits how much it reads from the transport. tls_conn_spent(): the limit was
 * reached, so step again without waiting. Without tls_conn_step() there is no limit. quiet: the transport did not
 * become readable since the last step. tls_conn_empty(): a read now would find nothing.
 */
void tls_conn_step(struct tls_conn *conn, bool quiet);
bool tls_conn_empty(const struct tls_conn *conn);
bool tls_conn_spent(const struct tls_conn *conn);

/*
 * A handshake, the first or a later one, may need a signature of the signer's (tls/signing.h). tls_conn_waits(): it
 * waits for that; reading and writing return THAW_WANT_READ, but bytes of the client do not matter, and wake is called
 * when it can continue. wake must not step the connection itself. tls_conn_give_up(): no more, the handshake fails.
 */
void tls_conn_on_signature(struct tls_conn *conn, void (*wake)(void *arg), void *arg);
bool tls_conn_waits(const struct tls_conn *conn);
void tls_conn_give_up(struct tls_conn *conn);

/* Whether the client exceeded the limits of tls/records.h. Requires a tls_session. */
bool tls_conn_flooded(const struct tls_conn *conn);

/* THAW_OK once the handshake is complete. THAW_FAILED with *err. */
enum thaw_status tls_conn_handshake(struct tls_conn *conn, struct thaw_error *err) THAW_MUST_CHECK;

/* The server name of the ClientHello; "": none; NULL: no ClientHello yet. */
const char *tls_conn_name(const struct tls_conn *conn);

/* Whether the handshake has sent its certificate request. Requires a tls_session. */
bool tls_conn_asked(const struct tls_conn *conn);

/* The index of the selected host, as for tls_server_new(). */
int tls_conn_host(const struct tls_conn *conn);

/* As SSL_write(); *len is the number of bytes taken, which may be fewer. */
enum thaw_status tls_conn_write(struct tls_conn *conn, const void *data, size_t room, size_t *len,
				struct thaw_error *err) THAW_MUST_CHECK;

/* Whether received bytes are buffered, which the transport will not report again. */
bool tls_conn_pending(const struct tls_conn *conn);

/* Sends close_notify if possible now; never waits. */
void tls_conn_close_notify(struct tls_conn *conn);

/* NULL is a connection without TLS; also for tls_conn_flooded(), _demand(), _pending(), _waits(), _give_up() and
 * _close_notify(). */
bool tls_conn_resumed(const struct tls_conn *conn);
const char *tls_conn_version(const struct tls_conn *conn); /* "TLSv1.3" */
const char *tls_conn_cipher(const struct tls_conn *conn);

#endif
