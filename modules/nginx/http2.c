#include "thaw_nginx.h"

#if (NGX_HTTP_V2)

#define RST_STREAM_LEN    4
#define HTTP_1_1_REQUIRED 0xd /* RFC 9113 7 */

static ngx_int_t on_sent(ngx_http_v2_connection_t *h2c, ngx_http_v2_out_frame_t *frame)
{
	const ngx_buf_t *buf = frame->first->buf;

	if (buf->pos != buf->last)
		return NGX_AGAIN;
	h2c->total_bytes += NGX_HTTP_V2_FRAME_HEADER_SIZE + frame->length;
	return NGX_OK;
}

/* ngx_http_v2_write_uint32() writes to unaligned addresses, which is undefined behaviour. */
static u_char *put_uint32(u_char *at, uint32_t value)
{
	int shift;

	for (shift = 24; shift >= 0; shift -= 8)
		*at++ = (u_char)(value >> shift);
	return at;
}

/* nginx's function that allocates frames is static. */
static ngx_http_v2_out_frame_t *new_reset(ngx_http_v2_connection_t *h2c, ngx_uint_t stream_id)
{
	ngx_pool_t *pool = h2c->pool != NULL ? h2c->pool : h2c->connection->pool;
	ngx_http_v2_out_frame_t *frame = ngx_pcalloc(pool, sizeof(*frame));
	ngx_chain_t *chain = ngx_alloc_chain_link(pool);
	ngx_buf_t *buf = ngx_create_temp_buf(pool, NGX_HTTP_V2_FRAME_HEADER_SIZE + RST_STREAM_LEN);

	if (frame == NULL || chain == NULL || buf == NULL)
		return NULL;
	buf->last = put_uint32(buf->last, RST_STREAM_LEN << 8 | NGX_HTTP_V2_RST_STREAM_FRAME);
	*buf->last++ = NGX_HTTP_V2_NO_FLAG;
	buf->last = put_uint32(buf->last, (uint32_t)stream_id);
	buf->last = put_uint32(buf->last, HTTP_1_1_REQUIRED);
	buf->last_buf = 1;
	chain->buf = buf;
	chain->next = NULL;
	frame->first = frame->last = chain;
	frame->handler = on_sent;
	frame->length = RST_STREAM_LEN;
	return frame;
}

ngx_int_t thaw_http2_reset(ngx_http_request_t *r)
{
	ngx_http_v2_connection_t *h2c = r->stream->connection;
	ngx_http_v2_out_frame_t *frame = new_reset(h2c, r->stream->node->id);

	if (frame == NULL)
		return NGX_ERROR;
	ngx_http_v2_queue_blocked_frame(h2c, frame);
	r->stream->rst_sent = 1;
	r->stream->skip_data = 1;
	ngx_post_event(h2c->connection->write, &ngx_posted_events);
	/* For the access log: no response is sent. */
	r->err_status = r->headers_out.status = NGX_HTTP_MISDIRECTED_REQUEST;
	return NGX_ERROR;
}

#endif
