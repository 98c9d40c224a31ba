/* The handshake on demand: finds out whether the client was sent away from an HTTP/2 connection, and writes the ticket
 * that tells other machines. */
#include <string.h>

#include <openssl/err.h>

#include "tls/peer.h"
#include "tls/server_inside.h"
#include "tls/ticket_chain.h"
#include "tls/ticket_note.h"

/* The session in the first ticket of the ClientHello, if it was made for this host. The caller frees it. */
static SSL_SESSION *offered_session(const struct tls_conn *conn, const struct tls_host_context *host)
{
	const unsigned char *extension = NULL, *identity = NULL, *context;
	size_t len = 0, identity_len = 0;
	unsigned context_len = 0;

	if (SSL_client_hello_get0_ext(conn->ssl, TLSEXT_TYPE_psk, &extension, &len) == 1)
		identity = tls_hello_identity(extension, len, &identity_len);
	SSL_SESSION *session =
		identity != NULL ? tls_ticket_open(conn->server->ticket_keys, identity, identity_len) : NULL;
	if (session == NULL)
		return NULL;
	context = SSL_SESSION_get0_id_context(session, &context_len);
	if (SSL_SESSION_get_protocol_version(session) == TLS1_3_VERSION && context_len == TLS_TICKET_BINDING_SIZE &&
	    memcmp(context, host->sid_context, TLS_TICKET_BINDING_SIZE) == 0)
		return session;
	SSL_SESSION_free(session);
	return NULL;
}

/* The clocks of two machines may differ in both directions. */
static bool is_fresh(uint64_t noted_ms, uint64_t now_ms)
{
	return (noted_ms < now_ms ? now_ms - noted_ms : noted_ms - now_ms) < TLS_AWAY_MS;
}

static thaw_trust *noted_trust(const struct tls_host_context *host, SSL_SESSION *session, uint64_t wall_ms)
{
	struct tls_ticket_note note;

	if (!tls_ticket_note_get(session, &note) || !is_fresh(note.wall_ms, wall_ms))
		return NULL;
	for (size_t i = 0; i < host->trust_count; i++)
		if (memcmp(thaw_trust_id(host->trusts[i]), note.trust, TLS_TRUST_ID) == 0)
			return host->trusts[i];
	return NULL;
}

static thaw_trust *accepting_trust(const struct tls_conn *conn, const struct tls_host_context *host,
				   SSL_SESSION *session)
{
	X509 *certificate = SSL_SESSION_get0_peer(session);
	STACK_OF(X509) *sent = certificate != NULL ? tls_ticket_chain(session) : NULL;
	thaw_trust *accepts = NULL;

	for (size_t i = 0; certificate != NULL && accepts == NULL && i < host->trust_count; i++) {
		struct tls_verdict *verdict = tls_verify(host->trusts[i], conn->ssl, certificate, sent);
		if (verdict != NULL && verdict->error == X509_V_OK)
			accepts = host->trusts[i];
		tls_verdict_free(&verdict);
	}
	sk_X509_pop_free(sent, X509_free);
	return accepts;
}

thaw_trust *tls_demand_find(const struct tls_conn *conn, enum tls_demand *why)
{
	const struct tls_host_context *host = &conn->server->hosts[conn->host];
	struct tls_away away = {.trust = NULL};

	*why = TLS_DEMAND_NONE;
	if (conn->away != NULL)
		away = conn->away(conn->away_arg);
	thaw_trust *trust = away.trust != NULL ? tls_host_trust(host, away.trust) : NULL;
	if (trust != NULL) {
		*why = TLS_DEMAND_NOTE;
		return trust;
	}
	SSL_SESSION *session = offered_session(conn, host);
	if (session == NULL)
		return NULL;
	trust = conn->away != NULL ? noted_trust(host, session, away.wall_ms) : NULL;
	if (trust != NULL)
		*why = TLS_DEMAND_TICKET;
	else if ((trust = accepting_trust(conn, host, session)) != NULL)
		*why = TLS_DEMAND_CERTIFICATE;
	SSL_SESSION_free(session);
	return trust;
}

bool tls_conn_note_ticket(struct tls_conn *conn, const thaw_trust *trust, uint64_t wall_ms)
{
	struct tls_ticket_note note = {.wall_ms = wall_ms};

	memcpy(note.trust, thaw_trust_id(trust), TLS_TRUST_ID);
	ERR_clear_error();
	bool made = SSL_version(conn->ssl) == TLS1_3_VERSION && SSL_is_init_finished(conn->ssl) == 1 &&
		    SSL_get0_peer_certificate(conn->ssl) == NULL &&
		    tls_ticket_note_put(SSL_get0_session(conn->ssl), &note) && SSL_new_session_ticket(conn->ssl) == 1;
	/* SSL_in_init() is false: a write is pending, and the ticket is sent before the next one. */
	if (made && SSL_in_init(conn->ssl) == 1)
		(void)SSL_do_handshake(conn->ssl);
	ERR_clear_error();
	return made;
}
