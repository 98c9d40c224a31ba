#include "ask/public_identity.h"

#include <stdlib.h>

#include "tls/certificate.h"
#include "tls/details.h"

struct ask_identity {
	struct thaw_identity public;
	struct tls_details *details;
	struct thaw_san *sans;
	struct thaw_der chain[TLS_CHAIN_MAX];
};

static enum thaw_san_kind kind_of(enum tls_san_kind kind)
{
	static const enum thaw_san_kind kinds[] = {
		[TLS_SAN_DNS] = THAW_SAN_DNS,
		[TLS_SAN_EMAIL] = THAW_SAN_EMAIL,
		[TLS_SAN_URI] = THAW_SAN_URI,
		[TLS_SAN_IP] = THAW_SAN_IP,
	};
	return kinds[kind];
}

static void fill(struct ask_identity *identity, const struct tls_identity *basic)
{
	const struct tls_details *details = identity->details;

	for (size_t i = 0; i < details->san_count; i++)
		identity->sans[i] = (struct thaw_san){kind_of(details->sans[i].kind), details->sans[i].text};
	for (size_t i = 0; i < details->chain_count; i++)
		identity->chain[i] = (struct thaw_der){details->chain[i].bytes, details->chain[i].len};
	identity->public = (struct thaw_identity){
		.subject = basic->subject,
		.issuer = basic->issuer,
		.serial = details->serial,
		.not_before = details->from_s,
		.not_after = details->until_s,
		.sans = identity->sans,
		.san_count = details->san_count,
		.sha256 = basic->sha256,
		.sha256_hex = basic->sha256_hex,
		.certificate = {basic->certificate, basic->certificate_len},
		.chain = identity->chain,
		.chain_count = details->chain_count,
		.chain_cut = details->chain_cut,
	};
}

struct ask_identity *ask_identity_new(const struct tls_certificate *certificate)
{
	struct ask_identity *identity = calloc(1, sizeof(*identity));

	if (identity == NULL)
		return NULL;
	identity->details = tls_details_new(certificate);
	if (identity->details != NULL)
		identity->sans = calloc(identity->details->san_count + 1, sizeof(*identity->sans));
	if (identity->sans == NULL) {
		ask_identity_free(&identity);
		return NULL;
	}
	fill(identity, tls_certificate_identity(certificate));
	return identity;
}

void ask_identity_free(struct ask_identity **identity)
{
	struct ask_identity *old = *identity;

	*identity = NULL;
	if (old == NULL)
		return;
	tls_details_free(&old->details);
	free(old->sans);
	free(old);
}

const struct thaw_identity *ask_identity_of(const struct ask_identity *identity)
{
	return &identity->public;
}
