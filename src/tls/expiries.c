/* When the certificates and CRLs of files expire. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>

#include "tls/certificate.h"
#include "tls/inspect_inside.h"

static bool has_file(const struct expiries *list, const char *kind, const char *file)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i].kind, kind) == 0 && strcmp(list->items[i].file, file) == 0)
			return true;
	return false;
}

/* Takes ownership of name. False: out of memory. */
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
	STACK_OF(X509_INFO) *infos = has_file(list, kind, file) ? NULL : inspect_read_file(file);
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
			continue; /* does not expire */
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
