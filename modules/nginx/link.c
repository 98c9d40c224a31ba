#include "thaw_nginx.h"

#define EARLY_MAX 16384

static int ssl_index = -1;

/* ---- from the ClientHello to the SSL's end ---- */

static void free_link(void *parent, void *data, CRYPTO_EX_DATA *ex, int index, long number, void *pointer)
{
	thaw_link_t *link = data;

	(void)parent;
	(void)ex;
	(void)index;
	(void)number;
	(void)pointer;
	if (link == NULL)
		return;
	thaw_link_leave(link);
	thaw_conn_free(&link->conn);
	ngx_free(link->early);
	ngx_free(link);
}

ngx_int_t thaw_link_init(ngx_log_t *log)
{
	if (ssl_index < 0)
		ssl_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_link);
	if (ssl_index >= 0)
		return NGX_OK;
	ngx_log_error(NGX_LOG_EMERG, log, 0, "thaw: out of memory");
	return NGX_ERROR;
}

static void on_timer(ngx_event_t *event)
{
	ngx_connection_t *c = event->data;
	thaw_link_t *link = thaw_link_of(c);

	thaw_tick(link->conn, ngx_current_msec);
	thaw_access_settle(link->request);
}

static void on_settle(ngx_event_t *event)
{
	ngx_connection_t *c = event->data;
	thaw_link_t *link = thaw_link_of(c);

	if (link->request != NULL)
		thaw_access_settle(link->request);
}

static thaw_link_t *new_link(ngx_connection_t *c, SSL *ssl)
{
	thaw_link_t *link = ngx_calloc(sizeof(*link), c->log);

	if (link == NULL)
		return NULL;
	link->c = c;
	link->timer = (ngx_event_t){.handler = on_timer, .data = c, .log = c->log};
	link->settle = (ngx_event_t){.handler = on_settle, .data = c, .log = c->log};
	link->conn = thaw_conn_new(ssl);
	if (link->conn != NULL && SSL_set_ex_data(ssl, ssl_index, link) == 1)
		return link;
	thaw_conn_free(&link->conn);
	ngx_free(link);
	return NULL;
}

/* The server block that the client names. */
static const thaw_server_t *server_of(ngx_connection_t *c, SSL *ssl)
{
	ngx_http_connection_t *http = c->data;
	ngx_http_core_srv_conf_t *core = http->addr_conf->default_server, *named = NULL;
	ngx_http_virtual_names_t *names = http->addr_conf->virtual_names;
	const unsigned char *extension;
	size_t len;

	/* RFC 6066 3: the list's length, the name's type and length, the name. */
	if (names != NULL && SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &extension, &len) == 1 && len > 5 &&
	    len <= 5 + 255 && extension[2] == TLSEXT_NAMETYPE_host_name) {
		u_char name[256];
		size_t i;
		len -= 5;
		len -= extension[5 + len - 1] == '.';
		for (i = 0; i < len; i++)
			name[i] = ngx_tolower(extension[5 + i]);
		named = ngx_hash_find_combined(&names->names, ngx_hash_key(name, len), name, len);
#if (NGX_PCRE)
		ngx_str_t text = {len, name};
		for (i = 0; named == NULL && i < names->nregex; i++)
			if (ngx_regex_exec(names->regex[i].regex->regex, &text, NULL, 0) >= 0)
				named = names->regex[i].server;
#endif
	}
	if (named != NULL)
		core = named;
	return core->ctx->srv_conf[ngx_http_thaw_module.ctx_index];
}

static int on_hello(SSL *ssl, int *alert, void *arg)
{
	ngx_connection_t *c = ngx_ssl_get_connection(ssl);
	thaw_link_t *link = SSL_get_ex_data(ssl, ssl_index);

	(void)arg;
	/* Without memory for it the connection works, and cannot be asked. */
	if (link == NULL && SSL_is_server(ssl) && (link = new_link(c, ssl)) != NULL)
		thaw_hold_to_tls12(link->conn, server_of(c, ssl)->asks == 1);
	return thaw_client_hello(ssl, alert, NULL);
}

ngx_int_t thaw_link_watch(SSL_CTX *ctx)
{
	SSL_CTX_set_client_hello_cb(ctx, on_hello, NULL);
	return SSL_CTX_set_session_ticket_cb(ctx, thaw_ticket_made, thaw_ticket_opened, NULL) == 1 ? NGX_OK : NGX_ERROR;
}

thaw_link_t *thaw_link_of(ngx_connection_t *c)
{
	return c->ssl != NULL && ssl_index >= 0 ? SSL_get_ex_data(c->ssl->connection, ssl_index) : NULL;
}

/* ---- nginx's reads ---- */

static int is_pending(const thaw_link_t *link)
{
	return link->request != NULL && thaw_verdict(link->conn) == THAW_VERDICT_PENDING;
}

/* One read. As recv() of nginx: bytes, 0 for the end, NGX_AGAIN or NGX_ERROR. */
static ssize_t read_once(thaw_link_t *link, u_char *data, size_t room)
{
	ngx_connection_t *c = link->c;
	int was = is_pending(link);
	size_t len = 0;

	enum thaw_status status = thaw_read(link->conn, data, room, &len, ngx_current_msec);
	if (was && !is_pending(link)) {
		ngx_post_event(&link->settle, &ngx_posted_events);
	}
	switch (status) {
	case THAW_OK:
		return (ssize_t)len;
	case THAW_WANT_READ:
	case THAW_WANT_WRITE:
		c->read->ready = 0;
		return NGX_AGAIN;
	case THAW_CLOSED:
		c->read->ready = 0;
		c->read->eof = 1;
		return 0;
	default:
		ngx_log_error(NGX_LOG_INFO, c->log, 0, "thaw: %s", thaw_conn_error(link->conn)->text);
		c->ssl->no_wait_shutdown = 1;
		c->ssl->no_send_shutdown = 1;
		c->read->error = 1;
		return NGX_ERROR;
	}
}

static ssize_t take_early(thaw_link_t *link, u_char *data, size_t room)
{
	size_t len = ngx_min(room, link->len - link->at);

	ngx_memcpy(data, link->early + link->at, len);
	link->at += len;
	if (link->at == link->len) {
		ngx_free(link->early);
		link->early = NULL;
		link->at = link->len = 0;
	}
	return (ssize_t)len;
}

/* In place of ngx_ssl_recv(). */
static ssize_t recv_all(ngx_connection_t *c, u_char *data, size_t room)
{
	thaw_link_t *link = thaw_link_of(c);
	size_t len = 0;
	ssize_t got = 1;

	while (len < room && got > 0) {
		got = link->early != NULL ? take_early(link, data + len, room - len) : read_once(link, data + len, room - len);
		len += got > 0 ? (size_t)got : 0;
	}
	if (link->request != NULL && thaw_link_arm(link) != NGX_OK)
		return NGX_ERROR;
	/* An end or a failure behind bytes is met again by the next read. */
	if (len > 0 && got <= 0)
		c->read->ready = got != NGX_AGAIN;
	return len > 0 ? (ssize_t)len : got;
}

/* In place of ngx_ssl_recv_chain(). */
static ssize_t recv_chain(ngx_connection_t *c, ngx_chain_t *chain, off_t limit)
{
	ssize_t all = 0;

	for (; chain != NULL; chain = chain->next) {
		size_t room = (size_t)(chain->buf->end - chain->buf->last);
		if (limit > 0 && room > (size_t)(limit - all))
			room = (size_t)(limit - all);
		if (room == 0)
			continue;
		ssize_t got = recv_all(c, chain->buf->last, room);
		if (got <= 0)
			return all > 0 ? all : got;
		all += got;
		if ((size_t)got < room)
			break;
	}
	return all;
}

ngx_int_t thaw_link_pump(thaw_link_t *link)
{
	ssize_t got = 1;

	while (got > 0 && is_pending(link)) {
		if (link->early == NULL && (link->early = ngx_alloc(EARLY_MAX, link->c->log)) == NULL)
			return NGX_ERROR;
		if (link->len == EARLY_MAX) { /* it sends requests, and does not answer */
			thaw_ask_end(link->conn, THAW_VERDICT_OVER_LIMIT, THAW_REASON_PIPELINED, ngx_current_msec);
			return NGX_AGAIN;
		}
		got = read_once(link, link->early + link->len, EARLY_MAX - link->len);
		link->len += got > 0 ? (size_t)got : 0;
	}
	if (link->early != NULL && link->len == 0) {
		ngx_free(link->early);
		link->early = NULL;
	}
	return got == 0 || got == NGX_ERROR ? NGX_ERROR : NGX_AGAIN;
}

/* ---- the ask ---- */

ngx_int_t thaw_link_arm(thaw_link_t *link)
{
	ngx_connection_t *c = link->c;
	struct thaw_wants wants;

	thaw_conn_wants(link->conn, &wants);
	if (!is_pending(link)) {
		if (link->timer.timer_set)
			ngx_del_timer(&link->timer);
	} else if (wants.deadline_ms != THAW_NEVER) {
		ngx_add_timer(&link->timer, wants.deadline_ms > ngx_current_msec ? (ngx_msec_t)(wants.deadline_ms - ngx_current_msec) : 0);
	}
	if (wants.write) {
		c->write->ready = 0;
		if (ngx_handle_write_event(c->write, 0) != NGX_OK)
			return NGX_ERROR;
	}
	return ngx_handle_read_event(c->read, 0);
}

ngx_int_t thaw_link_ask(thaw_link_t *link, ngx_http_request_t *r, const struct thaw_ask_options *options)
{
	ngx_connection_t *c = link->c;

	if (!link->reads) {
		c->recv = recv_all;
		c->recv_chain = recv_chain;
		link->reads = 1;
	}
	/* nginx forbids renegotiation, which is the way to ask over TLS 1.2. The ask's own is allowed while it is under
	 * way. */
	(void)SSL_clear_options(c->ssl->connection, SSL_OP_NO_RENEGOTIATION);
	link->request = r;
	if (thaw_ask(link->conn, options, ngx_current_msec) == THAW_OK)
		return NGX_OK;
	ngx_log_error(NGX_LOG_ERR, c->log, 0, "thaw: cannot ask for the client's certificate: %s",
		      thaw_conn_error(link->conn)->text);
	thaw_link_leave(link);
	return NGX_ERROR;
}

void thaw_link_leave(thaw_link_t *link)
{
	if (is_pending(link))
		thaw_ask_end(link->conn, THAW_VERDICT_CANCELLED, THAW_REASON_CALLER, ngx_current_msec);
	link->request = NULL;
	if (link->timer.timer_set)
		ngx_del_timer(&link->timer);
	if (link->settle.posted)
		ngx_delete_posted_event(&link->settle);
	if (link->c->ssl == NULL)
		return;
	(void)SSL_set_options(link->c->ssl->connection, SSL_OP_NO_RENEGOTIATION);
	link->c->ssl->renegotiation = 0; /* nginx's note of a handshake that it did not begin */
	if (link->early != NULL)
		link->c->read->ready = 1;
}
