/* The inspection of a PEM file: findings and their texts. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>

#include "tls/certificate.h"
#include "tls/file.h"
#include "tls/inspect_inside.h"

#define FINDINGS_MAX 16 /* most reported findings of one file; the others are counted */

void inspect_find(struct inspection *inspection, const char *format, ...)
{
	char text[TLS_INSPECT_TEXT];
	va_list args;

	if (inspection->findings++ >= FINDINGS_MAX)
		return;
	int len = snprintf(text, sizeof(text), "%s: ", inspection->file);
	size_t used = len > 0 && (size_t)len < sizeof(text) ? (size_t)len : 0;
	va_start(args, format);
	(void)vsnprintf(text + used, sizeof(text) - used, format, args);
	va_end(args);
	inspection->inspector->say(inspection->inspector->arg, text);
}

STACK_OF(X509_INFO) * inspect_read_file(const char *file)
{
	struct thaw_error ignored;
	BIO *bio = NULL;

	(void)tls_file_bio(file, THAW_ERR_CONFIG, &bio, &ignored);
	STACK_OF(X509_INFO) *infos = bio != NULL ? PEM_X509_INFO_read_bio(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	return infos;
}

void inspect_begin(struct inspection *inspection, const struct tls_inspector *inspector, const char *file)
{
	*inspection = (struct inspection){.inspector = inspector, .file = file, .infos = inspect_read_file(file)};
}

void inspect_end(struct inspection *inspection)
{
	unsigned more = inspection->findings > FINDINGS_MAX ? inspection->findings - FINDINGS_MAX : 0;

	inspection->findings = 0;
	if (more > 0)
		inspect_find(inspection, "%u more warnings about this file", more);
	sk_X509_INFO_pop_free(inspection->infos, X509_INFO_free);
	ERR_clear_error();
}

X509 *inspect_certificate(const STACK_OF(X509_INFO) * infos, int i)
{
	return sk_X509_INFO_value(infos, i)->x509;
}

struct inspect_text inspect_show_name(const X509_NAME *name)
{
	struct inspect_text inspect_text = {"?"};
	char *text = tls_name_text(name);
	size_t len = text != NULL ? strlen(text) : 0, room = sizeof(inspect_text.text) - sizeof("...");

	if (text == NULL)
		return inspect_text;
	size_t kept = len < room ? len : room;
	while (kept < len && kept > 0 && ((unsigned char)text[kept] & 0xC0) == 0x80)
		kept--; /* not in the middle of a UTF-8 character */
	(void)snprintf(inspect_text.text, sizeof(inspect_text.text), "%.*s%s", (int)kept, text,
		       kept < len ? "..." : "");
	free(text);
	return inspect_text;
}

struct inspect_text inspect_show_subject(const X509 *certificate)
{
	return inspect_show_name(X509_get_subject_name(certificate));
}

static struct inspect_text show_time(const ASN1_TIME *when)
{
	struct inspect_text inspect_text = {"?"};
	struct tm tm;

	if (ASN1_TIME_to_tm(when, &tm) == 1)
		(void)strftime(inspect_text.text, sizeof(inspect_text.text), "%Y-%m-%d %H:%M:%S UTC", &tm);
	return inspect_text;
}

void inspect_check_time(struct inspection *inspection, const char *what, const ASN1_TIME *from, const ASN1_TIME *until,
			const char *happens, const char *cure)
{
	time_t now = (time_t)inspection->inspector->now_s;

	if (until != NULL && X509_cmp_time(until, &now) < 0)
		inspect_find(inspection, "%s expired on %s: %s; %s", what, show_time(until).text, happens, cure);
	else if (X509_cmp_time(from, &now) > 0)
		inspect_find(inspection, "%s is not valid before %s: %s until then; %s, or set this machine's clock",
			     what, show_time(from).text, happens, cure);
}

/* Whether issuer has signed certificate. */
bool inspect_has_issued(X509 *issuer, X509 *certificate)
{
	EVP_PKEY *key = X509_get0_pubkey(issuer);

	return X509_check_issued(issuer, certificate) == X509_V_OK && key != NULL && X509_verify(certificate, key) == 1;
}

X509 *inspect_issuer_in(const STACK_OF(X509_INFO) * infos, X509 *certificate)
{
	for (int i = 0; i < sk_X509_INFO_num(infos); i++) {
		X509 *other = inspect_certificate(infos, i);
		if (other != NULL && other != certificate && X509_cmp(other, certificate) != 0 &&
		    inspect_has_issued(other, certificate))
			return other;
	}
	return NULL;
}

bool inspect_has_issuer(const STACK_OF(X509_INFO) * infos, X509 *certificate)
{
	return inspect_issuer_in(infos, certificate) != NULL;
}
