#include "thaw_nginx.h"

#include <openssl/err.h>

#define EARLY_MAX 16384
#define TURN_MAX  1048576 /* bytes read from link->again before other events are processed */

static int ssl_index = -1;

/* ---- creation and destruction ---- */

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
	link->c = NULL; /* nginx has closed the connection */
	thaw_link_leave(link);
	thaw_conn_free(&link->conn);
	thaw_own_free(link);
	thaw_link_drop_early(link);
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

void thaw_link_clear_errors(void)
{
	if (ERR_peek_error() != 0)
		ERR_clear_error();
}

static void on_timer(ngx_event_t *event)
{
	ngx_connection_t *c = event->data;
	thaw_link_t *link = thaw_link_of(c);

	thaw_conn_tick(link->conn, ngx_current_msec);
	thaw_link_clear_errors();
	thaw_access_news(link->asked);
}

static void on_news(ngx_event_t *event)
{
	ngx_connection_t *c = event->data;

	thaw_access_news(thaw_link_of(c)->asked);
}

thaw_link_t *thaw_link_new(ngx_connection_t *c, SSL *ssl, const thaw_server_t *server)
{
	thaw_link_t *link = ngx_calloc(sizeof(*link), c->log);

	if (link == NULL)
		return NULL;
	link->c = c;
	link->server = server;
	link->timer.handler = on_timer;
	link->news.handler = on_news;
	link->timer.data = link->news.data = c;
	link->timer.log = link->news.log = c->log;
	if (thaw_conn_new_deferred(ssl, &link->conn, NULL) == THAW_OK && SSL_set_ex_data(ssl, ssl_index, link) == 1)
		return link;
	thaw_conn_free(&link->conn);
	ngx_free(link);
	return NULL;
}

thaw_link_t *thaw_link_of_ssl(const SSL *ssl)
{
	return ssl_index >= 0 ? SSL_get_ex_data(ssl, ssl_index) : NULL;
}

thaw_link_t *thaw_link_of(const ngx_connection_t *c)
{
	return c->ssl != NULL ? thaw_link_of_ssl(c->ssl->connection) : NULL;
}

/* ---- reading ---- */

int thaw_link_is_pending(const thaw_link_t *link)
{
	return thaw_conn_verdict(link->conn) == THAW_VERDICT_PENDING;
}

/* Reads until there are no more data or no room. Sets c->ssl->last as ngx_ssl_recv() does. */
static size_t read_some(thaw_link_t *link, u_char *data, size_t room)
{
	ngx_connection_t *c = link->c;
	enum thaw_status status = THAW_OK;
	size_t len = 0, got;

	while (status == THAW_OK && len < room) {
		status = thaw_conn_read(link->conn, data + len, room - len, &got, ngx_current_msec);
		len += got;
	}
	thaw_own_judge(link);
	c->ssl->last = NGX_OK;
	if (status == THAW_WANT_READ || status == THAW_WANT_WRITE) {
		c->read->ready = 0;
		c->ssl->last = NGX_AGAIN;
	} else if (status != THAW_OK) {
		c->ssl->no_wait_shutdown = 1;
		c->ssl->no_send_shutdown = 1;
		c->ssl->last = status == THAW_CLOSED ? NGX_DONE : NGX_ERROR;
		if (status == THAW_FAILED)
			ngx_log_error(NGX_LOG_INFO, c->log, 0, "thaw: %s", thaw_conn_error(link->conn)->text);
	}
	thaw_link_clear_errors();
	return len;
}

/* Reads from link->again. Returns NGX_ERROR if the file cannot be read. */
static ssize_t take_again(thaw_link_t *link, u_char *data, size_t room)
{
	size_t len = 0;

	while (link->again != NULL && len < room) {
		ngx_buf_t *buf = link->again->buf;
		size_t size = (size_t)ngx_min((off_t)(room - len), ngx_buf_size(buf));
		if (ngx_buf_in_memory(buf)) {
			ngx_memcpy(data + len, buf->pos, size);
			buf->pos += size;
		} else if (size > 0) {
			ssize_t got = ngx_read_file(buf->file, data + len, size, buf->file_pos);
			if (got <= 0)
				return NGX_ERROR;
			size = (size_t)got;
			buf->file_pos += got;
		}
		len += size;
		if (ngx_buf_size(buf) == 0)
			link->again = link->again->next;
	}
	return (ssize_t)len;
}

static size_t take_early(thaw_link_t *link, u_char *data, size_t room)
{
	size_t len = ngx_min(room, link->len - link->at);

	ngx_memcpy(data, link->early + link->at, len);
	link->at += len;
	if (link->at == link->len)
		thaw_link_drop_early(link);
	return len;
}

void thaw_link_drop_early(thaw_link_t *link)
{
	if (link->early != NULL)
		ngx_free(link->early);
	link->early = NULL;
	link->at = link->len = 0;
}

ngx_int_t thaw_link_put_back(thaw_link_t *link, const u_char *data, size_t len)
{
	size_t rest = link->len - link->at;

	if (len == 0)
		return NGX_OK;
	if (len + rest > EARLY_MAX)
		return NGX_DECLINED;
	if (link->early == NULL && (link->early = ngx_alloc(EARLY_MAX, link->c->log)) == NULL)
		return NGX_DECLINED;
	ngx_memmove(link->early + len, link->early + link->at, rest);
	ngx_memcpy(link->early, data, len);
	link->at = 0;
	link->len = len + rest;
	link->c->read->ready = 1;
	return NGX_OK;
}

/* Lets other events be processed before the next read. */
static void end_turn(ngx_event_t *rev)
{
	rev->ready = 0;
	if (rev->posted) {
		ngx_delete_posted_event(rev);
	}
	ngx_post_event(rev, &ngx_posted_next_events);
}

/* The buffer is full, and there may be more data. As in nginx, a connection reads at most what its socket had when this
 * series of reads began. */
static ngx_int_t share_turns(ngx_connection_t *c, size_t len)
{
	ngx_event_t *rev = c->read;

	rev->ready = 1;
#if (NGX_HAVE_FIONREAD)
	if (rev->available < 0) {
		if (ngx_socket_nread(c->fd, &rev->available) == -1) {
			rev->error = 1;
			return NGX_ERROR;
		}
		return NGX_OK;
	}
	rev->available -= (int)len;
	if (rev->available < 0) {
		rev->available = 0;
		end_turn(rev);
	}
#endif
	return NGX_OK;
}

/* Replaces ngx_ssl_recv(). */
static ssize_t recv_data(ngx_connection_t *c, u_char *data, size_t room)
{
	thaw_link_t *link = thaw_link_of(c);
	ssize_t again = link->again != NULL ? take_again(link, data, room) : 0;

	if (again < 0) {
		c->read->error = 1;
		return NGX_ERROR;
	}
	size_t len = (size_t)again;
	if (len < room && link->early != NULL)
		len += take_early(link, data + len, room - len);
	if (len == room) {
		c->read->ready = 1;
		link->turn += (size_t)again;
		if (link->turn >= TURN_MAX) {
			link->turn = 0;
			end_turn(c->read);
		}
		return (ssize_t)len;
	}
	if (c->ssl->last != NGX_DONE && c->ssl->last != NGX_ERROR)
		len += read_some(link, data + len, room - len);
	/* thaw_link_pump() does not post this: its caller checks the verdict, and the event would post itself forever.
	 */
	if (link->asked != NULL) {
		ngx_post_event(&link->news, &ngx_posted_events);
	}
	if (len > 0) {
		if (c->ssl->last == NGX_OK)
			return share_turns(c, len) == NGX_OK ? (ssize_t)len : NGX_ERROR;
		if (c->ssl->last != NGX_AGAIN)
			c->read->ready = 1; /* the next read reports the end */
		return (ssize_t)len;
	}
	if (c->ssl->last == NGX_DONE) {
		c->read->ready = 0;
		c->read->eof = 1;
		return 0;
	}
	if (c->ssl->last == NGX_ERROR)
		c->read->error = 1;
	return c->ssl->last;
}

/* Replaces ngx_ssl_recv_chain(). */
static ssize_t recv_chain(ngx_connection_t *c, ngx_chain_t *chain, off_t limit)
{
	ssize_t all = 0;

	for (; chain != NULL; chain = chain->next) {
		size_t room = (size_t)(chain->buf->end - chain->buf->last);
		if (limit > 0 && room > (size_t)(limit - all))
			room = (size_t)(limit - all);
		if (room == 0)
			break;
		ssize_t got = recv_data(c, chain->buf->last, room);
		if (got <= 0)
			return all > 0 ? all : got;
		all += got;
		if ((size_t)got < room || !c->read->ready)
			break;
	}
	return all;
}

static ngx_int_t keep_early(thaw_link_t *link, const u_char *data, size_t len)
{
	if (len == 0)
		return NGX_OK;
	if (link->early == NULL && (link->early = ngx_alloc(EARLY_MAX, link->c->log)) == NULL)
		return NGX_ERROR;
	ngx_memcpy(link->early + link->len, data, len);
	link->len += len;
	return NGX_OK;
}

ngx_int_t thaw_link_pump(thaw_link_t *link)
{
	static u_char scratch[EARLY_MAX]; /* link->early is allocated only if there are data */
	ngx_int_t last = link->c->ssl->last;

	if (link->at > 0) { /* nginx has read some of it */
		link->len -= link->at;
		ngx_memmove(link->early, link->early + link->at, link->len);
		link->at = 0;
	}
	while (thaw_link_is_pending(link) && last != NGX_DONE && last != NGX_ERROR) {
		if (link->len == EARLY_MAX) { /* the client sends requests instead of an answer */
			thaw_conn_ask_end(link->conn, THAW_VERDICT_OVER_LIMIT, THAW_REASON_PIPELINED, ngx_current_msec);
			break;
		}
		size_t len = read_some(link, scratch, EARLY_MAX - link->len);
		if (keep_early(link, scratch, len) != NGX_OK)
			return NGX_ERROR;
		last = link->c->ssl->last;
		if (last == NGX_AGAIN)
			break;
	}
	return last == NGX_DONE || last == NGX_ERROR ? NGX_ERROR : NGX_AGAIN;
}

/* ---- the ask ---- */

int thaw_link_waits_for_client(const thaw_link_t *link)
{
	const struct thaw_report *report = thaw_conn_report(link->conn);

	return report->verdict == THAW_VERDICT_PENDING && report->asked_ms != 0;
}

ngx_int_t thaw_link_arm(thaw_link_t *link)
{
	ngx_connection_t *c = link->c;
	uint64_t deadline_ms = thaw_conn_deadline(link->conn);

	if (!thaw_link_is_pending(link) || deadline_ms == THAW_NEVER) {
		if (link->timer.timer_set)
			ngx_del_timer(&link->timer);
	} else {
		ngx_add_timer(&link->timer,
			      deadline_ms > ngx_current_msec ? (ngx_msec_t)(deadline_ms - ngx_current_msec) : 1);
	}
	if (thaw_conn_wants_write(link->conn)) {
		c->write->ready = 0;
		if (ngx_handle_write_event(c->write, 0) != NGX_OK)
			return NGX_ERROR;
	}
	return ngx_handle_read_event(c->read, 0);
}

/* The ask only progresses in thaw_conn_read(). */
static void take_over_reads(thaw_link_t *link)
{
	if (link->reads)
		return;
	link->c->recv = recv_data;
	link->c->recv_chain = recv_chain;
	link->reads = 1;
}

void thaw_link_watch(thaw_link_t *link, thaw_request_t *asked)
{
	link->asked = asked;
	asked->link = link;
}

ngx_int_t thaw_link_ask(thaw_link_t *link, thaw_request_t *asked, const struct thaw_ask_options *options)
{
	SSL *ssl = link->c->ssl->connection;

	if (thaw_link_is_pending(link))
		return NGX_ERROR;
	/* An HTTP/2 stream has a fake connection, and is never asked. */
	if (asked->r->connection == link->c)
		take_over_reads(link);
	/* nginx disables renegotiation, which an ask over TLS 1.2 needs: it is enabled until the verdict. nginx's
	 * certificate callback refuses a second handshake, so it is removed: the certificate stays the same. */
	(void)SSL_clear_options(ssl, SSL_OP_NO_RENEGOTIATION);
	SSL_set_cert_cb(ssl, NULL, NULL);
	thaw_own_begin(link);
	thaw_link_watch(link, asked);
	enum thaw_status status = thaw_conn_ask(link->conn, options, ngx_current_msec);
	thaw_link_clear_errors();
	if (status == THAW_OK)
		return NGX_OK;
	ngx_log_error(NGX_LOG_ERR, link->c->log, 0, "thaw: cannot ask for the client's certificate: %s",
		      thaw_conn_error(link->conn)->text);
	thaw_link_leave(link);
	return NGX_ERROR;
}

void thaw_link_leave(thaw_link_t *link)
{
	if (thaw_link_is_pending(link))
		thaw_conn_ask_end(link->conn, THAW_VERDICT_CANCELLED, THAW_REASON_CALLER, ngx_current_msec);
	if (link->asked != NULL)
		link->asked->link = NULL;
	link->asked = NULL;
	if (link->timer.timer_set)
		ngx_del_timer(&link->timer);
	if (link->news.posted) {
		ngx_delete_posted_event(&link->news);
	}
	if (link->c == NULL || link->c->ssl == NULL)
		return;
	(void)SSL_set_options(link->c->ssl->connection, SSL_OP_NO_RENEGOTIATION);
	if (link->early != NULL)
		link->c->read->ready = 1;
}
