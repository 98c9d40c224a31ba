/* A leg until it is connected: from server to server, from address to address. */
#include "loop/server.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/socket.h"

#define QUEUE_NAP_MS 10 /* before a unix socket whose queue was full is tried again */
#define PLACE_TEXT   (NI_MAXHOST + 256)

static struct ev_loop *loop_of(const struct gw_leg *leg)
{
	return leg->group->pool->setup.loop;
}

static uint64_t now_of(const struct gw_leg *leg)
{
	return *leg->group->pool->setup.now_ms;
}

/* ---- time ---- */

static void set_timer(struct gw_leg *leg, uint64_t delay_ms)
{
	ev_timer_stop(loop_of(leg), &leg->timer);
	/* A millisecond more: the clock that libev goes by is finer than ours. */
	ev_timer_set(&leg->timer, (double)(delay_ms + 1) / 1000., 0.);
	ev_timer_start(loop_of(leg), &leg->timer);
}

/* Until the attempt's time is up. */
static void arm(struct gw_leg *leg)
{
	uint64_t now_ms = now_of(leg);

	set_timer(leg, leg->deadline_ms > now_ms ? leg->deadline_ms - now_ms : 0);
}

/* The time of one attempt begins. */
static void begin_time(struct gw_leg *leg)
{
	leg->deadline_ms = now_of(leg) + leg->group->config->connect_timeout_ms;
	arm(leg);
}

/* ---- one attempt ---- */

/* What failures are about: the server as the settings name it, and the address where that is another thing. */
static const char *place(const struct gw_leg *leg, char text[static PLACE_TEXT])
{
	char address[NI_MAXHOST];

	if (leg->found == NULL ||
	    getnameinfo((const struct sockaddr *)&leg->found->addresses[leg->at], sizeof(struct sockaddr_storage),
			address, sizeof(address), NULL, 0, NI_NUMERICHOST) != 0)
		return leg->server->config->text;
	(void)snprintf(text, PLACE_TEXT, "%.200s (%s)", leg->server->config->text, address);
	return text;
}

static enum thaw_status connect_failed(struct gw_leg *leg, int cause)
{
	char text[PLACE_TEXT];

	leg->blameless = cause == EMFILE || cause == ENFILE || cause == ENOBUFS || cause == ENOMEM;
	enum thaw_error_class cls = leg->blameless       ? THAW_ERR_RESOURCE
				    : cause == ETIMEDOUT ? THAW_ERR_TIMEOUT
							 : THAW_ERR_SYSTEM;
	return error_set(&leg->err, cls, "connect to %s: %s", place(leg, text), strerror(cause));
}

static enum thaw_status made(struct gw_leg *leg)
{
	ev_timer_stop(loop_of(leg), &leg->timer);
	leg_watch_events(leg, 0);
	free(leg->found);
	leg->found = NULL;
	leg->server->use.connects++;
	leg_enter(leg, LEG_READY);
	return THAW_OK;
}

static enum thaw_status shake(struct gw_leg *leg)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	char text[PLACE_TEXT];

	if (!pool_tls_may_sign(leg->group->pool->setup.tls)) { /* in the next turn: the socket can be written */
		leg_watch_events(leg, EV_WRITE);
		arm(leg);
		return THAW_WANT_READ;
	}
	tls_client_step(leg->tls);
	enum thaw_status status = tls_client_handshake(leg->tls, &err);
	const char *not_signed = pool_tls_unsigned(leg->group->pool->setup.tls);

	switch (status) {
	case THAW_OK:
		return made(leg);
	case THAW_WANT_READ:
	case THAW_WANT_WRITE:
		leg_watch_events(leg, status == THAW_WANT_READ ? EV_READ : EV_WRITE);
		if (status == THAW_WANT_READ && tls_client_pending(leg->tls)) /* the socket would not tell of it */
			set_timer(leg, 0);
		else
			arm(leg);
		return THAW_WANT_READ;
	case THAW_CLOSED:
	case THAW_FAILED:
		break;
	}
	leg->blameless = not_signed != NULL; /* the server is not marked down for our own key */
	if (not_signed != NULL)
		return error_set(&leg->err, THAW_ERR_SYSTEM, "TLS with %s: no signature: %s", place(leg, text),
				 not_signed);
	return error_set(&leg->err, THAW_ERR_PEER, "TLS with %s: %s", place(leg, text),
			 err.cls != THAW_ERR_NONE ? err.text : "the connection was closed");
}

static enum thaw_status begin_tls(struct gw_leg *leg)
{
	const struct config_server *config = leg->server->config;
	const char *name = leg->group->config->tls.name != NULL ? leg->group->config->tls.name : config->host;

	leg_enter(leg, LEG_SHAKING);
	leg->tls = tls_client_new(leg->group->tls, name, socket_transport(&leg->fd), leg->server->memory, &leg->err);
	leg->blameless = leg->tls == NULL;
	return leg->tls != NULL ? shake(leg) : THAW_FAILED;
}

/* The socket is writable: the connection is made, or has failed. */
static enum thaw_status connected(struct gw_leg *leg)
{
	int cause = socket_connect_outcome(leg->fd);

	if (cause != 0)
		return connect_failed(leg, cause);
	return leg->server->config->tls ? begin_tls(leg) : made(leg);
}

static void address_of(const struct gw_leg *leg, struct sockaddr_storage *to)
{
	*to = leg->found != NULL ? leg->found->addresses[leg->at] : leg->server->address;
	if (leg->found == NULL)
		return;
	if (to->ss_family == AF_INET)
		((struct sockaddr_in *)to)->sin_port = htons(leg->server->config->port);
	else
		((struct sockaddr_in6 *)to)->sin6_port = htons(leg->server->config->port);
}

static enum thaw_status dial(struct gw_leg *leg)
{
	struct sockaddr_storage to;

	address_of(leg, &to);
	leg->fd = socket_connect_address(&to);
	if (leg->fd < 0 && (errno == EMFILE || errno == ENFILE) && idle_spare(leg->group->pool))
		leg->fd = socket_connect_address(&to);
	if (leg->fd >= 0) {
		leg_watch_events(leg, EV_WRITE);
		arm(leg);
		return THAW_WANT_READ;
	}
	if (errno != EAGAIN || to.ss_family != AF_UNIX)
		return connect_failed(leg, errno);
	set_timer(leg, QUEUE_NAP_MS);
	return THAW_WANT_READ;
}

/* Of several addresses, those of the family that comes first have their turns as the first. */
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

static enum thaw_status find_name(struct gw_leg *leg)
{
	const struct resolved *resolved = NULL;
	enum thaw_status status = resolver_find(leg->group->pool->resolver, leg->server->config->host, &leg->naming,
						&resolved, &leg->err);

	if (status == THAW_WANT_READ && leg->state == LEG_NEW)
		leg_enter(leg, LEG_NAMING);
	if (status != THAW_OK)
		return status;
	leg->found = malloc(sizeof(*leg->found));
	if (leg->found == NULL) {
		leg->blameless = true;
		return error_set(&leg->err, THAW_ERR_RESOURCE, "out of memory");
	}
	*leg->found = *resolved;
	turn(leg->found, leg->server->next_address++);
	leg_enter(leg, LEG_CONNECTING);
	return dial(leg);
}

static enum thaw_status begin(struct gw_leg *leg)
{
	leg->err = (struct thaw_error){.cls = THAW_ERR_NONE};
	begin_time(leg);
	if (leg->server->config->named)
		return find_name(leg);
	leg_enter(leg, LEG_CONNECTING);
	return dial(leg);
}

/* ---- from one attempt to the next ---- */

/* False: the server has no other address. */
static bool next_address(struct gw_leg *leg)
{
	if (leg->found == NULL || leg->blameless || leg->at + 1 >= leg->found->count)
		return false;
	leg->at++;
	return true;
}

static void server_is_over(struct gw_leg *leg)
{
	free(leg->found);
	leg->found = NULL;
	leg->at = 0;
	if (!leg->blameless) {
		leg->server->use.connect_failures++;
		server_failed(leg->server, leg->err.text);
	}
	server_leave(leg);
}

/* Goes on until the leg is connected, waits, or no server is left. */
static void carry_on(struct gw_leg *leg, enum thaw_status status)
{
	while (status == THAW_FAILED) {
		leg_hang_up(leg);
		if (leg->state != LEG_NEW)
			leg_enter(leg, LEG_NEW);
		if (next_address(leg)) {
			leg->err = (struct thaw_error){.cls = THAW_ERR_NONE};
			begin_time(leg);
			leg_enter(leg, LEG_CONNECTING);
			status = dial(leg);
			continue;
		}
		server_is_over(leg);
		if (leg->blameless || !server_choose(leg)) {
			leg_enter(leg, LEG_FAILED);
			return;
		}
		status = begin(leg);
	}
}

void leg_begin(struct gw_leg *leg)
{
	carry_on(leg, begin(leg));
}

/* ---- what the loop tells ---- */

static void after_event(struct gw_leg *leg, enum thaw_status status)
{
	carry_on(leg, status);
	if (leg->state == LEG_READY || leg->state == LEG_FAILED)
		leg->wake(leg->arg);
}

static void on_named(void *arg)
{
	struct gw_leg *leg = arg;

	after_event(leg, find_name(leg));
}

static enum thaw_status timed_out(struct gw_leg *leg)
{
	const char *what = leg->state == LEG_NAMING    ? "look up the name of"
			   : leg->state == LEG_SHAKING ? "TLS with"
						       : "connect to";
	char text[PLACE_TEXT];

	return error_set(&leg->err, THAW_ERR_TIMEOUT, "%s %s: no answer in %llu ms", what, place(leg, text),
			 (unsigned long long)leg->group->config->connect_timeout_ms);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct gw_leg *leg = timer->data;
	uint64_t now_ms = now_of(leg);

	(void)loop;
	(void)events;
	if (leg->state == LEG_READY)
		leg->wake(leg->arg);
	else if (now_ms >= leg->deadline_ms)
		after_event(leg, timed_out(leg));
	else if (leg->state == LEG_CONNECTING && leg->fd < 0)
		after_event(leg, dial(leg));
	else if (leg->state == LEG_SHAKING && tls_client_pending(leg->tls))
		after_event(leg, shake(leg));
	else
		arm(leg);
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
	struct gw_leg *leg = io->data;

	(void)loop;
	(void)events;
	if (leg->state == LEG_CONNECTING)
		after_event(leg, connected(leg));
	else if (leg->state == LEG_SHAKING)
		after_event(leg, shake(leg));
	else if (leg->state == LEG_READY)
		leg_stir(leg);
	else if (leg->state == LEG_IDLE && !leg_is_fit(leg))
		idle_drop(leg); /* closed by the server, or it speaks without being asked */
}

/* ---- beginning ---- */

struct gw_leg *leg_new(struct server *server)
{
	struct group *group = server->group;
	struct gw_leg *leg = calloc(1, sizeof(*leg) + group->config->server_count * sizeof(leg->tried[0]));

	if (leg == NULL)
		return NULL;
	leg->group = group;
	leg->fd = -1;
	ev_init(&leg->io, on_io);
	ev_init(&leg->timer, on_timer);
	leg->io.data = leg->timer.data = leg;
	leg->naming.done = on_named;
	leg->naming.arg = leg;
	server_enter(server, leg);
	group->pool->legs++;
	return leg;
}
