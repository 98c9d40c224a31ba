#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "gateway/away.h"
#include "gateway/scoreboard.h"
#include "gateway/throttle.h"
#include "loop/master.h"

#define HEARD_MAX 64 /* workers whose messages are read before the master does other things */

/* ---- workers ---- */

static void start_worker(struct master *m, struct generation *g, struct slot *slot)
{
	if (generation_start_worker(g, slot, &m->birth, m->now_ms))
		return;
	const char *why = strerror(errno);
	log_say(master_log(m), CONFIG_LOG_ERROR, "cannot start a worker: %s", why);
	if (g == m->coming)
		taking_failed(m, "a worker cannot be started");
}

static void fill_signer(struct master *m, struct generation *g)
{
	if (slots_due(&g->signer, m->now_ms) == NULL || generation_start_signer(g, &m->birth, m->now_ms))
		return;
	const char *why = strerror(errno);
	log_say(master_log(m), CONFIG_LOG_ERROR, "cannot start the signer process: %s", why);
	if (g == m->coming)
		taking_failed(m, "the signer process cannot be started");
}

static void fill_slots(struct master *m)
{
	struct slot *slot;

	while (m->coming != NULL && (slot = slots_due(&m->coming->slots, m->now_ms)) != NULL)
		start_worker(m, m->coming, slot);
	if (m->coming != NULL)
		fill_signer(m, m->coming);
	if (m->phase == PHASE_SERVING)
		fill_signer(m, m->serving);
	while (m->phase == PHASE_SERVING && (slot = slots_due(&m->serving->slots, m->now_ms)) != NULL)
		start_worker(m, m->serving, slot);
	if (m->phase == PHASE_SERVING && slots_due(&m->serving->admin, m->now_ms) != NULL &&
	    !generation_start_admin(m->serving, &m->birth, m->now_ms))
		log_say(master_log(m), CONFIG_LOG_ERROR, "cannot start the admin process: %s", strerror(errno));
}

static struct generation *find(const struct master *m, pid_t pid, struct slot **slot)
{
	struct generation *g;

	for (g = TAILQ_FIRST(&m->all); g != NULL; g = TAILQ_NEXT(g, link)) {
		*slot = slots_find(&g->slots, pid);
		if (*slot == NULL)
			*slot = slots_find(&g->admin, pid);
		if (*slot == NULL)
			*slot = slots_find(&g->signer, pid);
		if (*slot != NULL)
			return g;
	}
	return NULL; /* a child that another program started, before it executed this one in the same process */
}

static void tell_end(const struct master *m, const struct generation *g, const char *what, pid_t pid, int how)
{
	enum config_log_level level = g->state <= GENERATION_SERVING ? CONFIG_LOG_WARNING : CONFIG_LOG_DEBUG;

	if (WIFSIGNALED(how))
		log_say(master_log(m), level, "%s %d was killed by signal %d (%s)", what, (int)pid, WTERMSIG(how),
			strsignal(WTERMSIG(how)));
	else
		log_say(master_log(m), level, "%s %d exited with status %d", what, (int)pid, WEXITSTATUS(how));
}

static void over(struct master *m, struct generation *g)
{
	generation_enter(g, GENERATION_OVER, m->now_ms);
	if (g == m->serving || m->serving == NULL)
		return; /* its log is needed until the end */
	TAILQ_REMOVE(&m->all, g, link);
	generation_free(&g, &m->serving->listeners);
}

static bool is_there(void *arg, pid_t process)
{
	struct slot *slot;

	return process > 0 && find(arg, process, &slot) != NULL;
}

static void signer_ended(struct master *m, const struct generation *g, bool no_keys)
{
	if (g == m->coming) {
		taking_failed(m, "the signer process ended before it was ready; see the message before");
		/* With this class, a service manager does not restart Thaw and try a wrong PIN again. */
		if (no_keys && m->serving == NULL)
			m->err->cls = THAW_ERR_CONFIG;
	} else if (no_keys && g == m->serving) {
		log_say(master_log(m), CONFIG_LOG_ERROR,
			"the signer process is not restarted, because another attempt could lock the token; TLS "
			"handshakes with keys on tokens fail; fix the cause in the message before, then run 'thaw "
			"reload'");
	}
}

static void worker_ended(struct master *m, pid_t pid, int how)
{
	struct slot *slot = NULL;
	struct generation *g = find(m, pid, &slot);

	if (g == NULL) {
		upgrade_ended(m, pid, how);
		return;
	}
	bool admin = slot == g->admin.items, signer = slot == g->signer.items;
	if (admin)
		generation_lost_admin(g, m->now_ms);
	else if (signer)
		generation_lost_signer(g, WIFEXITED(how) && WEXITSTATUS(how) == SIGNER_NO_KEYS, m->now_ms);
	else
		generation_lost_worker(g, slot, m->now_ms);
	log_free_turns(m->turns, is_there, m);
	tell_end(m, g, admin ? "admin process" : signer ? "signer process" : "worker", pid, how);
	if (admin)
		return;
	if (signer) {
		signer_ended(m, g, WIFEXITED(how) && WEXITSTATUS(how) == SIGNER_NO_KEYS);
		return;
	}
	/* A worker that ends during the start would do so again. */
	if (g == m->coming)
		taking_failed(m, "a worker ended before it was ready");
}

static void dismiss_rest(const struct generation *g)
{
	generation_dismiss_admin(g);
	generation_dismiss_signer(g);
}

static void reap(struct master *m)
{
	struct generation *g, *next;
	bool left = false;
	pid_t pid;
	int how;

	while ((pid = waitpid(-1, &how, WNOHANG)) > 0)
		worker_ended(m, pid, how);
	for (g = TAILQ_FIRST(&m->all); g != NULL; g = next) {
		next = TAILQ_NEXT(g, link);
		left = left || generation_alive(g) > 0;
		/* The admin process shows the state of the workers until the last of them has ended. */
		if (g->state > GENERATION_SERVING && slots_filled(&g->slots) == 0)
			dismiss_rest(g);
		if (g != m->leaving && g->state > GENERATION_SERVING && g->state < GENERATION_OVER &&
		    generation_alive(g) == 0)
			over(m, g);
	}
	/* A process that this one replaces must end first: its workers would be killed with this process's control
	 * group. */
	if (m->phase == PHASE_STOPPING && !left && m->upgrade.elder < 0)
		master_enter(m, PHASE_OVER);
}

/* Runs in a new worker: closes what belongs only to the master. */
static void forget(void *arg, const struct generation *mine)
{
	struct master *m = arg;
	struct generation *g;

	(void)close(m->signals);
	(void)close(m->hear);
	watch_close(&m->watch);
	control_close(&m->control);
	upgrade_close(&m->upgrade);
	handed_close(&m->systemd.handed);
	for (g = TAILQ_FIRST(&m->all); g != NULL; g = TAILQ_NEXT(g, link)) {
		if (g == mine)
			continue;
		generation_close_channels(g);
		generation_close_links(g);
		listeners_close(&g->listeners);
		log_forget(&g->log);
	}
}

static void reopen_logs(struct master *m)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	struct generation *g;

	for (g = TAILQ_FIRST(&m->all); g != NULL; g = TAILQ_NEXT(g, link)) {
		if (g->state != GENERATION_OVER && generation_reopen_log(g, &err) != THAW_OK)
			log_say(master_log(m), CONFIG_LOG_ERROR, "%s", err.text);
	}
}

/* ---- stopping ---- */

static void stop(struct master *m)
{
	uint64_t limit_ms;

	if (m->coming != NULL)
		generation_enter(m->coming, GENERATION_ENDING, m->now_ms);
	m->leaving = NULL;
	control_begin(&m->control);
	control_tell(&m->control, false, "thaw is being stopped");
	upgrade_give_up(m, "thaw is being stopped");
	m->coming = NULL;
	master_enter(m, PHASE_STOPPING);
	scoreboard_enter(m->scoreboard, SCOREBOARD_STOPPING, m->made, 0);
	if (m->serving == NULL)
		return;
	limit_ms = m->serving->config->stop_timeout_ms;
	log_say(master_log(m), CONFIG_LOG_INFO,
		"stopping: current requests may finish within %llu s; send the signal again to end them with 503 now",
		(unsigned long long)limit_ms / 1000);
	listeners_withdraw(&m->serving->listeners, NULL);
	generation_enter(m->serving, GENERATION_RETIRING, m->now_ms);
	systemd_stopping(m->serving->limit_ms - m->now_ms);
}

static void stop_at_once(struct master *m)
{
	/* After a handover, a service manager may send its first stop signal to all processes. It is not a second
	 * signal, so it does not cut requests here. */
	if (m->upgrade.over && !m->stopped) {
		m->stopped = true;
		return;
	}
	upgrade_cut_elder(m);
	master_cut(m);
}

/* ---- events ---- */

static void hear_workers(struct master *m)
{
	struct epoll_event said[HEARD_MAX];
	int count = epoll_wait(m->hear, said, HEARD_MAX, 0);

	for (int i = 0; i < count; i++) {
		struct slot *slot;
		pid_t pid = (pid_t)said[i].data.u64;
		struct generation *g = find(m, pid, &slot);
		if (g == NULL || generation_hear(g, slot, m->now_ms))
			continue;
		log_say(master_log(m), CONFIG_LOG_ERROR, "worker %d sent an unknown message; ending it", (int)pid);
		(void)kill(pid, SIGKILL);
	}
	if (m->coming != NULL && generation_is_ready(m->coming))
		taking_done(m);
}

static void take_signals(struct master *m)
{
	struct signalfd_siginfo info;

	while (read(m->signals, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGTERM:
		case SIGINT:
			if (m->phase <= PHASE_SERVING)
				stop(m);
			else
				stop_at_once(m);
			break;
		case SIGHUP:
			m->wanted = true;
			break;
		case SIGUSR1:
			reopen_logs(m);
			break;
		default: /* SIGCHLD: reap() runs in any case */
			break;
		}
	}
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Returns when the next ping is due: after half the watchdog's interval. */
static uint64_t next_ping_ms(const struct master *m)
{
	return m->systemd.watchdog_ms > 0 ? m->ping_ms + m->systemd.watchdog_ms / 2 : THAW_NEVER;
}

/* Returns how often the master checks whether the workers make progress; THAW_NEVER: not needed. */
static uint64_t look_every(const struct master *m)
{
	uint64_t every = THAW_NEVER;
	const struct generation *g;

	for (g = TAILQ_FIRST(&m->all); g != NULL; g = TAILQ_NEXT(g, link))
		if (g->config->worker_timeout_ms > 0)
			every = sooner(every, g->config->worker_timeout_ms / GENERATION_LOOKS);
	return every;
}

static int patience(const struct master *m)
{
	uint64_t until_ms = next_ping_ms(m), every = look_every(m);
	const struct generation *g;

	if (every != THAW_NEVER)
		until_ms = sooner(until_ms, m->look_ms + every);

	for (g = TAILQ_FIRST(&m->all); g != NULL; g = TAILQ_NEXT(g, link))
		until_ms = sooner(until_ms, g->state < GENERATION_OVER ? g->limit_ms : THAW_NEVER);
	if (m->phase == PHASE_SERVING)
		until_ms =
			sooner(until_ms,
			       sooner(slots_next_ms(&m->serving->slots),
				      sooner(slots_next_ms(&m->serving->admin), slots_next_ms(&m->serving->signer))));
	if (m->leaving != NULL)
		until_ms = sooner(until_ms, slots_all_quiet(&m->leaving->slots) ? m->now_ms : m->leaving_ms);
	until_ms = sooner(until_ms, upgrade_due_ms(&m->upgrade));
	until_ms = sooner(until_ms, m->watch.warn_ms);
	if (m->watch.fd >= 0 && m->watch.deaf_ms > m->now_ms)
		until_ms = sooner(until_ms, m->watch.deaf_ms);
	if (m->room_ms > m->now_ms)
		until_ms = sooner(until_ms, m->room_ms);
	if (until_ms == THAW_NEVER)
		return -1;
	return until_ms > m->now_ms ? (int)sooner(until_ms - m->now_ms, INT_MAX) : 0;
}

static void expire(struct master *m)
{
	struct generation *g;

	if (m->coming != NULL && m->now_ms >= m->coming->limit_ms)
		taking_failed(m, "the new workers were not ready in time");
	for (g = TAILQ_FIRST(&m->all); g != NULL; g = TAILQ_NEXT(g, link)) {
		if ((g->state == GENERATION_RETIRING || g->state == GENERATION_CUTTING) && m->now_ms >= g->limit_ms)
			generation_enter(g, GENERATION_ENDING, m->now_ms);
	}
}

/*
 * If the master did not run for a while, for example because the whole container was frozen, the workers may not have
 * run either, and their messages were not read yet. That time is not counted against them.
 */
static void look(struct master *m)
{
	uint64_t every = look_every(m), since = m->now_ms - m->look_ms;
	struct generation *g;

	m->look_ms = m->now_ms;
	for (g = TAILQ_FIRST(&m->all); g != NULL && since > every; g = TAILQ_NEXT(g, link)) {
		slots_forgive(&g->slots, since - every);
		slots_forgive(&g->admin, since - every);
		slots_forgive(&g->signer, since - every);
	}
}

static void tell_stalled(void *arg, pid_t worker, uint64_t limit_ms)
{
	log_say(master_log(arg), CONFIG_LOG_ERROR,
		"worker %d made no progress for %llu s; ending it; its connections are lost", (int)worker,
		(unsigned long long)limit_ms / 1000);
}

static void tell_stalled_admin(void *arg, pid_t admin, uint64_t limit_ms)
{
	log_say(master_log(arg), CONFIG_LOG_ERROR, "admin process %d made no progress for %llu s; ending it",
		(int)admin, (unsigned long long)limit_ms / 1000);
}

static void tell_stalled_signer(void *arg, pid_t signer, uint64_t limit_ms)
{
	log_say(master_log(arg), CONFIG_LOG_ERROR, "signer process %d made no progress for %llu s; ending it",
		(int)signer, (unsigned long long)limit_ms / 1000);
}

static void end_stalled(struct master *m)
{
	struct generation *g;

	for (g = TAILQ_FIRST(&m->all); g != NULL; g = TAILQ_NEXT(g, link))
		generation_end_stalled(g, m->now_ms, tell_stalled, tell_stalled_admin, tell_stalled_signer, m);
}

/* Does not ping the watchdog while a worker is silent for so long that the master should have killed it. */
static void ping(struct master *m)
{
	const struct slot *silent = NULL;

	if (m->now_ms < next_ping_ms(m))
		return;
	if (m->phase == PHASE_SERVING)
		silent = slots_silent(&m->serving->slots,
				      m->serving->config->worker_timeout_ms + m->systemd.watchdog_ms / 2, m->now_ms);
	if (silent == NULL) {
		master_ping(m);
		return;
	}
	m->ping_ms = m->now_ms;
	log_say(master_log(m), CONFIG_LOG_WARNING, "worker %d is unresponsive; withholding the watchdog ping",
		(int)silent->pid);
}

static void wait_for_news(struct master *m)
{
	struct pollfd from[] = {{.fd = m->signals, .events = POLLIN},
				{.fd = m->hear, .events = POLLIN},
				{.fd = m->control.fd, .events = POLLIN},
				{.fd = m->upgrade.control.fd, .events = POLLIN},
				{.fd = m->upgrade.link, .events = POLLIN},
				{.fd = m->upgrade.elder, .events = POLLIN},
				{.fd = m->now_ms < m->watch.deaf_ms ? -1 : m->watch.fd, .events = POLLIN}};

	(void)poll(from, sizeof(from) / sizeof(from[0]), patience(m));
	m->now_ms = clock_now_ms();
}

static void supervise(struct master *m)
{
	while (m->phase != PHASE_OVER) {
		log_broken_checks(master_log(m), NULL);
		fill_slots(m);
		wait_for_news(m);
		look(m);
		hear_workers(m);
		take_signals(m);
		if (m->serving != NULL)
			watch_hear(&m->watch, m->serving->config, m->now_ms);
		m->wanted = control_take(&m->control) || m->wanted;
		m->upgrade.wanted = control_take(&m->upgrade.control) || m->upgrade.wanted;
		upgrade_hear(m);
		upgrade_hear_elder(m);
		reap(m);
		expire(m);
		end_stalled(m);
		taking_if_left(m);
		taking_if_wanted(m);
		upgrade_if_wanted(m);
		ping(m);
		(void)log_flush(master_log(m), m->now_ms);
	}
}

/* ---- start and end ---- */

static void raise_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files); /* if this fails, the limit only allows fewer connections */
}

static enum thaw_status take_over_signals(struct master *m)
{
	static const int taken[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD};
	sigset_t ours;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGIO, SIG_IGN);   /* sent when another process opens a file that watch.c has a lease on */
	(void)signal(SIGXFSZ, SIG_IGN); /* a write beyond RLIMIT_FSIZE then fails with EFBIG */
	(void)signal(SIGCHLD, SIG_DFL); /* if inherited as ignored, waitpid() could not get the status of workers */
	(void)sigemptyset(&ours);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		(void)sigaddset(&ours, taken[i]);
	(void)sigprocmask(SIG_BLOCK, &ours, &m->birth.signals);
	m->signals = signalfd(-1, &ours, SFD_NONBLOCK | SFD_CLOEXEC);
	return m->signals >= 0 ? THAW_OK : error_system(m->err, errno, "cannot receive signals");
}

static enum thaw_status begin(struct master *m, const struct config *config)
{
	struct thaw_error unheard = {.cls = THAW_ERR_NONE};

	raise_files();
	systemd_begin(&m->systemd);
	upgrade_begin(m);
	m->birth.alive_ms = m->systemd.watchdog_ms / 4;
	m->birth.began_ms = clock_now_ms();
	m->turns = log_turns_new();
	m->scoreboard = scoreboard_new(SCOREBOARD_PLACES_MAX);
	m->away = away_new();
	m->throttle = throttle_new();
	if (m->turns == NULL || m->scoreboard == NULL || m->away == NULL || m->throttle == NULL)
		return error_set(m->err, THAW_ERR_RESOURCE, "out of memory");
	m->hear = epoll_create1(EPOLL_CLOEXEC);
	if (m->hear < 0)
		return error_system(m->err, errno, "cannot wait for messages of workers");
	if (taking_first(m, config) != THAW_OK || take_over_signals(m) != THAW_OK)
		return THAW_FAILED;
	m->ping_ms = m->look_ms = m->now_ms;
	if (control_open(&m->control, CONTROL_RELOAD, m->hooks->file, &unheard) != THAW_OK ||
	    (m->hooks->argv != NULL &&
	     control_open(&m->upgrade.control, CONTROL_UPGRADE, m->hooks->file, &unheard) != THAW_OK))
		log_say(master_log(m), CONFIG_LOG_WARNING, "%s", unheard.text);
	return THAW_OK;
}

static void end(struct master *m)
{
	struct generation *g;

	while ((g = TAILQ_FIRST(&m->all)) != NULL) {
		TAILQ_REMOVE(&m->all, g, link);
		generation_free(&g, NULL);
	}
	if (m->signals >= 0) {
		(void)close(m->signals);
		(void)sigprocmask(SIG_SETMASK, &m->birth.signals, NULL);
	}
	if (m->hear >= 0)
		(void)close(m->hear);
	watch_close(&m->watch);
	control_close(&m->control);
	upgrade_close(&m->upgrade);
	handed_close(&m->systemd.handed);
	log_turns_free(&m->turns);
	scoreboard_free(&m->scoreboard);
	away_free(&m->away);
	throttle_free(&m->throttle);
}

enum thaw_status loop_serve(const struct config *config, const struct loop_hooks *hooks, struct thaw_error *err)
{
	struct master m = {
		.hooks = hooks,
		.phase = PHASE_STARTING,
		.all = TAILQ_HEAD_INITIALIZER(m.all),
		.control.fd = -1,
		.upgrade = {.control.fd = -1, .link = -1, .elder = -1, .limit_ms = THAW_NEVER},
		.birth = {.forget = forget, .arg = &m},
		.watch = {.fd = -1, .warn_ms = THAW_NEVER},
		.signals = -1,
		.hear = -1,
		.err = err,
	};

	if (begin(&m, config) == THAW_OK)
		supervise(&m);
	if (err->cls != THAW_ERR_NONE)
		upgrade_failed(&m, err->text);
	end(&m);
	log_broken_checks(NULL, NULL);
	return err->cls == THAW_ERR_NONE ? THAW_OK : THAW_FAILED;
}
