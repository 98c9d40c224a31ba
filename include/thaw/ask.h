/*
 * The ask: a client certificate requested on an established connection, while its bytes go on being read.
 *
 * The caller owns the SSL, and does all I/O through whatever BIO it gives to the SSL (non-blocking). OpenSSL reads
 * nothing while a handshake message of its own waits to be written, which would freeze a client that writes its whole
 * request before it reads: so a filter BIO of the library's is pushed on top of the one that the SSL writes to. It
 * holds up to 128 KiB of such messages, none of application data, and makes the kernel's TLS for sending (kTLS)
 * unavailable. Where to begin:
 *
 *   1. Once: SSL_CTX_set_client_hello_cb(ctx, thaw_client_hello, NULL), or call thaw_client_hello() from the callback
 *      that you have. It notes what the client offers and, if told so, holds clients without post-handshake
 *      authentication to TLS 1.2, where they can be asked. Session tickets: see thaw_ticket_made().
 *   2. For each connection: thaw_conn_new() before the handshake or in that callback, thaw_conn_free() before
 * SSL_free().
 *   3. Read with thaw_read() instead of SSL_read(). Write with SSL_write() as ever, when thaw_can_write() says so.
 *   4. For a request that needs a certificate: thaw_ask(), then go on reading its body with thaw_read() into a
 *      thaw_spool, and call thaw_body_ended() at its end, until thaw_verdict() is no longer pending. Call
 *      thaw_tick() when the deadline that thaw_conn_wants() told has come.
 *   5. Act on the verdict: on THAW_VERDICT_ACCEPTED thaw_conn_identity() tells who it is.
 *
 * examples/embed.c is a whole server that does so.
 *
 * One ask at a time on a connection. A thaw_conn is used by one thread at a time.
 */
#ifndef THAW_ASK_H
#define THAW_ASK_H

#include <thaw/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ssl_st;
struct ssl_session_st;
struct x509_store_st;

typedef struct thaw_conn thaw_conn;
typedef struct thaw_trust thaw_trust;

/* Which certificates of a chain need a CRL, if there are any CRLs. */
enum thaw_crl_check {
	/* Each one below the trust anchor: without a CRL of its issuer it is rejected. */
	THAW_CRL_CHAIN,
	/* The client's own. A CA certificate above it is checked where there is a CRL of its issuer. */
	THAW_CRL_LEAF,
};

/* What a client's certificate must be made for. */
enum thaw_purpose {
	/* For TLS clients: an extended key usage, if it has one, lists clientAuth. */
	THAW_PURPOSE_CLIENT,
	/* For anything: its extended key usage is not looked at, nor its CAs'. Its key usage must allow signatures. */
	THAW_PURPOSE_ANY,
};

/* Zero stands for each default. */
struct thaw_trust_options {
	const char *ca, *crl; /* PEM files; crl may be NULL */
	enum thaw_crl_check crl_check;
	bool no_names;        /* clients are not sent the names of the CAs; by default, where they fit in 16 KiB */
	unsigned depth;       /* CA certificates between a client's and the trust anchor, at most; 0: 8 */
	size_t max_cert_list; /* bytes of a client's Certificate message, at most; a longer one ends the
				 connection; 0: 32 KiB */
	/* Each certificate in ca is a trust anchor, also that of an intermediate CA whose root is not in ca. One that a
	   CRL in crl revokes is not. */
	bool partial_chain;
	enum thaw_purpose purpose;
};

/*
 * Whom to believe: CA certificates, perhaps CRLs. Shared by many connections, counted by references. NULL with *err set
 * when a file cannot be read or holds no certificate, or when a CA has no CRL under THAW_CRL_CHAIN.
 */
thaw_trust *thaw_trust_open(const struct thaw_trust_options *options, struct thaw_error *err);
/* The same, with the defaults. */
thaw_trust *thaw_trust_load(const char *ca_file, const char *crl_file, struct thaw_error *err);
/*
 * From a store of the caller's (its reference is taken over only on success); the CA names sent to clients are those in
 * it. Its parameters (X509_STORE_get0_param) hold for every verification, joined with the SSL's as OpenSSL does for a
 * handshake; where they give no depth, it is 8.
 */
thaw_trust *thaw_trust_from_store(struct x509_store_st *store, struct thaw_error *err);
thaw_trust *thaw_trust_ref(thaw_trust *trust);
void thaw_trust_free(thaw_trust **trust);

/* Bytes of CA names in a request for a certificate. A client is sent all names of a trust, or none. */
#define THAW_CA_NAMES_MAX 16384
/* The bytes that the names of the trust's CAs need, where they are more than that. 0: they fit, or are not wanted. */
size_t thaw_trust_names_left_out(const thaw_trust *trust);

/* 32 bytes that differ between different settings of trust: for binding session tickets to them. */
const uint8_t *thaw_trust_id(const thaw_trust *trust);

/*
 * An SSL_CTX client-hello callback (SSL_client_hello_cb_fn). Does nothing on an SSL without a thaw_conn. Always
 * SSL_CLIENT_HELLO_SUCCESS, but for a renegotiation that names another server than the handshake did.
 */
int thaw_client_hello(struct ssl_st *ssl, int *alert, void *unused);

/*
 * SSL_CTX_set_session_ticket_cb(ctx, thaw_ticket_made, thaw_ticket_opened, NULL): a session ticket carries the chain
 * that the client sent (up to 8 KiB, as the ticket's application data), and a session is resumed only if its
 * certificate is still accepted. Without them, a resumed session has the client's own certificate alone, and one that
 * needs an intermediate CA's certificate from the client is rejected. They do nothing on an SSL without a thaw_conn.
 */
int thaw_ticket_made(struct ssl_st *ssl, void *unused);
int thaw_ticket_opened(struct ssl_st *ssl, struct ssl_session_st *opened, const unsigned char *name, size_t name_len,
		       int status, void *unused);

/* Before the handshake, or in the ClientHello callback before thaw_client_hello(). Takes the SSL's message callback
 * (SSL_set_msg_callback) for as long as it lives. NULL: no memory. */
thaw_conn *thaw_conn_new(struct ssl_st *ssl);
void thaw_conn_free(thaw_conn **conn);

/* Whether a client that offers no post-handshake authentication but TLS 1.2 is held to 1.2. Before, or in, the
 * ClientHello callback. */
void thaw_hold_to_tls12(thaw_conn *conn, bool hold);

/* At the handshake: request a certificate that trust verifies, never failing the handshake for want of it. In the
 * ClientHello callback or before. */
enum thaw_status thaw_ask_at_handshake(thaw_conn *conn, const thaw_trust *trust) THAW_MUST_CHECK;

/* How this connection can be asked, once the handshake is done; for THAW_MEANS_NONE *reason tells why (may be NULL). */
enum thaw_means thaw_conn_means(const thaw_conn *conn, enum thaw_reason *reason);

struct thaw_ask_options {
	const thaw_trust *trust;
	/* HEADERS, BODY or RESPONSE. With HEADERS the request for the certificate goes out at once, but see
	 * body_follows. */
	enum thaw_moment moment;
	/* A body is on its way, whose end thaw_body_ended() will tell. By renegotiation it is then drained to its end
	   before the client is asked (some clients send data in the middle of a handshake, which ends it), unless early
	   is set. */
	bool body_follows;
	bool early;
	/* Ask even if the connection has an accepted certificate: the client must prove anew that it holds that same
	 * key. */
	bool again;
	/*
	 * Two deadlines, of which one runs at a time. Neither is prolonged by progress of the other.
	 *
	 * timeout_ms is for the client, and its human, to answer: from when the request for the certificate is begun
	 * until the answer is complete, whatever comes of the body meanwhile. A client that writes its whole body
	 * before it reads must have done so by then.
	 *
	 * body_idle_ms applies while the body is drained before the client is asked: how long it may stand still. Each
	 * byte earns 1 ms, up to body_idle_ms from now. timeout_ms begins when the body has ended.
	 */
	uint64_t timeout_ms;
	uint64_t body_idle_ms;
	uint64_t decline_grace_ms; /* how long an empty answer is held back from becoming the verdict */
	/* The caller goes on with a certificate that is rejected, too: one that the connection has is judged again as
	 * it is, under this trust, and not asked for anew. The verdict stays THAW_VERDICT_REJECTED. */
	bool unverified;
};

/*
 * Begins. THAW_OK: see thaw_verdict(), which may be final at once (ACCEPTED: the certificate is there already and this
 * trust verifies it; IMPOSSIBLE). THAW_FAILED: misuse (an ask is pending, the handshake is not over), or no memory.
 * Neither this nor thaw_body_ended() may be called while an SSL_write() waits to be repeated: OpenSSL ends a connection
 * on which a handshake message is begun in the middle of another write.
 */
enum thaw_status thaw_ask(thaw_conn *conn, const struct thaw_ask_options *options, uint64_t now_ms) THAW_MUST_CHECK;

/* The asked request's body is complete. */
void thaw_body_ended(thaw_conn *conn, uint64_t now_ms);

/*
 * Application data, as SSL_read(). Also while an ask is pending, when it moves the exchange on: look at
 * thaw_verdict() after every call, whatever it returned. THAW_FAILED: thaw_conn_error() has the cause.
 */
enum thaw_status thaw_read(thaw_conn *conn, void *data, size_t room, size_t *len, uint64_t now_ms) THAW_MUST_CHECK;

/* Moves what needs no bytes: deadlines, and the request's sending. Call when thaw_conn_wants() says so. */
void thaw_tick(thaw_conn *conn, uint64_t now_ms);

/* Ends a pending ask with that verdict and reason (OVER_LIMIT or CANCELLED). The connection cannot be asked again while
 * its answer is outstanding. */
void thaw_ask_end(thaw_conn *conn, enum thaw_verdict verdict, enum thaw_reason reason, uint64_t now_ms);

struct thaw_wants {
	bool read;            /* always, while an ask is pending */
	bool write;           /* the request for the certificate, or another handshake message, is not written whole */
	uint64_t deadline_ms; /* call thaw_tick() then */
};
void thaw_conn_wants(const thaw_conn *conn, struct thaw_wants *wants);

enum thaw_verdict thaw_verdict(const thaw_conn *conn);

/* False only between the client's first answering message and its last: a response cannot be written then. */
bool thaw_can_write(const thaw_conn *conn);

/* The story of the last ask on this connection. */
struct thaw_report {
	enum thaw_means means;
	enum thaw_moment moment; /* when it was really asked */
	enum thaw_verdict verdict;
	enum thaw_reason reason;
	char detail[128];       /* of a rejection: the verification's words; may be empty */
	uint64_t began_ms;      /* thaw_ask() */
	uint64_t asked_ms;      /* the request for the certificate was written; 0: never */
	uint64_t ended_ms;      /* the verdict; 0: pending */
	uint64_t bytes_drained; /* application data read between began and ended */
};
void thaw_conn_report(const thaw_conn *conn, struct thaw_report *report);

/* Who the client is: of the accepted certificate. Text is RFC 4514 for names; all of it belongs to the connection. */
struct thaw_identity {
	const char *subject, *issuer;
	const uint8_t *sha256;      /* 32 bytes, of the certificate's DER form */
	const char *sha256_hex;     /* 64 lower-case digits */
	const uint8_t *certificate; /* DER */
	size_t certificate_len;
};

/* NULL: no certificate was accepted on this connection yet. */
const struct thaw_identity *thaw_conn_identity(const thaw_conn *conn);

/* The first failure on this connection. */
const struct thaw_error *thaw_conn_error(const thaw_conn *conn);

/* Called on every change of an ask's state, with the states' names. */
typedef void thaw_trace_fn(void *arg, const char *machine, const char *from, const char *to, uint64_t now_ms);
void thaw_conn_trace(thaw_conn *conn, thaw_trace_fn *fn, void *arg);

#ifdef __cplusplus
}
#endif
#endif
