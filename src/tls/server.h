/*
 * The server's side of TLS: one struct tls_server for a process (a context for each host, chosen by SNI in the
 * ClientHello callback), one struct tls_conn for a connection: an SSL over a transport.
 */
#ifndef TLS_SERVER_H
#define TLS_SERVER_H

#include "base/transport.h"
#include "thaw/ask.h"
#include "tls/credentials.h"
#include "tls/offer.h"

struct tls_server;
struct tls_conn;

/* What the whole configuration says. Names have ':' between them; NULL: the default. */
struct tls_protocol {
	bool no_tls12, no_tls13;
	const char *groups, *ciphers, *suites; /* ciphers: of TLS 1.2; suites: of TLS 1.3 */
	const char *groups_place;              /* of the setting, for messages; NULL: none */
};

struct tls_host {
	/* NULL-terminated, lower case. "*.DOMAIN": one label in place of the "*"; "*": the default. */
	const char *const *names;
	const char *certificate, *key; /* PEM files; key: or a pkcs11: URI */
	struct tls_key_setting key_setting;
	const struct tls_protocol *protocol; /* one for all hosts; NULL: the defaults */
	enum tls_http2 http2;
	bool asks_late;            /* one of its routes asks after the handshake */
	bool hold_to_tls12;        /* clients that have to be asked late, and cannot be on TLS 1.3 */
	thaw_trust *at_handshake;  /* NULL: no certificate is asked for at the handshake */
	thaw_trust *const *trusts; /* all that this host's routes use: tickets are bound to them */
	size_t trust_count;
};

/* Reads the files now; copies what it keeps. Certificates are checked against their keys. NULL with *err set. */
struct tls_server *tls_server_new(const struct tls_host *hosts, size_t count, struct thaw_error *err);
void tls_server_free(struct tls_server **server);

/*
 * Session tickets under the keys of this file (ticket_keys.h), which is read now. Before the first connection, once.
 * Without it the keys are OpenSSL's own: of this server and the processes forked after it was made. THAW_FAILED: the
 * server is only good to be freed.
 */
enum thaw_status tls_server_use_ticket_keys(struct tls_server *server, const char *file,
					    struct thaw_error *err) THAW_MUST_CHECK;

/* After fork: this process's socket to the signer (signer.h), which makes the signatures of keys on tokens; borrowed.
 * The hosts' numbers are those given to tls_server_new(). */
void tls_server_use_signer(struct tls_server *server, int fd);

/* A turn of the event loop begins: first handshakes that the last one put off, for its signatures took too long, go on
 * when stepped. */
void tls_server_turn(struct tls_server *server);

/* The index of the host for that name: its own, or the default's; -1: none. */
int tls_server_host(const struct tls_server *server, const char *name);
/* Whether a host has that name as its own. */
bool tls_server_has(const struct tls_server *server, const char *name);

/* How that host treats its clients; belongs to the server. */
const struct tls_policy *tls_server_policy(const struct tls_server *server, int host);

/* NULL: no memory. The transport must outlive the link. */
struct tls_conn *tls_conn_new(struct tls_server *server, struct transport transport);
void tls_conn_free(struct tls_conn **link);

/*
 * The handshake on demand (offer.h). A connection that may follow one that was reset is asked in its handshake if
 *
 *	- `away` says under which of the host's trusts its client was sent away. It is called in the ClientHello
 *	  callback, where tls_conn_name() and tls_conn_kind() can be called;
 *	- or it brings a session ticket that says so;
 *	- or a ticket with a certificate that a trust of the host accepts: browsers that were sent away once go on with
 *	  HTTP/1.1.
 *
 * Such a request for a certificate never fails the handshake.
 */
/* How long a ticket's note is good: the browser comes back at once. So is the table's, once the client has answered. */
#define TLS_AWAY_MS 10000

enum tls_demand { TLS_DEMAND_NONE, TLS_DEMAND_NOTE, TLS_DEMAND_TICKET, TLS_DEMAND_CERTIFICATE, TLS_DEMANDS };

struct tls_away {
	const thaw_trust *trust; /* NULL: it was not sent away */
	uint64_t wall_ms;        /* now, since 1970: to judge the age of what tickets say */
};
typedef struct tls_away tls_away_fn(void *arg);

/* Before the handshake. Without it no ticket's note is believed, either. */
void tls_conn_on_away(struct tls_conn *link, tls_away_fn *away, void *arg);

/* Why it was asked, or was to be, on demand. Once the ClientHello has come. */
enum tls_demand tls_conn_demand(const struct tls_conn *link);

/* Whether that was under this trust: its certificate, or that there is none, is the answer to every late ask under it.
 */
bool tls_conn_demanded(const struct tls_conn *link, const thaw_trust *trust);

/*
 * Sends a session ticket which says that this client is sent away from the host, and is to be asked under trust. For an
 * HTTP/2 connection, before its stream is reset. What the transport does not take now goes before all that is written
 * later. False: not sent; TLS 1.2, a certificate is there, or out of memory.
 */
bool tls_conn_note_ticket(struct tls_conn *link, const thaw_trust *trust, uint64_t wall_ms);

enum tls_client_kind tls_conn_kind(const struct tls_conn *link);

/* HTTP/2 was chosen. */
bool tls_conn_http2(const struct tls_conn *link);

/* For thaw_conn_new(), before the handshake. */
struct ssl_st *tls_conn_ssl(struct tls_conn *link);

/*
 * A step of this connection begins: what it reads of the wire is limited until the next one begins. tls_conn_spent():
 * the limit was reached, so step it again without waiting for more. Without tls_conn_step() there is no limit. quiet:
 * its transport did not become readable since the last step. tls_conn_empty(): a read now would find nothing.
 */
void tls_conn_step(struct tls_conn *link, bool quiet);
bool tls_conn_empty(const struct tls_conn *link);
bool tls_conn_spent(const struct tls_conn *link);

/* The client was given up because of what it sent besides data: see tls/records.h. Needs a tls_session. */
bool tls_conn_flooded(const struct tls_conn *link);

/* THAW_OK once it is complete. *err gets the cause of THAW_FAILED. */
enum thaw_status tls_conn_handshake(struct tls_conn *link, struct thaw_error *err) THAW_MUST_CHECK;

/* The server name of the ClientHello; "": it has none; NULL: no ClientHello has come. */
const char *tls_conn_name(const struct tls_conn *link);

/* Whether the handshake has come as far as its request for a client certificate. Needs a tls_session. */
bool tls_conn_asked(const struct tls_conn *link);

/* The host that the handshake chose (an index as given to tls_server_new). */
int tls_conn_host(const struct tls_conn *link);

/* As SSL_write; *len is what was taken, which may be a part. */
enum thaw_status tls_conn_write(struct tls_conn *link, const void *data, size_t room, size_t *len,
				struct thaw_error *err) THAW_MUST_CHECK;

/* Whether bytes have come that are not read yet, and that no transport will tell of any more. */
bool tls_conn_pending(const struct tls_conn *link);

/* Sends close_notify, if that can be done now; never waits. */
void tls_conn_close_notify(struct tls_conn *link);

/* NULL: a connection without TLS. So it is for tls_conn_flooded(), _demand(), _pending() and _close_notify(). */
bool tls_conn_resumed(const struct tls_conn *link);
const char *tls_conn_version(const struct tls_conn *link); /* "TLSv1.3" */
const char *tls_conn_cipher(const struct tls_conn *link);

#endif
