#include "gateway/account.h"

#include <stdlib.h>

#include "http/target.h"

/* Of the configuration. Without TLS the one that the request names, if it does so by a name of its own. */
static const char *host_of(const struct gw_stream *stream)
{
	char name[HTTP_HOST_MAX + 1];

	if (stream->conn->plain == NULL)
		return gw_conn_host(stream->conn)->config->name;
	if (stream->head_len == 0 || http_host_text(&stream->head, name) == 0 ||
	    !tls_server_has(stream->gateway->tls, name))
		return NULL;
	return stream->gateway->config->hosts[tls_server_host(stream->gateway->tls, name)].name;
}

json_t *gw_account_make(struct gw_stream *stream)
{
	struct gw_record_facts facts = {
		.id = gw_stream_id(stream),
		.peer = gw_conn_peer(stream->conn),
		.head = stream->head_len > 0 ? &stream->head : NULL,
		.host = host_of(stream),
		.tls = tls_conn_version(stream->conn->tls),
		.http2 = stream->conn->http2 != NULL,
		.cipher = tls_conn_cipher(stream->conn->tls),
		.resumed = tls_conn_resumed(stream->conn->tls),
		.status = stream->status,
		.note = stream->note,
		.bytes_in = stream->body.received,
		.bytes_out = stream->body_out,
		.took_ms = gw_stream_now(stream) - stream->began_ms,
		.wall_ms = gw_wall(stream->conn, stream->began_ms),
		.identity = stream->identity,
		.unverified = stream->unverified,
		.service = stream->service,
		.server = stream->server,
		.server_ms = stream->server_ms,
		.repairs = stream->repairs,
	};
	json_t *record = gw_record_new(&facts);

	if (record != NULL && gw_asked(stream) &&
	    !gw_record_add_ask(record, &stream->story, gw_on_demand(stream->conn))) {
		json_decref(record);
		return NULL;
	}
	return record;
}

/* Takes ownership of the record; NULL: there was no memory for it. */
void gw_account_emit(struct gateway *gateway, json_t *record)
{
	const struct gateway_env *env = &gateway->env;
	size_t len = 0;
	char *line = record != NULL ? gw_record_line(record, gateway->config->log.format, &len) : NULL;

	if (line == NULL)
		gw_notice(gateway, GW_NOTICE_MEMORY, CONFIG_LOG_ERROR, gateway->now_ms,
			  "out of memory: an access record was lost");
	else if (env->access != NULL)
		env->access(env->log_arg, line, len);
	free(line);
	json_decref(record);
}

void gw_account_scoreboard(const struct gw_stream *stream)
{
	scoreboard_request(stream->gateway->env.scoreboard, stream->status, gw_stream_now(stream) - stream->began_ms,
			   stream->body.received, stream->body_out);
}

void gw_show_ask(struct gw_stream *stream)
{
	const struct http_request *head = &stream->head;
	struct scoreboard_ask_facts facts = {
		.client = gw_conn_peer(stream->conn),
		.host = gw_conn_host(stream->conn)->config->name,
		.path = head->path,
		.means = stream->story.report.means,
		.moment = stream->story.report.moment,
		.length = head->framing == HTTP_BODY_CHUNKED ? UINT64_MAX : head->length,
	};

	if (stream->gateway->env.scoreboard != NULL)
		stream->shown = scoreboard_ask_begin(stream->gateway->env.scoreboard, &facts, gw_stream_now(stream));
}

void gw_account_stream(struct gw_stream *stream)
{
	if (stream->account == GW_ACCOUNT_RECORDED)
		return;
	gw_account_scoreboard(stream);
	if (gw_asked(stream))
		scoreboard_verdict(stream->gateway->env.scoreboard, &stream->story.report, stream->story.drained,
				   gw_wall(stream->conn, gw_stream_now(stream)));
	bool reads = stream->gateway->env.access !=
		     NULL; /* without an access log it is skipped: it is a large part of the work for a small request */
	json_t *record = reads ? gw_account_make(stream) : NULL;
	gw_account_enter(stream, GW_ACCOUNT_RECORDED);
	if (reads)
		gw_account_emit(stream->gateway, record);
}

void gw_note_story(struct gw_stream *stream)
{
	struct thaw_spool_use use = {.size = sizeof(use)};

	if (stream->spool == NULL || thaw_spool_read_use(stream->spool, &use) != THAW_OK)
		use = (struct thaw_spool_use){0};
	stream->story.report = *thaw_conn_report(stream->conn->ask);
	stream->story.drained = stream->body.received;
	stream->story.to_memory = use.to_memory;
	stream->story.to_disk = use.to_disk;
}
