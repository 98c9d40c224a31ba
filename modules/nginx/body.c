#include "thaw_nginx.h"

int thaw_body_is_unread(const ngx_http_request_t *r)
{
	return (r->headers_in.content_length_n > 0 || r->headers_in.chunked) && r->request_body == NULL &&
	       !r->discard_body;
}

int thaw_body_waits_for_continue(const ngx_http_request_t *r)
{
	static const ngx_str_t word = ngx_string("100-continue");
	const ngx_table_elt_t *expect = r->headers_in.expect;

	return !r->expect_tested && r->http_version >= NGX_HTTP_VERSION_11 && expect != NULL &&
	       expect->value.len == word.len && ngx_strncasecmp(expect->value.data, word.data, word.len) == 0 &&
	       r->header_in->pos == r->header_in->last;
}

/* The whole body is there. */
static void on_body(ngx_http_request_t *r)
{
	thaw_request_t *asked = thaw_request_of(r);

	if (asked->state == THAW_READS) {
		thaw_conn_body_ended(asked->link->conn, ngx_current_msec);
		thaw_link_clear_errors();
		if (thaw_link_is_pending(asked->link)) {
			thaw_wait(asked);
			return;
		}
		thaw_settle(asked, THAW_SETTLED);
	}
	thaw_go_on(asked);
}

/* A handler of the content phase, such as WebDAV's, may take the file itself, which has to have a name then. Those that
 * pass the body on (proxy_pass and the like) are a location's own handler. */
static void want_file(ngx_http_request_t *r)
{
	const ngx_http_core_loc_conf_t *core = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

	if (core->handler != NULL)
		return;
	r->request_body_in_file_only = 1;
	r->request_body_in_persistent_file = 1;
	r->request_body_in_clean_file = 1;
	r->request_body_file_group_access = 1;
	r->request_body_file_log_level = 0;
}

ngx_int_t thaw_body_read(thaw_request_t *asked)
{
	ngx_http_request_t *r = asked->r;

	want_file(r);
	asked->state = THAW_READS;
	ngx_int_t rc = ngx_http_read_client_request_body(r, on_body);
	if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
		thaw_settle(asked, THAW_SETTLED);
		return rc;
	}
	ngx_http_finalize_request(r, NGX_DONE);
	return rc;
}

void thaw_body_pause_timer(ngx_http_request_t *r)
{
	if (r->connection->read->timer_set)
		ngx_del_timer(r->connection->read);
}

void thaw_body_resume_timer(ngx_http_request_t *r)
{
	const ngx_http_core_loc_conf_t *core = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

	if (!r->connection->read->timer_set)
		ngx_add_timer(r->connection->read, core->client_body_timeout);
}

void thaw_body_discard(ngx_http_request_t *r)
{
	ngx_http_request_body_t *body = r->request_body;
	ngx_event_t *rev = r->connection->read;

	if (rev->timer_set)
		ngx_del_timer(rev);
	/* As ngx_http_discard_request_body() does, which leaves a body alone that is being read. What nginx wants to
	 * see of a chunked one is in the same place. */
	r->headers_in.content_length_n = body->rest;
	body->bufs = NULL;
	body->temp_file = NULL;
	r->reading_body = 0;
	r->discard_body = 1;
	r->main->count++;
	ngx_post_event(rev, &ngx_posted_events);
}
