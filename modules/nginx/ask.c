#include "thaw_nginx.h"

static void on_read(ngx_http_request_t *r);

/* ---- request data ---- */

/* Pool cleanup handler. */
static void leave(void *data)
{
	thaw_request_t *asked = data;
	thaw_link_t *link = thaw_link_of(asked->r->connection);

	if (asked->link != NULL)
		thaw_link_leave(asked->link);
	if (link != NULL)
		link->again = NULL; /* allocated from the request's pool */
}

/* Request cleanup handler: runs before the request is logged. */
static void end(void *data)
{
	thaw_request_t *asked = data;

	if (asked->link != NULL)
		thaw_settle(asked, THAW_SETTLED);
}

static ngx_pool_cleanup_t *find(ngx_http_request_t *r)
{
	ngx_pool_cleanup_t *cleanup = r->pool->cleanup;

	while (cleanup != NULL && cleanup->handler != leave)
		cleanup = cleanup->next;
	return cleanup;
}

thaw_request_t *thaw_request_of(ngx_http_request_t *r)
{
	ngx_pool_cleanup_t *cleanup = find(r->main);

	return cleanup != NULL ? cleanup->data : NULL;
}

static thaw_request_t *new_request(ngx_http_request_t *r, const thaw_trust *trust)
{
	ngx_pool_cleanup_t *cleanup = find(r);

	if (cleanup == NULL) {
		ngx_http_cleanup_t *before_log = ngx_http_cleanup_add(r, 0);
		if (before_log == NULL || (cleanup = ngx_pool_cleanup_add(r->pool, sizeof(thaw_request_t))) == NULL)
			return NULL;
		cleanup->handler = leave;
		before_log->handler = end;
		before_log->data = cleanup->data;
	}
	thaw_request_t *asked = cleanup->data;
	*asked = (thaw_request_t){.r = r, .state = THAW_WAITS, .err_status = r->err_status, .trust = trust};
	return asked;
}

#define BIT(state) (1U << (state))

void thaw_enter(thaw_request_t *asked, thaw_state_e to)
{
	static const unsigned next[] = {
		[THAW_WAITS] = BIT(THAW_READS) | BIT(THAW_SETTLED),
		[THAW_READS] = BIT(THAW_WAITS) | BIT(THAW_JUDGED) | BIT(THAW_SETTLED),
		[THAW_JUDGED] = BIT(THAW_SETTLED),
		[THAW_SETTLED] = 0,
	};

	if (asked->state == to)
		return;
	if ((next[asked->state] & BIT(to)) == 0) {
		ngx_log_error(NGX_LOG_ALERT, asked->r->connection->log, 0, "thaw: state %d cannot follow state %d", to,
			      asked->state);
		ngx_debug_point();
	}
	asked->state = to;
}

/* ---- result of the access phase ---- */

/* Redirects to the same target at a server that asks in the handshake. */
static ngx_int_t send_elsewhere(ngx_http_request_t *r, const ngx_str_t *origin)
{
	ngx_table_elt_t *location = ngx_list_push(&r->headers_out.headers);

	if (location == NULL)
		return NGX_HTTP_INTERNAL_SERVER_ERROR;
	ngx_memzero(location, sizeof(*location));
	/* A target in absolute form contains another origin: use the path that nginx parsed. */
	ngx_str_t target = r->unparsed_uri.len > 0 && r->unparsed_uri.data[0] == '/' ? r->unparsed_uri : r->uri;
	location->value.len = origin->len + target.len;
	location->value.data = ngx_pnalloc(r->pool, location->value.len);
	if (location->value.data == NULL)
		return NGX_HTTP_INTERNAL_SERVER_ERROR;
	ngx_memcpy(ngx_cpymem(location->value.data, origin->data, origin->len), target.data, target.len);
	location->hash = 1;
	ngx_str_set(&location->key, "Location");
	r->headers_out.location = location;
	return NGX_HTTP_TEMPORARY_REDIRECT;
}

static ngx_int_t outcome(ngx_http_request_t *r, const thaw_location_t *location, const struct thaw_report *report)
{
	if (report->verdict == THAW_VERDICT_ACCEPTED)
		return NGX_OK;
	if (report->reason == THAW_REASON_CONNECTION)
		return NGX_HTTP_CLIENT_CLOSED_REQUEST;
	if (!location->require)
		return NGX_DECLINED;
	ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
		      "thaw: access forbidden: the client's certificate was not accepted: %s (%s)%s%s",
		      thaw_verdict_name(report->verdict), thaw_reason_name(report->reason),
		      report->detail[0] != '\0' ? ": " : "", report->detail);
#if (NGX_HTTP_V2)
	if (r->stream != NULL && report->reason == THAW_REASON_HTTP2)
		return thaw_http2_reset(r);
#endif
	if (report->verdict == THAW_VERDICT_IMPOSSIBLE && location->elsewhere.len > 0)
		return send_elsewhere(r, &location->elsewhere);
	return report->reason == THAW_REASON_NO_MEMORY ? NGX_HTTP_SERVICE_UNAVAILABLE : NGX_HTTP_FORBIDDEN;
}

/* ---- the verdict ---- */

static int came_before_renegotiation(const thaw_request_t *asked, const thaw_link_t *link)
{
	const ngx_http_request_t *r = asked->r;

	return asked->report.means == THAW_MEANS_RENEGOTIATION && asked->report.asked_ms != 0 &&
	       (link->early != NULL || (!thaw_body_is_unread(r) && r->header_in->pos < r->header_in->last));
}

/* Requests pipelined before a renegotiation are not processed after it (CVE-2009-3555; RFC 5746). */
static void drop_pipelined(ngx_http_request_t *r, thaw_link_t *link)
{
	r->keepalive = 0;
	if (thaw_body_is_unread(r)) {
		r->expect_tested = 1; /* the early data begin with the body: the client did not wait for a 100 */
		return;
	}
	thaw_link_drop_early(link);
	r->header_in->pos = r->header_in->last;
}

void thaw_settle(thaw_request_t *asked, thaw_state_e state)
{
	thaw_link_t *link = asked->link;

	if (asked->state == THAW_WAITS || asked->state == THAW_READS) {
		if (thaw_link_is_pending(link))
			thaw_conn_ask_end(link->conn, THAW_VERDICT_CANCELLED, THAW_REASON_CALLER, ngx_current_msec);
		asked->report = *thaw_conn_report(link->conn);
	}
	thaw_enter(asked, state);
	if (state == THAW_SETTLED && came_before_renegotiation(asked, link))
		drop_pipelined(asked->r, link);
	thaw_link_leave(link);
}

/* The connection is closed or cannot be used any more. */
static void give_up(thaw_request_t *asked)
{
	ngx_http_request_t *r = asked->r;

	if (asked->link != NULL)
		thaw_settle(asked, THAW_SETTLED);
	r->connection->error = 1;
	ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
}

void thaw_go_on(thaw_request_t *asked)
{
	ngx_http_request_t *r = asked->r;

	if (asked->link != NULL)
		thaw_link_leave(asked->link);
	thaw_enter(asked, THAW_SETTLED);
	r->err_status = asked->err_status;
	if (r->connection->ssl->last == NGX_ERROR) { /* the connection cannot be written either */
		give_up(asked);
		return;
	}
	if (asked->has_body && thaw_body_hand_back_small(r) == NGX_ERROR) {
		ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
		return;
	}
	r->read_event_handler = r->discard_body ? ngx_http_discarded_request_body_handler : ngx_http_block_reading;
	r->write_event_handler = ngx_http_core_run_phases;
	ngx_http_core_run_phases(r);
}

static void read_after_all(thaw_request_t *asked)
{
	ngx_http_request_t *r = asked->r;

	r->expect_tested = 1; /* the client did not wait for a 100 */
	ngx_int_t rc = thaw_body_read(asked);
	if (rc >= NGX_HTTP_SPECIAL_RESPONSE)
		ngx_http_finalize_request(r, rc);
}

/* In THAW_WAITS: reads to advance the ask. */
static void pump(thaw_request_t *asked)
{
	thaw_link_t *link = asked->link;
	ngx_int_t rc = thaw_link_pump(link);

	if (!thaw_link_is_pending(link)) {
		if (rc == NGX_ERROR) {
			give_up(asked);
			return;
		}
		thaw_settle(asked, THAW_SETTLED);
		thaw_go_on(asked);
	} else if (rc == NGX_ERROR || thaw_link_arm(link) != NGX_OK) {
		give_up(asked);
	} else if (link->early != NULL && thaw_body_is_unread(asked->r)) {
		read_after_all(asked);
	}
}

/* The request is allowed, but nginx is still reading the body: streams it if possible. */
static void read_on(thaw_request_t *asked, thaw_link_t *link)
{
	ngx_http_request_t *r = asked->r;
	ngx_int_t rc = NGX_DECLINED;

	if (asked->report.reason != THAW_REASON_CONNECTION && thaw_body_may_stream(r))
		rc = thaw_body_hand_back(r, link);
	if (rc == NGX_OK) {
		thaw_go_on(asked);
		return;
	}
	if (rc == NGX_ERROR) {
		ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
		return;
	}
	if (rc == NGX_AGAIN)
		thaw_link_watch(link, asked);
	else if (asked->link != NULL)
		thaw_link_leave(link);
	r->write_event_handler = ngx_http_request_empty_handler;
	thaw_body_resume_timer(r);
}

/* In THAW_READS: checks for a verdict. */
static void look(thaw_request_t *asked)
{
	thaw_link_t *link = asked->link;
	ngx_http_request_t *r = asked->r;
	const thaw_location_t *location = ngx_http_get_module_loc_conf(r, ngx_http_thaw_module);

	if (thaw_link_is_pending(link)) {
		if (thaw_link_waits_for_client(link))
			thaw_body_pause_timer(r);
		if (thaw_link_arm(link) != NGX_OK)
			give_up(asked);
		return;
	}
	thaw_settle(asked, THAW_JUDGED);
	if (asked->report.verdict == THAW_VERDICT_ACCEPTED || asked->report.reason == THAW_REASON_CONNECTION ||
	    !location->require) {
		read_on(asked, link);
		return;
	}
	thaw_body_discard(r);
	thaw_go_on(asked);
}

/* Whether nginx failed to read the body, and has begun to answer with an error such as 413: see thaw_body_read(). */
static int has_failed(const thaw_request_t *asked)
{
	return asked->state != THAW_WAITS && asked->r->err_status != 0;
}

/* The request is answered with an error, before or after the verdict. */
static void abandon(thaw_request_t *asked)
{
	if (asked->link != NULL)
		thaw_settle(asked, THAW_SETTLED);
	thaw_enter(asked, THAW_SETTLED);
}

void thaw_access_news(thaw_request_t *asked)
{
	ngx_connection_t *c = asked->r->connection;

	ngx_http_set_log_request(c->log, asked->r);
	if (has_failed(asked))
		abandon(asked);
	else if (asked->state == THAW_WAITS)
		pump(asked);
	else if (asked->state == THAW_READS)
		look(asked);
	else if (asked->state == THAW_JUDGED)
		read_on(asked, asked->link);
	ngx_http_run_posted_requests(c);
}

static void on_read(ngx_http_request_t *r)
{
	thaw_request_t *asked = thaw_request_of(r);

	if (asked->link != NULL)
		pump(asked);
}

/* The socket is writable: sends the rest of the certificate request. */
void thaw_on_write(ngx_http_request_t *r)
{
	thaw_request_t *asked = thaw_request_of(r);

	if (asked->link == NULL)
		return;
	thaw_conn_tick(asked->link->conn, ngx_current_msec);
	thaw_link_clear_errors();
	ngx_post_event(&asked->link->news, &ngx_posted_events);
}

void thaw_wait(thaw_request_t *asked)
{
	ngx_http_request_t *r = asked->r;

	thaw_enter(asked, THAW_WAITS);
	r->read_event_handler = on_read;
	r->write_event_handler = thaw_on_write;
	if (r->connection->read->timer_set)
		ngx_del_timer(r->connection->read); /* the ask has its own deadline */
	ngx_post_event(&asked->link->news, &ngx_posted_events);
}

/* ---- the access phase ---- */

static ngx_int_t begin(ngx_http_request_t *r, const thaw_location_t *location, thaw_link_t *link)
{
	int reads = thaw_body_is_unread(r) && (location->when == THAW_BODY || !thaw_body_waits_for_continue(r));
	struct thaw_ask_options options = {
		.size = sizeof(options),
		.trust = location->trust,
		.moment = location->when == THAW_BODY ? THAW_MOMENT_BODY : THAW_MOMENT_HEADERS,
		.body_follows = reads,
		.early = location->when == THAW_REQUEST_EARLY,
		.timeout_ms = location->timeout,
		.body_idle_ms = THAW_NEVER, /* client_body_timeout decides */
	};
	thaw_request_t *asked = new_request(r, location->trust);

	if (asked == NULL || thaw_link_ask(link, asked, &options) != NGX_OK)
		return NGX_HTTP_INTERNAL_SERVER_ERROR;
	if (!thaw_link_is_pending(link)) {
		thaw_settle(asked, THAW_SETTLED);
		return outcome(r, location, &asked->report);
	}
	if (!reads) {
		thaw_wait(asked);
		return NGX_AGAIN;
	}
	ngx_int_t rc = thaw_body_read(asked);
	return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}

#if (NGX_HTTP_V3)
/* RFC 9001 4.4: QUIC forbids post-handshake authentication, and has no renegotiation. */
static ngx_int_t refuse_http3(ngx_http_request_t *r, const thaw_location_t *location)
{
	thaw_request_t *asked = new_request(r, location->trust);

	if (asked == NULL)
		return NGX_HTTP_INTERNAL_SERVER_ERROR;
	thaw_enter(asked, THAW_SETTLED);
	asked->report.verdict = THAW_VERDICT_IMPOSSIBLE;
	asked->report.reason = THAW_REASON_NO_POST_HANDSHAKE;
	asked->report.began_ms = asked->report.ended_ms = ngx_current_msec;
	return outcome(r, location, &asked->report);
}
#endif

/* A request without a link, or with one of another server block. */
static ngx_int_t refuse_unlinked(ngx_http_request_t *r, const thaw_link_t *link)
{
	const ngx_http_ssl_srv_conf_t *server = ngx_http_get_module_srv_conf(r, ngx_http_ssl_module);

	if (link == NULL && SSL_get_SSL_CTX(r->connection->ssl->connection) == server->ssl.ctx) {
		ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
			      "thaw: cannot ask for the client's certificate: there was no memory for its connection");
		return NGX_HTTP_SERVICE_UNAVAILABLE;
	}
	/* RFC 9110 15.5.20: the handshake was for another server; the client can retry on a new connection. */
	ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
		      "thaw: the client's handshake was for another server than its request");
	return NGX_HTTP_MISDIRECTED_REQUEST;
}

ngx_int_t thaw_access(ngx_http_request_t *r)
{
	const thaw_location_t *location = ngx_http_get_module_loc_conf(r, ngx_http_thaw_module);
	thaw_request_t *asked;

	if (location->when == THAW_OFF)
		return NGX_DECLINED;
	asked = thaw_request_of(r);
	if (asked != NULL && asked->state != THAW_SETTLED) { /* error_page */
		abandon(asked);
		r->read_event_handler = ngx_http_block_reading;
	}
	if (asked != NULL && asked->trust == location->trust)
		return outcome(r, location, &asked->report);
	if (r->connection->ssl == NULL) {
		ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
			      "thaw: access forbidden: a request without TLS has no certificate");
		return location->require ? NGX_HTTP_FORBIDDEN : NGX_DECLINED;
	}
#if (NGX_HTTP_V3)
	if (r->connection->quic != NULL)
		return refuse_http3(r, location);
#endif
	if (r->connection->ssl->last == NGX_ERROR) /* nginx has read the request, and a broken record after it */
		return NGX_HTTP_CLIENT_CLOSED_REQUEST;
	thaw_link_t *link = thaw_link_of(r->connection);
	if (link == NULL || link->server != ngx_http_get_module_srv_conf(r, ngx_http_thaw_module))
		return refuse_unlinked(r, link);
	/* RFC 8470 5.2: early data may be a replay, and the client cannot be asked before the handshake is over. */
	if (SSL_is_init_finished(r->connection->ssl->connection) != 1)
		return 425;
	return begin(r, location, link);
}
