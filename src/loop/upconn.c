/* An upstream connection until it is connected. It tries one server and one address after the other. */
#include "loop/server.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/socket.h"
#include "tls/signer.h"

#define QUEUE_NAP_MS 10 /* ms before another attempt, if the queue of a unix socket was full */
#define PLACE_TEXT   (NI_MAXHOST + 256)

static struct ev_loop *loop_of(const struct gw_upconn *upconn)
{
	return upconn->group->pool->setup.loop;
}

static uint64_t now_of(const struct gw_upconn *upconn)
{
	return *upconn->group->pool->setup.now_ms;
}

/* ---- time ---- */

static void set_timer(struct gw_upconn *upconn, uint64_t delay_ms)
{
	ev_timer_stop(loop_of(upconn), &upconn->timer);
	/* One millisecond more, because libev's clock is finer than ours. */
	ev_timer_set(&upconn->timer, (double)(delay_ms + 1) / 1000., 0.);
	ev_timer_start(loop_of(upconn), &upconn->timer);
}

/* Sets the timer to the deadline of the attempt. */
static void arm(struct gw_upconn *upconn)
{
	uint64_t now_ms = now_of(upconn);

	set_timer(upconn, upconn->deadline_ms > now_ms ? upconn->deadline_ms - now_ms : 0);
}

/* Starts the time limit of one attempt. */
static void begin_time(struct gw_upconn *upconn)
{
	upconn->deadline_ms = now_of(upconn) + upconn->group->config->connect_timeout_ms;
	arm(upconn);
}

/* ---- one attempt ---- */

/* Returns the server as in the settings, with the address if it is different, for error messages. */
static const char *place(const struct gw_upconn *upconn, char text[static PLACE_TEXT])
{
	char address[NI_MAXHOST];

	if (upconn->found == NULL ||
	    getnameinfo((const struct sockaddr *)&upconn->found->addresses[upconn->at], sizeof(struct sockaddr_storage),
			address, sizeof(address), NULL, 0, NI_NUMERICHOST) != 0)
		return upconn->server->config->text;
	(void)snprintf(text, PLACE_TEXT, "%.200s (%s)", upconn->server->config->text, address);
	return text;
}

static enum thaw_status connect_failed(struct gw_upconn *upconn, int cause)
{
	char text[PLACE_TEXT];

	upconn->blameless = cause == EMFILE || cause == ENFILE || cause == ENOBUFS || cause == ENOMEM;
	enum thaw_error_class cls = upconn->blameless    ? THAW_ERR_RESOURCE
				    : cause == ETIMEDOUT ? THAW_ERR_TIMEOUT
							 : THAW_ERR_SYSTEM;
	return error_set(&upconn->err, cls, "connect to %s: %s", place(upconn, text), strerror(cause));
}

static enum thaw_status made(struct gw_upconn *upconn)
{
	ev_timer_stop(loop_of(upconn), &upconn->timer);
	upconn_watch_events(upconn, 0);
	free(upconn->found);
	upconn->found = NULL;
	upconn->server->use.connects++;
	upconn_enter(upconn, UPCONN_READY);
	return THAW_OK;
}

static enum thaw_status shake(struct gw_upconn *upconn)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	char text[PLACE_TEXT];

	tls_client_step(upconn->tls);
	enum thaw_status status = tls_client_handshake(upconn->tls, &err);
	const char *not_signed = tls_remote_failure();

	switch (status) {
	case THAW_OK:
		return made(upconn);
	case THAW_WANT_READ:
	case THAW_WANT_WRITE:
		upconn_watch_events(upconn, tls_client_waits(upconn->tls) ? 0
					    : status == THAW_WANT_READ    ? EV_READ
									  : EV_WRITE);
		if (status == THAW_WANT_READ && tls_client_pending(upconn->tls)) /* already read from the socket */
			set_timer(upconn, 0);
		else
			arm(upconn);
		return THAW_WANT_READ;
	case THAW_CLOSED:
	case THAW_FAILED:
		break;
	}
	upconn->blameless = not_signed != NULL; /* a failure of our own key must not mark the server down */
	if (not_signed != NULL)
		return error_set(&upconn->err, THAW_ERR_SYSTEM, "TLS with %s: no signature: %s", place(upconn, text),
				 not_signed);
	return error_set(&upconn->err, THAW_ERR_PEER, "TLS with %s: %s", place(upconn, text),
			 err.cls != THAW_ERR_NONE ? err.text : "the connection was closed");
}

/* Continues in the next iteration, because this is called in the middle of another connection's step. */
static void on_signature(void *arg)
{
	struct gw_upconn *upconn = arg;

	ev_timer_stop(loop_of(upconn), &upconn->timer);
	ev_timer_set(&upconn->timer, 0., 0.);
	ev_timer_start(loop_of(upconn), &upconn->timer);
}

static enum thaw_status begin_tls(struct gw_upconn *upconn)
{
	const struct config_server *config = upconn->server->config;
	const char *name = upconn->group->config->tls.name != NULL ? upconn->group->config->tls.name : config->host;

	upconn_enter(upconn, UPCONN_HANDSHAKING);
	upconn->tls = tls_client_new(upconn->group->tls, name, socket_transport(&upconn->fd), upconn->server->memory,
				     &upconn->err);
	upconn->blameless = upconn->tls == NULL;
	if (upconn->tls == NULL)
		return THAW_FAILED;
	tls_client_on_signature(upconn->tls, on_signature, upconn);
	return shake(upconn);
}

/* Call this when the socket is writable: connected, or failed. */
static enum thaw_status connected(struct gw_upconn *upconn)
{
	int cause = socket_connect_outcome(upconn->fd);

	if (cause != 0)
		return connect_failed(upconn, cause);
	return upconn->server->config->tls ? begin_tls(upconn) : made(upconn);
}

static void address_of(const struct gw_upconn *upconn, struct sockaddr_storage *to)
{
	*to = upconn->found != NULL ? upconn->found->addresses[upconn->at] : upconn->server->address;
	if (upconn->found == NULL)
		return;
	if (to->ss_family == AF_INET)
		((struct sockaddr_in *)to)->sin_port = htons(upconn->server->config->port);
	else
		((struct sockaddr_in6 *)to)->sin6_port = htons(upconn->server->config->port);
}

static enum thaw_status dial(struct gw_upconn *upconn)
{
	struct sockaddr_storage to;

	address_of(upconn, &to);
	upconn->fd = socket_connect_address(&to);
	if (upconn->fd < 0 && (errno == EMFILE || errno == ENFILE) && idle_spare(upconn->group->pool))
		upconn->fd = socket_connect_address(&to);
	if (upconn->fd >= 0) {
		upconn_watch_events(upconn, EV_WRITE);
		arm(upconn);
		return THAW_WANT_READ;
	}
	if (errno != EAGAIN || to.ss_family != AF_UNIX)
		return connect_failed(upconn, errno);
	set_timer(upconn, QUEUE_NAP_MS);
	return THAW_WANT_READ;
}

/* Rotates the addresses of the first address family, so that each has its turn to be tried first. */
static void turn(struct resolved *found, unsigned turns)
{
	size_t alike = 1;

	while (alike < found->count && found->addresses[alike].ss_family == found->addresses[0].ss_family)
		alike++;
	for (size_t i = turns % alike; i > 0; i--) {
		struct sockaddr_storage first = found->addresses[0];
		memmove(&found->addresses[0], &found->addresses[1], (alike - 1) * sizeof(first));
		found->addresses[alike - 1] = first;
	}
}

static enum thaw_status find_name(struct gw_upconn *upconn)
{
	const struct resolved *resolved = NULL;
	enum thaw_status status = resolver_find(upconn->group->pool->resolver, upconn->server->config->host,
						&upconn->naming, &resolved, &upconn->err);

	if (status == THAW_WANT_READ && upconn->state == UPCONN_NEW)
		upconn_enter(upconn, UPCONN_NAMING);
	if (status != THAW_OK)
		return status;
	upconn->found = malloc(sizeof(*upconn->found));
	if (upconn->found == NULL) {
		upconn->blameless = true;
		return error_set(&upconn->err, THAW_ERR_RESOURCE, "out of memory");
	}
	*upconn->found = *resolved;
	turn(upconn->found, upconn->server->next_address++);
	upconn_enter(upconn, UPCONN_CONNECTING);
	return dial(upconn);
}

static enum thaw_status begin(struct gw_upconn *upconn)
{
	upconn->err = (struct thaw_error){.cls = THAW_ERR_NONE};
	begin_time(upconn);
	if (upconn->server->config->named)
		return find_name(upconn);
	upconn_enter(upconn, UPCONN_CONNECTING);
	return dial(upconn);
}

/* ---- from one attempt to the next ---- */

/* Selects the server's next address. False: there is none. */
static bool next_address(struct gw_upconn *upconn)
{
	if (upconn->found == NULL || upconn->blameless || upconn->at + 1 >= upconn->found->count)
		return false;
	upconn->at++;
	return true;
}

static void server_is_over(struct gw_upconn *upconn)
{
	free(upconn->found);
	upconn->found = NULL;
	upconn->at = 0;
	if (!upconn->blameless) {
		upconn->server->use.connect_failures++;
		server_failed(upconn->server, upconn->err.text);
	}
	server_leave(upconn);
}

/* Makes attempts until the upstream connection is connected or waits, or no server is left. */
static void carry_on(struct gw_upconn *upconn, enum thaw_status status)
{
	while (status == THAW_FAILED) {
		upconn_hang_up(upconn);
		if (upconn->state != UPCONN_NEW)
			upconn_enter(upconn, UPCONN_NEW);
		if (next_address(upconn)) {
			upconn->err = (struct thaw_error){.cls = THAW_ERR_NONE};
			begin_time(upconn);
			upconn_enter(upconn, UPCONN_CONNECTING);
			status = dial(upconn);
			continue;
		}
		server_is_over(upconn);
		if (upconn->blameless || !server_choose(upconn)) {
			upconn_enter(upconn, UPCONN_FAILED);
			return;
		}
		status = begin(upconn);
	}
}

void upconn_begin(struct gw_upconn *upconn)
{
	carry_on(upconn, begin(upconn));
}

/* ---- events ---- */

static void after_event(struct gw_upconn *upconn, enum thaw_status status)
{
	carry_on(upconn, status);
	if (upconn->state == UPCONN_READY || upconn->state == UPCONN_FAILED)
		upconn->wake(upconn->arg);
}

static void on_named(void *arg)
{
	struct gw_upconn *upconn = arg;

	after_event(upconn, find_name(upconn));
}

static enum thaw_status timed_out(struct gw_upconn *upconn)
{
	const char *what = upconn->state == UPCONN_NAMING        ? "look up the name of"
			   : upconn->state == UPCONN_HANDSHAKING ? "TLS with"
								 : "connect to";
	char text[PLACE_TEXT];

	if (upconn->state == UPCONN_HANDSHAKING && tls_client_waits(upconn->tls)) {
		upconn->blameless = true;
		return error_set(&upconn->err, THAW_ERR_TIMEOUT,
				 "TLS with %s: no signature: our key made none in %llu ms", place(upconn, text),
				 (unsigned long long)upconn->group->config->connect_timeout_ms);
	}
	return error_set(&upconn->err, THAW_ERR_TIMEOUT, "%s %s: no answer in %llu ms", what, place(upconn, text),
			 (unsigned long long)upconn->group->config->connect_timeout_ms);
}

static void on_idle(struct gw_upconn *upconn)
{
	if (!upconn_is_fit(upconn))
		idle_drop(upconn); /* the server has closed it, or sent bytes without a request */
	else if (upconn->tls != NULL)
		upconn_watch_events(upconn, tls_client_waits(upconn->tls) ? 0 : EV_READ);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct gw_upconn *upconn = timer->data;
	uint64_t now_ms = now_of(upconn);

	(void)loop;
	(void)events;
	if (upconn->state == UPCONN_READY)
		upconn->wake(upconn->arg);
	else if (upconn->state == UPCONN_IDLE)
		on_idle(upconn);
	else if (now_ms >= upconn->deadline_ms)
		after_event(upconn, timed_out(upconn));
	else if (upconn->state == UPCONN_CONNECTING && upconn->fd < 0)
		after_event(upconn, dial(upconn));
	else if (upconn->state == UPCONN_HANDSHAKING &&
		 (tls_client_pending(upconn->tls) || tls_client_can_sign(upconn->tls)))
		after_event(upconn, shake(upconn));
	else
		arm(upconn);
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
	struct gw_upconn *upconn = io->data;

	(void)loop;
	(void)events;
	if (upconn->state == UPCONN_CONNECTING)
		after_event(upconn, connected(upconn));
	else if (upconn->state == UPCONN_HANDSHAKING)
		after_event(upconn, shake(upconn));
	else if (upconn->state == UPCONN_READY)
		upconn_stir(upconn);
	else if (upconn->state == UPCONN_IDLE)
		on_idle(upconn);
}

/* ---- creation ---- */

struct gw_upconn *upconn_new(struct server *server)
{
	struct group *group = server->group;
	struct gw_upconn *upconn = calloc(1, sizeof(*upconn) + group->config->server_count * sizeof(upconn->tried[0]));

	if (upconn == NULL)
		return NULL;
	upconn->group = group;
	upconn->fd = -1;
	ev_init(&upconn->io, on_io);
	ev_init(&upconn->timer, on_timer);
	upconn->io.data = upconn->timer.data = upconn;
	upconn->naming.done = on_named;
	upconn->naming.arg = upconn;
	server_enter(server, upconn);
	group->pool->upconns++;
	return upconn;
}
