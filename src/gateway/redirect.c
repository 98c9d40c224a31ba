#include "gateway/redirect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/answer.h"
#include "gateway/http1.h"
#include "http/target.h"

#define SCHEME        "https://"
#define PORT_HTTPS    443
#define PORT_DEFAULT  ":80" /* the port of http://HOST without a port */
#define PORT_TEXT     8
#define CHALLENGE_MAX 4096 /* a response has about 90 bytes */
#define TOKEN_MAX     128  /* most have 43 */

/* ---- the https URL of a request ---- */

/* Clients are only redirected to configured hosts, not to any host that a request names. A host "*" has no name to
 * redirect to. */
static bool is_ours(const struct gw_stream *stream)
{
	char host[HTTP_HOST_MAX + 1];

	return http_host_text(&stream->head, host) > 0 && tls_server_has(stream->gateway->tls, host);
}

/* NULL: out of memory. */
static char *https_url(const struct gw_stream *stream, struct http_span port)
{
	char host[HTTP_HOST_MAX + 1], target[HTTP_ORIGIN_MAX], *url = NULL;

	(void)http_host_text(&stream->head, host);
	size_t len = http_target_origin(&stream->head, target);
	if (asprintf(&url, SCHEME "%s%.*s%.*s", host, (int)port.len, port.at, (int)len, target) < 0)
		return NULL;
	return url;
}

/* ---- requests without TLS on a TLS port ---- */

/* The port as the client wrote it, such as ":8443". False: the Host field alone does not name the host. */
static bool port_of(const struct http_request *head, struct http_span *port)
{
	const struct http_field *host = http_field_find(head, "Host");

	if (head->target.at[0] != '/' || host == NULL || host->value.len < head->host.len)
		return false;
	*port = (struct http_span){host->value.at + head->host.len, host->value.len - head->host.len};
	if (port->len < 2)
		*port = (struct http_span){PORT_DEFAULT, sizeof(PORT_DEFAULT) - 1};
	return true;
}

/* Does not redirect: otherwise nobody would notice that the request was sent without encryption. */
static enum gw_step answer_mistake(struct gw_stream *stream)
{
	struct http_span port;
	char *url = port_of(&stream->head, &port) && is_ours(stream) ? https_url(stream, port) : NULL;
	enum gw_step step = gw_refuse_with_link(stream, GW_PROBLEM_PLAIN, url);

	free(url);
	return step;
}

/* ---- ACME challenges ---- */

static bool is_token_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* RFC 8555 8.3: a GET request for a token in base64url; HEAD is accepted, too. False: this is an ordinary request. */
static bool read_token(const struct http_request *head, char token[static TOKEN_MAX + 1])
{
	const size_t skip = sizeof(CONFIG_ACME_PATH) - 1;
	struct http_span path = head->path;

	if ((!http_span_equal(head->method, "GET") && !head->is_head) || head->framing != HTTP_BODY_NONE ||
	    head->query.at != NULL || path.len <= skip || path.len > skip + TOKEN_MAX ||
	    memcmp(path.at, CONFIG_ACME_PATH, skip) != 0)
		return false;
	size_t len = path.len - skip;
	for (size_t i = 0; i < len; i++)
		if (!is_token_char(path.at[skip + i]))
			return false;
	memcpy(token, path.at + skip, len);
	token[len] = '\0';
	return true;
}

static enum gw_step answer_challenge(struct gw_stream *stream, const char *token)
{
	const char *webroot = stream->conn->plain->listen->acme_webroot;
	struct gw_reply reply = {.status = 200, .content_type = "application/octet-stream"};
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	enum thaw_status status = THAW_CLOSED;

	reply.body = malloc(CHALLENGE_MAX);
	if (reply.body == NULL)
		return gw_refuse(stream, GW_PROBLEM_MEMORY, NULL);
	if (stream->gateway->env.challenge != NULL)
		status = stream->gateway->env.challenge(webroot, token, reply.body, CHALLENGE_MAX, &reply.body_len,
							&err);
	if (status == THAW_OK)
		return gw_answer(stream, &reply, false);
	free(reply.body);
	if (status != THAW_CLOSED)
		gw_notice(stream->gateway, GW_NOTICE_CHALLENGE, CONFIG_LOG_WARNING, gw_stream_now(stream),
			  "ACME challenge not answered: %s%s%s: %s", webroot, CONFIG_ACME_PATH, token, err.text);
	return gw_refuse(stream, GW_PROBLEM_NO_CHALLENGE, NULL);
}

/* ---- all other requests ---- */

/* RFC 9110 15.4: 301 lets a client change POST to GET; 308 does not, but older clients do not know it. */
static enum gw_step redirect(struct gw_stream *stream)
{
	const struct http_request *head = &stream->head;
	bool safe = http_span_equal(head->method, "GET") || head->is_head;
	struct gw_reply reply = {.status = safe ? 301 : 308, .content_type = "text/plain"};
	unsigned number = stream->conn->plain->listen->redirect_port;
	char port[PORT_TEXT] = "";

	if (http_span_equal(head->path, "*")) {
		reply = (struct gw_reply){.status = 204};
		return gw_answer(stream, &reply, !stream->body.ended);
	}
	if (!is_ours(stream))
		return gw_refuse(stream, GW_PROBLEM_NO_HOST, NULL);
	if (number != PORT_HTTPS)
		(void)snprintf(port, sizeof(port), ":%u", number);
	reply.location = https_url(stream, (struct http_span){port, strlen(port)});
	int len = reply.location != NULL ? asprintf(&reply.body, "%s\n", reply.location) : -1;
	if (len < 0) {
		free(reply.location);
		return gw_refuse(stream, GW_PROBLEM_MEMORY, NULL);
	}
	reply.body_len = (size_t)len;
	return gw_answer(stream, &reply, !stream->body.ended);
}

static enum gw_step pass_challenge(struct gw_stream *stream)
{
	stream->route = &stream->conn->plain->acme;
	gw_stream_enter(stream, GW_PASS);
	return GW_MOVED;
}

static enum gw_step route(struct gw_stream *stream)
{
	const struct gw_plain *plain = stream->conn->plain;
	struct scoreboard_worker *scoreboard = stream->gateway->env.scoreboard;
	char token[TOKEN_MAX + 1];
	bool to_upstream = plain->acme.config != NULL;
	bool answers = to_upstream || (plain->listen != NULL && plain->listen->acme_webroot != NULL);
	enum gw_step step;

	if (plain->listen == NULL) {
		step = answer_mistake(stream);
	} else if (answers && read_token(&stream->head, token)) {
		step = to_upstream ? pass_challenge(stream) : answer_challenge(stream, token);
		if (to_upstream || stream->status == 200) {
			scoreboard_plain(scoreboard, SCOREBOARD_PLAIN_CHALLENGE);
			return step;
		}
	} else {
		step = redirect(stream);
	}
	bool redirected = stream->status == 301 || stream->status == 308;
	scoreboard_plain(scoreboard, redirected ? SCOREBOARD_PLAIN_REDIRECTED : SCOREBOARD_PLAIN_OTHER);
	return step;
}

const struct gw_protocol *gw_http1_plain(void)
{
	static struct gw_protocol protocol;

	if (protocol.route == NULL) {
		protocol = *gw_http1();
		protocol.route = route;
	}
	return &protocol;
}
