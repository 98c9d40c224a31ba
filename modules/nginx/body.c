#include "thaw_nginx.h"

#define CHUNK_HEAD_MAX (2 * sizeof(off_t) + 2) /* size in hexadecimal, CRLF */

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

/* Called by nginx when the whole body has been read. */
static void on_body(ngx_http_request_t *r)
{
	thaw_request_t *asked = thaw_request_of(r);

	asked->has_body = 1;
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

/* Whether a content phase handler, such as WebDAV's, may use the body's temporary file. proxy_pass and similar
 * directives set the location's own handler instead. */
static int may_take_file(ngx_http_request_t *r)
{
	const ngx_http_core_loc_conf_t *core = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

	return core->handler == NULL;
}

/* If the body needs a temporary file, it is created with a name. */
static void name_file(ngx_http_request_t *r)
{
	if (r->request_body_in_file_only)
		return; /* client_body_in_file_only decides */
	r->request_body_in_persistent_file = 1;
	r->request_body_in_clean_file = 1;
	r->request_body_file_group_access = 1;
	r->request_body_file_log_level = 0;
}

ngx_int_t thaw_body_read(thaw_request_t *asked)
{
	ngx_http_request_t *r = asked->r;

	if (may_take_file(r))
		name_file(r);
	thaw_enter(asked, THAW_READS);
	r->err_status = 0; /* nginx sets it if the body cannot be read; thaw_go_on() restores it */
	ngx_int_t rc = ngx_http_read_client_request_body(r, on_body);
	if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
		thaw_settle(asked, THAW_SETTLED);
		return rc;
	}
	if (rc == NGX_AGAIN) /* nginx has set one that does nothing */
		r->write_event_handler = thaw_on_write;
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
	/* As ngx_http_discard_request_body() does, which does nothing for a body that is being read. The parser of a
	 * chunked body is in r->request_body already. */
	r->headers_in.content_length_n = body->rest;
	body->bufs = NULL;
	body->temp_file = NULL;
	r->reading_body = 0;
	r->discard_body = 1;
	r->main->count++;
	ngx_post_event(rev, &ngx_posted_events);
}

/* ---- handing the body back ---- */

static int says_streaming(const ngx_command_t *command)
{
	static const ngx_str_t end = ngx_string("_request_buffering");

	return command->name.len > end.len && command->set == ngx_conf_set_flag_slot &&
	       command->conf == NGX_HTTP_LOC_CONF_OFFSET &&
	       ngx_strncmp(command->name.data + command->name.len - end.len, end.data, end.len) == 0;
}

/* The configuration structures of other modules are private, but their ngx_command_t have the flag's offset. */
void thaw_body_find_directives(ngx_conf_t *cf)
{
	ngx_module_t **modules = cf->cycle->modules;
	thaw_main_t *found = ngx_http_conf_get_module_main_conf(cf, ngx_http_thaw_module);
	const ngx_command_t *command;
	ngx_uint_t i;

	for (i = 0; modules[i] != NULL; i++) {
		command = modules[i]->type == NGX_HTTP_MODULE ? modules[i]->commands : NULL;
		for (; command != NULL && command->name.len > 0; command++) {
			if (!says_streaming(command) || found->buffering_count == THAW_DIRECTIVES_MAX)
				continue;
			found->buffering[found->buffering_count].module = modules[i]->ctx_index;
			found->buffering[found->buffering_count++].offset = command->offset;
		}
	}
}

int thaw_body_may_stream(ngx_http_request_t *r)
{
	const thaw_main_t *found = ngx_http_get_module_main_conf(r, ngx_http_thaw_module);
	ngx_uint_t i;

	if (may_take_file(r) || r->request_body_in_file_only)
		return 0;
	for (i = 0; i < found->buffering_count; i++) {
		const u_char *location = r->loc_conf[found->buffering[i].module];
		if (location != NULL && *(const ngx_flag_t *)(location + found->buffering[i].offset) == 0)
			return 1;
	}
	return 0;
}

/* A new link before *at. */
static ngx_buf_t *insert(ngx_http_request_t *r, ngx_chain_t **at, size_t room)
{
	ngx_chain_t *link = ngx_alloc_chain_link(r->pool);
	ngx_buf_t *buf = room > 0 ? ngx_create_temp_buf(r->pool, room) : ngx_calloc_buf(r->pool);

	if (link == NULL || buf == NULL)
		return NULL;
	link->buf = buf;
	link->next = *at;
	*at = link;
	return buf;
}

static ngx_int_t insert_text(ngx_http_request_t *r, ngx_chain_t **at, const char *text)
{
	ngx_buf_t *buf = insert(r, at, ngx_strlen(text));

	if (buf == NULL)
		return NGX_ERROR;
	buf->last = ngx_cpymem(buf->last, text, ngx_strlen(text));
	return NGX_OK;
}

/* Collects the part of the body that nginx has read: first the file, then the buffers. */
static ngx_int_t gather(ngx_http_request_t *r, ngx_chain_t **chain)
{
	ngx_http_request_body_t *body = r->request_body;
	ngx_buf_t *buf;

	*chain = body->bufs;
	if (body->temp_file == NULL || body->temp_file->offset == 0)
		return NGX_OK;
	if ((buf = insert(r, chain, 0)) == NULL)
		return NGX_ERROR;
	buf->in_file = 1;
	buf->file = &body->temp_file->file;
	buf->file_last = body->temp_file->offset;
	return NGX_OK;
}

static off_t size_of(const ngx_chain_t *chain, ngx_chain_t ***end)
{
	off_t size = 0;

	for (; chain != NULL; chain = chain->next) {
		size += ngx_buf_size(chain->buf);
		*end = (ngx_chain_t **)&chain->next;
	}
	return size;
}

/* Whether the next byte is chunk data: the parser returns NGX_OK before it. */
static int is_in_chunk(ngx_http_request_t *r, const ngx_http_chunked_t *parser)
{
	ngx_http_chunked_t copy = *parser;
	u_char byte = '0';
	ngx_buf_t buf = {.pos = &byte, .last = &byte + 1};

	return ngx_http_parse_chunked(r, &buf, &copy) == NGX_OK && copy.size > 0;
}

/* Whether the body read so far can be written as one chunk, after which a new parser can continue. */
static int can_be_framed(ngx_http_request_t *r)
{
	const ngx_http_request_body_t *body = r->request_body;

	return body->rest == 0 || body->chunked->state == 0 || is_in_chunk(r, body->chunked);
}

/* Writes the body read so far as one chunk. A new parser then is in the state of the old one. */
static ngx_int_t frame(ngx_http_request_t *r, ngx_chain_t **chain)
{
	const ngx_http_request_body_t *body = r->request_body;
	ngx_chain_t **end = chain;
	off_t size = size_of(*chain, &end), rest = 0;
	const char *after = "\r\n";
	ngx_buf_t *head;

	if (body->rest == 0) {
		after = size > 0 ? "\r\n0\r\n\r\n" : "0\r\n\r\n";
	} else if (is_in_chunk(r, body->chunked)) {
		rest = body->chunked->size;
		after = "";
		if (rest > NGX_MAX_OFF_T_VALUE / 16 - size)
			return NGX_DECLINED;
	} else if (size == 0) {
		after = "";
	}
	if (*after != '\0' && insert_text(r, end, after) != NGX_OK)
		return NGX_ERROR;
	if (size + rest == 0)
		return NGX_OK;
	if ((head = insert(r, chain, CHUNK_HEAD_MAX)) == NULL)
		return NGX_ERROR;
	head->last = ngx_sprintf(head->last, "%xO\r\n", size + rest);
	return NGX_OK;
}

static ngx_int_t hand_back(ngx_http_request_t *r, thaw_link_t *link)
{
	ngx_chain_t *chain, **end = &chain;
	ngx_int_t rc = gather(r, &chain);

	if (rc == NGX_OK && r->headers_in.chunked)
		rc = frame(r, &chain);
	if (rc != NGX_OK)
		return rc;
	r->request_length -= size_of(chain, &end); /* counted again when it is read */
	r->request_body = NULL;
	link->again = chain;
	link->turn = 0;
	if (r->connection->read->timer_set)
		ngx_del_timer(r->connection->read);
	r->connection->read->ready = 1;
	return NGX_OK;
}

ngx_int_t thaw_body_hand_back(ngx_http_request_t *r, thaw_link_t *link)
{
	if (r->request_body->rest == 0 || r->header_in->pos < r->header_in->last)
		return NGX_DECLINED;
	if (r->headers_in.chunked && !can_be_framed(r))
		return NGX_AGAIN;
	return hand_back(r, link);
}

ngx_int_t thaw_body_hand_back_small(ngx_http_request_t *r)
{
	ngx_http_request_body_t *body = r->request_body;
	thaw_link_t *link = thaw_link_of(r->connection);
	ngx_buf_t *next = r->header_in;

	if (body == NULL || body->temp_file != NULL || r->discard_body || !may_take_file(r))
		return NGX_OK;
	/* The body comes before the next request. */
	if (thaw_link_put_back(link, next->pos, (size_t)(next->last - next->pos)) != NGX_OK)
		r->keepalive = 0;
	next->pos = next->last;
	return hand_back(r, link);
}
