/* What is answered to a request, and the parts of it that are made in files of their own. */
#ifndef ADMIN_RESPOND_H
#define ADMIN_RESPOND_H

#include "admin/admin.h"
#include "admin/text.h"
#include "gateway/board_view.h"
#include "http/head.h"
#include "thaw/thaw.h"

/* One whole response, head and body, into text. close: the connection ends with it. False: no memory. */
bool admin_respond(const struct admin *admin, const struct http_request *request, bool close, uint64_t now_ms,
		   struct buffer *text) THAW_MUST_CHECK;
/* The same for a head that is refused; the connection ends with it. */
bool admin_refuse(const struct admin *admin, const struct http_refusal *refusal, uint64_t now_ms,
		  struct buffer *text) THAW_MUST_CHECK;

/* What there is to see, at one moment. */
struct admin_sight {
	const struct admin *admin;
	struct board_view *board;
	struct thaw_ledger_use spool;
	uint64_t now_ms;
	int64_t wall_ms;
};

/* Prometheus' text format, version 0.0.4. */
void admin_metrics(const struct admin_sight *sight, struct buffer *text);

/* An object in JSON. False: no memory. */
bool admin_status(const struct admin_sight *sight, struct buffer *text) THAW_MUST_CHECK;

/* The page, whose scripts and styles carry this nonce. */
#define ADMIN_NONCE_MAX 33
bool admin_make_nonce(char nonce[static ADMIN_NONCE_MAX]) THAW_MUST_CHECK;
void admin_page(const char *nonce, struct buffer *text);

/* The words of the metrics and of the status. */
const char *admin_phase_name(enum board_phase phase);
const char *admin_class_name(size_t status_class); /* "none", "1xx" ... */
const char *admin_version_name(size_t tls);        /* "TLSv1.2", "TLSv1.3", "other" */

#endif
