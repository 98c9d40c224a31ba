/* Reads and writes a connection without TLS. */
#include "base/error.h"
#include "gateway/close.h"

static enum thaw_status outcome(struct gw_conn *conn, ssize_t moved, enum thaw_status blocked, size_t *len)
{
	*len = moved > 0 ? (size_t)moved : 0;
	if (moved > 0)
		return THAW_OK;
	if (moved == TRANSPORT_BLOCKED)
		return blocked;
	if (moved == TRANSPORT_END)
		return THAW_CLOSED;
	return error_set(&conn->gateway->err, THAW_ERR_PEER, "%s", gw_ended_by(moved));
}

enum thaw_status gw_plain_read(struct gw_conn *conn, void *where, size_t room, size_t *len)
{
	return outcome(conn, conn->transport.ops->read(conn->transport.io, where, room), THAW_WANT_READ, len);
}

enum thaw_status gw_plain_write(struct gw_conn *conn, const char *bytes, size_t room, size_t *len)
{
	return outcome(conn, conn->transport.ops->write(conn->transport.io, bytes, room), THAW_WANT_WRITE, len);
}
