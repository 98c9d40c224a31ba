#include "loop/generation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/require.h"
#include "loop/admin.h"
#include "loop/sandbox.h"

#define START_MS 60000 /* time limit for all workers to be ready */
/* Workers end by themselves after stop_timeout plus WORKER_GRACE_MS. The master kills the others this long after
 * stop_timeout, or after it has cut them. */
#define LATER_MS (WORKER_GRACE_MS + 5000)
#define HEAR_MAX 16 /* messages read from one worker at a time, so that it cannot block the master */

/* ---- preparation ---- */

static void say_warning(void *log, const char *text)
{
	log_say(log, CONFIG_LOG_WARNING, "%s", text);
}

static enum thaw_status ready_all(struct generation *g, const struct generation_parts *parts, struct thaw_error *err)
{
	const struct generation *before = parts->before;

	if (loaded_make(&g->loaded, g->config, before != NULL ? &before->loaded : NULL, err) != THAW_OK)
		return THAW_FAILED;
	if (listeners_open(&g->listeners, g->config, before != NULL ? &before->listeners : NULL, parts->handed, err) !=
	    THAW_OK)
		return THAW_FAILED;
	if (log_open(&g->log, g->config, parts->turns, err) != THAW_OK) {
		err->cls = THAW_ERR_CONFIG;
		return THAW_FAILED;
	}
	loaded_warnings(&g->loaded, g->config, say_warning, &g->log);
	g->map = scoreboard_map_new(g->scoreboard, g->config);
	if (!slots_init(&g->slots, g->loaded.workers) || !slots_init(&g->admin, g->config->admin != NULL ? 1 : 0) ||
	    g->map == NULL)
		return error_set(err, THAW_ERR_RESOURCE, "out of memory");
	if (signer_is_needed(g->config)) {
		if (!slots_init(&g->signer, 1))
			return error_set(err, THAW_ERR_RESOURCE, "out of memory");
		if (!signer_links_open(&g->links, g->slots.count))
			return error_system(err, errno, "cannot create the sockets between workers and signer process");
	}
	for (unsigned i = 0; i < g->slots.count; i++)
		g->slots.items[i].number = g->loaded.numbers[i];
	return THAW_OK;
}

struct generation *generation_new(const struct generation_parts *parts, uint64_t now_ms, struct thaw_error *err)
{
	struct generation *g = calloc(1, sizeof(*g));
	struct config *own = parts->own;

	if (g == NULL) {
		config_free(&own);
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return NULL;
	}
	g->number = parts->number;
	g->config = parts->config;
	g->own = own;
	g->scoreboard = parts->scoreboard;
	g->away = parts->away;
	g->throttle = parts->throttle;
	g->hear = parts->hear;
	g->state = GENERATION_STARTING;
	g->limit_ms = now_ms + START_MS;
	g->listeners.admin.fd = -1;
	if (ready_all(g, parts, err) != THAW_OK)
		generation_free(&g, parts->before != NULL ? &parts->before->listeners : NULL);
	return g;
}

/* In the master. Removes it from the epoll instance explicitly, because a process that was just forked can still have
 * it open. */
static void close_channel(const struct generation *g, struct slot *slot)
{
	if (slot->channel < 0)
		return;
	(void)epoll_ctl(g->hear, EPOLL_CTL_DEL, slot->channel, NULL);
	(void)close(slot->channel);
	slot->channel = -1;
}

static void close_all(const struct slots *slots)
{
	for (unsigned i = 0; i < slots->count; i++)
		if (slots->items[i].channel >= 0)
			(void)close(slots->items[i].channel);
}

void generation_close_channels(const struct generation *g)
{
	close_all(&g->slots);
	close_all(&g->admin);
	close_all(&g->signer);
}

void generation_close_links(struct generation *g)
{
	signer_links_close(&g->links);
}

void generation_free(struct generation **generation, const struct listeners *go_on)
{
	struct generation *g = *generation;

	*generation = NULL;
	if (g == NULL)
		return;
	generation_close_channels(g);
	slots_free(&g->slots);
	slots_free(&g->admin);
	slots_free(&g->signer);
	signer_links_close(&g->links);
	scoreboard_map_free(&g->map);
	listeners_withdraw(&g->listeners, go_on);
	listeners_free(&g->listeners);
	loaded_free(&g->loaded);
	log_close(&g->log, NULL);
	config_free(&g->own);
	free(g);
}

/* ---- states ---- */

static void signal_workers(const struct generation *g, int signal)
{
	for (unsigned i = 0; i < g->slots.count; i++)
		if (g->slots.items[i].pid != 0)
			(void)kill(g->slots.items[i].pid, signal);
}

static void dismiss(const struct slots *only, int signal)
{
	if (only->count > 0 && only->items[0].pid != 0)
		(void)kill(only->items[0].pid, signal);
}

static void let_go(const struct generation *g)
{
	for (unsigned i = 0; i < g->slots.count; i++)
		if (g->slots.items[i].channel >= 0)
			(void)channel_send_go(g->slots.items[i].channel);
}

static void cut_short(const struct generation *g)
{
	for (unsigned i = 0; i < g->slots.count; i++)
		if (g->slots.items[i].channel >= 0)
			(void)channel_send_cut(g->slots.items[i].channel);
}

void generation_enter(struct generation *g, enum generation_state to, uint64_t now_ms)
{
	static const struct {
		const char *name;
		unsigned next;
	} states[GENERATION_STATES] = {
		[GENERATION_STARTING] = {"starting", 1u << GENERATION_SERVING | 1u << GENERATION_ENDING},
		[GENERATION_SERVING] = {"serving", 1u << GENERATION_RETIRING},
		[GENERATION_RETIRING] = {"retiring",
					 1u << GENERATION_CUTTING | 1u << GENERATION_ENDING | 1u << GENERATION_OVER},
		[GENERATION_CUTTING] = {"cutting", 1u << GENERATION_ENDING | 1u << GENERATION_OVER},
		[GENERATION_ENDING] = {"ending", 1u << GENERATION_OVER},
		[GENERATION_OVER] = {"over", 0},
	};

	if (!require_transition((states[g->state].next & 1u << to) != 0, "generation", states[g->state].name,
				states[to].name))
		return;
	g->state = to;
	g->limit_ms = THAW_NEVER;
	if (to == GENERATION_SERVING)
		let_go(g);
	if (to == GENERATION_RETIRING) {
		g->limit_ms = now_ms + g->config->stop_timeout_ms + LATER_MS;
		signal_workers(g, SIGTERM);
	}
	if (to == GENERATION_CUTTING) {
		g->limit_ms = now_ms + LATER_MS;
		cut_short(g);
	}
	if (to == GENERATION_ENDING) {
		signal_workers(g, SIGKILL);
		generation_dismiss_admin(g);
		dismiss(&g->signer, SIGKILL); /* SIGKILL, because it may be waiting for a token */
	}
}

/* ---- workers ---- */

/* Ignores signals that a terminal or an operator sends to all processes: the master handles them. */
static void leave_to_master(void)
{
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGUSR1, SIG_IGN);
}

/* False: this process cannot serve. */
static bool become_worker(struct generation *g, const struct generation_birth *birth, const char *name, pid_t master)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	sigset_t mask = birth->signals;

	log_inherit(&g->log);
	if (privileges_drop(&g->loaded.privileges, &err) != THAW_OK) {
		log_say(&g->log, CONFIG_LOG_ERROR, "a worker cannot change its user: %s", err.text);
		return false;
	}
	/* After the change of user, which resets this setting. If the master has already ended, the parent's id
	 * differs. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != master)
		return false;
	(void)prctl(PR_SET_NAME, name);
	leave_to_master();
	(void)sigaddset(&mask, SIGTERM); /* until the event loop handles it */
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	return true;
}

/* Enters the sandbox, which limits what a compromised process can do. */
static bool lock_up(struct generation *g, const struct slot *slot)
{
	char missing[SANDBOX_MISSING];
	struct thaw_error err = {.cls = THAW_ERR_NONE};

	if (sandbox_enter(g->config, missing, &err) != THAW_OK) {
		log_say(&g->log, CONFIG_LOG_ERROR, "a worker cannot enter the sandbox: %s", err.text);
		return false;
	}
	/* Only the first worker logs this at level info, and not in a build with a sanitizer. */
	bool at_info = slot == g->slots.items && strstr(missing, "sanitizer") == NULL;
	if (missing[0] != '\0')
		log_say(&g->log, at_info ? CONFIG_LOG_INFO : CONFIG_LOG_DEBUG,
			"this system does not support %s: the sandbox of the workers is weaker", missing);
	return true;
}

/* Returns the shorter one of the intervals that worker_timeout and the watchdog need; 0: neither is used. */
static uint64_t alive_every(const struct generation *g, const struct generation_birth *birth)
{
	uint64_t every = g->config->worker_timeout_ms / GENERATION_LOOKS;

	if (every == 0 || (birth->alive_ms > 0 && birth->alive_ms < every))
		return birth->alive_ms;
	return every;
}

/* Runs in the new process. */
static void be_worker(struct generation *g, const struct slot *slot, const struct generation_birth *birth, int channel,
		      pid_t master)
{
	struct worker_setup setup = {
		.number = slot->number,
		.config = g->config,
		.gateway = g->loaded.gateway,
		.upstream_tls = g->loaded.upstream_tls,
		.scoreboard = scoreboard_open(g->scoreboard, slot->place, g->map),
		.away = g->away,
		.throttle = g->throttle,
		.quota = g->loaded.quota,
		.loads = g->loaded.loads,
		.counts = g->loaded.counts,
		.workers = g->loaded.workers,
		.listeners = &g->listeners,
		.log = &g->log,
		.signer = signer_links_of_worker(&g->links, (unsigned)(slot - g->slots.items)),
		.master = {.fd = channel, .alive_ms = alive_every(g, birth)},
	};

	generation_close_channels(g);
	birth->forget(birth->arg, g);
	if (g->listeners.admin.fd >= 0)
		(void)close(g->listeners.admin.fd);
	g->listeners.admin.fd = -1;
	bool well = become_worker(g, birth, "thaw-worker", master) && lock_up(g, slot) && worker_run(&setup);
	log_close(&g->log, setup.scoreboard);
	scoreboard_close(&setup.scoreboard);
	exit(well ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* In the master. If this fails, the process never becomes ready, and is ended at its time limit. */
static void listen_to(const struct generation *g, const struct slot *slot)
{
	struct epoll_event said = {.events = EPOLLIN, .data.u64 = (uint64_t)slot->pid};

	(void)epoll_ctl(g->hear, EPOLL_CTL_ADD, slot->channel, &said);
}

/* Runs in the new process. */
static void be_admin(struct generation *g, const struct slot *slot, const struct generation_birth *birth, int channel,
		     pid_t master)
{
	struct admin_setup setup = {
		.config = g->config,
		.scoreboard = g->scoreboard,
		.quota = g->loaded.quota,
		.expiries = &g->loaded.expiries,
		.listener = g->listeners.admin.fd,
		.began_ms = birth->began_ms,
		.log = &g->log,
		.master = {.fd = channel, .alive_ms = alive_every(g, birth)},
	};

	(void)slot;
	generation_close_channels(g);
	generation_close_links(g);
	birth->forget(birth->arg, g);
	g->listeners.admin.fd = -1;
	listeners_close(&g->listeners);
	bool well = become_worker(g, birth, "thaw-admin", master) && lock_up(g, NULL) && admin_run(&setup);
	log_close(&g->log, NULL);
	exit(well ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* Runs in the new process. Reads the PINs before it drops privileges. No sandbox, because a token's module may need any
 * system call. */
static void be_signer(struct generation *g, const struct slot *slot, const struct generation_birth *birth, int channel,
		      pid_t master)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	struct signer_setup setup = {
		.config = g->config,
		.links = &g->links,
		.log = &g->log,
		.master = {.fd = channel, .alive_ms = alive_every(g, birth)},
	};
	int status = SIGNER_NO_KEYS;

	(void)slot;
	generation_close_channels(g);
	birth->forget(birth->arg, g);
	if (g->listeners.admin.fd >= 0)
		(void)close(g->listeners.admin.fd);
	g->listeners.admin.fd = -1;
	listeners_close(&g->listeners);
	setup.keys = signer_keys(g->config, &err);
	if (!become_worker(g, birth, "thaw-signer", master))
		status = EXIT_FAILURE;
	else if (setup.keys == NULL)
		log_say(&g->log, CONFIG_LOG_ERROR, "%s", err.text);
	else
		status = signer_run(&setup);
	log_close(&g->log, NULL);
	exit(status); /* exit() also runs the exit handlers of the token's module */
}

typedef void be_fn(struct generation *g, const struct slot *slot, const struct generation_birth *birth, int channel,
		   pid_t master);

/* Starts a process in the slot, and watches its channel. On failure returns false and sets errno. */
static bool start(struct generation *g, struct slot *slot, be_fn *be, const struct generation_birth *birth,
		  uint64_t now_ms)
{
	pid_t master = getpid();
	int ends[2];

	bool made = channel_open(ends);
	(void)fflush(NULL);
	pid_t pid = made ? fork() : -1;
	if (pid == 0) {
		(void)close(ends[0]);
		be(g, slot, birth, ends[1], master);
	}
	int cause = errno;
	if (made)
		(void)close(ends[1]);
	if (pid > 0) {
		slot_filled(slot, pid, now_ms);
		slot->channel = ends[0];
		listen_to(g, slot);
		return true;
	}
	if (made)
		(void)close(ends[0]);
	(void)scoreboard_reclaim(g->scoreboard, slot->place);
	slot->place = -1;
	slot_emptied(slot, now_ms);
	errno = cause;
	return false;
}

bool generation_start_worker(struct generation *g, struct slot *slot, const struct generation_birth *birth,
			     uint64_t now_ms)
{
	slot->place = scoreboard_take(g->scoreboard, g->number);
	return start(g, slot, be_worker, birth, now_ms);
}

bool generation_start_admin(struct generation *g, const struct generation_birth *birth, uint64_t now_ms)
{
	struct slot *slot = &g->admin.items[0];

	slot->place = -1;
	return start(g, slot, be_admin, birth, now_ms);
}

bool generation_start_signer(struct generation *g, const struct generation_birth *birth, uint64_t now_ms)
{
	struct slot *slot = &g->signer.items[0];

	slot->place = -1;
	return start(g, slot, be_signer, birth, now_ms);
}

void generation_lost_signer(struct generation *g, bool no_keys, uint64_t now_ms)
{
	struct slot *slot = &g->signer.items[0];

	log_reclaim(&g->log, slot->pid);
	close_channel(g, slot);
	slot_emptied(slot, now_ms);
	if (no_keys)
		slot->due_ms = THAW_NEVER;
}

bool generation_is_ready(const struct generation *g)
{
	return slots_all_ready(&g->slots) && slots_all_ready(&g->signer);
}

void generation_lost_admin(struct generation *g, uint64_t now_ms)
{
	struct slot *slot = &g->admin.items[0];

	log_reclaim(&g->log, slot->pid);
	close_channel(g, slot);
	slot_emptied(slot, now_ms);
}

void generation_dismiss_signer(const struct generation *g)
{
	dismiss(&g->signer, SIGTERM);
}

void generation_dismiss_admin(const struct generation *g)
{
	dismiss(&g->admin, SIGTERM);
}

static void end_stalled(const struct slots *slots, uint64_t limit_ms, uint64_t now_ms, generation_ended *ended,
			void *arg)
{
	struct slot *slot;

	while ((slot = slots_stalled(slots, limit_ms, START_MS, now_ms)) != NULL) {
		slot->ended = true;
		ended(arg, slot->pid, limit_ms);
		(void)kill(slot->pid, SIGKILL);
	}
}

void generation_end_stalled(const struct generation *g, uint64_t now_ms, generation_ended *worker,
			    generation_ended *admin, generation_ended *signer, void *arg)
{
	uint64_t limit_ms = g->config->worker_timeout_ms;

	/* A starting generation has a limit of its own. */
	if (limit_ms == 0 || g->state == GENERATION_STARTING)
		return;
	end_stalled(&g->slots, limit_ms, now_ms, worker, arg);
	end_stalled(&g->admin, limit_ms, now_ms, admin, arg);
	end_stalled(&g->signer, limit_ms, now_ms, signer, arg);
}

unsigned generation_alive(const struct generation *g)
{
	return slots_filled(&g->slots) + slots_filled(&g->admin) + slots_filled(&g->signer);
}

void generation_lost_worker(struct generation *g, struct slot *slot, uint64_t now_ms)
{
	log_reclaim(&g->log, slot->pid);
	loaded_reclaim(&g->loaded, slot->number);
	uint64_t lost = scoreboard_reclaim(g->scoreboard, slot->place);
	if (lost > 0)
		log_say(&g->log, CONFIG_LOG_WARNING, "worker %d ended before it wrote %llu access records",
			(int)slot->pid, (unsigned long long)lost);
	close_channel(g, slot);
	slot->place = -1;
	slot_emptied(slot, now_ms);
}

static void heard_alive(const struct generation *g, struct slot *slot, uint64_t now_ms)
{
	bool first = !slot->ready;

	slot_heard(slot, now_ms);
	if (first && g->state == GENERATION_SERVING)
		(void)channel_send_go(slot->channel);
}

bool generation_hear(struct generation *g, struct slot *slot, uint64_t now_ms)
{
	enum channel_word word = CHANNEL_SILENCE;

	for (int i = 0; i < HEAR_MAX && slot->channel >= 0; i++) {
		word = channel_hear(slot->channel);
		if (word == CHANNEL_ALIVE)
			heard_alive(g, slot, now_ms);
		else if (word == CHANNEL_QUIET)
			slot->quiet = true;
		else
			break;
	}
	if (word == CHANNEL_CLOSED)
		close_channel(g, slot);
	return word != CHANNEL_WRONG;
}

enum thaw_status generation_reopen_log(struct generation *g, struct thaw_error *err)
{
	if (!log_is_file(&g->log))
		return THAW_OK;
	if (log_reopen(&g->log, err) != THAW_OK)
		return THAW_FAILED;
	for (unsigned i = 0; i < g->slots.count; i++)
		if (g->slots.items[i].channel >= 0)
			(void)channel_send_log(g->slots.items[i].channel, g->log.access.fd);
	return THAW_OK;
}
