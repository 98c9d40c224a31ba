/* Who makes room among a worker's connections, by hand and against a model that looks at all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loop/clients.h"

#define PLACES 40

static struct clients clients;
static struct clients_place places[PLACES];

static int begin(void **state)
{
	(void)state;
	memset(places, 0, sizeof(places));
	return clients_init(&clients, PLACES) ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	for (int i = 0; i < PLACES; i++)
		clients_leave(&clients, &places[i]);
	clients_free(&clients);
	return 0;
}

static struct clients_place *put(int i, uint64_t key, enum clients_kind kind)
{
	assert_true(clients_enter(&clients, &places[i], key));
	clients_move(&clients, &places[i], kind);
	return &places[i];
}

static void busy_connections_are_not_chosen(void **state)
{
	(void)state;
	assert_null(clients_choose(&clients));
	put(0, 7, CLIENTS_BUSY);
	assert_null(clients_choose(&clients));
	assert_null(clients_choose_of(&clients, 7));
	assert_int_equal(clients_count(&clients, 7), 1);
	assert_int_equal(clients_waiting(&clients), 0);
}

static void the_oldest_of_the_address_with_most_is_chosen(void **state)
{
	(void)state;
	put(0, 1, CLIENTS_SILENT);
	put(1, 2, CLIENTS_SILENT);
	put(2, 2, CLIENTS_SILENT);
	put(3, 3, CLIENTS_SILENT);
	assert_ptr_equal(clients_choose(&clients), &places[1]);
	clients_leave(&clients, &places[1]);
	/* all have as many: the address that has had them longest */
	assert_ptr_equal(clients_choose(&clients), &places[0]);
}

static void a_flood_of_one_kind_spares_the_other_kinds(void **state)
{
	(void)state;
	put(0, 1, CLIENTS_HANDSHAKE);
	put(1, 1, CLIENTS_IDLE);
	for (int i = 2; i < 10; i++)
		put(i, (uint64_t)i, CLIENTS_SILENT);
	for (int i = 2; i < 9; i++) {
		assert_ptr_equal(clients_choose(&clients), &places[i]);
		clients_leave(&clients, &places[i]);
	}
}

static void a_flood_spares_the_newcomer_of_the_same_address(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		put(i, 1, CLIENTS_HANDSHAKE);
	put(10, 1, CLIENTS_SILENT);
	assert_ptr_equal(clients_choose_of(&clients, 1), &places[0]);
	clients_move(&clients, &places[10], CLIENTS_HANDSHAKE);
	for (int i = 0; i < 10; i++) {
		assert_ptr_equal(clients_choose_of(&clients, 1), &places[i]);
		clients_leave(&clients, &places[i]);
	}
}

static void progress_restarts_the_wait(void **state)
{
	(void)state;
	put(0, 1, CLIENTS_IDLE);
	put(1, 1, CLIENTS_IDLE);
	clients_move(&clients, &places[0], CLIENTS_IDLE);
	assert_ptr_equal(clients_choose(&clients), &places[1]);
}

static void a_name_that_comes_late_counts(void **state)
{
	(void)state;
	put(0, 1, CLIENTS_SILENT);
	put(1, 1, CLIENTS_SILENT);
	assert_true(clients_rename(&clients, &places[0], 2));
	assert_true(clients_rename(&clients, &places[1], 2));
	assert_int_equal(clients_count(&clients, 1), 0);
	assert_int_equal(clients_count(&clients, 2), 2);
	assert_ptr_equal(clients_choose_of(&clients, 2), &places[0]);
	assert_true(clients_rename(&clients, &places[0], 2));
	assert_ptr_equal(clients_choose_of(&clients, 2), &places[1]);
}

/* ---- against a model ---- */

struct model {
	uint64_t key, since;
	enum clients_kind kind;
	bool here;
};

static size_t count(const struct model *model, enum clients_kind kind, uint64_t key)
{
	size_t total = 0;

	for (int i = 0; i < PLACES; i++)
		total += model[i].here && model[i].kind == kind && (key == 0 || model[i].key == key);
	return total;
}

/* Whether that one may be chosen: of the largest kind, of an address with most of them, its oldest. */
static bool may_be_chosen(const struct model *model, int at)
{
	const struct model *it = &model[at];
	size_t has = count(model, it->kind, it->key);

	for (int kind = 0; kind < CLIENTS_KINDS; kind++)
		if (count(model, (enum clients_kind)kind, 0) > count(model, it->kind, 0))
			return false;
	for (int i = 0; i < PLACES; i++) {
		bool same = model[i].here && model[i].kind == it->kind;
		if (same && count(model, it->kind, model[i].key) > has)
			return false;
		if (same && model[i].key == it->key && model[i].since < it->since)
			return false;
	}
	return it->here && it->kind != CLIENTS_BUSY;
}

static void random_moves_agree_with_the_model(void **state)
{
	struct model model[PLACES] = {{0}};
	unsigned seed = 1;

	(void)state;
	for (uint64_t turn = 1; turn < 20000; turn++) {
		int at = rand_r(&seed) % PLACES;
		uint64_t key = 1 + (uint64_t)rand_r(&seed) % 6;
		enum clients_kind kind = (enum clients_kind)(rand_r(&seed) % (CLIENTS_KINDS + 1));
		if (!model[at].here) {
			put(at, key, kind);
			model[at] = (struct model){.key = key, .since = turn, .kind = kind, .here = true};
		} else if (rand_r(&seed) % 3 == 0) {
			clients_leave(&clients, &places[at]);
			model[at].here = false;
		} else if (rand_r(&seed) % 4 == 0) {
			assert_true(clients_rename(&clients, &places[at], key));
			model[at].key = key;
			model[at].since = turn;
		} else {
			clients_move(&clients, &places[at], kind);
			model[at].kind = kind;
			model[at].since = turn;
		}
		const struct clients_place *chosen = clients_choose(&clients);
		if (chosen == NULL)
			assert_int_equal(clients_waiting(&clients), 0);
		else
			assert_true(may_be_chosen(model, (int)(chosen - places)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(busy_connections_are_not_chosen, begin, end),
		cmocka_unit_test_setup_teardown(the_oldest_of_the_address_with_most_is_chosen, begin, end),
		cmocka_unit_test_setup_teardown(a_flood_of_one_kind_spares_the_other_kinds, begin, end),
		cmocka_unit_test_setup_teardown(a_flood_spares_the_newcomer_of_the_same_address, begin, end),
		cmocka_unit_test_setup_teardown(progress_restarts_the_wait, begin, end),
		cmocka_unit_test_setup_teardown(a_name_that_comes_late_counts, begin, end),
		cmocka_unit_test_setup_teardown(random_moves_agree_with_the_model, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
