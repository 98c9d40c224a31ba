#include "loop/signer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "loop/privileges.h"
#include "tls/signer.h"

static bool is_on_token(const char *key)
{
	return key != NULL && strncmp(key, "pkcs11:", strlen("pkcs11:")) == 0;
}

/* Returns whether Thaw presents a certificate to this upstream whose key is on a token. */
static bool upstream_needs(const struct config_upstream *upstream)
{
	bool tls = false;

	for (size_t i = 0; i < upstream->server_count; i++)
		tls = tls || upstream->servers[i].tls;
	return tls && upstream->tls.certificate != NULL && is_on_token(upstream->tls.key);
}

bool signer_is_needed(const struct config *config)
{
	for (size_t i = 0; i < config->host_count; i++)
		if (is_on_token(config->hosts[i].key))
			return true;
	for (size_t i = 0; i < config->upstream_count; i++)
		if (upstream_needs(&config->upstreams[i]))
			return true;
	return false;
}

/* ---- the sockets ---- */

bool signer_links_open(struct signer_links *links, unsigned count)
{
	*links = (struct signer_links){.ends = calloc(count, sizeof(*links->ends))};
	for (; links->ends != NULL && links->count < count; links->count++)
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, links->ends[links->count]) != 0) {
			int cause = errno;
			signer_links_close(links);
			errno = cause;
			return false;
		}
	return links->ends != NULL;
}

static void close_end(struct signer_links *links, unsigned i, unsigned side)
{
	if (links->ends[i][side] >= 0)
		(void)close(links->ends[i][side]);
	links->ends[i][side] = -1;
}

void signer_links_of_signer(struct signer_links *links)
{
	for (unsigned i = 0; i < links->count; i++)
		close_end(links, i, 0);
}

void signer_links_close(struct signer_links *links)
{
	for (unsigned i = 0; i < links->count; i++) {
		close_end(links, i, 0);
		close_end(links, i, 1);
	}
	free(links->ends);
	*links = (struct signer_links){.ends = NULL};
}

int signer_links_of_worker(struct signer_links *links, unsigned worker)
{
	int own = -1;

	if (worker < links->count) {
		own = links->ends[worker][0];
		links->ends[worker][0] = -1;
	}
	signer_links_close(links);
	return own;
}

/* ---- the keys ---- */

static struct tls_credentials_source source_of_host(const struct config_host *host)
{
	if (!is_on_token(host->key))
		return (struct tls_credentials_source){.key = NULL};
	return (struct tls_credentials_source){.certificate = host->certificate,
					       .key = host->key,
					       .setting = {.pass_phrase = host->key_passphrase,
							   .place = host->key_place,
							   .certificate_place = host->certificate_place}};
}

static struct tls_credentials_source source_of_upstream(const struct config_upstream *upstream)
{
	if (!upstream_needs(upstream))
		return (struct tls_credentials_source){.key = NULL};
	return (struct tls_credentials_source){.certificate = upstream->tls.certificate,
					       .key = upstream->tls.key,
					       .setting = {.pass_phrase = upstream->tls.key_passphrase,
							   .place = upstream->tls.key_place,
							   .certificate_place = upstream->tls.certificate_place}};
}

struct tls_signer *signer_keys(const struct config *config, struct thaw_error *err)
{
	size_t count = config->host_count + config->upstream_count;
	struct tls_credentials_source *sources = calloc(count, sizeof(*sources));
	struct tls_signer *keys = NULL;

	if (sources == NULL) {
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < config->host_count; i++)
		sources[i] = source_of_host(&config->hosts[i]);
	for (size_t i = 0; i < config->upstream_count; i++)
		sources[config->host_count + i] = source_of_upstream(&config->upstreams[i]);
	keys = tls_signer_new(sources, count, err);
	free(sources);
	return keys;
}

static enum thaw_status try_keys(void *arg, struct thaw_error *err)
{
	return tls_signer_open(arg, err);
}

enum thaw_status signer_check(const struct config *config, const struct privileges *privileges, struct thaw_error *err)
{
	if (!signer_is_needed(config))
		return THAW_OK;
	struct tls_signer *keys = signer_keys(config, err);
	enum thaw_status status = keys != NULL ? privileges_try(privileges, try_keys, keys, err) : THAW_FAILED;
	tls_signer_free(&keys);
	return status;
}
