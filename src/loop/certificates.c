#include "loop/certificates.h"

#include <stdio.h>
#include <string.h>

/* Functions that are called for each file. NULL: skip files of that kind. */
struct walk {
	/* A chain that Thaw sends. host NULL: Thaw sends it to servers. */
	void (*chain)(struct walk *walk, const char *place, const char *file, const struct config_host *host);
	/* CA certificates. of: the settings for client certificates; NULL: the CAs are for servers. */
	void (*cas)(struct walk *walk, const char *place, const char *file, const struct config_certificate *of);
	void (*crls)(struct walk *walk, const char *place, const char *file, const char *ca);
	void (*key)(struct walk *walk, const char *place, const char *file);
};

static bool same_text(const char *a, const char *b)
{
	return (a == NULL || b == NULL) ? a == b : strcmp(a, b) == 0;
}

/* Returns whether an earlier route that asks for certificates names the same files, so they were checked already. */
static bool is_repeated(const struct config *config, size_t host, size_t route, bool crl)
{
	const struct config_certificate *of = &config->hosts[host].routes[route].certificate;

	for (size_t i = 0; i <= host; i++)
		for (size_t k = 0; k < (i < host ? config->hosts[i].route_count : route); k++) {
			const struct config_certificate *earlier = &config->hosts[i].routes[k].certificate;
			if (earlier->when != CONFIG_WHEN_NEVER && same_text(earlier->ca, of->ca) &&
			    (crl ? same_text(earlier->crl, of->crl) : earlier->partial_chain == of->partial_chain))
				return true;
		}
	return false;
}

static void walk_host(const struct config *config, size_t i, struct walk *walk)
{
	const struct config_host *host = &config->hosts[i];

	if (walk->chain != NULL)
		walk->chain(walk, host->certificate_place, host->certificate, host);
	if (walk->key != NULL && strncmp(host->key, "pkcs11:", 7) != 0)
		walk->key(walk, host->key_place, host->key);
	for (size_t k = 0; k < host->route_count; k++) {
		const struct config_certificate *of = &host->routes[k].certificate;
		if (of->when == CONFIG_WHEN_NEVER)
			continue;
		if (!is_repeated(config, i, k, false))
			walk->cas(walk, of->ca_place, of->ca, of);
		if (of->crl != NULL && !is_repeated(config, i, k, true))
			walk->crls(walk, of->crl_place, of->crl, of->ca);
	}
}

static void walk_upstream(const struct config_upstream *upstream, struct walk *walk)
{
	bool used = false;

	for (size_t i = 0; i < upstream->server_count; i++)
		used = used || upstream->servers[i].tls;
	if (!used)
		return;
	if (upstream->tls.ca != NULL)
		walk->cas(walk, upstream->tls.ca_place, upstream->tls.ca, NULL);
	if (walk->chain != NULL && upstream->tls.certificate != NULL &&
	    strncmp(upstream->tls.certificate, "pkcs11:", 7) != 0)
		walk->chain(walk, upstream->tls.certificate_place, upstream->tls.certificate, NULL);
	if (walk->key != NULL && upstream->tls.key != NULL && strncmp(upstream->tls.key, "pkcs11:", 7) != 0)
		walk->key(walk, upstream->tls.key_place, upstream->tls.key);
}

static void walk_all(const struct config *config, struct walk *walk)
{
	for (size_t i = 0; i < config->host_count; i++)
		walk_host(config, i, walk);
	for (size_t i = 0; i < config->upstream_count; i++)
		walk_upstream(&config->upstreams[i], walk);
}

/* ---- warnings ---- */

struct warner {
	struct walk walk; /* must be the first member */
	struct tls_inspector inspector;
	void (*warn)(void *arg, const char *text);
	void *arg;
	const char *place;
};

static void say(void *arg, const char *text)
{
	const struct warner *warner = arg;
	char whole[TLS_INSPECT_TEXT + 512];

	(void)snprintf(whole, sizeof(whole), "%s: %s", warner->place, text);
	warner->warn(warner->arg, whole);
}

/* Returns the CAs for the host's clients. They may have issued the host's own certificate, too. */
static const char *cas_of(const struct config_host *host)
{
	for (size_t i = 0; i < host->route_count; i++)
		if (host->routes[i].certificate.ca != NULL)
			return host->routes[i].certificate.ca;
	return NULL;
}

static void warn_of_chain(struct walk *walk, const char *place, const char *file, const struct config_host *host)
{
	struct warner *warner = (struct warner *)walk;

	warner->place = place;
	if (host != NULL)
		tls_inspect_server(&warner->inspector, file, (const char *const *)host->names, cas_of(host));
	else
		tls_inspect_client(&warner->inspector, file);
}

static void warn_of_cas(struct walk *walk, const char *place, const char *file, const struct config_certificate *of)
{
	struct warner *warner = (struct warner *)walk;

	warner->place = place;
	if (of != NULL)
		tls_inspect_client_cas(&warner->inspector, file, of->partial_chain);
	else
		tls_inspect_server_cas(&warner->inspector, file);
}

static void warn_of_crls(struct walk *walk, const char *place, const char *file, const char *ca)
{
	struct warner *warner = (struct warner *)walk;

	warner->place = place;
	tls_inspect_crls(&warner->inspector, file, ca);
}

void certificates_warn(const struct config *config, int64_t now_s, void (*warn)(void *arg, const char *text), void *arg)
{
	struct warner warner = {
		.walk = {.chain = warn_of_chain, .cas = warn_of_cas, .crls = warn_of_crls}, .warn = warn, .arg = arg};

	warner.inspector = (struct tls_inspector){.now_s = now_s, .say = say, .arg = &warner};
	walk_all(config, &warner.walk);
}

/* ---- file names ---- */

struct seer {
	struct walk walk; /* must be the first member */
	void (*see)(void *arg, const char *place, const char *file);
	void *arg;
};

static void see(struct walk *walk, const char *place, const char *file)
{
	const struct seer *seer = (struct seer *)walk;

	seer->see(seer->arg, place, file);
}

static void see_cas(struct walk *walk, const char *place, const char *file, const struct config_certificate *of)
{
	(void)of;
	see(walk, place, file);
}

static void see_crls(struct walk *walk, const char *place, const char *file, const char *ca)
{
	(void)ca;
	see(walk, place, file);
}

static void see_chain(struct walk *walk, const char *place, const char *file, const struct config_host *host)
{
	(void)host;
	see(walk, place, file);
}

void certificates_named(const struct config *config, void (*see_one)(void *arg, const char *place, const char *file),
			void *arg)
{
	struct seer seer = {
		.walk = {.chain = see_chain, .cas = see_cas, .crls = see_crls, .key = see}, .see = see_one, .arg = arg};

	walk_all(config, &seer.walk);
}

void certificates_deciding(const struct config *config, void (*see_one)(void *arg, const char *place, const char *file),
			   void *arg)
{
	struct seer seer = {.walk = {.cas = see_cas, .crls = see_crls}, .see = see_one, .arg = arg};

	walk_all(config, &seer.walk);
}

/* ---- expiry ---- */

struct collector {
	struct walk walk; /* must be the first member */
	struct expiries *list;
	bool failed;
};

static void add(struct walk *walk, const char *kind, const char *file, bool crls)
{
	struct collector *collector = (struct collector *)walk;

	collector->failed = collector->failed || !tls_expiries_add(collector->list, kind, file, crls);
}

static void add_chain(struct walk *walk, const char *place, const char *file, const struct config_host *host)
{
	(void)place;
	(void)host;
	add(walk, "certificate", file, false);
}

static void add_cas(struct walk *walk, const char *place, const char *file, const struct config_certificate *of)
{
	(void)place;
	(void)of;
	add(walk, "ca", file, false);
}

static void add_crls(struct walk *walk, const char *place, const char *file, const char *ca)
{
	(void)place;
	(void)ca;
	add(walk, "crl", file, true);
}

bool certificates_expiries(const struct config *config, struct expiries *list)
{
	struct collector collector = {.walk = {.chain = add_chain, .cas = add_cas, .crls = add_crls}, .list = list};

	*list = (struct expiries){.items = NULL};
	walk_all(config, &collector.walk);
	if (collector.failed)
		tls_expiries_free(list);
	return !collector.failed;
}
