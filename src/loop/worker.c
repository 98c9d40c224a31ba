#include "loop/worker.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/acceptor.h"
#include "loop/challenge.h"
#include "loop/connection.h"
#include "loop/publish.h"

#define WALL_AGAIN_MS 1000    /* the longest time for which the wall clock's offset is used */
#define LOG_NAP       .02     /* seconds until the rest of the log is written */
#define TRIM_DROP     256     /* when this many connections have ended, free memory is returned to the system */
#define TRIM_NAP      2.      /* seconds to wait for more of them to end */
#define HEAP_SLACK    1048576 /* free bytes that malloc keeps, to avoid system calls at every read */

struct worker {
	const struct worker_setup *setup;
	struct ev_loop *loop;
	struct gateway_env env;
	struct connections connections;
	struct pool *pool;
	struct publisher publisher;
	size_t connections_most; /* since memory was last returned */
	uint64_t wall_ms;        /* when the wall clock's offset was read */
	struct acceptor acceptor;
	bool stopping;
	bool cutting; /* no time is left for requests under way */
	ev_timer log_nap, stop_limit, end_limit, sum_up, tend, trim;
	ev_signal term;
	ev_prepare before_sleep;
	ev_check after_sleep;
	ev_idle no_sleep;
	struct channel channel;
	struct signatures signatures;
};

/* ---- callbacks of the gateway ---- */

static void on_access(void *arg, const char *line, size_t len)
{
	const struct worker_setup *setup = ((struct worker *)arg)->setup;

	scoreboard_record_taken(setup->scoreboard);
	log_record(setup->log, line, len);
}

static void on_message(void *arg, enum config_log_level level, const char *text)
{
	log_say(((struct worker *)arg)->setup->log, level, "%s", text);
}

static void on_change(void *arg, const char *machine, const char *from, const char *to, uint64_t now_ms)
{
	(void)now_ms;
	log_say(((struct worker *)arg)->setup->log, CONFIG_LOG_DEBUG, "%s: %s to %s", machine, from, to);
}

static void read_wall_clock(struct worker *w)
{
	w->wall_ms = w->connections.now_ms;
	w->env.wall_offset_ms = clock_wall_offset_ms();
	gateway_set_env(w->setup->gateway, &w->env);
}

/* ---- connections ---- */

/*
 * The heap shrinks by itself only at its end. A single block there that stays in use keeps all free blocks below it
 * resident. malloc_trim() also returns free pages in between.
 */
static void on_trim(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct worker *w = timer->data;

	(void)loop;
	(void)events;
	w->connections_most = w->connections.count;
	(void)malloc_trim(HEAP_SLACK);
}

static void on_gone(void *arg)
{
	struct worker *w = arg;

	if (w->connections.count + TRIM_DROP <= w->connections_most && !ev_is_active(&w->trim)) {
		ev_timer_set(&w->trim, TRIM_NAP, 0.);
		ev_timer_start(w->loop, &w->trim);
	}
	if (w->stopping && w->connections.count == 0)
		ev_break(w->loop, EVBREAK_ALL);
	else
		acceptor_room_again(&w->acceptor);
}

static void on_crowded(void *arg, enum connections_crowd what, enum clients_kind kind, const struct sockaddr *client)
{
	acceptor_crowded(&((struct worker *)arg)->acceptor, what, kind, client);
}

/* ---- stopping ---- */

static void retire(struct worker *w)
{
	if (w->stopping)
		return;
	w->stopping = true;
	acceptor_stop(&w->acceptor);
	listeners_close(w->setup->listeners);
	channel_tell_quiet(&w->channel);
	ev_timer_start(w->loop, &w->stop_limit);
	connections_retire(&w->connections);
	if (w->connections.count == 0)
		ev_break(w->loop, EVBREAK_ALL);
}

static void on_term(struct ev_loop *loop, ev_signal *signal, int events)
{
	(void)loop;
	(void)events;
	retire(signal->data);
}

/* Promise 4: a request that cannot finish gets a response, and its client has time to read it. */
static void cut(struct worker *w, const char *why)
{
	if (w->cutting)
		return;
	w->cutting = true;
	ev_timer_stop(w->loop, &w->stop_limit);
	if (w->connections.count > 0)
		log_say(w->setup->log, CONFIG_LOG_WARNING,
			"worker %d: %zu connections have not ended %s; their requests get 503", (int)getpid(),
			w->connections.count, why);
	ev_timer_start(w->loop, &w->end_limit);
	connections_dismiss(&w->connections);
	if (w->connections.count == 0)
		ev_break(w->loop, EVBREAK_ALL);
}

static void on_stop_limit(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct worker *w = timer->data;
	char why[64];

	(void)loop;
	(void)events;
	(void)snprintf(why, sizeof(why), "within %llu s (stop_timeout)",
		       (unsigned long long)w->setup->config->stop_timeout_ms / 1000);
	cut(w, why);
}

static void on_end_limit(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct worker *w = timer->data;

	(void)events;
	log_say(w->setup->log, CONFIG_LOG_WARNING, "worker %d: closing %zu connections that the clients did not close",
		(int)getpid(), w->connections.count);
	ev_break(loop, EVBREAK_ALL);
}

/* ---- messages of the master ---- */

static void on_go(void *arg)
{
	acceptor_go(&((struct worker *)arg)->acceptor);
}

static void on_cut(void *arg)
{
	struct worker *w = arg;

	retire(w);
	cut(w, "when the worker had to stop immediately");
}

static void on_log(void *arg, int fd)
{
	log_adopt(((struct worker *)arg)->setup->log, fd);
}

/* ---- one iteration: check, the events, prepare, sleep ---- */

static void on_after_sleep(struct ev_loop *loop, ev_check *check, int events)
{
	struct worker *w = check->data;

	(void)loop;
	(void)events;
	w->connections.now_ms = clock_now_ms();
	if (w->connections.now_ms - w->wall_ms >= WALL_AGAIN_MS)
		read_wall_clock(w);
}

static void on_no_sleep(struct ev_loop *loop, ev_idle *idle, int events)
{
	(void)loop;
	(void)idle;
	(void)events;
}

/* Only wakes the loop. on_before_sleep() does the work. */
static void on_wake_up(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)timer;
	(void)events;
}

/* Logs the number of suppressed messages in time, even if nothing else happens. */
static void sum_up_later(struct worker *w)
{
	uint64_t now_ms = w->connections.now_ms, due_ms = gateway_sum_up(w->setup->gateway, now_ms, false);

	if (due_ms == THAW_NEVER || ev_is_active(&w->sum_up))
		return;
	ev_timer_set(&w->sum_up, (double)(due_ms - now_ms + 1) / 1000., 0.);
	ev_timer_start(w->loop, &w->sum_up);
}

/* Makes room in the spool. True: there is more to do now. */
static bool tend_spool(struct worker *w)
{
	uint64_t now_ms = w->connections.now_ms, due_ms = thaw_store_tend(w->env.store, now_ms);

	if (due_ms == THAW_NEVER) {
		ev_timer_stop(w->loop, &w->tend);
		return false;
	}
	if (due_ms > now_ms && !ev_is_active(&w->tend)) {
		ev_timer_set(&w->tend, (double)(due_ms - now_ms) / 1000., 0.);
		ev_timer_start(w->loop, &w->tend);
	}
	return due_ms <= now_ms;
}

static void on_before_sleep(struct ev_loop *loop, ev_prepare *prepare, int events)
{
	struct worker *w = prepare->data;

	(void)events;
	if (w->connections.count > w->connections_most)
		w->connections_most = w->connections.count;
	bool tends = tend_spool(w);
	if (connections_turn(&w->connections) || tends)
		ev_idle_start(loop, &w->no_sleep);
	else
		ev_idle_stop(loop, &w->no_sleep);
	sum_up_later(w);
	acceptor_publish(&w->acceptor);
	if (!log_flush(w->setup->log, w->connections.now_ms) && !ev_is_active(&w->log_nap)) {
		ev_timer_set(&w->log_nap, LOG_NAP, 0.);
		ev_timer_start(loop, &w->log_nap);
	}
	log_count(w->setup->log, w->setup->scoreboard);
}

/* ---- start and end ---- */

static void init_watchers(struct worker *w)
{
	ev_timer_init(&w->sum_up, on_wake_up, 0., 0.);
	ev_timer_init(&w->log_nap, on_wake_up, LOG_NAP, 0.);
	ev_timer_init(&w->tend, on_wake_up, LOG_NAP, 0.);
	ev_timer_init(&w->trim, on_trim, TRIM_NAP, 0.);
	w->trim.data = w;
	ev_timer_init(&w->stop_limit, on_stop_limit, (double)w->setup->config->stop_timeout_ms / 1000., 0.);
	ev_timer_init(&w->end_limit, on_end_limit, WORKER_GRACE_MS / 1000., 0.);
	ev_signal_init(&w->term, on_term, SIGTERM);
	ev_prepare_init(&w->before_sleep, on_before_sleep);
	ev_check_init(&w->after_sleep, on_after_sleep);
	ev_idle_init(&w->no_sleep, on_no_sleep);
	w->log_nap.data = w->stop_limit.data = w->end_limit.data = w->term.data = w;
	w->before_sleep.data = w->after_sleep.data = w->no_sleep.data = w;
	ev_set_priority(&w->after_sleep, EV_MAXPRI); /* before other events use the clock */
}

static bool open_pool(struct worker *w, size_t upconns_max, struct thaw_error *err)
{
	struct pool_setup setup = {
		.loop = w->loop,
		.config = w->setup->config,
		.tls = w->setup->upstream_tls,
		.now_ms = &w->connections.now_ms,
		.upconns_max = upconns_max,
		.say = on_message,
		.arg = w,
	};

	w->pool = pool_new(&setup, err);
	if (w->pool != NULL)
		w->env.upconns = pool_upconns(w->pool);
	return w->pool != NULL;
}

static bool start(struct worker *w)
{
	const struct worker_setup *setup = w->setup;
	struct thaw_error err = {0};

	(void)mallopt(M_TRIM_THRESHOLD, HEAP_SLACK);
	size_t room = acceptor_room(setup);
	struct connections_limits limits = acceptor_limits(setup, room);
	w->loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	if (thaw_store_new(setup->quota, setup->number, setup->config->spool.directory, &w->env.store, &err) !=
		    THAW_OK ||
	    w->loop == NULL ||
	    !connections_init(&w->connections, w->loop, setup->gateway, &limits, setup->counts, setup->number)) {
		log_say(setup->log, CONFIG_LOG_ERROR, "a worker cannot create its spool and event loop: %s",
			err.cls != THAW_ERR_NONE ? err.text : "out of memory");
		return false;
	}
	w->env.access = strcmp(setup->config->log.access, "off") != 0 ? on_access : NULL;
	w->env.message = on_message;
	w->env.log_arg = w;
	w->env.scoreboard = setup->scoreboard;
	w->env.away = setup->away;
	w->env.throttle = setup->throttle;
	w->env.challenge = challenge_read;
	if (setup->config->log.level == CONFIG_LOG_DEBUG)
		w->env.trace = (struct trace){.change = on_change, .arg = w};
	w->connections.listens = setup->config->listens;
	w->connections.gone = on_gone;
	w->connections.crowded = on_crowded;
	w->connections.arg = w;
	w->connections.now_ms = clock_now_ms();
	log_broken_checks(setup->log, setup->scoreboard);
	if (!open_pool(w, room, &err) || !acceptor_init(&w->acceptor, setup, w->loop, &w->connections, w->pool)) {
		log_say(setup->log, CONFIG_LOG_ERROR, "a worker cannot prepare for connections: %s",
			err.cls != THAW_ERR_NONE ? err.text : "out of memory");
		return false;
	}
	read_wall_clock(w);
	init_watchers(w);
	return true;
}

static void run(struct worker *w)
{
	ev_prepare_start(w->loop, &w->before_sleep);
	ev_check_start(w->loop, &w->after_sleep);
	ev_signal_start(w->loop, &w->term);
	publisher_start(&w->publisher, w->loop, w->setup->scoreboard, w->setup->config, w->pool);
	signatures_start(&w->signatures, w->loop, w->setup->signer);
	w->channel.go = on_go;
	w->channel.cut = on_cut;
	w->channel.log = on_log;
	w->channel.arg = w;
	channel_start(&w->channel, w->loop, &w->setup->master);
	(void)ev_run(w->loop, 0);
}

static void end(struct worker *w)
{
	channel_stop(&w->channel); /* no SIGTERM from here on: the log is to be written */
	publisher_stop(&w->publisher);
	signatures_stop(&w->signatures);
	w->connections.gone = NULL;
	w->connections.crowded = NULL;
	if (w->connections.loop != NULL) {
		ev_signal_stop(w->loop, &w->term);
		connections_end(&w->connections);
		(void)gateway_sum_up(w->setup->gateway, w->connections.now_ms, true);
	}
	if (w->loop != NULL)
		pool_free(&w->pool);
	gateway_set_env(w->setup->gateway, &(struct gateway_env){.store = NULL});
	thaw_store_free(&w->env.store);
	if (w->loop != NULL)
		ev_loop_destroy(w->loop);
	acceptor_free(&w->acceptor);
	log_broken_checks(NULL, NULL);
}

bool worker_run(const struct worker_setup *setup)
{
	struct worker w = {.setup = setup};
	bool started = start(&w);

	if (started)
		run(&w);
	end(&w);
	return started;
}
