#include "gateway/preface.h"

#include <stdlib.h>

#include "gateway/close.h"
#include "gateway/proxy_header.h"

struct gw_preface {
	size_t len;
	char data[GW_PROXY_HEADER_MAX];
};

void gw_preface_free(struct gw_conn *conn)
{
	free(conn->preface);
	conn->preface = NULL;
}

static enum gw_step wait_read(struct gw_conn *conn)
{
	conn->wants.read = true;
	return GW_WAIT;
}

enum gw_step gw_preface_failed(struct gw_conn *conn, const char *why)
{
	gw_notice_unused(conn, why);
	gw_preface_free(conn);
	gw_die(conn);
	return GW_MOVED;
}

/* Allocates memory for the header only when its first byte has arrived. */
static enum gw_step begin_preface(struct gw_conn *conn)
{
	char first;
	ssize_t seen = conn->transport.ops->peek(conn->transport.io, &first);

	if (seen == TRANSPORT_BLOCKED)
		return wait_read(conn);
	if (seen <= 0)
		return gw_preface_failed(conn, gw_ended_by(seen));
	conn->preface = malloc(sizeof(*conn->preface));
	if (conn->preface == NULL)
		return gw_out_of_memory(conn);
	conn->preface->len = 0;
	return GW_MOVED;
}

enum gw_step gw_run_preface(struct gw_conn *conn)
{
	struct gw_preface *preface = conn->preface;
	struct gw_proxy_header header = {0};
	size_t used = 0;

	if (preface == NULL)
		return begin_preface(conn);
	switch (gw_proxy_header_parse(&header, preface->data, preface->len, &used)) {
	case GW_PROXY_HEADER_BAD:
		return gw_preface_failed(conn, header.why);
	case GW_PROXY_HEADER_DONE:
		conn->named = header.has_source;
		if (header.has_source)
			gw_conn_name(conn, (const struct sockaddr *)&header.source);
		gw_preface_free(conn);
		gw_enter(conn, GW_SILENT);
		return GW_AGAIN; /* so that a client with too many connections is detected before TLS costs anything */
	case GW_PROXY_HEADER_MORE:
		break;
	}
	size_t need = gw_proxy_header_need(preface->data, preface->len);
	ssize_t got = conn->transport.ops->read(conn->transport.io, preface->data + preface->len, need);
	if (got == TRANSPORT_BLOCKED)
		return wait_read(conn);
	if (got <= 0)
		return gw_preface_failed(conn, gw_ended_by(got));
	preface->len += (size_t)got;
	conn->work += (size_t)got;
	return GW_MOVED;
}
