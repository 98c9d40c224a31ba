/* What https servers need: loaded once, in the master. */
#include "loop/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "tls/client.h"
#include "tls/credentials.h"
#include "tls/signer.h"

struct pool_tls {
	size_t count;
	struct {
		struct tls_client_context *context; /* NULL: no server needs it */
		struct tls_credentials *credentials;
	} of[]; /* one per upstream */
};

static bool needs_tls(const struct config_upstream *upstream)
{
	for (size_t i = 0; i < upstream->server_count; i++)
		if (upstream->servers[i].tls)
			return true;
	return false;
}

/* Identifies a key of the signer: tls_signer_new() numbers the keys of hosts first, then those of upstreams. */
struct on_token {
	size_t number;
	const char *place;
};

static struct evp_pkey_st *make_remote_key(void *arg, const struct x509_st *certificate, struct thaw_error *err)
{
	const struct on_token *on = arg;
	struct thaw_error why = {.cls = THAW_ERR_NONE};
	struct evp_pkey_st *key = tls_remote_key(certificate, on->number, &why);

	if (key == NULL)
		(void)error_set(err, why.cls, "%s: %s", on->place, why.text);
	return key;
}

static bool is_on_token(const struct tls_credentials_source *own)
{
	return own->key != NULL && strncmp(own->key, "pkcs11:", strlen("pkcs11:")) == 0;
}

static struct tls_credentials *read_own(const struct tls_credentials_source *own, size_t number, struct thaw_error *err)
{
	if (!is_on_token(own))
		return tls_credentials_new(own, err);
	struct on_token on = {.number = number, .place = own->setting.place};
	return tls_credentials_of_key(own, make_remote_key, &on, err);
}

static struct tls_client_context *load(const struct config_upstream *upstream, size_t number,
				       struct tls_credentials **credentials, struct thaw_error *err)
{
	struct tls_credentials_source own = {.certificate = upstream->tls.certificate,
					     .key = upstream->tls.key,
					     .setting = {.pass_phrase = upstream->tls.key_passphrase,
							 .place = upstream->tls.key_place,
							 .certificate_place = upstream->tls.certificate_place}};
	struct tls_client_options options = {.ca = upstream->tls.ca, .skip_verification = !upstream->tls.verify};
	struct tls_client_context *context = NULL;
	struct thaw_error why = {.cls = THAW_ERR_NONE};

	if (own.certificate != NULL)
		options.credentials = *credentials = read_own(&own, number, &why);
	options.signer = options.credentials != NULL && is_on_token(&own);
	if (why.cls == THAW_ERR_NONE)
		context = tls_client_context_new(&options, &why);
	/* The error text begins with the file that is the cause. */
	bool of_ca =
		upstream->tls.ca_place != NULL && strncmp(why.text, upstream->tls.ca, strlen(upstream->tls.ca)) == 0;
	if (context == NULL)
		(void)error_set(err, why.cls, "upstream %s: cannot use the TLS settings: %s%s%s", upstream->name,
				of_ca ? upstream->tls.ca_place : "", of_ca ? ": " : "", why.text);
	return context;
}

struct pool_tls *pool_tls_load(const struct config *config, struct thaw_error *err)
{
	size_t count = config->upstream_count;
	struct pool_tls *tls = calloc(1, sizeof(*tls) + count * sizeof(tls->of[0]));

	if (tls == NULL) {
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return NULL;
	}
	tls->count = count;
	for (size_t i = 0; i < count && tls != NULL; i++) {
		if (!needs_tls(&config->upstreams[i]))
			continue;
		tls->of[i].context = load(&config->upstreams[i], config->host_count + i, &tls->of[i].credentials, err);
		if (tls->of[i].context == NULL)
			pool_tls_free(&tls);
	}
	return tls;
}

void pool_tls_free(struct pool_tls **tls)
{
	struct pool_tls *gone = *tls;

	*tls = NULL;
	if (gone == NULL)
		return;
	for (size_t i = 0; i < gone->count; i++) {
		tls_client_context_free(&gone->of[i].context);
		tls_credentials_free(&gone->of[i].credentials);
	}
	free(gone);
}

struct tls_client_context *pool_tls_of(const struct pool_tls *tls, size_t upstream)
{
	return tls != NULL && upstream < tls->count ? tls->of[upstream].context : NULL;
}
