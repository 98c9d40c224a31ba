/* sim-run: runs scenarios by seed or by name, and reports failures. */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <gnutls/gnutls.h>

#include "named.h"
#include "oracle.h"

#define WATCHDOG_S 300 /* of real time for a scenario; it takes milliseconds unless it is an endless loop */

static char running[96];

static void on_alarm(int signal_number)
{
	static const char text[] = "FAILED: the server, or the simulation itself, is in an endless loop: ";

	(void)signal_number;
	(void)!write(STDOUT_FILENO, text, sizeof(text) - 1);
	(void)!write(STDOUT_FILENO, running, strlen(running));
	_exit(EXIT_FAILURE);
}

static void watch_over(const struct scenario *scenario)
{
	if (scenario->name != NULL)
		(void)snprintf(running, sizeof(running), "%s\n", scenario->name);
	else
		(void)snprintf(running, sizeof(running), "seed %llu\n", (unsigned long long)scenario->seed);
	(void)alarm(WATCHDOG_S);
}

struct tally {
	uint64_t runs, failures, requests, answered, accepted, asked;
};

static void count(struct tally *tally, const struct world *world)
{
	tally->runs++;
	for (unsigned i = 0; i < world->scenario->conn_count; i++) {
		const struct sim_conn *conn = &world->conns[i];
		tally->requests += conn->client.plan->request_count;
		tally->answered += conn->client.answered;
		tally->asked += conn->asks;
		for (unsigned k = 0; k < conn->client.answered; k++)
			tally->accepted += conn->client.answers[k].status < 300;
	}
}

static void report(const struct world *world)
{
	const struct scenario *scenario = world->scenario;

	if (scenario->name != NULL)
		(void)printf("FAILED %s: %s\n", scenario->name, world->failure);
	else
		(void)printf("FAILED seed %llu: %s\n", (unsigned long long)scenario->seed, world->failure);
	scenario_describe(scenario, stdout);
	if (world->last_message[0] != '\0')
		(void)printf("  the server's last words: %s\n", world->last_message);
	if (scenario->name != NULL)
		(void)printf("  again: sim-run --name %s --trace\n", scenario->name);
	else
		(void)printf("  again: sim-run %s--seed %llu --trace\n", scenario_http2(scenario) ? "--h2 " : "",
			     (unsigned long long)scenario->seed);
}

static bool run_scenario(const struct scenario *scenario, bool trace, struct tally *tally)
{
	static struct world world; /* large */

	watch_over(scenario);
	world_run(&world, scenario, trace);
	if (!world.failed)
		oracle_judge(&world);
	if (world.failed)
		report(&world);
	count(tally, &world);
	world_free(&world);
	return !world.failed;
}

static bool run_named(const struct named *named, bool trace)
{
	static struct world world;
	struct scenario scenario;

	named_make(named, &scenario);
	watch_over(&scenario);
	world_run(&world, &scenario, trace);
	if (!world.failed)
		oracle_judge(&world);
	bool good = named->frozen ? world.frozen : !world.failed;
	if (named->frozen && world.frozen)
		(void)printf("%s is caught: %s\n", named->name, world.failure);
	else if (named->frozen && !world.failed)
		world_fail(&world, "a server that stops reading was not caught");
	if (good && !named->frozen) {
		named_check(named, &world);
		good = !world.failed;
	}
	if (!good)
		report(&world);
	world_free(&world);
	return good;
}

static uint64_t number(const char *text)
{
	char *end = NULL;
	unsigned long long value = strtoull(text, &end, 10);

	if (text[0] == '\0' || *end != '\0') {
		(void)fprintf(stderr, "sim-run: '%s' is not a number\n", text);
		exit(EX_USAGE);
	}
	return value;
}

static bool run_seeds(uint64_t from, uint64_t count_of, bool http2, bool trace)
{
	struct tally tally = {0};
	struct scenario scenario;

	for (uint64_t seed = from; seed < from + count_of; seed++) {
		if (http2)
			scenario_from_h2_seed(&scenario, seed);
		else
			scenario_from_seed(&scenario, seed);
		if (!run_scenario(&scenario, trace, &tally))
			tally.failures++;
	}
	(void)printf("%llu scenarios from seed %llu: %llu failed; %llu requests, %llu answered, %llu of them let in, "
		     "%llu asks sent\n",
		     (unsigned long long)tally.runs, (unsigned long long)from, (unsigned long long)tally.failures,
		     (unsigned long long)tally.requests, (unsigned long long)tally.answered,
		     (unsigned long long)tally.accepted, (unsigned long long)tally.asked);
	return tally.failures == 0;
}

static int usage(FILE *out, int code)
{
	(void)fprintf(out,
		      "usage: sim-run [--trace] [--h2] [--seed N | --from N --count M | --name NAME | --all | --list]\n"
		      "  --seed N     the scenario of this seed\n"
		      "  --from N     the scenarios of --count M seeds from N on (defaults: 1, 1000)\n"
		      "  --name NAME  a scenario with a name; --all: every one of them; --list: their names\n"
		      "  --h2         seeds of clients that speak HTTP/2\n"
		      "  --trace      every event on standard output\n");
	return code;
}

static bool run_name(const char *name, bool trace)
{
	bool all = name == NULL, good = true, found = false;

	for (size_t i = 0; named_at(i) != NULL; i++)
		if (all || strcmp(named_at(i)->name, name) == 0) {
			found = true;
			good = run_named(named_at(i), trace) && good;
		}
	if (!found)
		(void)fprintf(stderr, "sim-run: no scenario is called '%s'; see --list\n", name);
	return good && found;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"seed", required_argument, NULL, 's'},  {"from", required_argument, NULL, 'f'},
		{"count", required_argument, NULL, 'c'}, {"name", required_argument, NULL, 'n'},
		{"all", no_argument, NULL, 'a'},         {"list", no_argument, NULL, 'l'},
		{"h2", no_argument, NULL, '2'},          {"trace", no_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0},
	};
	uint64_t from = 1, count_of = 1000;
	const char *name = NULL;
	bool trace = false, by_name = false, http2 = false;

	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (c) {
		case 's':
			from = number(optarg);
			count_of = 1;
			break;
		case 'f':
			from = number(optarg);
			break;
		case 'c':
			count_of = number(optarg);
			break;
		case 'n':
			name = optarg;
			by_name = true;
			break;
		case 'a':
			by_name = true;
			break;
		case 'l':
			for (size_t i = 0; named_at(i) != NULL; i++)
				(void)printf("%s\n", named_at(i)->name);
			return EXIT_SUCCESS;
		case '2':
			http2 = true;
			break;
		case 't':
			trace = true;
			break;
		case 'h':
			return usage(stdout, EXIT_SUCCESS);
		default:
			return usage(stderr, EX_USAGE);
		}
	}
	if (optind != argc)
		return usage(stderr, EX_USAGE);
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)signal(SIGALRM, on_alarm);
	pki_open();
	bool good = by_name ? run_name(name, trace) : run_seeds(from, count_of, http2, trace);
	pki_close();
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
