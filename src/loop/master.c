#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "loop/clock.h"
#include "loop/load.h"
#include "loop/slots.h"
#include "loop/worker.h"

/* Workers end by themselves after WORKER_STOP_MS; one that does not is ended. */
#define STOP_LIMIT_MS (WORKER_STOP_MS + 5000)

enum phase {
	PHASE_STARTING, /* not all workers have said yet that they run */
	PHASE_SERVING,
	PHASE_STOPPING, /* workers finish what is under way */
	PHASE_KILLING,  /* they are ended, whatever they do */
	PHASE_OVER,
	PHASES
};

struct master {
	const struct config *config;
	const struct loop_hooks *hooks;
	struct log log;
	struct listeners listeners;
	struct loaded loaded;
	struct slots slots;
	enum phase phase;
	uint64_t now_ms, stop_ms; /* stop_ms: when patience ends */
	sigset_t before;          /* the signals that were blocked before us */
	int signals;              /* a signalfd */
	int ready[2];             /* a pipe on which workers tell that they run */
	struct thaw_error *err;
};

/* ---- phases ---- */

static void enter(struct master *m, enum phase to)
{
	static const unsigned next[PHASES] = {
		[PHASE_STARTING] = 1u << PHASE_SERVING | 1u << PHASE_STOPPING | 1u << PHASE_KILLING,
		[PHASE_SERVING] = 1u << PHASE_STOPPING,
		[PHASE_STOPPING] = 1u << PHASE_KILLING | 1u << PHASE_OVER,
		[PHASE_KILLING] = 1u << PHASE_OVER,
	};

	if ((next[m->phase] & 1u << to) == 0)
		abort(); /* the workers are told by the kernel, and end in order */
	m->phase = to;
}

static void signal_workers(const struct master *m, int signal)
{
	for (unsigned i = 0; i < m->slots.count; i++)
		if (m->slots.items[i].pid != 0)
			(void)kill(m->slots.items[i].pid, signal);
}

static void stop(struct master *m)
{
	enter(m, PHASE_STOPPING);
	m->stop_ms = m->now_ms + STOP_LIMIT_MS;
	listeners_withdraw(&m->listeners);
	signal_workers(m, SIGTERM);
	log_say(&m->log, CONFIG_LOG_INFO, "stopping: requests under way may end within %d s; again to stop at once",
		WORKER_STOP_MS / 1000);
}

static void stop_at_once(struct master *m)
{
	enter(m, PHASE_KILLING);
	signal_workers(m, SIGKILL);
}

static void serve(struct master *m)
{
	const char **names = calloc(m->listeners.count, sizeof(*names));

	enter(m, PHASE_SERVING);
	for (size_t i = 0; i < m->listeners.count; i++) {
		log_notice(&m->log, "listening on %s", m->listeners.items[i].name);
		if (names != NULL)
			names[i] = m->listeners.items[i].name;
	}
	if (names != NULL && m->hooks->ready != NULL)
		m->hooks->ready(m->hooks->arg, names, m->listeners.count);
	free(names);
}

/* ---- workers ---- */

/* In the new process. */
static void be_worker(struct master *m, const struct slot *slot, pid_t master)
{
	struct worker_setup setup = {
		.number = (unsigned)(slot - m->slots.items),
		.config = m->config,
		.gateway = m->loaded.gateway,
		.ledger = m->loaded.ledger,
		.loads = m->loaded.loads,
		.listeners = &m->listeners,
		.log = &m->log,
		.ready_fd = m->ready[1],
	};
	sigset_t mask = m->before;

	/* A master that died before this is noticed by its id, one that dies later by the signal. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != master)
		exit(EXIT_FAILURE);
	(void)prctl(PR_SET_NAME, "thaw-worker");
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)close(m->signals);
	(void)close(m->ready[0]);
	(void)sigaddset(&mask, SIGTERM); /* until the event loop takes it */
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	log_inherit(&m->log, setup.number);
	bool well = worker_run(&setup);
	log_close(&m->log);
	exit(well ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void start_worker(struct master *m, struct slot *slot)
{
	pid_t master = getpid();

	(void)fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		be_worker(m, slot, master);
	if (pid > 0) {
		slot_filled(slot, pid, m->now_ms);
		return;
	}
	log_say(&m->log, CONFIG_LOG_ERROR, "cannot start a worker: %s", strerror(errno));
	slot_emptied(slot, m->now_ms);
}

static void fill_slots(struct master *m)
{
	struct slot *slot;

	while (m->phase <= PHASE_SERVING && (slot = slots_due(&m->slots, m->now_ms)) != NULL)
		start_worker(m, slot);
}

static void tell_end(struct master *m, pid_t pid, int how)
{
	enum config_log_level level = m->phase <= PHASE_SERVING ? CONFIG_LOG_WARNING : CONFIG_LOG_DEBUG;

	if (WIFSIGNALED(how))
		log_say(&m->log, level, "worker %d was ended by signal %d (%s)", (int)pid, WTERMSIG(how),
			strsignal(WTERMSIG(how)));
	else
		log_say(&m->log, level, "worker %d has ended with exit status %d", (int)pid, WEXITSTATUS(how));
}

static void worker_ended(struct master *m, pid_t pid, int how)
{
	struct slot *slot = slots_find(&m->slots, pid);

	if (slot == NULL)
		return; /* a child that is none of ours: left by whoever was this process before exec */
	unsigned number = (unsigned)(slot - m->slots.items);
	bool ready = slot->ready;
	log_reclaim(&m->log, number);
	thaw_ledger_reclaim(m->loaded.ledger, number);
	atomic_store(&m->loaded.loads->of[number], LOADS_NONE);
	slot_emptied(slot, m->now_ms);
	tell_end(m, pid, how);
	/* What ends before the start is over would do so again. */
	if (m->phase == PHASE_STARTING && !ready) {
		(void)error_set(m->err, THAW_ERR_SYSTEM, "a worker has ended before it could serve");
		stop_at_once(m);
	}
}

static void reap(struct master *m)
{
	pid_t pid;
	int how;

	while ((pid = waitpid(-1, &how, WNOHANG)) > 0)
		worker_ended(m, pid, how);
	if (m->phase > PHASE_SERVING && m->phase != PHASE_OVER && slots_filled(&m->slots) == 0)
		enter(m, PHASE_OVER);
}

/* ---- what the master waits for ---- */

static void take_ready(struct master *m)
{
	unsigned number;

	while (read(m->ready[0], &number, sizeof(number)) == sizeof(number))
		if (number < m->slots.count && m->slots.items[number].pid != 0)
			m->slots.items[number].ready = true;
	if (m->phase == PHASE_STARTING && slots_all_ready(&m->slots))
		serve(m);
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
			else if (m->phase == PHASE_STOPPING)
				stop_at_once(m);
			break;
		case SIGHUP:
			log_say(&m->log, CONFIG_LOG_WARNING,
				"SIGHUP is ignored: this version cannot reload its configuration");
			break;
		default: /* SIGCHLD: reap() looks in any case */
			break;
		}
	}
}

static int patience(const struct master *m)
{
	uint64_t until_ms = m->phase <= PHASE_SERVING    ? slots_next_ms(&m->slots)
			    : m->phase == PHASE_STOPPING ? m->stop_ms
							 : THAW_NEVER;

	if (until_ms == THAW_NEVER)
		return -1;
	return until_ms > m->now_ms ? (int)(until_ms - m->now_ms) : 0;
}

static void supervise(struct master *m)
{
	struct pollfd from[] = {{.fd = m->signals, .events = POLLIN}, {.fd = m->ready[0], .events = POLLIN}};

	while (m->phase != PHASE_OVER) {
		fill_slots(m);
		(void)poll(from, 2, patience(m));
		m->now_ms = clock_now_ms();
		take_ready(m);
		take_signals(m);
		reap(m);
		if (m->phase == PHASE_STOPPING && m->now_ms >= m->stop_ms)
			stop_at_once(m);
		(void)log_flush(&m->log, m->now_ms);
	}
}

/* ---- beginning and end ---- */

static void raise_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files); /* fewer connections, if it cannot be */
}

static enum thaw_status take_over_signals(struct master *m)
{
	sigset_t ours;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* a spool file at its limit (RLIMIT_FSIZE) is EFBIG, not death */
	(void)signal(SIGCHLD, SIG_DFL); /* an ignored one, inherited, would hide how workers end */
	(void)sigemptyset(&ours);
	(void)sigaddset(&ours, SIGTERM);
	(void)sigaddset(&ours, SIGINT);
	(void)sigaddset(&ours, SIGHUP);
	(void)sigaddset(&ours, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &ours, &m->before);
	m->signals = signalfd(-1, &ours, SFD_NONBLOCK | SFD_CLOEXEC);
	if (m->signals < 0 || pipe2(m->ready, O_NONBLOCK | O_CLOEXEC) != 0)
		return error_system(m->err, errno, "cannot supervise workers");
	return THAW_OK;
}

static enum thaw_status begin(struct master *m)
{
	if (log_open(&m->log, m->config, m->err) != THAW_OK) {
		m->err->cls = THAW_ERR_CONFIG;
		return THAW_FAILED;
	}
	raise_files();
	if (loaded_make(&m->loaded, m->config, m->err) != THAW_OK ||
	    listeners_open(&m->listeners, m->config, m->err) != THAW_OK)
		return THAW_FAILED;
	if (!slots_init(&m->slots, m->loaded.workers))
		return error_set(m->err, THAW_ERR_RESOURCE, "out of memory");
	m->now_ms = clock_now_ms();
	return take_over_signals(m);
}

static void end(struct master *m)
{
	if (m->signals >= 0) {
		(void)close(m->signals);
		(void)sigprocmask(SIG_SETMASK, &m->before, NULL);
	}
	for (int i = 0; i < 2; i++)
		if (m->ready[i] >= 0)
			(void)close(m->ready[i]);
	slots_free(&m->slots);
	listeners_free(&m->listeners);
	loaded_free(&m->loaded);
	log_close(&m->log);
}

enum thaw_status loop_serve(const struct config *config, const struct loop_hooks *hooks, struct thaw_error *err)
{
	struct master m = {
		.config = config,
		.hooks = hooks,
		.listeners.config = config,
		.phase = PHASE_STARTING,
		.signals = -1,
		.ready = {-1, -1},
		.err = err,
	};

	if (begin(&m) == THAW_OK)
		supervise(&m);
	end(&m);
	return err->cls == THAW_ERR_NONE ? THAW_OK : THAW_FAILED;
}
