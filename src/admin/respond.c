#include "admin/respond.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "http/response.h"

#define HEAD_MAX 1024
#define HOST_MAX 64 /* maximum length of a host to be parsed as an address */

#define PLAIN "text/plain; charset=utf-8"

struct answer {
	unsigned status;
	const char *type;
	bool allow;                  /* send an Allow field */
	char nonce[ADMIN_NONCE_MAX]; /* "": not a page */
	struct buffer body;
};

/* ---- head and body become one ---- */

/* Allows only the page's own script and style, and connections to this server; forbids frames. */
static void write_policy(struct http_writer *writer, const char *nonce)
{
	char policy[512];

	(void)snprintf(policy, sizeof(policy),
		       "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; connect-src 'self'; "
		       "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		       nonce, nonce);
	http_write_field(writer, "Content-Security-Policy", policy);
}

static bool render(const struct admin *admin, const struct answer *answer, bool head_only, bool close, uint64_t now_ms,
		   struct buffer *text)
{
	char head[HEAD_MAX];
	struct http_writer writer;

	http_writer_init(&writer, head, sizeof(head));
	http_write_status(&writer, answer->status);
	http_write_date(&writer, (admin->wall_offset_ms + (int64_t)now_ms) / 1000);
	http_write_field(&writer, "Content-Type", answer->type);
	http_write_field_number(&writer, "Content-Length", answer->body.len);
	http_write_field(&writer, "Cache-Control", "no-store");
	http_write_field(&writer, "X-Content-Type-Options", "nosniff");
	http_write_field(&writer, "Cross-Origin-Resource-Policy", "same-origin");
	if (answer->allow)
		http_write_field(&writer, "Allow", "GET, HEAD");
	if (answer->nonce[0] != '\0')
		write_policy(&writer, answer->nonce);
	if (close)
		http_write_field(&writer, "Connection", "close");
	http_write_end(&writer);
	if (writer.overflow || answer->body.failed)
		return false;
	admin_put(text, head, writer.len);
	if (!head_only)
		admin_put(text, answer->body.bytes, answer->body.len);
	return !text->failed;
}

static void say(struct answer *answer, unsigned status, const char *words)
{
	answer->status = status;
	answer->type = PLAIN;
	admin_putf(&answer->body, "%s\n", words);
}

/* ---- what there is ---- */

static bool make_metrics(const struct admin_sight *sight, struct answer *answer)
{
	answer->type = "text/plain; version=0.0.4; charset=utf-8";
	admin_metrics(sight, &answer->body);
	return true;
}

static bool make_status(const struct admin_sight *sight, struct answer *answer)
{
	answer->type = "application/json";
	return admin_status(sight, &answer->body);
}

static bool make_page(const struct admin_sight *sight, struct answer *answer)
{
	(void)sight;
	answer->type = "text/html; charset=utf-8";
	if (!admin_make_nonce(answer->nonce))
		return false;
	admin_page(answer->nonce, &answer->body);
	return true;
}

static bool make_health(const struct admin_sight *sight, struct answer *answer)
{
	(void)sight;
	say(answer, 200, "ok");
	return true;
}

static bool make_ready(const struct admin_sight *sight, struct answer *answer)
{
	const struct scoreboard_view *scoreboard = sight->scoreboard;

	if (scoreboard->ready) {
		say(answer, 200, "ready");
		return true;
	}
	say(answer, 503, "not ready");
	admin_putf(&answer->body, "%s; %u of %u workers serve%s\n", admin_phase_name(scoreboard->phase),
		   scoreboard->workers_ready, scoreboard->workers_wanted,
		   scoreboard->full ? "; all workers are at their limit of connections" : "");
	return true;
}

static const struct {
	const char *path;
	bool (*make)(const struct admin_sight *sight, struct answer *answer);
} pages[] = {
	{"/", make_page},          {"/status.json", make_status}, {"/metrics", make_metrics},
	{"/healthz", make_health}, {"/readyz", make_ready},
};

static bool make(const struct admin *admin, size_t page, uint64_t now_ms, struct answer *answer)
{
	struct admin_sight sight = {.admin = admin,
				    .spool = {.size = sizeof(sight.spool)},
				    .now_ms = now_ms,
				    .wall_ms = admin->wall_offset_ms + (int64_t)now_ms};

	sight.scoreboard = scoreboard_view_new(admin->scoreboard, now_ms, sight.wall_ms);
	if (sight.scoreboard == NULL)
		return false;
	if (thaw_quota_read_use(admin->quota, &sight.spool) != THAW_OK) {
		scoreboard_view_free(&sight.scoreboard);
		return false;
	}
	answer->status = 200;
	bool made = pages[page].make(&sight, answer);
	scoreboard_view_free(&sight.scoreboard);
	return made;
}

/* ---- who may ask for what ---- */

/* With DNS rebinding a page of another site can resolve its own name to our address, but its requests carry that
 * name in Host. */
static bool may_name(const struct admin *admin, struct http_span host)
{
	struct in6_addr unused;
	char text[HOST_MAX];

	if (host.len > 1 && host.at[host.len - 1] == '.')
		host.len--; /* the root's: a fully qualified spelling of the same name */
	if (host.len == 0 || http_span_equal_nocase(host, "localhost"))
		return true; /* none: HTTP/1.0, which browsers do not use */
	if (admin->host != NULL && http_span_equal_nocase(host, admin->host))
		return true;
	for (char *const *name = admin->names; name != NULL && *name != NULL; name++)
		if (http_span_equal_nocase(host, *name))
			return true;
	if (host.at[0] == '[')
		return true; /* the parser has checked that it is an address */
	if (host.len >= sizeof(text))
		return false;
	memcpy(text, host.at, host.len);
	text[host.len] = '\0';
	return inet_pton(AF_INET, text, &unused) == 1;
}

static bool choose(const struct admin *admin, const struct http_request *request, uint64_t now_ms,
		   struct answer *answer)
{
	size_t page = 0;

	if (!may_name(admin, request->host)) {
		say(answer, 421,
		    "The Host field must be an IP address, 'localhost', the name of this machine, or a name in "
		    "'admin.names'.");
		return true;
	}
	while (page < sizeof(pages) / sizeof(pages[0]) && !http_span_equal(request->path, pages[page].path))
		page++;
	if (page == sizeof(pages) / sizeof(pages[0])) {
		say(answer, 404, "Unknown path. Available: /, /status.json, /metrics, /healthz and /readyz.");
		return true;
	}
	if (!request->is_head && !http_span_equal(request->method, "GET")) {
		answer->allow = true;
		say(answer, 405, "This endpoint is read-only; use GET or HEAD.");
		return true;
	}
	return make(admin, page, now_ms, answer);
}

bool admin_respond(const struct admin *admin, const struct http_request *request, bool close, uint64_t now_ms,
		   struct buffer *text)
{
	struct answer answer = {.status = 0};
	bool made = choose(admin, request, now_ms, &answer) &&
		    render(admin, &answer, request->is_head, close, now_ms, text);

	buffer_free(&answer.body);
	return made;
}

bool admin_refuse(const struct admin *admin, const struct http_refusal *refusal, uint64_t now_ms, struct buffer *text)
{
	struct answer answer = {.status = 0};

	say(&answer, refusal->status, refusal->why);
	bool made = render(admin, &answer, false, true, now_ms, text);
	buffer_free(&answer.body);
	return made;
}
