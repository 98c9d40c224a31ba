/* A connected upstream connection as a transport. */
#include "loop/server.h"

#include "base/socket.h"

#define UNREAD_MAX 4096

void upconn_watch_events(struct gw_upconn *upconn, int events)
{
	struct ev_loop *loop = upconn->group->pool->setup.loop;

	if (ev_is_active(&upconn->io) && (upconn->io.events & (EV_READ | EV_WRITE)) == events)
		return;
	ev_io_stop(loop, &upconn->io);
	if (upconn->fd < 0 || events == 0)
		return;
	ev_io_set(&upconn->io, upconn->fd, events);
	ev_io_start(loop, &upconn->io);
}

/* ---- waiting ---- */

static void watch_wanted(struct gw_upconn *upconn)
{
	bool read =
		(upconn->want_read && !upconn->read_wants_write) || (upconn->want_write && upconn->write_wants_read);
	bool write = (upconn->want_write && !upconn->write_wants_read) ||
		     (upconn->want_read && upconn->read_wants_write) || upconn->closing;

	if (upconn->tls != NULL && tls_client_waits(upconn->tls))
		read = write = false; /* upconn.c notes the signature in the timer */
	upconn_watch_events(upconn, (read ? EV_READ : 0) | (write ? EV_WRITE : 0));
}

/* Whether TLS has something to do now: bytes were already read from the socket, or a signature has arrived. */
static bool can_continue(const struct gw_upconn *upconn, bool read)
{
	if (upconn->tls == NULL || tls_client_waits(upconn->tls))
		return false;
	return tls_client_can_sign(upconn->tls) || (read && tls_client_pending(upconn->tls));
}

void upconn_watch(struct gw_upconn *upconn, bool read, bool write)
{
	struct ev_loop *loop = upconn->group->pool->setup.loop;

	upconn->want_read = read;
	upconn->want_write = write;
	watch_wanted(upconn);
	ev_timer_stop(loop, &upconn->timer);
	if (upconn->tls != NULL)
		tls_client_step(upconn->tls);
	if ((read || write) && can_continue(upconn, read)) {
		ev_timer_set(&upconn->timer, 0., 0.);
		ev_timer_start(loop, &upconn->timer);
	}
}

void upconn_stir(struct gw_upconn *upconn)
{
	if (upconn->closing) {
		upconn->closing = tls_client_close_notify(upconn->tls) == THAW_WANT_WRITE;
		watch_wanted(upconn);
	}
	if (upconn->want_read || upconn->want_write)
		upconn->wake(upconn->arg);
}

bool upconn_is_fit(struct gw_upconn *upconn)
{
	char byte;
	size_t len = 0;

	if (upconn->tls == NULL)
		return socket_is_quiet(upconn->fd);
	/* Session tickets and similar messages may arrive at any time, so this reads them. */
	tls_client_step(upconn->tls);
	return tls_client_read(upconn->tls, &byte, 1, &len, NULL) == THAW_WANT_READ;
}

/* ---- reading and writing ---- */

static ssize_t note(struct gw_upconn *upconn, ssize_t got)
{
	if (got > 0 && !upconn->heard) {
		upconn->heard = true;
		server_heard(upconn->server);
	}
	return got;
}

static ssize_t plain_read(void *io, void *data, size_t room)
{
	struct gw_upconn *upconn = io;
	struct transport socket = socket_transport(&upconn->fd);

	return note(upconn, socket.ops->read(socket.io, data, room));
}

static ssize_t plain_write(void *io, const void *data, size_t len)
{
	struct transport socket = socket_transport(&((struct gw_upconn *)io)->fd);

	return socket.ops->write(socket.io, data, len);
}

static void plain_half_close(void *io)
{
	struct transport socket = socket_transport(&((struct gw_upconn *)io)->fd);

	socket.ops->half_close(socket.io);
}

static ssize_t plain_discard(void *io, size_t max)
{
	struct gw_upconn *upconn = io;
	struct transport socket = socket_transport(&upconn->fd);

	return note(upconn, socket.ops->discard(socket.io, max));
}

static ssize_t tls_read(void *io, void *data, size_t room)
{
	struct gw_upconn *upconn = io;
	size_t got = 0;
	enum thaw_status status = tls_client_read(upconn->tls, data, room, &got, NULL);

	upconn->read_wants_write = status == THAW_WANT_WRITE;
	if (status == THAW_OK)
		return note(upconn, (ssize_t)got);
	if (status == THAW_CLOSED)
		return TRANSPORT_END;
	return status == THAW_FAILED ? TRANSPORT_BROKEN : TRANSPORT_BLOCKED;
}

static ssize_t tls_write(void *io, const void *data, size_t len)
{
	struct gw_upconn *upconn = io;
	size_t put = 0, all = 0;
	enum thaw_status status = THAW_OK;

	for (; all < len && status == THAW_OK; all += put) /* one record at a time */
		status = tls_client_write(upconn->tls, (const char *)data + all, len - all, &put, NULL);
	upconn->write_wants_read = status == THAW_WANT_READ;
	if (all > 0)
		return (ssize_t)all;
	return status == THAW_FAILED || status == THAW_CLOSED ? TRANSPORT_BROKEN : TRANSPORT_BLOCKED;
}

/* Sends no FIN. Some servers take it for the end of both directions, and the rest of the response would be lost. */
static void tls_half_close(void *io)
{
	struct gw_upconn *upconn = io;

	upconn->closing = tls_client_close_notify(upconn->tls) == THAW_WANT_WRITE;
	watch_wanted(upconn);
}

static ssize_t tls_discard(void *io, size_t max)
{
	char unread[UNREAD_MAX];

	return tls_read(io, unread, max < sizeof(unread) ? max : sizeof(unread));
}

struct transport upconn_transport(struct gw_upconn *upconn)
{
	static const struct transport_ops plain = {
		.read = plain_read, .write = plain_write, .half_close = plain_half_close, .discard = plain_discard};
	static const struct transport_ops tls = {
		.read = tls_read, .write = tls_write, .half_close = tls_half_close, .discard = tls_discard};

	return (struct transport){upconn->tls != NULL ? &tls : &plain, upconn};
}
