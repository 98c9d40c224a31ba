/*
 * fault-run NAME PART: a scenario of the simulation, once for each allocation that the code under test makes in it,
 * with that one failing. Whatever then becomes of the requests: nothing crashes, leaks, spins or freezes, and every
 * budget is given back.
 *
 * PART: `start` fails what is made once (settings, gateway, store), `serve` what connections make.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <gnutls/gnutls.h>

#include "../sim/named.h"
#include "../sim/pki.h"
#include "../sim/watch.h"
#include "alloc.h"
#include "config/config.h"

#define SPILL_MEMORY 131072 /* so little that the body goes on to the disk */
#define BODY         300000
#define FAILED_MAX   10 /* enough to see what is wrong */

static bool at_start;

struct config *__real_config_parse(const char *text, size_t len, const char *name, const char *directory,
				   struct thaw_error *err);
struct config *__wrap_config_parse(const char *text, size_t len, const char *name, const char *directory,
				   struct thaw_error *err);
struct gateway *__real_gateway_new(const struct config *config, const struct gateway_env *env, struct thaw_error *err);
struct gateway *__wrap_gateway_new(const struct config *config, const struct gateway_env *env, struct thaw_error *err);
thaw_store *__real_thaw_store_new(thaw_quota *quota, unsigned worker, const char *directory, struct thaw_error *err);
thaw_store *__wrap_thaw_store_new(thaw_quota *quota, unsigned worker, const char *directory, struct thaw_error *err);
struct gw_conn *__real_gw_conn_new(struct gateway *gateway, struct transport transport, const struct sockaddr *peer,
				   bool preface, uint64_t now_ms);
struct gw_conn *__wrap_gw_conn_new(struct gateway *gateway, struct transport transport, const struct sockaddr *peer,
				   bool preface, uint64_t now_ms);
struct gw_wants __real_gw_conn_step(struct gw_conn *conn, uint64_t now_ms);
struct gw_wants __wrap_gw_conn_step(struct gw_conn *conn, uint64_t now_ms);
void __real_gw_conn_free(struct gw_conn **conn);
void __wrap_gw_conn_free(struct gw_conn **conn);

struct config *__wrap_config_parse(const char *text, size_t len, const char *name, const char *directory,
				   struct thaw_error *err)
{
	fault_inside(at_start);
	struct config *config = __real_config_parse(text, len, name, directory, err);
	fault_inside(false);
	return config;
}

struct gateway *__wrap_gateway_new(const struct config *config, const struct gateway_env *env, struct thaw_error *err)
{
	fault_inside(at_start);
	struct gateway *gateway = __real_gateway_new(config, env, err);
	fault_inside(false);
	return gateway;
}

thaw_store *__wrap_thaw_store_new(thaw_quota *quota, unsigned worker, const char *directory, struct thaw_error *err)
{
	fault_inside(at_start);
	thaw_store *store = __real_thaw_store_new(quota, worker, directory, err);
	fault_inside(false);
	return store;
}

struct gw_conn *__wrap_gw_conn_new(struct gateway *gateway, struct transport transport, const struct sockaddr *peer,
				   bool preface, uint64_t now_ms)
{
	fault_inside(!at_start);
	struct gw_conn *conn = __real_gw_conn_new(gateway, transport, peer, preface, now_ms);
	fault_inside(false);
	return conn;
}

struct gw_wants __wrap_gw_conn_step(struct gw_conn *conn, uint64_t now_ms)
{
	fault_inside(!at_start);
	struct gw_wants wants = __real_gw_conn_step(conn, now_ms);
	fault_inside(false);
	return wants;
}

void __wrap_gw_conn_free(struct gw_conn **conn)
{
	fault_inside(!at_start);
	__real_gw_conn_free(conn);
	fault_inside(false);
}

/* What the code under test calls in the simulation: the world never fails. */

ssize_t __real_duplex_read(struct duplex *duplex, enum duplex_end end, void *data, size_t room, uint64_t now_us);
ssize_t __wrap_duplex_read(struct duplex *duplex, enum duplex_end end, void *data, size_t room, uint64_t now_us);
ssize_t __real_duplex_write(struct duplex *duplex, enum duplex_end end, const void *data, size_t len, uint64_t now_us);
ssize_t __wrap_duplex_write(struct duplex *duplex, enum duplex_end end, const void *data, size_t len, uint64_t now_us);
void __real_duplex_half_close(struct duplex *duplex, enum duplex_end end, uint64_t now_us);
void __wrap_duplex_half_close(struct duplex *duplex, enum duplex_end end, uint64_t now_us);
json_t *__real_json_loadb(const char *text, size_t len, size_t flags, json_error_t *error);
json_t *__wrap_json_loadb(const char *text, size_t len, size_t flags, json_error_t *error);

bool __real_duplex_init(struct duplex *duplex, const struct relay_limits *up, const struct relay_limits *down);
bool __wrap_duplex_init(struct duplex *duplex, const struct relay_limits *up, const struct relay_limits *down);
void __real_duplex_close(struct duplex *duplex, enum duplex_end end, uint64_t now_us);
void __wrap_duplex_close(struct duplex *duplex, enum duplex_end end, uint64_t now_us);

bool __wrap_duplex_init(struct duplex *duplex, const struct relay_limits *up, const struct relay_limits *down)
{
	bool inside = fault_inside(false);
	bool made = __real_duplex_init(duplex, up, down);
	fault_inside(inside);
	return made;
}

void __wrap_duplex_close(struct duplex *duplex, enum duplex_end end, uint64_t now_us)
{
	bool inside = fault_inside(false);
	__real_duplex_close(duplex, end, now_us);
	fault_inside(inside);
}

ssize_t __wrap_duplex_read(struct duplex *duplex, enum duplex_end end, void *data, size_t room, uint64_t now_us)
{
	bool inside = fault_inside(false);
	ssize_t n = __real_duplex_read(duplex, end, data, room, now_us);
	fault_inside(inside);
	return n;
}

ssize_t __wrap_duplex_write(struct duplex *duplex, enum duplex_end end, const void *data, size_t len, uint64_t now_us)
{
	bool inside = fault_inside(false);
	ssize_t n = __real_duplex_write(duplex, end, data, len, now_us);
	fault_inside(inside);
	return n;
}

void __wrap_duplex_half_close(struct duplex *duplex, enum duplex_end end, uint64_t now_us)
{
	bool inside = fault_inside(false);
	__real_duplex_half_close(duplex, end, now_us);
	fault_inside(inside);
}

json_t *__wrap_json_loadb(const char *text, size_t len, size_t flags, json_error_t *error)
{
	bool inside = fault_inside(false);
	json_t *json = __real_json_loadb(text, len, flags, error);
	fault_inside(inside);
	return json;
}

/* What the run may have come to: anything but a promise broken. */
static bool acceptable(const struct world *world)
{
	static const char *const refusals[] = {"no store: ", "no server: ", "was not accepted"};

	if (!world->failed)
		return true;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (strstr(world->failure, refusals[i]) != NULL)
			return true;
	return false;
}

static void prepare(const struct named *named, struct scenario *scenario)
{
	named_make(named, scenario);
	for (unsigned c = 0; c < scenario->conn_count; c++)
		for (unsigned r = 0; r < scenario->conns[c].request_count; r++)
			if (scenario->conns[c].requests[r].body > BODY)
				scenario->conns[c].requests[r].body = BODY;
	scenario->memory = SPILL_MEMORY;
	scenario->per_client_percent = 100;
	if (scenario->disk == 0)
		scenario->disk = UINT64_C(1) << 24;
}

/* False: something was broken. *more: the k-th allocation was there to fail. */
static bool run_with(const struct scenario *scenario, unsigned long k, bool *more)
{
	static struct world world;

	fault_arm(k);
	world_run(&world, scenario, false);
	*more = fault_happened();
	bool good = acceptable(&world);
	if (!good)
		(void)printf("FAILED with allocation %lu: %s\n", k, world.failure);
	world_free(&world);
	fault_arm(0);
	return good;
}

static bool run_all(const struct named *named, unsigned long stride)
{
	struct scenario scenario;
	static struct world world;
	unsigned long runs = 0, failed = 0;
	bool more = true;

	prepare(named, &scenario);
	fault_arm(0);
	world_run(&world, &scenario, false);
	unsigned long count = fault_count();
	if (world.failed)
		(void)printf("FAILED with no allocation failing: %s\n", world.failure);
	bool good = !world.failed && count > 0;
	world_free(&world);
	for (unsigned long k = 1; good && more && failed <= FAILED_MAX; k += stride, runs++)
		failed += !run_with(&scenario, k, &more);
	(void)printf("%s: %lu allocations, %lu of them failed in turn, %lu badly\n", named->name, count, runs, failed);
	return good && failed == 0;
}

int main(int argc, char **argv)
{
	bool found = false, good = true;

	unsigned long stride = argc == 4 ? strtoul(argv[3], NULL, 10) : 1;
	if (argc < 3 || argc > 4 || stride == 0 || (strcmp(argv[2], "start") != 0 && strcmp(argv[2], "serve") != 0)) {
		(void)fprintf(stderr, "usage: fault-run SCENARIO start|serve [STRIDE]\n");
		return EX_USAGE;
	}
	if (!fault_install())
		return EX_SOFTWARE;
	json_set_alloc_funcs(malloc, free);
	at_start = strcmp(argv[2], "start") == 0;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	pki_open();
	for (size_t i = 0; named_at(i) != NULL; i++) {
		if (strcmp(named_at(i)->name, argv[1]) != 0)
			continue;
		found = true;
		good = run_all(named_at(i), stride);
	}
	pki_close();
	if (!found)
		(void)fprintf(stderr, "fault-run: no scenario is named '%s'\n", argv[1]);
	return found && good ? EXIT_SUCCESS : EXIT_FAILURE;
}
