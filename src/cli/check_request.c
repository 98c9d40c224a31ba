#include "cli/check_request.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "gateway/gateway.h"
#include "gateway/preview.h"

#define CLIENT_PORT 50000 /* a placeholder for the client's port */

static enum thaw_status malformed(struct thaw_error *err, const char *request)
{
	return error_set(err, THAW_ERR_USAGE, "--request '%s' must be 'METHOD https://HOST/PATH'", request);
}

/* The request has a framing field. Without one, a method that usually has a body gets a body. */
static bool frames(const struct check_request *wish)
{
	static const char *const names[] = {"content-length:", "transfer-encoding:"};

	for (size_t i = 0; i < wish->header_count; i++)
		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
			if (strncasecmp(wish->headers[i], names[k], strlen(names[k])) == 0)
				return true;
	return false;
}

static bool has_body(const char *method, size_t len)
{
	static const char *const methods[] = {"PUT", "POST", "PATCH"};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strlen(methods[i]) == len && memcmp(method, methods[i], len) == 0)
			return true;
	return false;
}

/* The head as a client would send it; the caller frees it. NULL with *err set. */
static char *head_of(const struct check_request *wish, size_t *len, struct thaw_error *err)
{
	static const char scheme[] = "https://";
	size_t method = strcspn(wish->request, " ");
	const char *url = wish->request + method + strspn(wish->request + method, " ");
	char *head = NULL;
	FILE *out;

	if (method == 0 || strncasecmp(url, scheme, sizeof(scheme) - 1) != 0) {
		(void)malformed(err, wish->request);
		return NULL;
	}
	const char *host = url + sizeof(scheme) - 1, *path = host + strcspn(host, "/?#");
	if (path == host) {
		(void)malformed(err, wish->request);
		return NULL;
	}
	out = open_memstream(&head, len);
	if (out != NULL) {
		(void)fprintf(out, "%.*s %s%.*s HTTP/1.1\r\nHost: %.*s\r\n", (int)method, wish->request,
			      *path == '/' ? "" : "/", (int)strcspn(path, "#"), path, (int)(path - host), host);
		for (size_t i = 0; i < wish->header_count; i++)
			(void)fprintf(out, "%s\r\n", wish->headers[i]);
		if (has_body(wish->request, method) && !frames(wish))
			(void)fputs("Transfer-Encoding: chunked\r\n", out);
		(void)fputs("\r\n", out);
	}
	if (out == NULL || fclose(out) != 0) {
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		free(head);
		return NULL;
	}
	return head;
}

/* A socket address, for the client's address. */
union from {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static enum thaw_status read_from(const char *text, union from *from, struct thaw_error *err)
{
	struct network one;

	memset(from, 0, sizeof(*from));
	if (network_parse(text, &one) != NULL || strchr(text, '/') != NULL)
		return error_set(err, THAW_ERR_USAGE, "--from '%s' must be an IP address or 'unix'", text);
	switch (one.kind) {
	case NETWORK_IPV4:
		from->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(CLIENT_PORT)};
		memcpy(&from->v4.sin_addr, one.bytes, sizeof(from->v4.sin_addr));
		break;
	case NETWORK_IPV6:
		from->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(CLIENT_PORT)};
		memcpy(&from->v6.sin6_addr, one.bytes, sizeof(from->v6.sin6_addr));
		break;
	case NETWORK_UNIX:
		from->any.sa_family = AF_UNIX;
		break;
	}
	return THAW_OK;
}

static const char *upstream_of(const struct config_route *route)
{
	static const char *const builtin[] = {
		[CONFIG_BUILTIN_INSPECT] = "builtin:inspect",
		[CONFIG_BUILTIN_SINK] = "builtin:sink",
		[CONFIG_BUILTIN_PRIME] = "builtin:prime",
	};

	return route->upstream == CONFIG_PROXY ? route->upstream_name : builtin[route->upstream];
}

static const char *unit_of(const struct config_rate *rate)
{
	return rate->period_ms == 1000 ? "s" : rate->period_ms == 60000 ? "m" : "h";
}

/* ---- text ---- */

static void print_networks(const char *title, const struct config_networks *networks)
{
	char text[NETWORK_TEXT_ROOM];

	for (size_t i = 0; i < networks->count; i++) {
		network_text(&networks->items[i], text);
		(void)printf("%s%s%s", i == 0 ? title : ", ", i == 0 ? " " : "", text);
	}
	if (networks->count > 0)
		(void)printf("\n");
}

/* of_route: it is a route's; else its host's. */
static void print_access(const struct config_access *access, bool of_route, const char *from)
{
	const struct config_rate *rate = &access->rate;

	print_networks("allowed from", &access->allow);
	print_networks("denied from", &access->deny);
	if (from == NULL && (access->allow.count > 0 || access->deny.count > 0))
		(void)printf("client address: any allowed address (see --from)\n");
	if (rate->requests > 0)
		(void)printf("rate %llu/%s, burst %u per client address, counted for the %s\n",
			     (unsigned long long)rate->requests, unit_of(rate), rate->burst,
			     of_route && rate->own ? "route" : "host");
}

static void print_route(const struct gw_preview *preview)
{
	const struct config_route *route = preview->found.route->config;
	const struct config_certificate *settings = &route->certificate;

	(void)printf("route %s", route->path);
	for (char **method = route->methods; method != NULL && *method != NULL; method++)
		(void)printf("%s%s", method == route->methods ? " [" : " ", *method);
	(void)printf("%s: client certificate %s", route->methods != NULL ? "]" : "", config_when_name(settings->when));
	if (settings->when != CONFIG_WHEN_NEVER) {
		static const char *const words[] = {[CONFIG_REQUIRED] = "required",
						    [CONFIG_OPTIONAL] = "not required",
						    [CONFIG_OPTIONAL_UNVERIFIED] =
							    "not required, unverified certificates are marked"};
		(void)printf(", %s", words[settings->require]);
		if (settings->allow_count > 0)
			(void)printf(", %zu 'allow' rule%s", settings->allow_count,
				     settings->allow_count == 1 ? "" : "s");
	}
	(void)printf("\nupstream %s\n", upstream_of(route));
}

static void print_certificate(const struct gw_preview *preview, const char *file)
{
	if (file == NULL)
		return;
	if (!preview->appraised) {
		(void)printf("certificate %s: not asked for\n", file);
		return;
	}
	(void)printf("certificate %s: %s: ", file, tls_certificate_identity(preview->certificate.certificate)->subject);
	if (!preview->certificate.accepted)
		(void)printf("rejected: %s\n", preview->certificate.detail);
	else
		(void)printf(preview->listed ? "accepted\n" : "verified, but no 'allow' rule matches it\n");
}

static void print_means(const struct gw_preview_client *client)
{
	static const char *const moments[] = {
		[THAW_MOMENT_NONE] = "",
		[THAW_MOMENT_HANDSHAKE] = " in the handshake",
		[THAW_MOMENT_HEADERS] = " at the headers",
		[THAW_MOMENT_BODY] = " at the end of the body",
		[THAW_MOMENT_RESPONSE] = " after the response",
	};

	if (!client->asked)
		return;
	if (client->means == THAW_MEANS_NONE)
		(void)printf(", cannot be asked (%s)", thaw_reason_name(client->reason));
	else if (client->means == THAW_MEANS_HANDSHAKE)
		(void)printf(", certificate in the handshake");
	else
		(void)printf(", asked by %s%s", thaw_means_name(client->means), moments[client->moment]);
	if (client->drains)
		(void)printf(", body drained first");
}

static void print_client(const struct gw_preview_client *client)
{
	(void)printf("  %s (%s)\n     ", client->name, client->like);
	if (client->tls == NULL) {
		(void)printf(" no TLS version in common: its handshake fails\n");
		return;
	}
	if (client->sent_away && client->comes_back)
		(void)printf(" HTTP/2, sent away with HTTP_1_1_REQUIRED; then");
	(void)printf(" HTTP/%s, %s%s", strcmp(client->http, "2.0") == 0 ? "2" : client->http, client->tls,
		     client->held_to_tls12 ? " (held to it)" : "");
	print_means(client);
	if (client->location != NULL)
		(void)printf(": refused: 307 to %s\n", client->location);
	else if (client->status != 0)
		(void)printf(": refused: %u %s\n", client->status, thaw_reason_name(client->reason));
	else if (client->ends)
		(void)printf(": the connection breaks (%s)\n", thaw_reason_name(client->reason));
	else if (client->allowed)
		(void)printf(": allowed%s\n", client->with_identity ? ", with its identity"
					      : client->unverified  ? ", with its certificate marked as unverified"
								    : "");
	else
		(void)printf(": refused: the stream is reset with HTTP_1_1_REQUIRED\n");
}

static void print_sent(const struct gw_preview *preview, const char *from)
{
	if (preview->too_large) {
		(void)printf("refused: the request does not fit what is sent to an upstream\n");
		return;
	}
	if (preview->sent == NULL)
		return;
	(void)printf("sent to the upstream%s:\n", from == NULL ? " (192.0.2.1 stands for the client's address)" : "");
	for (const char *line = preview->sent, *end = line + preview->sent_len - 2; line < end;) {
		const char *next = memchr(line, '\n', (size_t)(end - line));
		(void)printf("  %.*s\n", (int)(next - line - 1), line);
		line = next + 1;
	}
}

static void print_decision(const struct check_request *wish, const struct gw_preview *preview)
{
	(void)printf("%s\nhost %s\n", wish->request, preview->host->config->name);
	if (preview->found.route != NULL)
		print_route(preview);
	if (preview->found.access != NULL)
		print_access(preview->found.access, preview->found.route != NULL, wish->from);
	if (preview->finding == GW_FOUND_OPTIONS)
		(void)printf("answered by the gateway itself: 204\n");
	if (preview->finding == GW_FOUND_PROBLEM)
		(void)printf("refused: %u %s: %s\n", preview->problem_status, preview->problem, preview->problem_text);
	if (preview->finding != GW_FOUND_ROUTE)
		return;
	print_certificate(preview, wish->certificate);
	(void)printf("clients:\n");
	for (size_t i = 0; i < preview->client_count; i++)
		print_client(&preview->clients[i]);
	print_sent(preview, wish->from);
}

/* ---- JSON ---- */

static json_t *client_json(const struct gw_preview_client *client)
{
	if (client->tls == NULL)
		return json_pack("{s:s, s:s, s:n, s:b}", "client", client->name, "like", client->like, "tls", "allowed",
				 0);
	json_t *report = json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:b}", "client", client->name, "like",
				   client->like, "tls", client->tls, "http", client->http, "sent_away",
				   client->sent_away, "comes_back", client->comes_back, "allowed", client->allowed,
				   "identity", client->with_identity, "unverified", client->unverified);
	if (client->asked) {
		(void)json_object_set_new(report, "means", json_string(thaw_means_name(client->means)));
		(void)json_object_set_new(report, "moment", json_string(thaw_moment_name(client->moment)));
		(void)json_object_set_new(report, "drains", json_boolean(client->drains));
		(void)json_object_set_new(report, "verdict", json_string(thaw_verdict_name(client->verdict)));
		(void)json_object_set_new(report, "reason", json_string(thaw_reason_name(client->reason)));
	}
	if (client->ends)
		(void)json_object_set_new(report, "connection_ends", json_true());
	if (client->status != 0)
		(void)json_object_set_new(report, "status", json_integer((json_int_t)client->status));
	if (client->location != NULL)
		(void)json_object_set_new(report, "location", json_string(client->location));
	return report;
}

/* [name, value] of each line except the first. A value that is not UTF-8 becomes null. */
static json_t *fields_json(const struct gw_preview *preview)
{
	const char *end = preview->sent + preview->sent_len - 2;
	const char *line = memchr(preview->sent, '\n', preview->sent_len);
	json_t *fields = json_array();

	for (line++; line < end;) {
		const char *next = memchr(line, '\n', (size_t)(end - line));
		const char *colon = memchr(line, ':', (size_t)(next - line));
		json_t *value = json_stringn(colon + 2, (size_t)(next - 1 - (colon + 2)));
		(void)json_array_append_new(fields, json_pack("[o, o]", json_stringn(line, (size_t)(colon - line)),
							      value != NULL ? value : json_null()));
		line = next + 1;
	}
	return fields;
}

static json_t *sent_json(const struct gw_preview *preview)
{
	if (preview->sent == NULL || preview->too_large)
		return json_null();
	const char *line_end = memchr(preview->sent, '\r', preview->sent_len);
	return json_pack("{s:s#, s:o}", "line", preview->sent, (int)(line_end - preview->sent), "fields",
			 fields_json(preview));
}

static json_t *certificate_json(const struct gw_preview *preview)
{
	if (!preview->appraised)
		return json_null();
	return json_pack("{s:s, s:b, s:s, s:b}", "subject",
			 tls_certificate_identity(preview->certificate.certificate)->subject, "verified",
			 preview->certificate.accepted, "detail", preview->certificate.detail, "allowed",
			 preview->listed);
}

static json_t *networks_json(const struct config_networks *networks)
{
	char text[NETWORK_TEXT_ROOM];
	json_t *list = json_array();

	for (size_t i = 0; i < networks->count; i++) {
		network_text(&networks->items[i], text);
		(void)json_array_append_new(list, json_string(text));
	}
	return list;
}

static json_t *access_json(const struct config_access *access, bool of_route)
{
	const struct config_rate *rate = &access->rate;
	json_t *limit = json_null();

	if (rate->requests > 0)
		limit = json_pack("{s:I, s:s, s:i, s:s}", "requests", (json_int_t)rate->requests, "per", unit_of(rate),
				  "burst", (int)rate->burst, "counted_for", of_route && rate->own ? "route" : "host");
	return json_pack("{s:o, s:o, s:o}", "allow_from", networks_json(&access->allow), "deny_from",
			 networks_json(&access->deny), "rate", limit);
}

static json_t *decision_json(const struct check_request *wish, const struct gw_preview *preview)
{
	json_t *clients = json_array();
	json_t *report = json_pack("{s:s, s:s}", "request", wish->request, "host", preview->host->config->name);

	for (size_t i = 0; i < preview->client_count; i++)
		(void)json_array_append_new(clients, client_json(&preview->clients[i]));
	if (preview->found.route != NULL) {
		const struct config_route *route = preview->found.route->config;
		(void)json_object_set_new(report, "route",
					  json_pack("{s:s, s:s, s:b, s:s}", "path", route->path, "when",
						    config_when_name(route->certificate.when), "require",
						    route->certificate.when != CONFIG_WHEN_NEVER &&
							    route->certificate.require == CONFIG_REQUIRED,
						    "upstream", upstream_of(route)));
	}
	if (preview->found.access != NULL)
		(void)json_object_set_new(report, "access",
					  access_json(preview->found.access, preview->found.route != NULL));
	if (preview->finding == GW_FOUND_PROBLEM)
		(void)json_object_set_new(report, "refused",
					  json_pack("{s:i, s:s, s:s}", "status", (int)preview->problem_status, "reason",
						    preview->problem, "detail", preview->problem_text));
	(void)json_object_set_new(report, "certificate", certificate_json(preview));
	(void)json_object_set_new(report, "clients", clients);
	(void)json_object_set_new(report, "sent", sent_json(preview));
	(void)json_object_set_new(report, "too_large", json_boolean(preview->too_large));
	return report;
}

enum thaw_status check_request(const struct check_request *wish, const struct config *config, json_t **report,
			       struct thaw_error *err)
{
	struct gw_preview *preview = calloc(1, sizeof(*preview));
	struct gateway *gateway = NULL;
	size_t len = 0;
	char *head = head_of(wish, &len, err);
	union from from;
	enum thaw_status status = THAW_FAILED;
	bool known = wish->from == NULL || read_from(wish->from, &from, err) == THAW_OK;

	if (preview == NULL)
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
	else if (head != NULL && known)
		gateway = gateway_new(config, &(struct gateway_env){.store = NULL}, err);
	if (gateway != NULL)
		status = gw_preview_make(preview, gateway,
					 &(struct gw_preview_request){
						 .head = head,
						 .len = len,
						 .certificate = wish->certificate,
						 .from = wish->from != NULL ? &from.any : NULL,
					 },
					 err);
	if (status == THAW_OK && report != NULL)
		*report = decision_json(wish, preview);
	else if (status == THAW_OK)
		print_decision(wish, preview);
	if (preview != NULL)
		gw_preview_free(preview);
	free(preview);
	gateway_free(&gateway);
	free(head);
	return status;
}
