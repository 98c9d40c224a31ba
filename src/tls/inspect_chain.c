/* Checks chains that are sent to clients or servers. */
#include <stdio.h>
#include <string.h>

#include "tls/inspect_inside.h"

#define NAMES_SHOWN 4 /* most names of a certificate in a message */

/* The receivers of a chain. */
struct audience {
	const char *refuse; /* the consequence of an error */
	int purpose;
	const char *usage; /* the extended key usage for it */
};

static const struct audience clients = {"clients will refuse to connect", X509_PURPOSE_SSL_SERVER, "serverAuth"};
static const struct audience servers = {"the servers will reject it", X509_PURPOSE_SSL_CLIENT, "clientAuth"};

/* The DNS names of a certificate, separated by commas; "": none. */
static struct inspect_text show_names(const X509 *certificate)
{
	struct inspect_text inspect_text = {""};
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	size_t used = 0;
	int count = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		if (name->type != GEN_DNS || used >= sizeof(inspect_text.text) || count++ >= NAMES_SHOWN)
			continue;
		int len = ASN1_STRING_length(name->d.dNSName);
		const unsigned char *bytes = ASN1_STRING_get0_data(name->d.dNSName);
		used += (size_t)snprintf(inspect_text.text + used, sizeof(inspect_text.text) - used, "%s",
					 used > 0 ? ", " : "");
		for (int k = 0; k < len && used + 1 < sizeof(inspect_text.text); k++)
			inspect_text.text[used++] = bytes[k] > ' ' && bytes[k] < 0x7F ? (char)bytes[k] : '?';
		inspect_text.text[used < sizeof(inspect_text.text) ? used : sizeof(inspect_text.text) - 1] = '\0';
	}
	GENERAL_NAMES_free(names);
	return inspect_text;
}

/* Whether the certificate is valid for the host; "*.DOMAIN" is checked with a sample label. */
static bool is_for(X509 *leaf, const char *host)
{
	char name[256];
	bool star = strncmp(host, "*.", 2) == 0;

	(void)snprintf(name, sizeof(name), "%s%s", star ? "any" : "", star ? host + 1 : host);
	return X509_check_host(leaf, name, strlen(name), X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1;
}

static void check_hosts(struct inspection *inspection, X509 *leaf, const char *const *hosts)
{
	bool any = X509_get_ext_by_NID(leaf, NID_subject_alt_name, -1) >= 0;
	struct inspect_text subject = inspect_show_subject(leaf), names = show_names(leaf);

	if (!any)
		inspect_find(inspection,
			     "certificate 1 '%s' has no subject alternative name: browsers and most other clients "
			     "ignore the "
			     "common name and will refuse to connect; get a certificate with one",
			     subject.text);
	for (; any && *hosts != NULL; hosts++)
		if (strcmp(*hosts, "*") != 0 && !is_for(leaf, *hosts))
			inspect_find(inspection,
				     "certificate 1 '%s' is not for host '%s' but for %s: %s; get a certificate for "
				     "that name",
				     subject.text, *hosts, names.text[0] != '\0' ? names.text : "no DNS name",
				     clients.refuse);
}

/* RFC 8446 4.4.2: each certificate should certify the previous one; RFC 5246 7.4.2: must. False: it does not. */
static bool check_order(struct inspection *inspection, X509 *before, X509 *issuer, unsigned number,
			const struct audience *them)
{
	if (inspect_has_issued(issuer, before))
		return true;
	inspect_find(
		inspection, "certificate %u '%s' is not the issuer of certificate %u '%s': %s if they %s; %s", number,
		inspect_show_subject(issuer).text, number - 1, inspect_show_subject(before).text, them->refuse,
		inspect_has_issuer(inspection->infos, before) ? "do not sort chains" : "need the missing issuer",
		inspect_has_issuer(inspection->infos, before)
			? "put the host's own certificate first, and after each one its issuer"
			: "put after each certificate its issuer, and remove those that do not belong to the chain");
	return false;
}

/* Whether its authority key identifier shows that the issuer is an intermediate CA (RFC 5280 4.2.1.1). */
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

/* Whether its issuer is an intermediate CA in that file. */
static bool is_below_intermediate(const char *file, X509 *certificate)
{
	STACK_OF(X509_INFO) *infos = file != NULL ? inspect_read_file(file) : NULL;
	bool intermediate = false, root = false;

	for (int i = 0; i < sk_X509_INFO_num(infos); i++) {
		X509 *issuer = inspect_certificate(infos, i);
		if (issuer == NULL || !inspect_has_issued(issuer, certificate))
			continue;
		root = root || X509_self_signed(issuer, 0) == 1;
		intermediate = true;
	}
	sk_X509_INFO_pop_free(infos, X509_INFO_free);
	return intermediate && !root;
}

/*
 * Warns if the last certificate's issuer is an intermediate CA. For a private CA we cannot know what clients have.
 * Public CAs issue only from intermediate CAs, and add certificate timestamps (RFC 6962).
 */
static void check_last(struct inspection *inspection, X509 *last, unsigned number, const char *cas,
		       const struct audience *them)
{
	bool is_public = number == 1 && X509_get_ext_by_NID(last, NID_ct_precert_scts, -1) >= 0;

	if (X509_self_signed(last, 0) == 1 ||
	    !(is_public || names_an_intermediate(last) || (number == 1 && is_below_intermediate(cas, last))))
		return;
	inspect_find(
		inspection,
		"certificate %u '%s' is the last, and its issuer '%s' is an intermediate CA: %s unless they have that "
		"CA's "
		"certificate; add it to this file",
		number, inspect_show_subject(last).text, inspect_show_name(X509_get_issuer_name(last)).text,
		them->refuse);
}

static void check_chain(struct inspection *inspection, const char *const *names, const char *cas,
			const struct audience *them)
{
	unsigned number = 0;
	X509 *before = NULL;
	bool ordered = true;

	for (int i = 0; i < sk_X509_INFO_num(inspection->infos); i++) {
		X509 *certificate = inspect_certificate(inspection->infos, i);
		char what[sizeof(struct inspect_text) + 32];

		if (certificate == NULL)
			continue;
		number++;
		(void)snprintf(what, sizeof(what), "certificate %u '%s'", number,
			       inspect_show_subject(certificate).text);
		inspect_check_time(inspection, what, X509_get0_notBefore(certificate), X509_get0_notAfter(certificate),
				   them->refuse, "renew it");
		if (number == 1 && (X509_check_purpose(certificate, them->purpose, 0) != 1 ||
				    (X509_get_key_usage(certificate) & KU_DIGITAL_SIGNATURE) == 0))
			inspect_find(
				inspection,
				"%s is not made for this purpose (key usage, extended key usage): %s; get one with "
				"digitalSignature and %s",
				what, them->refuse, them->usage);
		if (number == 1 && them == &clients)
			check_hosts(inspection, certificate, names);
		if (number > 1 && ordered)
			ordered = check_order(inspection, before, certificate, number, them);
		before = certificate;
	}
	if (before != NULL && ordered)
		check_last(inspection, before, number, cas, them);
}

void tls_inspect_server(const struct tls_inspector *inspector, const char *file, const char *const *names,
			const char *cas)
{
	struct inspection inspection;

	inspect_begin(&inspection, inspector, file);
	check_chain(&inspection, names, cas, &clients);
	inspect_end(&inspection);
}

void tls_inspect_client(const struct tls_inspector *inspector, const char *file)
{
	struct inspection inspection;

	inspect_begin(&inspection, inspector, file);
	check_chain(&inspection, NULL, NULL, &servers);
	inspect_end(&inspection);
}
