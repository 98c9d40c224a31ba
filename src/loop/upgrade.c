#include "loop/upgrade.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop/master.h"

#define READY      'r'
#define FAILED     'f'
#define GO         'g'
#define CUT        'c'
#define READY_MS   90000 /* for the successor to be ready; longer than START_MS of its workers */
#define GO_MS      5000  /* for the other master to notify systemd */
#define PACKET_MAX 256

static void send_word(int link, char word, const char *text)
{
	char packet[PACKET_MAX];
	int len = snprintf(packet, sizeof(packet), "%c%s", word, text);

	(void)!send(link, packet, len < PACKET_MAX ? (size_t)len : PACKET_MAX - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Returns the next message's first byte, with the rest in text; 0: the other side has closed the link; -1: no message
 * is available. */
static int hear(int link, char text[static PACKET_MAX])
{
	ssize_t got;

	do
		got = recv(link, text, PACKET_MAX - 1, MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return -1;
	if (got <= 0)
		return 0;
	text[got] = '\0';
	int word = (unsigned char)text[0];
	memmove(text, text + 1, (size_t)got);
	return word;
}

/* ---- in the process that is replaced ---- */

static void close_link(int *link)
{
	if (*link >= 0)
		(void)close(*link);
	*link = -1;
}

static void refuse(struct master *m, const char *why)
{
	log_say(master_log(m), CONFIG_LOG_ERROR, "upgrade failed, this process continues: %s", why);
	control_tell(&m->upgrade.control, false, why);
	close_link(&m->upgrade.link);
	m->upgrade.limit_ms = THAW_NEVER;
	m->upgrade.successor = 0;
}

/* Runs in the new process. */
static void be_successor(const struct master *m, int link)
{
	char *const *argv = m->hooks->argv;

	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGXFSZ, SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, &m->birth.signals, NULL);
	if (handover_give(&m->serving->listeners, link, m->systemd.handed.count, m->systemd.watchdog_ms))
		(void)(strchr(argv[0], '/') != NULL ? execv(argv[0], argv) : execvp(argv[0], argv));
	char text[PACKET_MAX];
	(void)snprintf(text, sizeof(text), "cannot start %s: %s", argv[0], strerror(errno));
	send_word(link, FAILED, text);
	_exit(EXIT_FAILURE);
}

static void begin(struct master *m)
{
	struct upgrade *upgrade = &m->upgrade;
	int ends[2];

	upgrade->wanted = false;
	upgrade->why[0] = '\0';
	control_begin(&upgrade->control);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
		refuse(m, strerror(errno));
		return;
	}
	(void)fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		(void)close(ends[0]);
		be_successor(m, ends[1]);
	}
	int cause = errno;
	(void)close(ends[1]);
	upgrade->link = ends[0];
	if (pid < 0) {
		refuse(m, strerror(cause));
		return;
	}
	upgrade->successor = pid;
	upgrade->limit_ms = m->now_ms + READY_MS;
	log_say(master_log(m), CONFIG_LOG_INFO, "upgrade: started %s as process %d", m->hooks->argv[0], (int)pid);
}

void upgrade_if_wanted(struct master *m)
{
	if (m->upgrade.wanted && m->phase == PHASE_SERVING && m->coming == NULL && m->leaving == NULL &&
	    m->upgrade.successor == 0)
		begin(m);
}

void upgrade_give_up(struct master *m, const char *why)
{
	struct upgrade *upgrade = &m->upgrade;

	if (upgrade->successor != 0 && !upgrade->over) {
		(void)kill(upgrade->successor, SIGTERM);
		refuse(m, why);
	}
	control_begin(&upgrade->control);
	control_tell(&upgrade->control, false, why);
}

/* Call this when the successor accepts. Notifies systemd first, because systemd accepts messages from the main process
 * only. */
static void hand_over(struct master *m)
{
	struct upgrade *upgrade = &m->upgrade;
	char text[PACKET_MAX];

	upgrade->over = true;
	upgrade->limit_ms = THAW_NEVER;
	systemd_replaced(upgrade->successor);
	send_word(upgrade->link, GO, "");
	m->systemd.watchdog_ms = 0;
	(void)snprintf(text, sizeof(text), "process %d serves; process %d finishes its current requests",
		       (int)upgrade->successor, (int)getpid());
	log_say(master_log(m), CONFIG_LOG_INFO, "upgrade: %s", text);
	control_tell(&upgrade->control, true, text);
	control_begin(&m->control);
	control_tell(&m->control, false, "another process has already taken over");
	control_close(&m->control);
	control_close(&upgrade->control);
	master_leave(m);
}

void upgrade_hear(struct master *m)
{
	struct upgrade *upgrade = &m->upgrade;
	char text[PACKET_MAX];
	int word;

	while (upgrade->link >= 0 && (word = hear(upgrade->link, text)) >= 0) {
		if (word == READY && !upgrade->over && m->phase == PHASE_SERVING)
			hand_over(m);
		else if (word == FAILED)
			(void)snprintf(upgrade->why, sizeof(upgrade->why), "%s", text);
		else if (word == CUT && upgrade->over)
			master_cut(m);
		else if (word == 0)
			close_link(&upgrade->link); /* SIGCHLD follows when it ends */
	}
	if (m->now_ms >= upgrade->limit_ms) {
		(void)kill(upgrade->successor, SIGKILL);
		refuse(m, "the new process was not ready in time");
	}
}

void upgrade_ended(struct master *m, pid_t pid, int how)
{
	struct upgrade *upgrade = &m->upgrade;
	char text[PACKET_MAX];

	if (pid != upgrade->successor || upgrade->over)
		return;
	upgrade_hear(m); /* reads what it sent before it ended */
	if (upgrade->over)
		return;
	if (upgrade->why[0] != '\0')
		(void)snprintf(text, sizeof(text), "%s", upgrade->why);
	else if (WIFSIGNALED(how))
		(void)snprintf(text, sizeof(text), "the new process was killed by signal %d before it was ready",
			       WTERMSIG(how));
	else
		(void)snprintf(text, sizeof(text), "the new process exited with status %d before it was ready",
			       WEXITSTATUS(how));
	refuse(m, text);
}

/* ---- in the successor ---- */

void upgrade_begin(struct master *m)
{
	struct upgrade *upgrade = &m->upgrade;

	handover_take(&upgrade->handover);
	upgrade->elder = upgrade->handover.link;
	m->systemd.handed.made = &upgrade->handover;
}

void upgrade_ready(struct master *m)
{
	struct pollfd answer = {.fd = m->upgrade.elder, .events = POLLIN};
	char text[PACKET_MAX];

	listeners_own(&m->serving->listeners, &m->upgrade.handover);
	if (m->upgrade.elder < 0)
		return;
	send_word(m->upgrade.elder, READY, "");
	if (poll(&answer, 1, GO_MS) > 0 && hear(m->upgrade.elder, text) == 0)
		close_link(&m->upgrade.elder);
}

void upgrade_cut_elder(const struct master *m)
{
	if (m->upgrade.elder >= 0)
		send_word(m->upgrade.elder, CUT, "");
}

void upgrade_hear_elder(struct master *m)
{
	char text[PACKET_MAX];
	int word;

	while (m->upgrade.elder >= 0 && (word = hear(m->upgrade.elder, text)) >= 0)
		if (word == 0)
			close_link(&m->upgrade.elder);
}

void upgrade_close(struct upgrade *upgrade)
{
	control_close(&upgrade->control);
	handover_close(&upgrade->handover);
	close_link(&upgrade->link);
	close_link(&upgrade->elder);
}

void upgrade_failed(const struct master *m, const char *why)
{
	if (m->upgrade.elder >= 0)
		send_word(m->upgrade.elder, FAILED, why);
}

void loop_cannot_begin(const struct thaw_error *err)
{
	struct handover handover;

	handover_take(&handover);
	if (handover.link >= 0)
		send_word(handover.link, FAILED, err->text);
	handover_close(&handover);
}
