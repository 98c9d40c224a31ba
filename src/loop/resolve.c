#include "loop/resolve.h"

#include <ares.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* c-ares 1.31 and later has a cache of its own. It is off (its maximum TTL below is 0 s), because answers are cached
 * here. */
#ifndef ARES_OPT_QUERY_CACHE
#define ARES_OPT_QUERY_CACHE 0
#endif

#define SOCKETS_MAX 16   /* sockets of c-ares: one per name server and protocol, and some for TCP */
#define TIMEOUT_MS  1500 /* of the first query to a name server; twice that for the second */
#define TRIES       2

struct name {
	struct resolver *resolver;
	char *text;
	bool asking;
	bool within;  /* the call that sends the query has not returned yet */
	bool failing; /* the last query failed, or had no address */
	uint64_t asked_ms;
	struct resolved resolved; /* count 0: no addresses are known */
	uint64_t fresh_until_ms, stale_until_ms;
	uint64_t again_ms; /* no new query before that time */
	char why[128];     /* the last failure */
	LIST_HEAD(resolve_waits, resolve_wait) waits;
	LIST_ENTRY(name) others;
};

struct watched {
	struct resolver *resolver;
	ares_socket_t fd;
	ev_io io;
	bool active;
};

struct resolver {
	struct ev_loop *loop;
	const uint64_t *now_ms;
	ares_channel channel;
	bool open;
	bool closing;
	ev_timer timer;    /* when c-ares must act next */
	ev_timer results;  /* some look-ups have ended; calls the waiting callers from the loop */
	ev_timer patience; /* a caller waits that could use an old answer */
	struct watched sockets[SOCKETS_MAX];
	LIST_HEAD(resolve_names, name) names;
};

static void set_timer(struct resolver *resolver)
{
	struct timeval left, *next = ares_timeout(resolver->channel, NULL, &left);

	ev_timer_stop(resolver->loop, &resolver->timer);
	if (next == NULL)
		return;
	ev_timer_set(&resolver->timer, (double)next->tv_sec + (double)next->tv_usec / 1000000. + .001, 0.);
	ev_timer_start(resolver->loop, &resolver->timer);
}

static void on_socket(struct ev_loop *loop, ev_io *io, int events)
{
	struct watched *watched = io->data;

	(void)loop;
	ares_process_fd(watched->resolver->channel, (events & EV_READ) != 0 ? watched->fd : ARES_SOCKET_BAD,
			(events & EV_WRITE) != 0 ? watched->fd : ARES_SOCKET_BAD);
	set_timer(watched->resolver);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct resolver *resolver = timer->data;

	(void)loop;
	(void)events;
	ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_timer(resolver);
}

static struct watched *watched_of(struct resolver *resolver, ares_socket_t fd)
{
	struct watched *empty = NULL;

	for (size_t i = 0; i < SOCKETS_MAX; i++) {
		if (resolver->sockets[i].active && resolver->sockets[i].fd == fd)
			return &resolver->sockets[i];
		if (!resolver->sockets[i].active && empty == NULL)
			empty = &resolver->sockets[i];
	}
	return empty;
}

/* c-ares has opened or closed a socket, or waits for other events on it. A socket beyond SOCKETS_MAX is not watched;
 * c-ares checks it when its timer fires. */
static void on_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct resolver *resolver = arg;
	struct watched *watched = watched_of(resolver, fd);

	if (watched == NULL)
		return;
	if (watched->active)
		ev_io_stop(resolver->loop, &watched->io);
	watched->active = readable != 0 || writable != 0;
	if (!watched->active)
		return;
	watched->resolver = resolver;
	watched->fd = fd;
	ev_io_init(&watched->io, on_socket, fd, (readable != 0 ? EV_READ : 0) | (writable != 0 ? EV_WRITE : 0));
	watched->io.data = watched;
	ev_io_start(resolver->loop, &watched->io);
}

/* ---- names ---- */

static bool is_known(const struct name *name)
{
	return name->resolved.count > 0 && *name->resolver->now_ms < name->stale_until_ms;
}

/* Returns whether there is an answer that can be used now. */
static bool is_usable(const struct name *name)
{
	uint64_t now_ms = *name->resolver->now_ms;

	if (!is_known(name))
		return false;
	return now_ms < name->fresh_until_ms || name->failing ||
	       (name->asking && now_ms - name->asked_ms >= RESOLVE_PATIENCE_MS);
}

/* A caller that starts to wait again within done() is called the next time. */
static void tell(struct name *name)
{
	struct resolve_waits served = LIST_HEAD_INITIALIZER(served);
	struct resolve_wait *wait;

	while ((wait = LIST_FIRST(&name->waits)) != NULL) {
		LIST_REMOVE(wait, others);
		LIST_INSERT_HEAD(&served, wait, others);
	}
	while ((wait = LIST_FIRST(&served)) != NULL) {
		LIST_REMOVE(wait, others);
		wait->waiting = false;
		wait->done(wait->arg);
	}
}

static void tell_all(struct resolver *resolver)
{
	for (struct name *name = LIST_FIRST(&resolver->names); name != NULL; name = LIST_NEXT(name, others))
		if (!name->asking || is_usable(name))
			tell(name);
}

static void on_results(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	tell_all(timer->data);
}

static void be_patient(struct resolver *resolver)
{
	if (ev_is_active(&resolver->patience))
		return;
	ev_timer_set(&resolver->patience, (RESOLVE_PATIENCE_MS + 1) / 1000., 0.);
	ev_timer_start(resolver->loop, &resolver->patience);
}

static void on_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct resolver *resolver = timer->data;

	(void)loop;
	(void)events;
	tell_all(resolver);
	for (struct name *name = LIST_FIRST(&resolver->names); name != NULL; name = LIST_NEXT(name, others))
		if (!LIST_EMPTY(&name->waits) && is_known(name))
			be_patient(resolver);
}

/* RFC 2181 8: a TTL above 2^31 - 1 counts as 0. c-ares returns it as a negative number, from version 1.29 on as
 * INT_MAX. */
static uint64_t lower(uint64_t ttl_ms, int ttl_s)
{
	uint64_t own_ms = ttl_s > 0 && ttl_s < INT_MAX ? (uint64_t)ttl_s * 1000 : 0;

	return own_ms < ttl_ms ? own_ms : ttl_ms;
}

/* Stores the addresses. Returns how long they may be used, in ms. */
static uint64_t keep(struct name *name, const struct ares_addrinfo *found)
{
	uint64_t ttl_ms = RESOLVE_TTL_MAX;

	name->resolved.count = 0;
	for (const struct ares_addrinfo_node *node = found->nodes; node != NULL; node = node->ai_next) {
		bool ip = node->ai_family == AF_INET || node->ai_family == AF_INET6;
		if (!ip || name->resolved.count == RESOLVE_ADDRESSES ||
		    node->ai_addrlen > sizeof(name->resolved.addresses[0]))
			continue;
		struct sockaddr_storage *to = &name->resolved.addresses[name->resolved.count++];
		memset(to, 0, sizeof(*to));
		memcpy(to, node->ai_addr, node->ai_addrlen);
		ttl_ms = lower(ttl_ms, node->ai_ttl);
	}
	for (const struct ares_addrinfo_cname *cname = found->cnames; cname != NULL; cname = cname->next)
		ttl_ms = lower(ttl_ms, cname->ttl);
	if (name->within)
		return RESOLVE_TTL_NONE; /* no name server was asked: the answer is from /etc/hosts */
	return ttl_ms < RESOLVE_TTL_MIN ? RESOLVE_TTL_MIN : ttl_ms;
}

static bool has_address(const struct ares_addrinfo *found)
{
	const struct ares_addrinfo_node *node = found != NULL ? found->nodes : NULL;

	while (node != NULL && node->ai_family != AF_INET && node->ai_family != AF_INET6)
		node = node->ai_next;
	return node != NULL;
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
	struct name *name = arg;
	struct resolver *resolver = name->resolver;
	uint64_t now_ms = *resolver->now_ms;

	(void)timeouts;
	name->asking = false;
	name->failing = status != ARES_SUCCESS || !has_address(found);
	if (name->failing) {
		(void)snprintf(name->why, sizeof(name->why), "%s",
			       ares_strerror(status != ARES_SUCCESS ? status : ARES_ENODATA));
		name->again_ms = now_ms + RESOLVE_AGAIN_MS;
	} else {
		name->fresh_until_ms = now_ms + keep(name, found);
		name->stale_until_ms = name->fresh_until_ms + RESOLVE_STALE_MS;
	}
	if (found != NULL)
		ares_freeaddrinfo(found);
	/* This may run within resolver_find(), even for another name. */
	if (!resolver->closing && !LIST_EMPTY(&name->waits) && !ev_is_active(&resolver->results))
		ev_timer_start(resolver->loop, &resolver->results);
}

static struct name *name_of(struct resolver *resolver, const char *text)
{
	struct name *name;

	for (name = LIST_FIRST(&resolver->names); name != NULL; name = LIST_NEXT(name, others))
		if (strcmp(name->text, text) == 0)
			return name;
	name = calloc(1, sizeof(*name));
	if (name == NULL)
		return NULL;
	name->text = strdup(text);
	if (name->text == NULL) {
		free(name);
		return NULL;
	}
	name->resolver = resolver;
	LIST_INIT(&name->waits);
	LIST_INSERT_HEAD(&resolver->names, name, others);
	return name;
}

static void ask(struct name *name)
{
	struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

	name->asking = name->within = true;
	name->asked_ms = *name->resolver->now_ms;
	ares_getaddrinfo(name->resolver->channel, name->text, NULL, &hints, on_answer, name);
	name->within = false;
	set_timer(name->resolver);
}

enum thaw_status resolver_find(struct resolver *resolver, const char *text, struct resolve_wait *wait,
			       const struct resolved **resolved, struct thaw_error *err)
{
	struct name *name = name_of(resolver, text);
	uint64_t now_ms = *resolver->now_ms;

	if (name == NULL)
		return error_set(err, THAW_ERR_RESOURCE, "look up %s: out of memory", text);
	if (!name->asking && now_ms >= name->again_ms && !(is_known(name) && now_ms < name->fresh_until_ms))
		ask(name); /* on_answer() may run at once */
	*resolved = &name->resolved;
	if (is_usable(name))
		return THAW_OK;
	if (!name->asking)
		return error_set(err, THAW_ERR_SYSTEM, "look up %s: %s", text, name->why);
	if (!wait->waiting)
		LIST_INSERT_HEAD(&name->waits, wait, others);
	wait->waiting = true;
	if (is_known(name))
		be_patient(resolver);
	return THAW_WANT_READ;
}

void resolver_cancel(struct resolve_wait *wait)
{
	if (wait->waiting)
		LIST_REMOVE(wait, others);
	wait->waiting = false;
}

struct resolver *resolver_new(struct ev_loop *loop, const char *servers, const uint64_t *now_ms, struct thaw_error *err)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));
	struct ares_options options = {
		.sock_state_cb = on_state, .sock_state_cb_data = resolver, .timeout = TIMEOUT_MS, .tries = TRIES};
	int flags = ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_QUERY_CACHE;
	int status = ARES_ENOMEM;

	if (resolver != NULL && (status = ares_library_init(ARES_LIB_INIT_ALL)) == ARES_SUCCESS)
		status = ares_init_options(&resolver->channel, &options, flags);
	if (status == ARES_SUCCESS) {
		resolver->open = true;
		resolver->loop = loop;
		resolver->now_ms = now_ms;
		ev_timer_init(&resolver->timer, on_timer, 0., 0.);
		ev_timer_init(&resolver->results, on_results, 0., 0.);
		ev_timer_init(&resolver->patience, on_patience, 0., 0.);
		resolver->timer.data = resolver->results.data = resolver->patience.data = resolver;
		LIST_INIT(&resolver->names);
		if (servers != NULL)
			status = ares_set_servers_ports_csv(resolver->channel, servers);
	}
	if (status == ARES_SUCCESS)
		return resolver;
	(void)error_set(err, THAW_ERR_SYSTEM, "cannot initialize name lookups: %s", ares_strerror(status));
	resolver_free(&resolver);
	return NULL;
}

void resolver_free(struct resolver **resolver)
{
	struct resolver *gone = *resolver;
	struct name *name;

	*resolver = NULL;
	if (gone == NULL)
		return;
	gone->closing = true;
	if (gone->open) {
		ares_destroy(gone->channel); /* also ends pending queries */
		/* If out of memory, c-ares 1.34 closes a socket without reporting it. */
		for (size_t i = 0; i < SOCKETS_MAX; i++)
			if (gone->sockets[i].active)
				ev_io_stop(gone->loop, &gone->sockets[i].io);
		ev_timer_stop(gone->loop, &gone->timer);
		ev_timer_stop(gone->loop, &gone->results);
		ev_timer_stop(gone->loop, &gone->patience);
	}
	while (gone->open && (name = LIST_FIRST(&gone->names)) != NULL) {
		struct resolve_wait *wait;
		while ((wait = LIST_FIRST(&name->waits)) != NULL)
			resolver_cancel(wait);
		LIST_REMOVE(name, others);
		free(name->text);
		free(name);
	}
	ares_library_cleanup();
	free(gone);
}
