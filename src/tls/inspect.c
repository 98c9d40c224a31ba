#include "tls/inspect.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "thaw/types.h"
#include "tls/certificate.h"

#define FINDINGS_MAX 16 /* of one file; the rest is counted */
#define NAMES_SHOWN  4  /* of a certificate, where it is for other names */
#define CHAIN_MAX    32 /* CAs above one another that are looked at */

/* One file that is looked at. */
struct look {
	const struct tls_inspector *inspector;
	const char *file;
	STACK_OF(X509_INFO) * infos;
	unsigned findings;
};

static void find(struct look *look, const char *format, ...) THAW_PRINTF(2, 3);
static void find(struct look *look, const char *format, ...)
{
	char text[TLS_INSPECT_TEXT];
	va_list args;

	if (look->findings++ >= FINDINGS_MAX)
		return;
	int len = snprintf(text, sizeof(text), "%s: ", look->file);
	size_t used = len > 0 && (size_t)len < sizeof(text) ? (size_t)len : 0;
	va_start(args, format);
	(void)vsnprintf(text + used, sizeof(text) - used, format, args);
	va_end(args);
	look->inspector->say(look->inspector->arg, text);
}

static STACK_OF(X509_INFO) * read_file(const char *file)
{
	BIO *bio = BIO_new_file(file, "r");
	STACK_OF(X509_INFO) *infos = bio != NULL ? PEM_X509_INFO_read_bio(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	return infos;
}

static void begin(struct look *look, const struct tls_inspector *inspector, const char *file)
{
	*look = (struct look){.inspector = inspector, .file = file, .infos = read_file(file)};
}

static void end(struct look *look)
{
	unsigned more = look->findings > FINDINGS_MAX ? look->findings - FINDINGS_MAX : 0;

	look->findings = 0;
	if (more > 0)
		find(look, "%u more warnings about this file", more);
	sk_X509_INFO_pop_free(look->infos, X509_INFO_free);
	ERR_clear_error();
}

static X509 *certificate_at(const STACK_OF(X509_INFO) * infos, int i)
{
	return sk_X509_INFO_value(infos, i)->x509;
}

/* ---- words ---- */

/* A name, fit for a message: cut where it is long. */
struct shown {
	char text[132];
};

static struct shown show_name(const X509_NAME *name)
{
	struct shown shown = {"?"};
	char *text = tls_name_text(name);
	size_t len = text != NULL ? strlen(text) : 0, room = sizeof(shown.text) - sizeof("...");

	if (text == NULL)
		return shown;
	size_t kept = len < room ? len : room;
	while (kept < len && kept > 0 && ((unsigned char)text[kept] & 0xC0) == 0x80)
		kept--; /* not in the middle of a UTF-8 character */
	(void)snprintf(shown.text, sizeof(shown.text), "%.*s%s", (int)kept, text, kept < len ? "..." : "");
	free(text);
	return shown;
}

static struct shown show_subject(const X509 *certificate)
{
	return show_name(X509_get_subject_name(certificate));
}

static struct shown show_time(const ASN1_TIME *when)
{
	struct shown shown = {"?"};
	struct tm tm;

	if (ASN1_TIME_to_tm(when, &tm) == 1)
		(void)strftime(shown.text, sizeof(shown.text), "%Y-%m-%d %H:%M:%S UTC", &tm);
	return shown;
}

/* what: "certificate 1 'CN=...'". until: NULL: for ever. happens: what comes of it, and the cure for what is over. */
static void look_at_time(struct look *look, const char *what, const ASN1_TIME *from, const ASN1_TIME *until,
			 const char *happens, const char *cure)
{
	time_t now = (time_t)look->inspector->now_s;

	if (until != NULL && X509_cmp_time(until, &now) < 0)
		find(look, "%s expired on %s: %s; %s", what, show_time(until).text, happens, cure);
	else if (X509_cmp_time(from, &now) > 0)
		find(look, "%s is not valid before %s: %s until then; %s, or set this machine's clock", what,
		     show_time(from).text, happens, cure);
}

/* ---- chains that are sent ---- */

/* Whoever is shown the chain. */
struct audience {
	const char *refuse; /* what they will do */
	int purpose;
	const char *usage; /* the extended key usage for it */
};

static const struct audience clients = {"clients will refuse to connect", X509_PURPOSE_SSL_SERVER, "serverAuth"};
static const struct audience servers = {"the servers will reject it", X509_PURPOSE_SSL_CLIENT, "clientAuth"};

/* The DNS names of a certificate as a list in words; "": it has none. */
static struct shown show_names(const X509 *certificate)
{
	struct shown shown = {""};
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	size_t used = 0;
	int count = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		if (name->type != GEN_DNS || used >= sizeof(shown.text) || count++ >= NAMES_SHOWN)
			continue;
		int len = ASN1_STRING_length(name->d.dNSName);
		const unsigned char *bytes = ASN1_STRING_get0_data(name->d.dNSName);
		used += (size_t)snprintf(shown.text + used, sizeof(shown.text) - used, "%s", used > 0 ? ", " : "");
		for (int k = 0; k < len && used + 1 < sizeof(shown.text); k++)
			shown.text[used++] = bytes[k] > ' ' && bytes[k] < 0x7F ? (char)bytes[k] : '?';
		shown.text[used < sizeof(shown.text) ? used : sizeof(shown.text) - 1] = '\0';
	}
	GENERAL_NAMES_free(names);
	return shown;
}

/* A certificate for "*.DOMAIN" is for each name with one label there. */
static bool is_for(X509 *leaf, const char *host)
{
	char name[256];
	bool star = strncmp(host, "*.", 2) == 0;

	(void)snprintf(name, sizeof(name), "%s%s", star ? "any" : "", star ? host + 1 : host);
	return X509_check_host(leaf, name, strlen(name), X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1;
}

static void look_at_hosts(struct look *look, X509 *leaf, const char *const *hosts)
{
	bool any = X509_get_ext_by_NID(leaf, NID_subject_alt_name, -1) >= 0;
	struct shown subject = show_subject(leaf), names = show_names(leaf);

	if (!any)
		find(look,
		     "certificate 1 '%s' has no subject alternative name: browsers and most other clients ignore the "
		     "common name and will refuse to connect; get a certificate with one",
		     subject.text);
	for (; any && *hosts != NULL; hosts++)
		if (strcmp(*hosts, "*") != 0 && !is_for(leaf, *hosts))
			find(look,
			     "certificate 1 '%s' is not for host '%s' but for %s: %s; get a certificate for that name",
			     subject.text, *hosts, names.text[0] != '\0' ? names.text : "no DNS name", clients.refuse);
}

/* Whether the one signed the other. */
static bool has_issued(X509 *issuer, X509 *certificate)
{
	EVP_PKEY *key = X509_get0_pubkey(issuer);

	return X509_check_issued(issuer, certificate) == X509_V_OK && key != NULL && X509_verify(certificate, key) == 1;
}

/* Another certificate of the file that issued this one, or NULL. */
static X509 *issuer_in(const STACK_OF(X509_INFO) * infos, X509 *certificate)
{
	for (int i = 0; i < sk_X509_INFO_num(infos); i++) {
		X509 *other = certificate_at(infos, i);
		if (other != NULL && other != certificate && X509_cmp(other, certificate) != 0 &&
		    has_issued(other, certificate))
			return other;
	}
	return NULL;
}

static bool has_issuer(const STACK_OF(X509_INFO) * infos, X509 *certificate)
{
	return issuer_in(infos, certificate) != NULL;
}

/* RFC 8446 4.4.2: each certificate should certify the one before it; RFC 5246 7.4.2: must. False: it does not. */
static bool look_at_order(struct look *look, X509 *before, X509 *issuer, unsigned number, const struct audience *them)
{
	if (has_issued(issuer, before))
		return true;
	find(look, "certificate %u '%s' is not the issuer of certificate %u '%s': %s if they %s; %s", number,
	     show_subject(issuer).text, number - 1, show_subject(before).text, them->refuse,
	     has_issuer(look->infos, before) ? "do not sort chains" : "need the missing issuer",
	     has_issuer(look->infos, before)
		     ? "put the host's own certificate first, and after each one its issuer"
		     : "put after each certificate its issuer, and remove those that do not belong to the chain");
	return false;
}

/* Whether its authority key identifier names an issuer that another CA has issued (RFC 5280 4.2.1.1). */
static bool names_an_intermediate(X509 *certificate)
{
	AUTHORITY_KEYID *id = X509_get_ext_d2i(certificate, NID_authority_key_identifier, NULL, NULL);
	bool other = false;

	for (int i = 0; id != NULL && i < sk_GENERAL_NAME_num(id->issuer); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(id->issuer, i);
		other = other || (name->type == GEN_DIRNAME &&
				  X509_NAME_cmp(name->d.directoryName, X509_get_issuer_name(certificate)) != 0);
	}
	AUTHORITY_KEYID_free(id);
	return other;
}

/* Whether its issuer is a CA of that file, and an intermediate one. */
static bool is_below_intermediate(const char *file, X509 *certificate)
{
	STACK_OF(X509_INFO) *infos = file != NULL ? read_file(file) : NULL;
	bool intermediate = false, root = false;

	for (int i = 0; i < sk_X509_INFO_num(infos); i++) {
		X509 *issuer = certificate_at(infos, i);
		if (issuer == NULL || !has_issued(issuer, certificate))
			continue;
		root = root || X509_self_signed(issuer, 0) == 1;
		intermediate = true;
	}
	sk_X509_INFO_pop_free(infos, X509_INFO_free);
	return intermediate && !root;
}

/*
 * Of a private CA nobody knows what clients have. Public ones issue from intermediates only, and put certificate
 * timestamps (RFC 6962) in.
 */
static void look_at_last(struct look *look, X509 *last, unsigned number, const char *cas, const struct audience *them)
{
	bool is_public = number == 1 && X509_get_ext_by_NID(last, NID_ct_precert_scts, -1) >= 0;

	if (X509_self_signed(last, 0) == 1 ||
	    !(is_public || names_an_intermediate(last) || (number == 1 && is_below_intermediate(cas, last))))
		return;
	find(look,
	     "certificate %u '%s' is the last, and its issuer '%s' is an intermediate CA: %s unless they have that "
	     "CA's "
	     "certificate; add it to this file",
	     number, show_subject(last).text, show_name(X509_get_issuer_name(last)).text, them->refuse);
}

static void look_at_chain(struct look *look, const char *const *names, const char *cas, const struct audience *them)
{
	unsigned number = 0;
	X509 *before = NULL;
	bool ordered = true;

	for (int i = 0; i < sk_X509_INFO_num(look->infos); i++) {
		X509 *certificate = certificate_at(look->infos, i);
		char what[sizeof(struct shown) + 32];

		if (certificate == NULL)
			continue;
		number++;
		(void)snprintf(what, sizeof(what), "certificate %u '%s'", number, show_subject(certificate).text);
		look_at_time(look, what, X509_get0_notBefore(certificate), X509_get0_notAfter(certificate),
			     them->refuse, "renew it");
		if (number == 1 && (X509_check_purpose(certificate, them->purpose, 0) != 1 ||
				    (X509_get_key_usage(certificate) & KU_DIGITAL_SIGNATURE) == 0))
			find(look,
			     "%s is not made for this purpose (key usage, extended key usage): %s; get one with "
			     "digitalSignature and %s",
			     what, them->refuse, them->usage);
		if (number == 1 && them == &clients)
			look_at_hosts(look, certificate, names);
		if (number > 1 && ordered)
			ordered = look_at_order(look, before, certificate, number, them);
		before = certificate;
	}
	if (before != NULL && ordered)
		look_at_last(look, before, number, cas, them);
}

void tls_inspect_server(const struct tls_inspector *inspector, const char *file, const char *const *names,
			const char *cas)
{
	struct look look;

	begin(&look, inspector, file);
	look_at_chain(&look, names, cas, &clients);
	end(&look);
}

void tls_inspect_client(const struct tls_inspector *inspector, const char *file)
{
	struct look look;

	begin(&look, inspector, file);
	look_at_chain(&look, NULL, NULL, &servers);
	end(&look);
}

/* ---- CAs ---- */

#define BELOW "every certificate below it will be rejected"

/* Bits of security that OpenSSL's level demands here (SSL_CTX_set_security_level(3)). */
static int bits_needed(void)
{
	static const int bits[] = {0, 80, 112, 128, 192, 256};
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	int level = ctx != NULL ? SSL_CTX_get_security_level(ctx) : 0;

	SSL_CTX_free(ctx);
	return level < 0 ? 0 : level > 5 ? bits[5] : bits[level];
}

static void look_at_strength(struct look *look, X509 *ca, const char *what, int needed)
{
	const EVP_PKEY *key = X509_get0_pubkey(ca);
	int signature = 0;

	if (key == NULL || EVP_PKEY_get_security_bits(key) < needed)
		find(look, "%s has a key that is too weak: " BELOW "; use RSA with 2048 bits or more, or ECDSA", what);
	else if (X509_self_signed(ca, 0) != 1 && X509_get_signature_info(ca, NULL, NULL, &signature, NULL) == 1 &&
		 signature < needed)
		find(look,
		     "%s is signed with a digest that is too weak, such as SHA-1: " BELOW "; have it issued again",
		     what);
}

/* Another certificate of the same CA, which is used in place of this one: renewed, or cross-signed. */
static X509 *other_of_ca(const struct look *look, X509 *ca)
{
	time_t now = (time_t)look->inspector->now_s;

	for (int i = 0; i < sk_X509_INFO_num(look->infos); i++) {
		X509 *other = certificate_at(look->infos, i);
		if (other != NULL && other != ca && X509_cmp(other, ca) != 0 &&
		    X509_NAME_cmp(X509_get_subject_name(other), X509_get_subject_name(ca)) == 0 &&
		    EVP_PKEY_eq(X509_get0_pubkey(other), X509_get0_pubkey(ca)) == 1 && X509_check_ca(other) != 0 &&
		    X509_cmp_time(X509_get0_notBefore(other), &now) <= 0 &&
		    X509_cmp_time(X509_get0_notAfter(other), &now) > 0 &&
		    (X509_self_signed(other, 0) == 1 || has_issuer(look->infos, other)))
			return other;
	}
	return NULL;
}

/* RFC 5280 4.2.1.9: a CA above it allows fewer intermediate CAs below itself than there are. */
static void look_at_depth(struct look *look, X509 *ca, const char *what)
{
	X509 *above = ca;

	for (long below = 1; below <= CHAIN_MAX; below++) {
		above = X509_self_signed(above, 0) == 1 ? NULL : issuer_in(look->infos, above);
		if (above == NULL)
			return;
		long most = X509_get_pathlen(above);
		if (most < 0 || below <= most)
			continue;
		find(look,
		     "%s is below CA '%s', whose path length constraint allows %ld intermediate CAs: " BELOW
		     "; have one of them issued again",
		     what, show_subject(above).text, most);
		return;
	}
}

/* What CA certificates are for. */
enum ca_use { OF_SERVERS, OF_CLIENTS, ANCHORS_OF_CLIENTS /* each is a trust anchor */ };

static void look_at_ca(struct look *look, X509 *ca, enum ca_use use, int needed)
{
	char what[sizeof(struct shown) + 32];
	bool own = X509_self_signed(ca, 0) == 1;

	(void)snprintf(what, sizeof(what), "certificate '%s'", show_subject(ca).text);
	if (X509_check_ca(ca) == 0 && (!own || use != OF_SERVERS)) {
		find(look,
		     "%s is not a CA (basic constraints, key usage): no other certificate is accepted because of it; "
		     "name the certificate of the CA that issued it",
		     what);
		return;
	}
	if (other_of_ca(look, ca) != NULL)
		return;
	look_at_time(look, what, X509_get0_notBefore(ca), X509_get0_notAfter(ca), BELOW, "renew it");
	if (use != ANCHORS_OF_CLIENTS)
		look_at_depth(look, ca, what);
	look_at_strength(look, ca, what, needed);
	if (!own && use != ANCHORS_OF_CLIENTS && !has_issuer(look->infos, ca))
		find(look,
		     "%s is of an intermediate CA, and its issuer '%s' is not in the file: " BELOW
		     "; add the certificates of its issuers, up to the root%s",
		     what, show_name(X509_get_issuer_name(ca)).text,
		     use == OF_CLIENTS ? ", or set partial_chain to true" : "");
}

static void look_at_cas(const struct tls_inspector *inspector, const char *file, enum ca_use use)
{
	struct look look;
	int needed = bits_needed();

	begin(&look, inspector, file);
	for (int i = 0; i < sk_X509_INFO_num(look.infos); i++) {
		X509 *ca = certificate_at(look.infos, i);
		if (ca != NULL)
			look_at_ca(&look, ca, use, needed);
	}
	end(&look);
}

void tls_inspect_client_cas(const struct tls_inspector *inspector, const char *file, bool partial_chain)
{
	look_at_cas(inspector, file, partial_chain ? ANCHORS_OF_CLIENTS : OF_CLIENTS);
}

void tls_inspect_server_cas(const struct tls_inspector *inspector, const char *file)
{
	look_at_cas(inspector, file, OF_SERVERS);
}

/* ---- CRLs ---- */

/* What the CAs of that name say to the CRL. */
struct issuers {
	unsigned named, signed_it, may_sign;
};

static struct issuers issuers_of(X509_CRL *crl, const STACK_OF(X509_INFO) * cas)
{
	struct issuers issuers = {0};

	for (int i = 0; i < sk_X509_INFO_num(cas); i++) {
		X509 *ca = certificate_at(cas, i);
		if (ca == NULL || X509_NAME_cmp(X509_get_subject_name(ca), X509_CRL_get_issuer(crl)) != 0)
			continue;
		issuers.named++;
		EVP_PKEY *key = X509_get0_pubkey(ca);
		if (key == NULL || X509_CRL_verify(crl, key) != 1)
			continue;
		issuers.signed_it++;
		issuers.may_sign += (X509_get_key_usage(ca) & KU_CRL_SIGN) != 0;
	}
	return issuers;
}

/* A CA that its own issuer has revoked. */
static void look_for_revoked(struct look *look, X509_CRL *crl, const char *what, const STACK_OF(X509_INFO) * cas)
{
	for (int i = 0; i < sk_X509_INFO_num(cas); i++) {
		X509 *ca = certificate_at(cas, i);
		X509_REVOKED *entry = NULL;
		if (ca != NULL && X509_self_signed(ca, 0) != 1 &&
		    X509_NAME_cmp(X509_get_issuer_name(ca), X509_CRL_get_issuer(crl)) == 0 &&
		    X509_CRL_get0_by_cert(crl, &entry, ca) == 1)
			find(look, "%s revokes CA '%s': " BELOW "; remove that CA, or replace it", what,
			     show_subject(ca).text);
	}
}

/* Another CRL of the file by the same CA that is valid now: OpenSSL takes that one. */
static bool is_superseded(const struct look *look, X509_CRL *crl)
{
	time_t now = (time_t)look->inspector->now_s;

	for (int i = 0; i < sk_X509_INFO_num(look->infos); i++) {
		const X509_CRL *other = sk_X509_INFO_value(look->infos, i)->crl;
		if (other != NULL && other != crl &&
		    X509_NAME_cmp(X509_CRL_get_issuer(other), X509_CRL_get_issuer(crl)) == 0 &&
		    X509_cmp_time(X509_CRL_get0_lastUpdate(other), &now) <= 0 &&
		    (X509_CRL_get0_nextUpdate(other) == NULL ||
		     X509_cmp_time(X509_CRL_get0_nextUpdate(other), &now) > 0))
			return true;
	}
	return false;
}

static void look_at_crl(struct look *look, X509_CRL *crl, const STACK_OF(X509_INFO) * cas, const char *ca_file)
{
	struct shown issuer = show_name(X509_CRL_get_issuer(crl));
	struct issuers issuers = issuers_of(crl, cas);
	char what[sizeof(struct shown) + 32], happens[sizeof(struct shown) + 64];

	(void)snprintf(what, sizeof(what), "the CRL of CA '%s'", issuer.text);
	(void)snprintf(happens, sizeof(happens), "every certificate that CA '%s' issued will be rejected", issuer.text);
	if (issuers.named == 0)
		find(look,
		     "%s is of a CA that is not in %s: it has no effect, except for clients that send this CA's "
		     "certificate; add that certificate to %s, or remove the CRL",
		     what, ca_file, ca_file);
	else if (issuers.signed_it == 0)
		find(look, "%s is not signed by that CA's key in %s: %s; get the CRL from the CA again", what, ca_file,
		     happens);
	else if (issuers.may_sign == 0)
		find(look,
		     "%s is signed by a CA whose key usage in %s does not allow it (cRLSign): %s; renew the CA's "
		     "certificate",
		     what, ca_file, happens);
	if (!is_superseded(look, crl))
		look_at_time(look, what, X509_CRL_get0_lastUpdate(crl), X509_CRL_get0_nextUpdate(crl), happens,
			     "get a new one from the CA");
	if (issuers.signed_it > 0)
		look_for_revoked(look, crl, what, cas);
}

void tls_inspect_crls(const struct tls_inspector *inspector, const char *file, const char *ca_file)
{
	struct look look;

	begin(&look, inspector, file);
	STACK_OF(X509_INFO) *cas = look.infos != NULL ? read_file(ca_file) : NULL;
	for (int i = 0; cas != NULL && i < sk_X509_INFO_num(look.infos); i++) {
		X509_CRL *crl = sk_X509_INFO_value(look.infos, i)->crl;
		if (crl != NULL)
			look_at_crl(&look, crl, cas, ca_file);
	}
	sk_X509_INFO_pop_free(cas, X509_INFO_free);
	end(&look);
}

/* ---- expiry ---- */

static bool has_file(const struct expiries *list, const char *kind, const char *file)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i].kind, kind) == 0 && strcmp(list->items[i].file, file) == 0)
			return true;
	return false;
}

/* Takes over name. False: out of memory. */
static bool append(struct expiries *list, struct expiry expiry, const char *file, char *name)
{
	struct expiry *more = realloc(list->items, (list->count + 1) * sizeof(*more));

	if (more != NULL)
		list->items = more;
	expiry.file = strdup(file);
	expiry.name = name;
	if (more == NULL || expiry.file == NULL || name == NULL) {
		free(expiry.file);
		free(name);
		return false;
	}
	more[list->count++] = expiry;
	return true;
}

bool tls_expiries_add(struct expiries *list, const char *kind, const char *file, bool crls)
{
	STACK_OF(X509_INFO) *infos = has_file(list, kind, file) ? NULL : read_file(file);
	struct expiry next = {.kind = kind};
	bool ok = true;

	for (int i = 0; ok && i < sk_X509_INFO_num(infos) && list->count < EXPIRIES_MAX; i++) {
		const X509_INFO *info = sk_X509_INFO_value(infos, i);
		const ASN1_TIME *until = NULL;
		const X509_NAME *name = NULL;
		struct tm tm;

		if (crls && info->crl != NULL) {
			until = X509_CRL_get0_nextUpdate(info->crl);
			name = X509_CRL_get_issuer(info->crl);
		} else if (!crls && info->x509 != NULL) {
			until = X509_get0_notAfter(info->x509);
			name = X509_get_subject_name(info->x509);
		}
		if (name == NULL)
			continue;
		next.position++;
		if (until == NULL || ASN1_TIME_to_tm(until, &tm) != 1)
			continue; /* good for ever */
		next.until_s = timegm(&tm);
		ok = append(list, next, file, tls_name_text(name));
	}
	sk_X509_INFO_pop_free(infos, X509_INFO_free);
	ERR_clear_error();
	return ok;
}

void tls_expiries_free(struct expiries *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].file);
		free(list->items[i].name);
	}
	free(list->items);
	*list = (struct expiries){.items = NULL};
}
