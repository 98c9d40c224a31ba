#include "gateway/notice.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/conn.h"
#include "gateway/record.h"

#define MESSAGE_MAX 640
#define ADDRESS_MAX 64
#define NAME_ROOM   300 /* a server name, and the text around it */

void gw_say(const struct gateway *gateway, enum config_log_level level, const char *format, ...)
{
	char text[MESSAGE_MAX];
	va_list args;

	if (gateway->env.message == NULL)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	gateway->env.message(gateway->env.log_arg, level, text);
}

bool gw_notices_init(struct gw_notices *notices, const struct config *config)
{
	notices->count = GW_NOTICE_UPSTREAM + config->upstream_count;
	notices->due_ms = THAW_NEVER;
	notices->of = calloc(notices->count, sizeof(*notices->of));
	return notices->of != NULL;
}

void gw_notices_free(struct gw_notices *notices)
{
	free(notices->of);
	notices->of = NULL;
	notices->count = 0;
}

/* Writes the text that the messages of a kind have in common. */
static void describe(const struct gateway *gateway, size_t kind, char *text, size_t room)
{
	static const char *const names[] = {
		[GW_NOTICE_PREFACE] = "no PROXY protocol header",
		[GW_NOTICE_HANDSHAKE] = "TLS handshake failed",
		[GW_NOTICE_UNUSED] = "connection ended before its first request",
		[GW_NOTICE_FLOOD] = "too many TLS records",
		[GW_NOTICE_MEMORY] = "out of memory",
		[GW_NOTICE_ASK] = "cannot ask for a certificate",
		[GW_NOTICE_CHAIN] = "client's certificate chain too large for the upstream request",
		[GW_NOTICE_CHALLENGE] = "ACME challenge not answered",
	};

	if (kind >= GW_NOTICE_UPSTREAM)
		(void)snprintf(text, room, "upstream '%s'", gateway->config->upstreams[kind - GW_NOTICE_UPSTREAM].name);
	else if (kind >= GW_NOTICE_REFUSED)
		(void)snprintf(text, room, "request refused: %s",
			       thaw_reason_name((enum thaw_reason)(kind - GW_NOTICE_REFUSED)));
	else
		(void)snprintf(text, room, "%s", names[kind]);
}

static void sum_up(struct gateway *gateway, size_t kind, uint64_t now_ms)
{
	struct gw_notice_rate *at = &gateway->notices.of[kind];
	uint64_t suppressed = rate_take(&at->rate, now_ms);
	char what[NAME_ROOM];

	if (suppressed == 0)
		return;
	describe(gateway, kind, what, sizeof(what));
	gw_say(gateway, at->level, "%llu more messages in the last %d s: %s", (unsigned long long)suppressed,
	       RATE_WINDOW_MS / 1000, what);
}

uint64_t gateway_sum_up(struct gateway *gateway, uint64_t now_ms, bool all)
{
	struct gw_notices *notices = &gateway->notices;

	if (!all && now_ms < notices->due_ms)
		return notices->due_ms;
	notices->due_ms = THAW_NEVER;
	for (size_t i = 0; i < notices->count; i++) {
		sum_up(gateway, i, all ? THAW_NEVER : now_ms);
		uint64_t due_ms = rate_due(&notices->of[i].rate);
		notices->due_ms = due_ms < notices->due_ms ? due_ms : notices->due_ms;
	}
	return notices->due_ms;
}

void gw_notice(struct gateway *gateway, size_t kind, enum config_log_level level, uint64_t now_ms, const char *format,
	       ...)
{
	struct gw_notice_rate *at = &gateway->notices.of[kind];
	char text[MESSAGE_MAX];
	va_list args;

	if (level > gateway->config->log.level)
		return;
	sum_up(gateway, kind, now_ms);
	at->level = level;
	if (!rate_pass(&at->rate, now_ms)) {
		if (at->rate.end_ms < gateway->notices.due_ms)
			gateway->notices.due_ms = at->rate.end_ms;
		return;
	}
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	gw_say(gateway, level, "%s", text);
}

static void address_of(const struct gw_conn *conn, char text[static ADDRESS_MAX])
{
	gw_record_address(gw_conn_peer(conn), text, ADDRESS_MAX);
}

/* " (SNI 'foo.example')" */
static void name_of(const struct gw_conn *conn, char text[static NAME_ROOM])
{
	const char *name = conn->tls != NULL ? tls_conn_name(conn->tls) : NULL;

	if (conn->plain != NULL)
		(void)snprintf(text, NAME_ROOM, " (plain HTTP)");
	else if (name == NULL)
		(void)snprintf(text, NAME_ROOM, " (no ClientHello)");
	else if (name[0] == '\0')
		(void)snprintf(text, NAME_ROOM, " (no SNI)");
	else
		(void)snprintf(text, NAME_ROOM, " (SNI '%s')", name);
}

void gw_notice_handshake(struct gw_conn *conn, const char *what)
{
	char address[ADDRESS_MAX], name[NAME_ROOM];

	scoreboard_handshake_failed(conn->gateway->env.scoreboard);
	conn->began = true; /* log only one message for the connection */
	address_of(conn, address);
	name_of(conn, name);
	gw_notice(conn->gateway, GW_NOTICE_HANDSHAKE, CONFIG_LOG_INFO, gw_now(conn), "%s: %s%s", address, what, name);
}

void gw_notice_unused(struct gw_conn *conn, const char *why)
{
	char address[ADDRESS_MAX], name[NAME_ROOM], text[MESSAGE_MAX];

	if (conn->began)
		return;
	if (gw_is_handshaking(conn)) {
		(void)snprintf(text, sizeof(text), "TLS handshake failed: %s", why);
		gw_notice_handshake(conn, text);
		return;
	}
	conn->began = true;
	address_of(conn, address);
	if (conn->state == GW_PREFACE) {
		gw_notice(conn->gateway, GW_NOTICE_PREFACE, CONFIG_LOG_INFO, gw_now(conn),
			  "%s: no PROXY protocol header: %s", address, why);
		return;
	}
	if (conn->state == GW_SILENT && !conn->named)
		return; /* a load balancer's health check: a PROXY header without a client, and nothing after it */
	if (conn->state == GW_SILENT) {
		scoreboard_connection_unused(conn->gateway->env.scoreboard);
		gw_notice(conn->gateway, GW_NOTICE_UNUSED, CONFIG_LOG_INFO, gw_now(conn),
			  "%s: connection ended before it sent anything: %s", address, why);
		return;
	}
	name_of(conn, name);
	scoreboard_connection_unused(conn->gateway->env.scoreboard);
	gw_notice(conn->gateway, GW_NOTICE_UNUSED, CONFIG_LOG_INFO, gw_now(conn),
		  "%s: connection ended before its first request: %s%s", address, why, name);
}

void gw_notice_refused(struct gw_conn *conn, enum thaw_reason reason)
{
	static const struct {
		enum config_log_level level;
		const char *text;
	} said[] = {
		[THAW_REASON_BUDGET_CLIENT] =
			{CONFIG_LOG_WARNING, "the client address uses its whole share of the spool (spool.per_client)"},
		[THAW_REASON_BUDGET_WORKER] = {CONFIG_LOG_WARNING, "the spool is full"},
		[THAW_REASON_BUDGET_TOTAL] = {CONFIG_LOG_WARNING, "the spool is full (spool.memory, spool.disk)"},
		[THAW_REASON_NO_MEMORY] = {CONFIG_LOG_ERROR, "out of memory"},
		[THAW_REASON_DISK_FULL] = {CONFIG_LOG_ERROR, "no space left on the spool's disk"},
		[THAW_REASON_DISK_ERROR] = {CONFIG_LOG_ERROR, "the spool's disk cannot be read or written"},
		[THAW_REASON_BUDGET_PRESSURE] = {CONFIG_LOG_WARNING,
						 "ended to free spool space, because the spool is nearly full"},
	};
	const char *directory = conn->gateway->config->spool.directory;
	bool disk = reason == THAW_REASON_DISK_FULL || reason == THAW_REASON_DISK_ERROR;
	char address[ADDRESS_MAX];

	if ((size_t)reason >= sizeof(said) / sizeof(said[0]) || said[reason].text == NULL)
		return;
	address_of(conn, address);
	gw_notice(conn->gateway, GW_NOTICE_REFUSED + (size_t)reason, said[reason].level, gw_now(conn),
		  "%s: request refused (%s): %s%s%s", address, thaw_reason_name(reason), said[reason].text,
		  disk && directory != NULL ? ": " : "", disk && directory != NULL ? directory : "");
}
