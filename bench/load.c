/*
 * The load generator of the measurements: TLS clients in one process. Each sends its next request as soon as the
 * last one is answered. bench/run drives it over standard input and output, so that the measured work lies between two
 * lines:
 *
 * 1. Every client does one request. Then it prints "ready".
 *
 * 2. It waits for a line. Then the clients do requests for --seconds, and at least one each, PARALLEL of them at a
 * time; requests under way are completed. Then it prints the counters as JSON.
 *
 * 3. It waits for the end of its input with idle connections open, then closes them.
 *
 * Anything but a 200 over TLS as agreed ends it with a message and exit code 1: a measurement has no failures.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "client.h"

#define CONNECTIONS_MAX 15000
#define PARALLEL        32 /* with more at a time a server may close idle connections, as Apache does */
#define EVENTS_MAX      128
#define LIMIT_S         110 /* for each of the two phases */

static const char help[] =
	"usage: bench-load --port PORT --ca FILE [OPTION...]    makes load; bench/run calls it\n"
	"  --name NAME          of the server, default localhost     --path PATH   default /\n"
	"  --connections N      at the same time, default 1          --fresh       a new one for each request\n"
	"  --body BYTES         PUT with that many; 0, default: GET  --seconds S   default 1; 0: first requests only\n"
	"  --response BYTES     bench-sink answers with that many    --tls12       TLS 1.2; default: TLS 1.3\n"
	"  --resume             its session, from a client's second connection on; with --fresh\n"
	"  --streams N          over HTTP/2, GETs only, that many at a time on each connection; 0, default: HTTP/1.1\n"
	"  --certificate FILE --key FILE                             given when asked for\n";

struct load {
	struct client_plan plan;
	struct client *clients;
	size_t count, next; /* next: the next client to begin its first request */
	size_t active;
	double seconds;
	const char *ca, *certificate, *key, *path;
};

static void fail(const char *why)
{
	(void)fprintf(stderr, "bench-load: %s\n", why);
	exit(EXIT_FAILURE);
}

static void begin(struct load *load, struct client *client)
{
	const char *why = client_begin(client);

	if (why != NULL)
		fail(why);
	load->active++;
}

/* Waits for events and steps the clients; calls done for each client that becomes idle. */
static void turn(struct load *load, void (*done)(struct load *, struct client *))
{
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(load->plan.epoll, events, EVENTS_MAX, -1);

	if (count < 0 && errno != EINTR)
		fail(strerror(errno));
	for (int i = 0; i < count; i++) {
		struct client *client = events[i].data.ptr;
		bool was_idle = client->state == CLIENT_IDLE;
		bool broken = (events[i].events & (EPOLLERR | EPOLLHUP)) != 0;
		const char *why = client_step(client, broken ? EPOLLIN | EPOLLOUT : events[i].events);
		if (why != NULL)
			fail(why);
		if (!was_idle && client->state == CLIENT_IDLE) {
			load->active--;
			done(load, client);
		}
	}
}

static void begin_next(struct load *load, struct client *client)
{
	(void)client;
	if (load->next < load->count)
		begin(load, &load->clients[load->next++]);
}

/* Makes each client do one request; when one is done, the next one begins. */
static void requests(struct load *load, void (*done)(struct load *, struct client *))
{
	load->next = 0;
	for (size_t i = 0; i < PARALLEL; i++)
		begin_next(load, NULL);
	while (load->active > 0)
		turn(load, done);
}

/* Begins another request while there is time, and one for each client in any case. */
static void begin_again(struct load *load, struct client *client)
{
	if (load->next < load->count)
		begin_next(load, client);
	else if (client_now() < load->plan.end_at)
		begin(load, client);
}

/* ---- between the phases ---- */

static void forget(struct load *load)
{
	memset(&load->plan.counted, 0, sizeof(load->plan.counted));
}

static void wait_for_line(void)
{
	int c;

	(void)alarm(0);
	do
		c = getchar();
	while (c != '\n' && c != EOF);
	if (c == EOF)
		exit(EXIT_SUCCESS);
	(void)alarm(LIMIT_S);
}

static void say(const char *text)
{
	(void)puts(text);
	(void)fflush(stdout);
}

static void report(struct load *load, double seconds)
{
	char text[256];

	(void)snprintf(text, sizeof(text),
		       "{\"done\": %" PRIu64 ", \"seconds\": %.6f, \"connections\": %" PRIu64 ", \"asked\": %" PRIu64
		       ", \"tickets\": %" PRIu64 ", \"resumed\": %" PRIu64 "}",
		       load->plan.counted.done, seconds, load->plan.counted.connections, load->plan.counted.asked,
		       load->plan.counted.tickets, load->plan.counted.resumed);
	say(text);
}

static void run(struct load *load)
{
	(void)alarm(LIMIT_S);
	requests(load, begin_next);
	say("ready");
	wait_for_line();
	forget(load);
	double from = client_now();
	load->plan.end_at = from + load->seconds;
	if (load->seconds > 0)
		requests(load, begin_again);
	report(load, client_now() - from);
	(void)alarm(0);
	while (getchar() != EOF)
		continue;
	for (size_t i = 0; i < load->count; i++) {
		client_close(&load->clients[i]);
		SSL_SESSION_free(load->clients[i].session);
	}
}

/* ---- the set-up ---- */

static double number(const char *text, double max)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !(value >= 0 && value <= max)) {
		(void)fprintf(stderr, "bench-load: '%s' is no number from 0 to %.0f\n", text, max);
		exit(EX_USAGE);
	}
	return value;
}

static void take_option(struct load *load, int option)
{
	switch (option) {
	case 'p':
		load->plan.server.sin_port = htons((uint16_t)number(optarg, 65535));
		break;
	case 'n':
		load->plan.name = optarg;
		break;
	case 'a':
		load->ca = optarg;
		break;
	case 'c':
		load->certificate = optarg;
		break;
	case 'k':
		load->key = optarg;
		break;
	case 'N':
		load->count = (size_t)number(optarg, CONNECTIONS_MAX);
		break;
	case 'b':
		load->plan.body = (uint64_t)number(optarg, 1e12);
		break;
	case 'u':
		load->path = optarg;
		break;
	case 's':
		load->seconds = number(optarg, LIMIT_S / 2.);
		break;
	case 'm':
		load->plan.streams = (unsigned)number(optarg, CLIENT_STREAMS);
		break;
	case 'f':
		load->plan.fresh = true;
		break;
	case 'r':
		load->plan.response = (uint64_t)number(optarg, 1e12);
		break;
	case '2':
		load->plan.tls12 = true;
		break;
	case 'R':
		load->plan.resume = true;
		break;
	case 'h':
		(void)fputs(help, stdout);
		exit(EX_OK);
	default:
		(void)fputs(help, stderr);
		exit(EX_USAGE);
	}
}

static void take_options(struct load *load, int argc, char **argv)
{
	static const struct option options[] = {
		{"port", required_argument, NULL, 'p'},     {"name", required_argument, NULL, 'n'},
		{"ca", required_argument, NULL, 'a'},       {"certificate", required_argument, NULL, 'c'},
		{"key", required_argument, NULL, 'k'},      {"connections", required_argument, NULL, 'N'},
		{"body", required_argument, NULL, 'b'},     {"path", required_argument, NULL, 'u'},
		{"seconds", required_argument, NULL, 's'},  {"fresh", no_argument, NULL, 'f'},
		{"response", required_argument, NULL, 'r'}, {"tls12", no_argument, NULL, '2'},
		{"resume", no_argument, NULL, 'R'},         {"streams", required_argument, NULL, 'm'},
		{"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		take_option(load, option);
	if (optind != argc || load->plan.server.sin_port == 0 || load->ca == NULL ||
	    (load->certificate == NULL) != (load->key == NULL) || (load->plan.resume && !load->plan.fresh) ||
	    (load->plan.streams > 0 && (load->plan.body > 0 || load->plan.response > 0 || load->plan.fresh)))
		take_option(load, '?');
}

static void write_head(struct load *load)
{
	struct client_plan *plan = &load->plan;
	char length[64] = "", query[64] = "";

	if (plan->response > 0)
		(void)snprintf(query, sizeof(query), "?bytes=%" PRIu64, plan->response);
	if (plan->body > 0)
		(void)snprintf(length, sizeof(length), "Content-Length: %" PRIu64 "\r\n", plan->body);
	int len = snprintf(plan->head, sizeof(plan->head),
			   "%s %s%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench-load\r\nAccept: */*\r\n%s\r\n",
			   plan->body > 0 ? "PUT" : "GET", load->path, query, plan->name, length);
	if (len < 0 || (size_t)len >= sizeof(plan->head))
		fail("the path or the name is too long");
	plan->head_len = (size_t)len;
}

static void prepare(struct load *load)
{
	struct rlimit files;
	const char *why = NULL;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files); /* if this fails, socket() reports it */
	}
	(void)signal(SIGPIPE, SIG_IGN);
	if (load->plan.streams == 0)
		write_head(load);
	else if (!client_h2_init(&load->plan, load->path))
		fail("the path or the name is too long");
	if (!client_tls_init(&load->plan, load->ca, load->certificate, load->key, &why))
		fail(why);
	load->plan.epoll = epoll_create1(EPOLL_CLOEXEC);
	load->clients = calloc(load->count, sizeof(*load->clients));
	if (load->plan.epoll < 0 || load->clients == NULL)
		fail(strerror(errno));
	for (size_t i = 0; i < load->count; i++)
		client_init(&load->clients[i], &load->plan);
}

int main(int argc, char **argv)
{
	struct load load = {
		.plan = {.server = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
			 .name = "localhost"},
		.count = 1,
		.seconds = 1,
		.path = "/",
	};
	pid_t parent = getppid();

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		return EXIT_FAILURE;
	take_options(&load, argc, argv);
	prepare(&load);
	run(&load);
	free(load.clients);
	SSL_CTX_free(load.plan.tls);
	(void)close(load.plan.epoll);
	return EXIT_SUCCESS;
}
