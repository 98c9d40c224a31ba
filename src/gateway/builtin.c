/* The built-in upstreams: inspect returns what was received and the identity, sink accepts everything, prime lets
 * clients send their certificate. */
#include <stdlib.h>
#include <string.h>

#include "gateway/builtin.h"
#include "gateway/text.h"
#include "tls/digest.h"

struct builtin {
	struct gw_exchange exchange;
	struct tls_digest *digest; /* inspect only */
	uint64_t bytes;
};

static void *open_plain(const struct gw_exchange *exchange)
{
	struct builtin *builtin = calloc(1, sizeof(*builtin));

	if (builtin != NULL)
		builtin->exchange = *exchange;
	return builtin;
}

static bool body_plain(void *upstream, const void *data, size_t len)
{
	struct builtin *builtin = upstream;

	(void)data;
	builtin->bytes += len;
	return true;
}

static void free_builtin(void *upstream)
{
	struct builtin *builtin = upstream;

	tls_digest_free(&builtin->digest);
	free(builtin);
}

static void *open_inspect(const struct gw_exchange *exchange)
{
	struct builtin *builtin = open_plain(exchange);

	if (builtin == NULL)
		return NULL;
	builtin->digest = tls_digest_new();
	if (builtin->digest == NULL) {
		free(builtin);
		return NULL;
	}
	return builtin;
}

static bool body_inspect(void *upstream, const void *data, size_t len)
{
	struct builtin *builtin = upstream;

	return tls_digest_add(builtin->digest, data, len) && body_plain(upstream, data, len);
}

static json_t *certificate_json(const struct gw_exchange *exchange)
{
	const struct thaw_report *report = exchange->report;

	if (exchange->identity == NULL)
		return json_null();
	uint64_t waited = report->asked_ms != 0 ? report->ended_ms - report->asked_ms : 0;
	return json_pack("{s:o, s:o, s:s, s:s, s:s, s:I, s:I}", "subject", gw_text_string(exchange->identity->subject),
			 "issuer", gw_text_string(exchange->identity->issuer), "sha256", exchange->identity->sha256_hex,
			 "means", thaw_means_name(report->means), "moment", thaw_moment_name(report->moment), "ask_ms",
			 (json_int_t)waited, "body_bytes_before_verdict", (json_int_t)exchange->before_verdict);
}

/* NULL: there is none. */
static json_t *unverified_json(const struct gw_exchange *exchange)
{
	if (exchange->unverified == NULL)
		return NULL;
	return json_pack("{s:o, s:s, s:s}", "subject", gw_text_string(exchange->unverified->subject), "sha256",
			 exchange->unverified->sha256_hex, "reason", exchange->report->detail);
}

static bool finish_inspect(void *upstream, struct gw_reply *reply)
{
	struct builtin *builtin = upstream;
	char hex[TLS_DIGEST_HEX];

	if (!tls_digest_end(builtin->digest, hex))
		return false;
	json_t *answer =
		json_pack("{s:o, s:o, s:o, s:o*, s:I, s:s}", "method", gw_text(builtin->exchange.head->method), "path",
			  gw_text(builtin->exchange.head->path), "certificate", certificate_json(&builtin->exchange),
			  "unverified", unverified_json(&builtin->exchange), "body_bytes", (json_int_t)builtin->bytes,
			  "body_sha256", hex);
	size_t len = 0;
	char *text = answer != NULL ? gw_text_dump(answer, JSON_INDENT(2), &len) : NULL;
	json_decref(answer);
	*reply = (struct gw_reply){.status = 200, .content_type = "application/json", .body = text, .body_len = len};
	return text != NULL;
}

static bool finish_sink(void *upstream, struct gw_reply *reply)
{
	static const char ok[] = "ok\n";
	char *text = strdup(ok);

	(void)upstream;
	*reply = (struct gw_reply){
		.status = 200, .content_type = "text/plain", .body = text, .body_len = sizeof(ok) - 1};
	return text != NULL;
}

static bool finish_prime(void *upstream, struct gw_reply *reply)
{
	(void)upstream;
	*reply = (struct gw_reply){.status = 204};
	return true;
}

const struct gw_builtin_ops *gw_builtin(enum config_upstream_kind kind)
{
	static const struct gw_builtin_ops all[] = {
		[CONFIG_BUILTIN_INSPECT] = {open_inspect, body_inspect, finish_inspect, free_builtin},
		[CONFIG_BUILTIN_SINK] = {open_plain, body_plain, finish_sink, free_builtin},
		[CONFIG_BUILTIN_PRIME] = {open_plain, body_plain, finish_prime, free_builtin},
	};
	return &all[kind];
}
