#include "gateway/preview.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "gateway/allow.h"
#include "gateway/forward.h"
#include "gateway/problem_words.h"
#include "gateway/proxy.h"

static enum thaw_status parse(struct gw_preview *preview, const struct http_limits *limits, const char *head,
			      size_t len, struct thaw_error *err)
{
	struct http_refusal refusal = {0};
	struct http_scan scan = {.limits = limits};
	size_t used = 0;

	if (http_head_parse(head, len, &scan, &preview->head, &used, &refusal) == HTTP_PARSE_DONE)
		return THAW_OK;
	return error_set(err, THAW_ERR_USAGE, "the request would be rejected with status %u: %s",
			 refusal.status != 0 ? refusal.status : 400,
			 refusal.why != NULL ? refusal.why : "the head of the request is incomplete");
}

/* Finds the host by the name that the client connects to. The request has the same name. */
static enum thaw_status find_host(struct gw_preview *preview, const struct gateway *gateway, struct thaw_error *err)
{
	struct http_span host = preview->head.host;
	char name[HTTP_HOST_MAX + 1];

	for (size_t i = 0; i < host.len; i++)
		name[i] = (char)(host.at[i] >= 'A' && host.at[i] <= 'Z' ? host.at[i] - 'A' + 'a' : host.at[i]);
	name[host.len] = '\0';
	if (host.len > 1 && name[host.len - 1] == '.')
		name[host.len - 1] = '\0';
	int index = tls_server_host(gateway->tls, name);
	if (index < 0)
		return error_set(err, THAW_ERR_USAGE, "no host is configured for '%s': the TLS handshake would fail",
				 name);
	preview->host = &gateway->routes.hosts[index];
	return THAW_OK;
}

static enum thaw_status appraise(struct gw_preview *preview, const struct gateway *gateway, const char *file,
				 struct thaw_error *err)
{
	const struct gw_route *route = preview->found.route;
	int host = (int)(preview->host - gateway->routes.hosts);

	if (file == NULL || route->trust == NULL)
		return THAW_OK;
	if (tls_verify_file(&preview->certificate, gateway->tls, host, route->trust, file, err) != THAW_OK)
		return THAW_FAILED;
	preview->appraised = true;
	preview->listed = preview->certificate.accepted &&
			  gw_allow(&route->config->certificate, preview->certificate.details,
				   tls_certificate_identity(preview->certificate.certificate)->sha256_hex);
	return THAW_OK;
}

/* ---- the head that the upstream gets ---- */

struct sender {
	const struct gw_preview *preview;
	struct gw_request_ids ids;
	char id[GW_REQUEST_ID_MAX + 1];
};

static const struct tls_details *details(void *arg)
{
	return ((const struct sender *)arg)->preview->certificate.details;
}

static const char *id(void *arg)
{
	struct sender *sender = arg;
	const char *from = sender->preview->host->config->request_id_from;

	if (sender->id[0] == '\0' && (from == NULL || !gw_request_id_take(&sender->preview->head, from, sender->id)))
		gw_request_id(&sender->ids, sender->id);
	return sender->id;
}

static void chain_left_out(void *arg)
{
	(void)arg;
}

static bool has_certificate(const struct gw_preview_client *client)
{
	return client->with_identity || client->unverified;
}

/* Chooses a client that is allowed, if possible one with a certificate. */
static const struct gw_preview_client *choose_sender(const struct gw_preview *preview)
{
	const struct gw_preview_client *chosen = NULL;

	for (size_t i = 0; i < preview->client_count; i++) {
		const struct gw_preview_client *client = &preview->clients[i];
		if (client->allowed && (chosen == NULL || (has_certificate(client) && !has_certificate(chosen))))
			chosen = client;
	}
	return chosen;
}

static enum thaw_status write_sent(struct gw_preview *preview, const struct gateway *gateway,
				   const struct sockaddr *from, struct thaw_error *err)
{
	/* RFC 5737 3: an example in place of the client's address. */
	const struct sockaddr_in example = {.sin_family = AF_INET,
					    .sin_addr.s_addr = htonl(0xc0000201), /* 192.0.2.1 */
					    .sin_port = htons(50000)};
	const struct config_route *route = preview->found.route->config;
	const struct config_upstream *upstream = &gateway->config->upstreams[route->proxy];
	bool tls13 = strcmp(preview->sender->tls, "TLSv1.3") == 0;
	struct sender sender = {.preview = preview};
	struct gw_identity_text identity_text = {.fields = NULL};
	struct gw_rewrite rewrite;
	struct http_writer writer;
	const struct gw_outgoing out = {
		.host = preview->host->config,
		.route = route,
		.upstream = upstream,
		.server = upstream->servers[0].text,
		.targets = &preview->found.targets,
		.head = &preview->head,
		.origin = {.peer = from != NULL ? from : (const void *)&example,
			   .http = preview->sender->http,
			   .tls = preview->sender->tls,
			   .cipher = tls13 ? "TLS_AES_256_GCM_SHA384" : "ECDHE-RSA-AES256-GCM-SHA384",
			   .host = preview->head.host,
			   .identity = preview->sender->with_identity
					       ? tls_certificate_identity(preview->certificate.certificate)
					       : NULL,
			   .unverified = preview->sender->unverified
						 ? tls_certificate_identity(preview->certificate.certificate)
						 : NULL,
			   .reason = preview->certificate.detail,
			   .identity_text = &identity_text,
			   .details = details,
			   .id = id,
			   .chain_left_out = chain_left_out,
			   .arg = &sender},
		.upgrade = gw_forward_is_upgrade(&preview->head, route),
	};

	preview->sent = malloc(GW_UP_HEAD_MAX);
	if (preview->sent == NULL)
		return error_set(err, THAW_ERR_RESOURCE, "out of memory");
	http_writer_init(&writer, preview->sent, GW_UP_HEAD_MAX);
	gw_forward_head(&out, &rewrite, &writer);
	free(identity_text.fields);
	preview->sent_len = writer.overflow ? 0 : writer.len;
	preview->too_large = writer.overflow;
	return THAW_OK;
}

static void name_problem(struct gw_preview *preview)
{
	const struct gw_problem_words *words = gw_problem_words(preview->found.problem);
	bool malformed = preview->found.problem == GW_PROBLEM_MALFORMED;

	preview->problem = words->name;
	preview->problem_text = malformed ? preview->found.refusal.why : words->detail;
	preview->problem_status = malformed ? preview->found.refusal.status : words->status;
}

enum thaw_status gw_preview_make(struct gw_preview *preview, const struct gateway *gateway,
				 const struct gw_preview_request *request, struct thaw_error *err)
{
	const struct gw_client client = {.any = request->from == NULL, .address = request->from};

	*preview = (struct gw_preview){.host = NULL};
	if (parse(preview, &gateway->limits, request->head, request->len, err) != THAW_OK ||
	    find_host(preview, gateway, err) != THAW_OK)
		return THAW_FAILED;
	preview->finding = gw_find(gateway, preview->host, &client, &preview->head, &preview->found);
	if (preview->finding == GW_FOUND_PROBLEM)
		name_problem(preview);
	if (preview->finding != GW_FOUND_ROUTE)
		return THAW_OK;
	if (appraise(preview, gateway, request->certificate, err) != THAW_OK)
		return THAW_FAILED;
	gw_preview_clients(preview, gateway);
	preview->sender = choose_sender(preview);
	if (preview->sender == NULL || preview->found.route->config->upstream != CONFIG_PROXY)
		return THAW_OK;
	return write_sent(preview, gateway, request->from, err);
}

void gw_preview_free(struct gw_preview *preview)
{
	tls_file_verdict_free(&preview->certificate);
	http_request_free(&preview->head);
	free(preview->sent);
	preview->sent = NULL;
}
