/*
 * usage: serve_scoreboard
 *
 * The admin server over a scoreboard that this program fills: as a gateway with two workers looks that is being used.
 * Tells its port on a line of standard output, and ends when standard input does, or after five minutes. Commands on
 * standard input, each answered by its own line once it is seen: "silent" (the second worker stops), "move" (it goes
 * on), "down" (one upstream refuses), "hostile" (somebody asks for a path that is markup), "refuse" (a reload is
 * refused, with markup in the cause), "take" (the next one is not).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "../made.h"
#include "base/clock.h"
#include "base/socket.h"
#include "gateway/scoreboard.h"
#include "loop/admin.h"
#include "loop/log.h"
#include "spool/quota.h"

#define WORKERS  2
#define TURN_MS  100
#define LIMIT_MS 300000
#define MIB      (UINT64_C(1) << 20)
#define GIB      (UINT64_C(1) << 30)

static const char settings[] = "listen: [ { address: '127.0.0.1:0' } ]\n"
			       "admin: '127.0.0.1:0'\n"
			       "spool: { memory: 256MiB, disk: 8GiB, directory: /var/spool/thaw }\n"
			       "hosts:\n"
			       "  - name: '*'\n"
			       "    certificate: a.pem\n"
			       "    key: a.key\n"
			       "    routes: [ { path: /, upstream: orders }, { path: /reports, upstream: reports } ]\n"
			       "upstreams:\n"
			       "  orders: { servers: [ 'http://10.0.3.11:8080', 'http://10.0.3.12:8080' ] }\n"
			       "  reports: { servers: [ 'unix:/run/reports.sock' ] }\n";

struct scene {
	struct config *config;
	struct scoreboard_map *map;
	struct scoreboard *scoreboard;
	thaw_quota *quota;
	struct scoreboard_worker *workers[WORKERS];
	struct scoreboard_use use[WORKERS][3];
	scoreboard_ask asks[WORKERS][4];
	uint64_t turn, now_ms;
	int64_t wall_ms;
	bool silent, down;
};

static void die(const char *what)
{
	(void)fprintf(stderr, "serve_board: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static struct thaw_report verdict(enum thaw_means means, enum thaw_verdict verdict, enum thaw_reason reason,
				  uint64_t took_ms)
{
	return (struct thaw_report){.means = means,
				    .moment = THAW_MOMENT_HEADERS,
				    .verdict = verdict,
				    .reason = reason,
				    .asked_ms = 1,
				    .ended_ms = 1 + took_ms};
}

/* ---- what was before */

static void tell_quarter_hour(struct scene *s)
{
	static const struct {
		enum thaw_means means;
		enum thaw_verdict verdict;
		enum thaw_reason reason;
		unsigned of; /* so many of 20 */
	} mix[] = {
		{THAW_MEANS_POST_HANDSHAKE, THAW_VERDICT_ACCEPTED, THAW_REASON_NONE, 9},
		{THAW_MEANS_RENEGOTIATION, THAW_VERDICT_ACCEPTED, THAW_REASON_NONE, 4},
		{THAW_MEANS_POST_HANDSHAKE, THAW_VERDICT_DECLINED, THAW_REASON_NO_CERTIFICATE, 2},
		{THAW_MEANS_POST_HANDSHAKE, THAW_VERDICT_REJECTED, THAW_REASON_UNTRUSTED, 1},
		{THAW_MEANS_RENEGOTIATION, THAW_VERDICT_TIMED_OUT, THAW_REASON_NO_ANSWER, 1},
		{THAW_MEANS_POST_HANDSHAKE, THAW_VERDICT_OVER_LIMIT, THAW_REASON_BUDGET_CLIENT, 1},
		{THAW_MEANS_NONE, THAW_VERDICT_IMPOSSIBLE, THAW_REASON_NO_POST_HANDSHAKE, 2},
	};

	for (int step = 0; step < 90; step++) {
		int64_t wall_ms = s->wall_ms - step * 10000;
		unsigned busy = 2 + (unsigned)(step * step / 7 % 13);
		for (unsigned i = 0; i < busy; i++) {
			unsigned pick = (i * 7 + (unsigned)step) % 20, at = 0;
			while (pick >= mix[at].of)
				pick -= mix[at++].of;
			struct thaw_report report = verdict(mix[at].means, mix[at].verdict, mix[at].reason,
							    300 + i * 900 + (unsigned)step * 37);
			scoreboard_verdict(s->workers[i % WORKERS], &report, i * 700000, wall_ms);
		}
	}
	scoreboard_refusal(s->workers[0], GW_PROBLEM_NO_ROUTE);
	scoreboard_refusal(s->workers[0], GW_PROBLEM_MALFORMED);
	scoreboard_refusal(s->workers[1], GW_PROBLEM_NO_ROUTE);
	scoreboard_handshake_failed(s->workers[1]);
}

static scoreboard_ask begin(struct scene *s, int worker, const char *client, const char *path, enum thaw_means means,
			    uint64_t length, uint64_t ago_ms)
{
	struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(40000 + length % 9999))};
	struct scoreboard_ask_facts facts = {
		.client = (const struct sockaddr *)&peer,
		.host = "shop.example",
		.path = {path, strlen(path)},
		.means = means,
		.moment = means == THAW_MEANS_RENEGOTIATION ? THAW_MOMENT_BODY : THAW_MOMENT_HEADERS,
		.length = length,
	};

	(void)inet_pton(AF_INET, client, &peer.sin_addr);
	return scoreboard_ask_begin(s->workers[worker], &facts, s->now_ms - ago_ms);
}

static void begin_asks(struct scene *s)
{
	s->asks[0][0] = begin(s, 0, "192.0.2.17", "/orders/2026/attachments/invoice.pdf", THAW_MEANS_POST_HANDSHAKE,
			      48 * MIB, 94000);
	s->asks[0][1] = begin(s, 0, "192.0.2.80", "/account/keys", THAW_MEANS_POST_HANDSHAKE, 0, 12000);
	s->asks[0][2] = begin(s, 0, "198.51.100.4", "/reports/upload", THAW_MEANS_RENEGOTIATION, UINT64_MAX, 31000);
	s->asks[1][0] = begin(s, 1, "203.0.113.201", "/orders", THAW_MEANS_RENEGOTIATION, 700 * MIB, 7000);
	for (int i = 0; i < 23; i++)
		scoreboard_connection_opened(s->workers[i % WORKERS]);
}

/* Memory and disk of three clients. */
static void fill_spool(const struct scene *s)
{
	for (unsigned i = 0; i < 3; i++) {
		struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201 + i)};
		uint64_t client = quota_client(s->quota, (const struct sockaddr *)&peer);
		if (quota_acquire(s->quota, 0, client, QUOTA_MEMORY, 62 * MIB, true) != THAW_REASON_NONE ||
		    quota_acquire(s->quota, 1, client, QUOTA_DISK, 900 * MIB, true) != THAW_REASON_NONE)
			die("the spool is too small");
	}
}

/* ---- what goes on */

static void serve_some(struct scene *s, int worker)
{
	const struct config_upstream *orders = &s->config->upstreams[0], *reports = &s->config->upstreams[1];
	struct scoreboard_worker *w = s->workers[worker];

	for (unsigned i = 0; i < 4; i++) {
		scoreboard_handshake(w, i % 3 == 0 ? "TLSv1.2" : "TLSv1.3", i % 2 == 0);
		scoreboard_request(w, i == 3 && s->turn % 5 == 0 ? 403 : 200, 4 + i * 9, 2000, 9000);
		scoreboard_upstream(w, orders, orders->servers[0].text, SCOREBOARD_ANSWERED, 3 + i * 8);
	}
	scoreboard_upstream(w, reports, reports->servers[0].text, SCOREBOARD_ANSWERED, 1800 + s->turn % 7 * 300);
	s->use[worker][0] = (struct scoreboard_use){.in_use = 3, .idle = 5, .connects = 8, .reused = s->turn * 4};
	s->use[worker][2] = (struct scoreboard_use){.in_use = 2, .idle = 1, .connects = 3, .reused = s->turn};
	if (s->down) {
		scoreboard_upstream(w, orders, orders->servers[1].text, SCOREBOARD_FAILED, 0);
		s->use[worker][1].connect_failures++;
		s->use[worker][1].resting = 1;
	}
	for (size_t i = 0; i < 3; i++)
		scoreboard_pool(w, i == 2, i == 2 ? 0 : i, &s->use[worker][i]);
	for (size_t i = 0; i < 4; i++)
		scoreboard_ask_progress(w, s->asks[worker][i], MIB * (2 + s->turn / 10 * (i + 1)),
					i == 0 ? s->now_ms : 0);
}

static void turn(struct scene *s)
{
	s->turn++;
	s->now_ms = clock_now_ms();
	s->wall_ms = clock_wall_offset_ms() + (int64_t)s->now_ms;
	for (int worker = 0; worker < WORKERS; worker++) {
		if (worker == 1 && s->silent)
			continue;
		scoreboard_alive(s->workers[worker], s->now_ms);
		serve_some(s, worker);
	}
}

static void set_scene(struct scene *s)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};

	s->config = config_parse(settings, strlen(settings), "serve_board", NULL, &err);
	if (s->config == NULL)
		die(err.text);
	struct thaw_quota_limits limits = {.size = sizeof(limits),
					   .memory = s->config->spool.memory,
					   .disk = s->config->spool.disk,
					   .workers = WORKERS};
	s->scoreboard = scoreboard_new(WORKERS);
	s->quota = made_quota_new(&limits);
	s->map = scoreboard_map_new(s->scoreboard, s->config);
	if (s->scoreboard == NULL || s->quota == NULL || s->map == NULL)
		die("no memory");
	for (int i = 0; i < WORKERS; i++) {
		s->workers[i] = scoreboard_open(s->scoreboard, scoreboard_take(s->scoreboard, 1), s->map);
		if (s->workers[i] == NULL)
			die("no memory");
	}
	scoreboard_enter(s->scoreboard, SCOREBOARD_SERVING, 1, WORKERS);
	turn(s);
	tell_quarter_hour(s);
	begin_asks(s);
	fill_spool(s);
}

static void clear_away(struct scene *s)
{
	for (int i = 0; i < WORKERS; i++)
		scoreboard_close(&s->workers[i]);
	scoreboard_map_free(&s->map);
	scoreboard_free(&s->scoreboard);
	thaw_quota_free(&s->quota);
	config_free(&s->config);
}

/* ---- the processes */

static pid_t start_admin(const struct scene *s, int listener)
{
	struct log log = {.level = CONFIG_LOG_INFO};
	struct admin_setup setup = {.config = s->config,
				    .scoreboard = s->scoreboard,
				    .quota = s->quota,
				    .listener = listener,
				    .began_ms = s->now_ms - 5340000,
				    .log = &log};
	pid_t parent = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)
		_exit(EXIT_FAILURE);
	_exit(admin_run(&setup) ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* False: it is over. */
static bool obey(struct scene *s)
{
	char line[64];

	if (fgets(line, sizeof(line), stdin) == NULL)
		return false;
	s->silent = strcmp(line, "silent\n") == 0 || (s->silent && strcmp(line, "move\n") != 0);
	s->down = s->down || strcmp(line, "down\n") == 0;
	if (strcmp(line, "hostile\n") == 0)
		(void)begin(s, 1, "192.0.2.66", "/<img src=x onerror=alert(1)>", THAW_MEANS_POST_HANDSHAKE, 0, 0);
	if (strcmp(line, "refuse\n") == 0)
		scoreboard_refuse(s->scoreboard, "thaw.yaml:7: key 'hosts[0].key': <b>missing</b>", s->now_ms);
	if (strcmp(line, "hold\n") == 0)
		scoreboard_hold(s->scoreboard, "thaw.yaml:7: key 'hosts[0].key': <i>not</i> of the certificate",
				s->now_ms);
	if (strcmp(line, "release\n") == 0)
		scoreboard_hold(s->scoreboard, NULL, s->now_ms);
	if (strcmp(line, "take\n") == 0)
		scoreboard_enter(s->scoreboard, SCOREBOARD_SERVING, 1, WORKERS);
	(void)fputs(line, stdout);
	return true;
}

int main(void)
{
	struct scene scene = {.turn = 0};
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	int how = 0, listener = socket_listen("127.0.0.1", 0, &err);

	if (listener < 0)
		die(err.text);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)setvbuf(stdin, NULL, _IONBF, 0);
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	set_scene(&scene);
	pid_t admin = start_admin(&scene, listener);
	if (admin < 0)
		die("fork");
	(void)printf("%u\n", socket_port(listener));
	(void)close(listener);
	for (uint64_t end_ms = scene.now_ms + LIMIT_MS; scene.now_ms < end_ms; turn(&scene)) {
		struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
		if (poll(&in, 1, TURN_MS) > 0 && !obey(&scene))
			break;
	}
	clear_away(&scene);
	(void)kill(admin, SIGTERM);
	if (waitpid(admin, &how, 0) != admin || !WIFEXITED(how))
		return EXIT_FAILURE;
	return WEXITSTATUS(how);
}
