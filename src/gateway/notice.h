/*
 * Log messages that a peer can cause as often as it likes. Each kind has a limited rate (base/rate.h); the number of
 * suppressed messages is logged.
 */
#ifndef GATEWAY_NOTICE_H
#define GATEWAY_NOTICE_H

#include "base/rate.h"
#include "config/config.h"

struct gateway;
struct gw_conn;

enum gw_notice {
	GW_NOTICE_PREFACE,
	GW_NOTICE_HANDSHAKE,
	GW_NOTICE_UNUSED, /* the connection ended before its first request */
	GW_NOTICE_FLOOD,  /* too many TLS records */
	GW_NOTICE_MEMORY,
	GW_NOTICE_ASK,
	GW_NOTICE_CHAIN,
	GW_NOTICE_CHALLENGE,
	GW_NOTICE_REFUSED,                                                       /* + the reason */
	GW_NOTICE_UPSTREAM = GW_NOTICE_REFUSED + THAW_REASON_BUDGET_PRESSURE + 1 /* + the upstream's index */
};

struct gw_notices {
	struct gw_notice_rate {
		struct rate rate;
		enum config_log_level level; /* of the suppressed messages */
	} * of;
	size_t count;
	uint64_t due_ms; /* when the first summary is due; THAW_NEVER: none */
};

bool gw_notices_init(struct gw_notices *notices, const struct config *config); /* false: out of memory */
void gw_notices_free(struct gw_notices *notices);

/* As gw_say(), at a limited rate. kind: an enum gw_notice, or the sum of one and a number, as noted there. */
void gw_notice(struct gateway *gateway, size_t kind, enum config_log_level level, uint64_t now_ms, const char *format,
	       ...) THAW_PRINTF(5, 6);

/* Call when the connection ends. Logs the reason if no request has begun on it; otherwise the access records
 * have it. */
void gw_notice_unused(struct gw_conn *conn, const char *why);
/* Logs a failed handshake. what: the complete message from tls_conn_handshake(). */
void gw_notice_handshake(struct gw_conn *conn, const char *what);
/* Logs that a request is refused because the gateway lacks a resource. */
void gw_notice_refused(struct gw_conn *conn, enum thaw_reason reason);

#endif
