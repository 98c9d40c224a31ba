/*
 * Messages that a peer can cause, as often as it likes: each kind at a limited rate (base/rate.h), with the number of
 * those that were left out.
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
	GW_NOTICE_FLOOD,  /* of TLS records */
	GW_NOTICE_MEMORY,
	GW_NOTICE_ASK,
	GW_NOTICE_CHAIN,
	GW_NOTICE_CHALLENGE,
	GW_NOTICE_REFUSED,                                                       /* + the reason */
	GW_NOTICE_UPSTREAM = GW_NOTICE_REFUSED + THAW_REASON_BUDGET_PRESSURE + 1 /* + its index */
};

struct gw_notices {
	struct gw_notice_rate {
		struct rate rate;
		enum config_log_level level; /* of what was held back */
	} * of;
	size_t count;
	uint64_t due_ms; /* the first of them; THAW_NEVER: none */
};

bool gw_notices_init(struct gw_notices *notices, const struct config *config); /* false: no memory */
void gw_notices_free(struct gw_notices *notices);

/* As gw_say(). kind: an enum gw_notice, or one of those with something added. */
void gw_notice(struct gateway *gateway, size_t kind, enum config_log_level level, uint64_t now_ms, const char *format,
	       ...) THAW_PRINTF(5, 6);

/* The connection ends, and why. Says so if no request has begun on it; else its access records do. */
void gw_notice_unused(struct gw_conn *conn, const char *why);
/* The handshake failed. what: the whole of it, as tls_conn_handshake() says it. */
void gw_notice_handshake(struct gw_conn *conn, const char *what);
/* A request is refused since the gateway lacks something. */
void gw_notice_refused(struct gw_conn *conn, enum thaw_reason reason);

#endif
