/* The handshake on demand: whether a connection's client was sent away from an HTTP/2 connection, and the ticket which
 * tells another machine so. */
#include <string.h>

#include <openssl/err.h>

#include "tls/peer.h"
#include "tls/server_inside.h"
#include "tls/ticket_chain.h"
#include "tls/ticket_note.h"

/* The session in the ticket that the ClientHello offers first, if it was made for this host. The caller frees it. */
static SSL_SESSION *offered_session(const struct tls_conn *link, const struct tls_host_context *host)
{
	const unsigned char *extension = NULL, *identity = NULL, *context;
	size_t len = 0, identity_len = 0;
	unsigned context_len = 0;

	if (SSL_client_hello_get0_ext(link->ssl, TLSEXT_TYPE_psk, &extension, &len) == 1)
		identity = tls_hello_identity(extension, len, &identity_len);
	SSL_SESSION *session =
		identity != NULL ? tls_ticket_open(link->server->ticket_keys, identity, identity_len) : NULL;
	if (session == NULL)
		return NULL;
	context = SSL_SESSION_get0_id_context(session, &context_len);
	if (SSL_SESSION_get_protocol_version(session) == TLS1_3_VERSION && context_len == TLS_TICKET_BINDING_SIZE &&
	    memcmp(context, host->sid_context, TLS_TICKET_BINDING_SIZE) == 0)
		return session;
	SSL_SESSION_free(session);
	return NULL;
}

/* The clocks of two machines may differ, either way. */
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

static thaw_trust *accepting_trust(const struct tls_conn *link, const struct tls_host_context *host,
				   SSL_SESSION *session)
{
	X509 *certificate = SSL_SESSION_get0_peer(session);
	STACK_OF(X509) *sent = certificate != NULL ? tls_ticket_chain(session) : NULL;
	thaw_trust *accepts = NULL;

	for (size_t i = 0; certificate != NULL && accepts == NULL && i < host->trust_count; i++) {
		struct tls_verdict *verdict = tls_verify(host->trusts[i], link->ssl, certificate, sent);
		if (verdict != NULL && verdict->error == X509_V_OK)
			accepts = host->trusts[i];
		tls_verdict_free(&verdict);
	}
	sk_X509_pop_free(sent, X509_free);
	return accepts;
}

thaw_trust *tls_demand_find(const struct tls_conn *link, enum tls_demand *why)
{
	const struct tls_host_context *host = &link->server->hosts[link->host];
	struct tls_away away = {.trust = NULL};

	*why = TLS_DEMAND_NONE;
	if (link->away != NULL)
		away = link->away(link->away_arg);
	thaw_trust *trust = away.trust != NULL ? tls_host_trust(host, away.trust) : NULL;
	if (trust != NULL) {
		*why = TLS_DEMAND_NOTE;
		return trust;
	}
	SSL_SESSION *session = offered_session(link, host);
	if (session == NULL)
		return NULL;
	trust = link->away != NULL ? noted_trust(host, session, away.wall_ms) : NULL;
	if (trust != NULL)
		*why = TLS_DEMAND_TICKET;
	else if ((trust = accepting_trust(link, host, session)) != NULL)
		*why = TLS_DEMAND_CERTIFICATE;
	SSL_SESSION_free(session);
	return trust;
}

bool tls_conn_note_ticket(struct tls_conn *link, const thaw_trust *trust, uint64_t wall_ms)
{
	struct tls_ticket_note note = {.wall_ms = wall_ms};

	memcpy(note.trust, thaw_trust_id(trust), TLS_TRUST_ID);
	ERR_clear_error();
	bool made = SSL_version(link->ssl) == TLS1_3_VERSION && SSL_is_init_finished(link->ssl) == 1 &&
		    SSL_get0_peer_certificate(link->ssl) == NULL &&
		    tls_ticket_note_put(SSL_get0_session(link->ssl), &note) && SSL_new_session_ticket(link->ssl) == 1;
	/* Not in init: a write is pending, and the ticket goes before the next one. */
	if (made && SSL_in_init(link->ssl) == 1)
		(void)SSL_do_handshake(link->ssl);
	ERR_clear_error();
	return made;
}
