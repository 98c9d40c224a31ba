/* Builds the response to a request. Its parts are in files of their own. */
#ifndef ADMIN_RESPOND_H
#define ADMIN_RESPOND_H

#include "admin/admin.h"
#include "admin/text.h"
#include "gateway/scoreboard_view.h"
#include "http/head.h"
#include "thaw/thaw.h"

/* Writes one complete response, head and body, to text. close: the connection is closed after it. False: out of
 * memory. */
bool admin_respond(const struct admin *admin, const struct http_request *request, bool close, uint64_t now_ms,
		   struct buffer *text) THAW_MUST_CHECK;
/* The same for a head that is rejected; the connection is closed after it. */
bool admin_refuse(const struct admin *admin, const struct http_refusal *refusal, uint64_t now_ms,
		  struct buffer *text) THAW_MUST_CHECK;

/* A snapshot of the gateway's state. */
struct admin_sight {
	const struct admin *admin;
	struct scoreboard_view *scoreboard;
	struct thaw_quota_use spool;
	uint64_t now_ms;
	int64_t wall_ms;
};

/* Prometheus' text format, version 0.0.4. */
void admin_metrics(const struct admin_sight *sight, struct buffer *text);

/* A JSON object. False: out of memory. */
bool admin_status(const struct admin_sight *sight, struct buffer *text) THAW_MUST_CHECK;

/* The page; its scripts and styles carry this nonce. */
#define ADMIN_NONCE_MAX 33
bool admin_make_nonce(char nonce[static ADMIN_NONCE_MAX]) THAW_MUST_CHECK;
void admin_page(const char *nonce, struct buffer *text);

/* Names used in the metrics and in the status. */
const char *admin_phase_name(enum scoreboard_phase phase);
const char *admin_class_name(size_t status_class); /* "none", "1xx" ... */
const char *admin_version_name(size_t tls);        /* "TLSv1.2", "TLSv1.3", "other" */

#endif
