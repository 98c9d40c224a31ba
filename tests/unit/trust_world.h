/* For tests of the verifier of client certificates: a small PKI, its CRLs, and connections. */
#ifndef UNIT_TRUST_WORLD_H
#define UNIT_TRUST_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>

#include "../made.h"
#include "ask_world.h"
#include "certificate_world.h"

#define SERVER_LEVEL 2 /* 112 bits */
#define NAMES        1000

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
#define EACH_VERSION(v) for (size_t v = 0; v < sizeof(versions) / sizeof(versions[0]); v++)

static struct {
	EVP_PKEY *key, *weak_key;
	X509 *root, *issuing, *client, *weak, *sha1, *server;
	thaw_trust *root_only, *both; /* trust in the root alone; in the root and the issuing CA */
} pki;

static inline X509 *issue(const char *name, X509 *issuer, EVP_PKEY *key, bool ca)
{
	static long serial;
	const struct world_attribute subject[] = {{"CN", V_ASN1_UTF8STRING, name, 0}, {NULL, 0, NULL, 0}};

	return world_certificate(&(struct world_wish){.subject = subject, .serial = ++serial, .ca = ca}, key, issuer,
				 pki.key, true);
}

static inline thaw_trust *trust_in(X509 *const *certificates, size_t count)
{
	struct thaw_error err = {0};
	X509_STORE *store = X509_STORE_new();

	for (size_t i = 0; i < count; i++)
		assert_int_equal(X509_STORE_add_cert(store, certificates[i]), 1);
	thaw_trust *trust = made_trust_from_store(store, &err);
	assert_non_null(trust);
	return trust;
}

static char folder[] = "/tmp/thaw-unit-trust-XXXXXX";

/* Valid until the call after the next one. */
static const char *in_folder(const char *name)
{
	static char path[2][128];
	static unsigned next;

	next = 1 - next;
	(void)snprintf(path[next], sizeof(path[next]), "%s/%s", folder, name);
	return path[next];
}

static inline int set_up(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	pki.key = world_key();
	pki.weak_key = EVP_RSA_gen(1024);
	pki.root = issue("root", NULL, pki.key, true);
	pki.issuing = issue("issuing", pki.root, pki.key, true);
	pki.client = issue("client", pki.issuing, pki.key, false);
	pki.weak = issue("weak key", pki.issuing, pki.weak_key, false);
	pki.sha1 = issue("weak digest", pki.issuing, pki.key, false);
	assert_true(X509_sign(pki.sha1, pki.key, EVP_sha1()) > 0);
	pki.server = issue("server", NULL, pki.key, false);
	pki.root_only = trust_in((X509 *[]){pki.root}, 1);
	pki.both = trust_in((X509 *[]){pki.root, pki.issuing}, 2);
	return 0;
}

static inline int tear_down(void **state)
{
	X509 *all[] = {pki.root, pki.issuing, pki.client, pki.weak, pki.sha1, pki.server};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		X509_free(all[i]);
	thaw_trust_free(&pki.root_only);
	thaw_trust_free(&pki.both);
	EVP_PKEY_free(pki.key);
	EVP_PKEY_free(pki.weak_key);
	(void)unlink(in_folder("root.pem"));
	(void)unlink(in_folder("crls.pem"));
	(void)unlink(in_folder("anchors.pem"));
	(void)unlink(in_folder("many.pem"));
	return rmdir(folder);
}

static inline void open_server(struct pair *pair, int version)
{
	open_contexts(pair, version, pki.server, pki.key);
	SSL_CTX_set_security_level(pair->server_ctx, SERVER_LEVEL);
	SSL_CTX_set_security_level(pair->client_ctx, 0);
	(void)SSL_CTX_set_session_cache_mode(pair->server_ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_session_ticket_cb(pair->server_ctx, thaw_ctx_ticket_made, thaw_ctx_ticket_opened, NULL);
}

/* A connection after its handshake. at_handshake: the trust for an ask in the handshake, or NULL. */
static inline void come(struct pair *pair, X509 *certificate, EVP_PKEY *key, thaw_trust *at_handshake)
{
	begin(pair);
	equip(pair->client, certificate, key, (X509 *[]){pki.issuing}, 1);
	if (at_handshake != NULL)
		assert_int_equal(thaw_conn_ask_at_handshake(pair->conn, at_handshake), THAW_OK);
	settle(pair);
}

static inline void assert_detail(const struct pair *pair, const char *text)
{
	struct thaw_report report;

	report = *thaw_conn_report(pair->conn);
	assert_string_equal(report.detail, text);
}

/* A CRL of issuer; revoked may be NULL. It is valid for one day, from start_s seconds from now. */
static inline X509_CRL *crl_of(X509 *issuer, EVP_PKEY *key, X509 *revoked, long start_s)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *at = ASN1_TIME_new();

	assert_int_equal(X509_CRL_set_version(crl, X509_CRL_VERSION_2), 1);
	assert_int_equal(X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)), 1);
	assert_int_equal(X509_CRL_set1_lastUpdate(crl, X509_gmtime_adj(at, start_s)), 1);
	assert_int_equal(X509_CRL_set1_nextUpdate(crl, X509_gmtime_adj(at, start_s + 86400)), 1);
	if (revoked != NULL) {
		X509_REVOKED *entry = X509_REVOKED_new();
		assert_int_equal(X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked)), 1);
		assert_int_equal(X509_REVOKED_set_revocationDate(entry, X509_gmtime_adj(at, -60)), 1);
		assert_int_equal(X509_CRL_add0_revoked(crl, entry), 1);
	}
	assert_int_equal(X509_CRL_sort(crl), 1);
	assert_true(X509_CRL_sign(crl, key, EVP_sha256()) > 0);
	ASN1_TIME_free(at);
	return crl;
}

static inline void write_certificates(const char *name, X509 *const *certificates, size_t count)
{
	FILE *file = fopen(in_folder(name), "w");

	assert_non_null(file);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(PEM_write_X509(file, certificates[i]), 1);
	assert_int_equal(fclose(file), 0);
}

/* Makes it a delta CRL for the base CRL number 1. */
static inline void make_delta(X509_CRL *crl)
{
	ASN1_INTEGER *base = ASN1_INTEGER_new();

	assert_int_equal(ASN1_INTEGER_set(base, 1), 1);
	assert_int_equal(X509_CRL_add1_ext_i2d(crl, NID_delta_crl, base, 1, 0), 1);
	assert_true(X509_CRL_sign(crl, pki.key, EVP_sha256()) > 0);
	ASN1_INTEGER_free(base);
}

/* The kind of CRL, for each of the two CAs. */
enum crl { NONE, EMPTY, REVOKES, EXPIRED, FUTURE, FORGED, DELTA };

static inline void write_crl(FILE *file, enum crl kind, X509 *issuer, X509 *below)
{
	EVP_PKEY *foreign = world_key();

	if (kind != NONE) {
		X509_CRL *crl = crl_of(issuer, kind == FORGED ? foreign : pki.key, kind == REVOKES ? below : NULL,
				       kind == EXPIRED  ? -2 * 86400
				       : kind == FUTURE ? 86400
							: -3600);
		if (kind == DELTA)
			make_delta(crl);
		assert_int_equal(PEM_write_X509_CRL(file, crl), 1);
		X509_CRL_free(crl);
	}
	EVP_PKEY_free(foreign);
}

static inline void write_crls(enum crl of_root, enum crl of_issuing)
{
	FILE *file = fopen(in_folder("crls.pem"), "w");

	assert_non_null(file);
	write_crl(file, of_root, pki.root, pki.issuing);
	write_crl(file, of_issuing, pki.issuing, pki.client);
	assert_int_equal(fclose(file), 0);
}

static inline thaw_trust *trust_with(enum crl of_root, enum crl of_issuing, enum thaw_crl_check check,
				     struct thaw_error *err)
{
	write_crls(of_root, of_issuing);
	return made_trust_open(&(struct thaw_trust_options){.size = sizeof(struct thaw_trust_options),
							    .ca = in_folder("root.pem"),
							    .crl = in_folder("crls.pem"),
							    .crl_check = check},
			       err);
}

#endif
