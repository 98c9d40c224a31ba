#include "gateway/protocol.h"

#include "gateway/http1.h"
#include "gateway/http2.h"
#include "gateway/redirect.h"

bool gw_protocol_begin(struct gw_conn *conn)
{
	if (conn->plain != NULL) {
		conn->protocol = gw_http1_plain();
		return true;
	}
	bool http2 = tls_conn_http2(conn->tls);

	if (http2 && !gw_http2_open(conn))
		return false;
	conn->protocol = http2 ? gw_http2() : gw_http1();
	return true;
}
