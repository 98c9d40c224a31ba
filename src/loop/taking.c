#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "gateway/scoreboard.h"
#include "loop/master.h"

/* At most RETIRING_MAX old generations may have workers. Beyond that, a reload waits ROOM_MS, then the oldest one is
 * cut. */
#define LEAVE_MS     2000 /* for old workers to report that they have stopped accepting */
#define RETIRING_MAX 6
#define ROOM_MS      3000
#define STATUS_MAX   (224 + 2 * THAW_ERROR_TEXT)

/* ---- results ---- */

static bool listened(const struct generation *g, const char *name)
{
	for (size_t i = 0; g != NULL && i < g->listeners.count; i++)
		if (strcmp(g->listeners.items[i].name, name) == 0)
			return true;
	return false;
}

static void tell_listening(const struct master *m, const struct generation *old)
{
	const struct listeners *now = &m->serving->listeners;

	for (size_t i = 0; i < now->count; i++)
		if (!listened(old, now->items[i].name))
			log_notice(master_log(m), "listening on %s", now->items[i].name);
	for (size_t i = 0; old != NULL && i < old->listeners.count; i++)
		if (!listened(m->serving, old->listeners.items[i].name))
			log_notice(master_log(m), "no longer listening on %s", old->listeners.items[i].name);
}

static void call_ready(const struct master *m)
{
	const struct listeners *listeners = &m->serving->listeners;
	const char **names = calloc(listeners->count, sizeof(*names));

	for (size_t i = 0; names != NULL && i < listeners->count; i++)
		names[i] = listeners->items[i].name;
	if (names != NULL && m->hooks->ready != NULL)
		m->hooks->ready(m->hooks->arg, names, listeners->count);
	free(names);
}

/* why: NULL for none. Of several lines only the first is taken: a service manager's status would end there. */
static int append_fault(char *text, size_t room, const char *what, const char *why)
{
	return why != NULL ? snprintf(text, room, "; %s: %.*s", what, (int)strcspn(why, "\r\n"), why) : 0;
}

static void write_status(const struct master *m, char status[static STATUS_MAX])
{
	unsigned workers = m->serving->slots.count;
	const char *refused = m->refused.cls != THAW_ERR_NONE ? m->refused.text : NULL;

	int len = snprintf(status, STATUS_MAX, "configuration %u serves, with %u worker%s", m->serving->number, workers,
			   workers == 1 ? "" : "s");
	len += append_fault(status + len, STATUS_MAX - (size_t)len, "the last reload was refused", refused);
	(void)append_fault(status + len, STATUS_MAX - (size_t)len, "changed files are not loaded",
			   watch_held(&m->watch));
}

static void tell_ready(const struct master *m)
{
	char status[STATUS_MAX];

	write_status(m, status);
	systemd_ready(status);
}

/* The changed files that are not loaded are others than before, or there are none any more. */
static void tell_held(struct master *m)
{
	char status[STATUS_MAX];

	if (m->phase != PHASE_SERVING)
		return;
	scoreboard_hold(m->scoreboard, watch_held(&m->watch), m->now_ms);
	if (m->coming != NULL)
		return; /* then the status says that a reload is in progress */
	write_status(m, status);
	systemd_status(status);
}

static void retire(struct master *m, struct generation *g)
{
	listeners_withdraw(&g->listeners, &m->serving->listeners);
	generation_enter(g, GENERATION_RETIRING, m->now_ms);
	generation_dismiss_admin(g); /* the admin process of the new generation shows both */
}

static void warn(void *arg, const char *text)
{
	log_say(master_log(arg), CONFIG_LOG_WARNING, "%s", text);
}

void taking_done(struct master *m)
{
	struct generation *old = m->serving;

	m->serving = m->coming;
	m->coming = NULL;
	generation_enter(m->serving, GENERATION_SERVING, m->now_ms);
	if (!watch_taken(&m->watch, m->serving->config))
		log_say(master_log(m), CONFIG_LOG_WARNING, "cannot watch files: %s; run 'thaw reload' after a renewal",
			strerror(errno));
	scoreboard_enter(m->scoreboard, SCOREBOARD_SERVING, m->serving->number, m->serving->slots.count);
	tell_listening(m, old);
	loaded_warn_of_admin(m->serving->config, warn, m);
	if (old == NULL)
		upgrade_ready(m);
	m->refused.cls = THAW_ERR_NONE;
	tell_ready(m);
	if (old == NULL) {
		master_ping(m);
		master_enter(m, PHASE_SERVING);
		call_ready(m);
		return;
	}
	retire(m, old);
	m->leaving = old;
	m->leaving_ms = m->now_ms + LEAVE_MS;
}

void taking_if_left(struct master *m)
{
	char text[STATUS_MAX];

	if (m->leaving == NULL || (m->now_ms < m->leaving_ms && !slots_all_quiet(&m->leaving->slots)))
		return;
	m->leaving = NULL;
	unsigned workers = m->serving->slots.count;
	(void)snprintf(text, sizeof(text), "configuration %u is taken, with %u worker%s", m->serving->number, workers,
		       workers == 1 ? "" : "s");
	log_say(master_log(m), CONFIG_LOG_INFO, "%s", text);
	control_tell(&m->control, true, text);
}

static void refuse(struct master *m, const char *why)
{
	watch_refused(&m->watch);
	log_say(master_log(m), CONFIG_LOG_ERROR, "new configuration refused, the old one stays in use: %s", why);
	control_tell(&m->control, false, why);
	scoreboard_refuse(m->scoreboard, why, m->now_ms);
	m->refused = (struct thaw_error){.cls = THAW_ERR_CONFIG};
	(void)snprintf(m->refused.text, sizeof(m->refused.text), "%s", why);
	tell_ready(m);
}

void taking_failed(struct master *m, const char *why)
{
	struct generation *g = m->coming;

	m->coming = NULL;
	generation_enter(g, GENERATION_ENDING, m->now_ms);
	listeners_withdraw(&g->listeners, m->serving != NULL ? &m->serving->listeners : NULL);
	if (m->serving != NULL) {
		refuse(m, why);
	} else {
		(void)error_set(m->err, THAW_ERR_SYSTEM, "%s", why);
		master_enter(m, PHASE_STOPPING);
	}
}

/* ---- reload ---- */

static unsigned retiring(const struct master *m, struct generation **oldest)
{
	struct generation *g;
	unsigned count = 0;

	*oldest = NULL;
	for (g = TAILQ_FIRST(&m->all); g != NULL; g = TAILQ_NEXT(g, link)) {
		if (g->state < GENERATION_RETIRING || g->state == GENERATION_OVER)
			continue;
		if (count++ == 0)
			*oldest = g;
	}
	return count;
}

/* False: a reload must wait until an old generation has ended. */
static bool have_room(struct master *m)
{
	struct generation *oldest;

	if (retiring(m, &oldest) < RETIRING_MAX) {
		m->room_ms = 0;
		return true;
	}
	if (m->room_ms == 0)
		m->room_ms = m->now_ms + ROOM_MS;
	if (m->now_ms >= m->room_ms && oldest->state == GENERATION_RETIRING) {
		log_say(master_log(m), CONFIG_LOG_WARNING,
			"ending the workers of configuration %u early, because workers of %u old configurations are "
			"still running; their requests get 503",
			oldest->number, RETIRING_MAX);
		generation_enter(oldest, GENERATION_CUTTING, m->now_ms);
	}
	return false;
}

static bool make_generation(struct master *m, const struct config *config, struct config *own, struct thaw_error *err)
{
	struct generation_parts parts = {
		.number = m->made + 1,
		.config = config,
		.own = own,
		.before = m->serving,
		.handed = &m->systemd.handed,
		.turns = m->turns,
		.scoreboard = m->scoreboard,
		.away = m->away,
		.throttle = m->throttle,
		.hear = m->hear,
	};

	m->now_ms = clock_now_ms();
	watch_reading(&m->watch, config, m->hooks->file);
	m->coming = generation_new(&parts, m->now_ms, err);
	if (m->coming == NULL)
		return false;
	m->made++;
	TAILQ_INSERT_TAIL(&m->all, m->coming, link);
	return true;
}

static void reload(struct master *m)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};

	m->wanted = false;
	control_begin(&m->control);
	if (m->hooks->load == NULL) {
		log_say(master_log(m), CONFIG_LOG_WARNING,
			"SIGHUP ignored: there is no configuration file (-c) to read again");
		control_tell(&m->control, false, "it was started without a configuration file");
		return;
	}
	systemd_reloading(m->now_ms);
	struct config *config = m->hooks->load(m->hooks->arg, &err);
	if (config == NULL || !make_generation(m, config, config, &err))
		refuse(m, err.text);
}

/* The same for changed files only. Files that do not match are not an error yet, because the others may still be
 * written. */
static void reload_files(struct master *m)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	struct config *config = m->hooks->load(m->hooks->arg, &err);

	if (config == NULL || !make_generation(m, config, config, &err)) {
		watch_unfit(&m->watch, &err, m->now_ms);
		return;
	}
	log_say(master_log(m), CONFIG_LOG_INFO, "certificate, key, CA or CRL files have changed; loading them");
	systemd_reloading(m->now_ms);
}

static void look_at_files(struct master *m)
{
	struct thaw_error changed = {.cls = THAW_ERR_CONFIG,
				     .text = "the configuration file has also changed and may be incomplete; run 'thaw "
					     "reload' to load both"};

	bool held = watch_held(&m->watch) != NULL;

	switch (watch_look(&m->watch, m->serving->config, m->hooks->file)) {
	case WATCH_NEW:
		reload_files(m);
		break;
	case WATCH_RECONFIGURED:
		watch_unfit(&m->watch, &changed, m->now_ms);
		break;
	case WATCH_OPEN:
	case WATCH_SAME:
		break;
	}
	if (held && watch_held(&m->watch) == NULL)
		tell_held(m);
}

void taking_if_wanted(struct master *m)
{
	const char *unfit = watch_due(&m->watch, m->now_ms);

	if (unfit != NULL) {
		log_say(master_log(m), CONFIG_LOG_WARNING,
			"changed files not loaded; the next attempt is after their next change: %s", unfit);
		tell_held(m);
	}
	if ((!m->wanted && !m->watch.wanted) || m->phase != PHASE_SERVING || m->coming != NULL || m->leaving != NULL ||
	    m->upgrade.successor != 0 || !have_room(m))
		return;
	if (m->wanted)
		reload(m);
	else
		look_at_files(m);
}

enum thaw_status taking_first(struct master *m, const struct config *config)
{
	return make_generation(m, config, NULL, m->err) ? THAW_OK : THAW_FAILED;
}
