/* A table of signs with weights. The server with the highest sum is the result if the sum is high enough. */
#include "probe/server.h"

#include <string.h>
#include <strings.h>

#include "thaw/types.h"

#define ENOUGH 3

/* ---- what signs are made of ---- */

static bool any_version(const struct findings *findings, bool (*holds)(const struct find_version *version))
{
	return holds(&findings->versions[FIND_12]) || holds(&findings->versions[FIND_13]);
}

static bool starts_at(const struct find_version *version, uint64_t size, unsigned status)
{
	for (size_t style = 0; style < 2; style++) {
		const struct find_bodies *bodies = &version->bodies[style];
		if (bodies->boundary.exact && (size == 0 || bodies->boundary.bad == size) &&
		    find_result(bodies->first_bad)->status == status)
			return true;
	}
	return false;
}

static bool freezes_at(const struct find_version *version, uint64_t size)
{
	for (size_t style = 0; style < 2; style++) {
		const struct find_bodies *bodies = &version->bodies[style];
		if (bodies->boundary.exact && bodies->boundary.bad == size &&
		    find_result(bodies->first_bad)->outcome == CHECK_FREEZE)
			return true;
	}
	return false;
}

/* Whether any response has this in its Server field. */
static bool says(const struct findings *findings, const char *word)
{
	for (size_t i = 0; i < FIND_VERSIONS; i++) {
		const struct find_version *version = &findings->versions[i];
		if (strcasestr(find_result(version->plain)->server, word) != NULL ||
		    strcasestr(find_result(version->anonymous)->server, word) != NULL)
			return true;
	}
	return strcasestr(find_result(findings->http2)->server, word) != NULL;
}

static bool body_says(const struct findings *findings, const char *word)
{
	for (size_t i = 0; i < FIND_VERSIONS; i++) {
		const struct find_version *version = &findings->versions[i];
		const struct check *checks[] = {version->plain, version->paused, version->anonymous, version->no_offer};
		for (size_t k = 0; k < sizeof(checks) / sizeof(checks[0]); k++)
			if (strstr(find_result(checks[k])->body, word) != NULL)
				return true;
	}
	return false;
}

/* ---- signs ---- */

static bool limit_of_apache(const struct find_version *version)
{
	return starts_at(version, 131073, 413);
}

static bool some_413_behind_the_body(const struct find_version *version)
{
	return find_moment(version) == CHECK_AFTER_BODY && starts_at(version, 0, 413);
}

static bool eager_403(const struct find_version *version)
{
	return find_result(version->eager)->status == 403 && find_is_good(version, find_result(version->waits));
}

static bool buffers_then_alert(const struct find_version *version)
{
	return find_moment(version) == CHECK_AFTER_BODY && find_result(version->anonymous)->outcome == CHECK_ALERTED;
}

static bool limit_of_tomcat(const struct find_version *version)
{
	return starts_at(version, 4097, 401);
}

static bool some_401(const struct find_version *version)
{
	return starts_at(version, 0, 401);
}

static bool waits_for_ever(const struct find_version *version)
{
	return find_result(version->waits)->outcome == CHECK_FREEZE && find_moment(version) == CHECK_AFTER_BODY;
}

static bool limit_of_iis(const struct find_version *version)
{
	return freezes_at(version, 49153) || starts_at(version, 49153, 413);
}

static bool sign_apache_limit(const struct findings *f)
{
	return any_version(f, limit_of_apache);
}

static bool sign_apache_413(const struct findings *f)
{
	return any_version(f, some_413_behind_the_body);
}

static bool sign_apache_eager(const struct findings *f)
{
	return any_version(f, eager_403);
}

static bool sign_apache_alert(const struct findings *f)
{
	return any_version(f, buffers_then_alert);
}

static bool sign_apache_says(const struct findings *f)
{
	return says(f, "Apache") && !says(f, "Coyote") && !says(f, "Tomcat");
}

static bool sign_tomcat_limit(const struct findings *f)
{
	return any_version(f, limit_of_tomcat);
}

static bool sign_tomcat_401(const struct findings *f)
{
	return any_version(f, some_401);
}

static bool sign_tomcat_expect(const struct findings *f)
{
	return any_version(f, waits_for_ever);
}

/* JSSE does not support post-handshake authentication for servers. */
static bool sign_jsse(const struct findings *f)
{
	const struct find_version *v13 = &f->versions[FIND_13];

	return find_speaks(v13) && find_moment(v13) == CHECK_NEVER && find_result(v13->paused)->status == 401;
}

static bool sign_tomcat_says(const struct findings *f)
{
	return says(f, "Coyote") || says(f, "Tomcat") || body_says(f, "Apache Tomcat");
}

/* A Node.js handler asks after the headers, and has stopped reading by then. */
static bool sign_node_freeze(const struct findings *f)
{
	const struct find_version *v12 = &f->versions[FIND_12];
	const struct find_bodies *bodies = &v12->bodies[CHECK_READS];

	return find_moment(v12) == CHECK_AT_HEADERS && bodies->boundary.found && bodies->boundary.bad > 16384 &&
	       bodies->boundary.bad <= 1048576 && find_result(bodies->first_bad)->outcome == CHECK_FREEZE;
}

/* Node.js' HTTP server sends no Server field, and cannot ask over TLS 1.3. */
static bool sign_node_13(const struct findings *f)
{
	const struct check_result *plain = find_result(f->versions[FIND_12].plain);

	return f->wanted[FIND_13] && plain->outcome == CHECK_ANSWERED && plain->server[0] == '\0' &&
	       find_asks_late(&f->versions[FIND_12]) && !find_asks_late(&f->versions[FIND_13]);
}

static bool sign_node_keep_alive(const struct findings *f)
{
	const struct check_result *plain = find_result(f->versions[FIND_12].plain);

	return plain->server[0] == '\0' && strcmp(plain->keep_alive, "timeout=5") == 0;
}

static bool sign_iis_limit(const struct findings *f)
{
	return any_version(f, limit_of_iis);
}

static bool sign_iis_says(const struct findings *f)
{
	return says(f, "Microsoft-IIS") || says(f, "Microsoft-HTTPAPI");
}

static bool sign_kestrel_says(const struct findings *f)
{
	return says(f, "Kestrel");
}

static bool sign_f5(const struct findings *f)
{
	return says(f, "BigIP") || says(f, "BIG-IP") || find_result(f->versions[FIND_12].plain)->cookie_of_f5 ||
	       find_result(f->versions[FIND_13].plain)->cookie_of_f5;
}

static bool sign_nginx_says(const struct findings *f)
{
	return says(f, "nginx");
}

static bool sign_nginx_400(const struct findings *f)
{
	return body_says(f, "No required SSL certificate was sent");
}

static bool sign_thaw(const struct findings *f)
{
	for (size_t i = 0; i < FIND_VERSIONS; i++) {
		const struct check *checks[] = {f->versions[i].anonymous, f->versions[i].no_offer,
						f->versions[i].plain};
		for (size_t k = 0; k < sizeof(checks) / sizeof(checks[0]); k++) {
			const struct check_result *result = find_result(checks[k]);
			if (strcmp(result->type, "application/problem+json") == 0 &&
			    strstr(result->body, "\"reason\"") != NULL && strstr(result->body, "\"cure\"") != NULL)
				return true;
		}
	}
	return false;
}

static const struct {
	enum server_kind kind;
	unsigned weight;
	bool (*holds)(const struct findings *findings);
	const char *evidence;
} signs[] = {
	{SERVER_IIS, 3, sign_iis_says, "its Server field names IIS or http.sys"},
	{SERVER_IIS, 2, sign_iis_limit, "the response changes after 49,152 bytes, the default of uploadReadAheadSize"},
	{SERVER_APACHE, 4, sign_apache_limit, "413 after 131,072 bytes, the default of SSLRenegBufferSize"},
	{SERVER_APACHE, 2, sign_apache_413, "it reads the body before it asks, up to a limit; above it 413"},
	{SERVER_APACHE, 2, sign_apache_eager, "403 if the body is sent with Expect: 100-continue but without waiting"},
	{SERVER_APACHE, 1, sign_apache_alert, "without a certificate the connection ends with an alert after the body"},
	{SERVER_APACHE, 2, sign_apache_says, "its Server field names Apache"},
	{SERVER_TOMCAT, 4, sign_tomcat_limit, "401 after 4,096 bytes, the default of maxSavePostSize"},
	{SERVER_TOMCAT, 1, sign_tomcat_401, "it reads the body before it asks, up to a limit; above it 401"},
	{SERVER_TOMCAT, 2, sign_tomcat_expect, "it asks after the body, and sends no 100 Continue before"},
	{SERVER_TOMCAT, 2, sign_jsse, "401 over TLS 1.3 without asking, which Java's TLS library cannot do"},
	{SERVER_TOMCAT, 3, sign_tomcat_says, "its responses name Tomcat"},
	{SERVER_NODE, 2, sign_node_freeze, "it asks after the headers, and freezes when a stream buffer is full"},
	{SERVER_NODE, 2, sign_node_13, "no Server field; it asks over TLS 1.2 but not over 1.3"},
	{SERVER_NODE, 2, sign_node_keep_alive, "Keep-Alive: timeout=5, as Node.js sends it, and no Server field"},
	{SERVER_KESTREL, 3, sign_kestrel_says, "its Server field names Kestrel"},
	{SERVER_F5, 3, sign_f5, "a cookie or a Server field of F5"},
	{SERVER_NGINX, 3, sign_nginx_says, "its Server field names nginx"},
	{SERVER_NGINX, 3, sign_nginx_400, "400, \"No required SSL certificate was sent\""},
	{SERVER_THAW, 12, sign_thaw, "an error as application/problem+json with 'reason' and 'cure'"},
};
#define SIGNS (sizeof(signs) / sizeof(signs[0]))

void server_recognise(const struct findings *findings, struct server_guess *guess)
{
	unsigned weights[SERVER_KINDS] = {0};
	bool held[SIGNS];
	enum server_kind best = SERVER_UNKNOWN;

	*guess = (struct server_guess){.kind = SERVER_UNKNOWN};
	for (size_t i = 0; i < SIGNS; i++) {
		held[i] = signs[i].holds(findings);
		weights[signs[i].kind] += held[i] ? signs[i].weight : 0;
	}
	for (size_t kind = 0; kind < SERVER_KINDS; kind++)
		if (weights[kind] > weights[best])
			best = (enum server_kind)kind;
	if (weights[best] < ENOUGH)
		return;
	guess->kind = best;
	for (size_t i = 0; i < SIGNS && guess->count < SERVER_EVIDENCE_MAX; i++)
		if (held[i] && signs[i].kind == best)
			guess->evidence[guess->count++] = signs[i].evidence;
}

const char *server_name(enum server_kind kind)
{
	static const char *const names[SERVER_KINDS] = {
		[SERVER_UNKNOWN] = "unknown server",
		[SERVER_IIS] = "IIS or http.sys",
		[SERVER_APACHE] = "Apache httpd",
		[SERVER_TOMCAT] = "Tomcat",
		[SERVER_NODE] = "Node.js",
		[SERVER_KESTREL] = "Kestrel (ASP.NET Core)",
		[SERVER_F5] = "F5 BIG-IP",
		[SERVER_NGINX] = "nginx",
		[SERVER_THAW] = "Thaw",
	};
	return kind < SERVER_KINDS ? names[kind] : "?";
}
