#include "thaw_nginx.h"

static void on_read(ngx_http_request_t *r);
static void on_write(ngx_http_request_t *r);

/* The request is gone, or goes to another location, whose answer is its own. */
static void leave(void *data)
{
	thaw_request_t *asked = data;

	if (asked->state != THAW_SETTLED)
		thaw_link_leave(asked->link);
}

static thaw_request_t *new_request(ngx_http_request_t *r, thaw_link_t *link)
{
	thaw_request_t *asked = ngx_pcalloc(r->pool, sizeof(*asked));
	ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->pool, 0);

	if (asked == NULL || cleanup == NULL)
		return NULL;
	cleanup->handler = leave;
	cleanup->data = asked;
	asked->state = THAW_SETTLED;
	asked->link = link;
	ngx_http_set_ctx(r, asked, ngx_http_thaw_module);
	return asked;
}

/* To where each handshake asks: the same target, there. */
static ngx_int_t send_elsewhere(ngx_http_request_t *r, const ngx_str_t *origin)
{
	ngx_table_elt_t *location = ngx_list_push(&r->headers_out.headers);

	if (location == NULL)
		return NGX_HTTP_INTERNAL_SERVER_ERROR;
	ngx_memzero(location, sizeof(*location));
	location->value.len = origin->len + r->unparsed_uri.len;
	location->value.data = ngx_pnalloc(r->pool, location->value.len);
	if (location->value.data == NULL || r->unparsed_uri.len == 0 || r->unparsed_uri.data[0] != '/')
		return NGX_HTTP_INTERNAL_SERVER_ERROR;
	ngx_memcpy(ngx_cpymem(location->value.data, origin->data, origin->len), r->unparsed_uri.data,
		   r->unparsed_uri.len);
	location->hash = 1;
	ngx_str_set(&location->key, "Location");
	r->headers_out.location = location;
	return NGX_HTTP_TEMPORARY_REDIRECT;
}

static ngx_int_t refusal(ngx_http_request_t *r, const thaw_location_t *location, const struct thaw_report *report)
{
	ngx_log_error(NGX_LOG_INFO, r->connection->log, 0, "thaw: the client's certificate is not there: %s (%s)%s%s",
		      thaw_verdict_name(report->verdict), thaw_reason_name(report->reason),
		      report->detail[0] != '\0' ? ": " : "", report->detail);
	switch (report->verdict) {
	case THAW_VERDICT_IMPOSSIBLE:
		return location->elsewhere.len > 0 ? send_elsewhere(r, &location->elsewhere) : NGX_HTTP_FORBIDDEN;
	case THAW_VERDICT_TIMED_OUT:
		return NGX_HTTP_REQUEST_TIME_OUT;
	case THAW_VERDICT_OVER_LIMIT:
		return NGX_HTTP_SERVICE_UNAVAILABLE;
	default:
		return NGX_HTTP_FORBIDDEN;
	}
}

/* The verdict is in: what the access phase says. */
static void settle(ngx_http_request_t *r, thaw_request_t *asked)
{
	const thaw_location_t *location = ngx_http_get_module_loc_conf(r, ngx_http_thaw_module);

	thaw_conn_report(asked->link->conn, &asked->report);
	asked->state = THAW_SETTLED;
	thaw_link_leave(asked->link);
	if (asked->report.verdict == THAW_VERDICT_ACCEPTED)
		asked->outcome = NGX_OK;
	else
		asked->outcome = location->require ? refusal(r, location, &asked->report) : NGX_DECLINED;
}

static int is_pending(const thaw_request_t *asked)
{
	return thaw_verdict(asked->link->conn) == THAW_VERDICT_PENDING;
}

/* Once more through the access phase, now that it has an answer. */
static void go_on(ngx_http_request_t *r)
{
	r->write_event_handler = ngx_http_core_run_phases;
	ngx_http_core_run_phases(r);
}

static void wait_on(ngx_http_request_t *r, thaw_request_t *asked)
{
	asked->state = THAW_WAITS;
	r->read_event_handler = on_read;
	r->write_event_handler = on_write;
	if (thaw_link_pump(asked->link) == NGX_ERROR || thaw_link_arm(asked->link) != NGX_OK)
		ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
}

void thaw_access_settle(ngx_http_request_t *r)
{
	ngx_connection_t *c = r->connection;
	thaw_request_t *asked = ngx_http_get_module_ctx(r, ngx_http_thaw_module);

	if (asked == NULL || asked->state == THAW_SETTLED)
		return;
	if (is_pending(asked)) {
		if (thaw_link_arm(asked->link) != NGX_OK)
			ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
	} else if (asked->state == THAW_WAITS || thaw_verdict(asked->link->conn) != THAW_VERDICT_ACCEPTED) {
		settle(r, asked);
		go_on(r); /* a refusal needs no more of the body */
	}
	ngx_http_run_posted_requests(c);
}

static void on_read(ngx_http_request_t *r)
{
	thaw_request_t *asked = ngx_http_get_module_ctx(r, ngx_http_thaw_module);

	if (thaw_link_pump(asked->link) == NGX_ERROR) {
		ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
		return;
	}
	thaw_access_settle(r);
}

/* What the transport did not take of the request for the certificate. */
static void on_write(ngx_http_request_t *r)
{
	thaw_request_t *asked = ngx_http_get_module_ctx(r, ngx_http_thaw_module);

	thaw_tick(asked->link->conn, ngx_current_msec);
	thaw_access_settle(r);
}

static void on_body(ngx_http_request_t *r)
{
	thaw_request_t *asked = ngx_http_get_module_ctx(r, ngx_http_thaw_module);

	if (asked->state == THAW_BODY_COMES) {
		thaw_body_ended(asked->link->conn, ngx_current_msec);
		if (is_pending(asked)) {
			wait_on(r, asked);
			return;
		}
		settle(r, asked);
	}
	go_on(r);
}

static ngx_int_t begin(ngx_http_request_t *r, const thaw_location_t *location, thaw_request_t *asked)
{
	const ngx_http_core_loc_conf_t *core = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
	int has_body = (r->headers_in.content_length_n > 0 || r->headers_in.chunked) && r->request_body == NULL &&
		       !r->discard_body;
	struct thaw_ask_options options = {
		.trust = location->trust,
		.moment = location->when == THAW_BODY ? THAW_MOMENT_BODY : THAW_MOMENT_HEADERS,
		.body_follows = has_body,
		.early = location->when == THAW_REQUEST_EARLY,
		.timeout_ms = location->timeout,
		.body_idle_ms = core->client_body_timeout,
	};

	if (thaw_link_ask(asked->link, r, &options) != NGX_OK)
		return NGX_HTTP_INTERNAL_SERVER_ERROR;
	if (!is_pending(asked)) {
		settle(r, asked);
		return asked->outcome;
	}
	if (!has_body) {
		wait_on(r, asked);
		return NGX_DONE;
	}
	asked->state = THAW_BODY_COMES;
	ngx_int_t rc = ngx_http_read_client_request_body(r, on_body);
	if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
		asked->state = THAW_SETTLED;
		thaw_link_leave(asked->link);
		return rc;
	}
	if (rc == NGX_AGAIN) {
		r->write_event_handler = on_write;
		if (thaw_link_arm(asked->link) != NGX_OK)
			rc = NGX_ERROR;
	}
	ngx_http_finalize_request(r, NGX_DONE);
	return NGX_DONE;
}

ngx_int_t thaw_access(ngx_http_request_t *r)
{
	const thaw_location_t *location = ngx_http_get_module_loc_conf(r, ngx_http_thaw_module);
	thaw_request_t *asked = ngx_http_get_module_ctx(r, ngx_http_thaw_module);

	if (location->when == THAW_OFF)
		return NGX_DECLINED;
	if (asked != NULL)
		return asked->state == THAW_SETTLED ? asked->outcome : NGX_DONE;
	thaw_link_t *link = thaw_link_of(r->stream != NULL ? r->connection : r->connection);
	if (link == NULL) {
		ngx_log_error(NGX_LOG_INFO, r->connection->log, 0, "thaw: a request without TLS has no certificate");
		return location->require ? NGX_HTTP_FORBIDDEN : NGX_DECLINED;
	}
	asked = new_request(r, link);
	return asked != NULL ? begin(r, location, asked) : NGX_HTTP_INTERNAL_SERVER_ERROR;
}
