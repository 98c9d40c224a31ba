/* What https servers need: read once, in the master. */
#include "loop/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "tls/client.h"
#include "tls/credentials.h"

struct pool_tls {
	size_t count;
	struct {
		struct tls_client_context *context; /* NULL where no server needs it */
		struct tls_credentials *credentials;
	} of[]; /* one an upstream */
};

static bool needs_tls(const struct config_upstream *upstream)
{
	for (size_t i = 0; i < upstream->server_count; i++)
		if (upstream->servers[i].tls)
			return true;
	return false;
}

static struct tls_client_context *load(const struct config_upstream *upstream, struct tls_credentials **credentials,
				       struct thaw_error *err)
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
		options.credentials = *credentials = tls_credentials_new(&own, &why);
	if (why.cls == THAW_ERR_NONE)
		context = tls_client_context_new(&options, &why);
	/* It begins with the file that it is about. */
	bool of_ca =
		upstream->tls.ca_place != NULL && strncmp(why.text, upstream->tls.ca, strlen(upstream->tls.ca)) == 0;
	if (context == NULL)
		(void)error_set(err, why.cls, "upstream %s: its TLS settings cannot be used: %s%s%s", upstream->name,
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
		tls->of[i].context = load(&config->upstreams[i], &tls->of[i].credentials, err);
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
