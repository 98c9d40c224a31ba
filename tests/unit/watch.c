/* Watched files: which changes are seen, and when another set is there to be tried. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loop/watch.h"

#define PATH_ROOM 256

struct world {
	char folder[64], certificate[PATH_ROOM], key[PATH_ROOM], yaml[PATH_ROOM];
	struct config_host host;
	struct config config;
	struct watch watch;
};

static const char *in(const struct world *world, const char *name)
{
	static char path[PATH_ROOM];

	(void)snprintf(path, sizeof(path), "%s/%s", world->folder, name);
	return path;
}

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void put_in(const struct world *world, const char *name, const char *text)
{
	put(in(world, name), text);
}

static void begin(struct world *world)
{
	*world = (struct world){.watch = {.fd = -1, .warn_ms = THAW_NEVER}};
	(void)snprintf(world->folder, sizeof(world->folder), "/tmp/thaw-watch-XXXXXX"); /* NOLINT: of a test */
	assert_non_null(mkdtemp(world->folder));
	(void)snprintf(world->certificate, PATH_ROOM, "%s/live/cert.pem", world->folder);
	(void)snprintf(world->key, PATH_ROOM, "%s/live/key.pem", world->folder);
	(void)snprintf(world->yaml, PATH_ROOM, "%s/thaw.yaml", world->folder);
	assert_int_equal(mkdir(in(world, "live"), 0700), 0);
	assert_int_equal(mkdir(in(world, "archive"), 0700), 0);
	put(world->yaml, "workers: 1\n");
	world->host = (struct config_host){.certificate = world->certificate, .key = world->key};
	world->config = (struct config){.hosts = &world->host, .host_count = 1, .watch_files = true};
}

static void take(struct world *world)
{
	watch_reading(&world->watch, &world->config, world->yaml);
	assert_true(watch_taken(&world->watch, &world->config));
	assert_int_equal(watch_look(&world->watch, &world->config, world->yaml), WATCH_SAME);
}

static enum watch_finding look(struct world *world)
{
	return watch_look(&world->watch, &world->config, world->yaml);
}

/* Whether the descriptor has an event; reads it. */
static bool read_event(struct world *world)
{
	struct pollfd from = {.fd = world->watch.fd, .events = POLLIN};
	bool readable = poll(&from, 1, 0) == 1;

	watch_hear(&world->watch, &world->config, world->watch.deaf_ms);
	assert_int_equal(world->watch.wanted, readable);
	return readable;
}

static void end(struct world *world)
{
	char command[PATH_ROOM];

	watch_close(&world->watch);
	(void)snprintf(command, sizeof(command), "rm -r %s", world->folder);
	assert_int_equal(system(command), 0); /* NOLINT: of a test */
}

static void files_that_are_written_or_replaced_are_another_set(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	put(world.certificate, "one");
	put(world.key, "one");
	take(&world);
	assert_false(read_event(&world));
	put(world.certificate, "longer");
	assert_true(read_event(&world));
	assert_int_equal(look(&world), WATCH_NEW);
	take(&world);
	put_in(&world, "live/new", "other");
	assert_int_equal(rename(in(&world, "live/new"), world.key), 0);
	assert_true(read_event(&world));
	assert_int_equal(look(&world), WATCH_NEW);
	take(&world);
	put_in(&world, "live/unrelated", "x");
	assert_true(read_event(&world));
	assert_int_equal(look(&world), WATCH_SAME);
	assert_int_equal(unlink(world.key), 0);
	assert_true(read_event(&world));
	assert_int_equal(look(&world), WATCH_NEW);
	end(&world);
}

static void link_to(const struct world *world, const char *target, const char *name)
{
	char to[PATH_ROOM];

	(void)snprintf(to, sizeof(to), "%s", in(world, "live/swap"));
	assert_int_equal(symlink(target, to), 0);
	assert_int_equal(rename(to, in(world, name)), 0);
}

/* certbot's live/. */
static void links_that_are_swapped_are_seen(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	put_in(&world, "archive/cert1.pem", "one");
	put_in(&world, "archive/key1.pem", "one");
	link_to(&world, "../archive/cert1.pem", "live/cert.pem");
	link_to(&world, "../archive/key1.pem", "live/key.pem");
	take(&world);
	put_in(&world, "archive/cert2.pem", "two");
	put_in(&world, "archive/key2.pem", "two");
	assert_true(read_event(&world)); /* the folder that the links lead to */
	assert_int_equal(look(&world), WATCH_SAME);
	link_to(&world, "../archive/cert2.pem", "live/cert.pem");
	assert_true(read_event(&world));
	assert_int_equal(look(&world), WATCH_NEW);
	link_to(&world, "../archive/cert1.pem", "live/cert.pem");
	assert_true(read_event(&world));
	assert_int_equal(look(&world), WATCH_SAME);
	end(&world);
}

/* Kubernetes' ..data: the link to a folder, on the way to the files. */
static void a_folder_that_is_swapped_is_seen(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	for (int i = 1; i <= 2; i++) {
		char name[32];
		(void)snprintf(name, sizeof(name), "live/..%d", i);
		assert_int_equal(mkdir(in(&world, name), 0700), 0);
		(void)snprintf(name, sizeof(name), "live/..%d/cert.pem", i);
		put_in(&world, name, "same length");
		(void)snprintf(name, sizeof(name), "live/..%d/key.pem", i);
		put_in(&world, name, "same length");
	}
	link_to(&world, "..1", "live/..data");
	link_to(&world, "..data/cert.pem", "live/cert.pem");
	link_to(&world, "..data/key.pem", "live/key.pem");
	take(&world);
	link_to(&world, "..2", "live/..data");
	assert_true(read_event(&world));
	assert_int_equal(look(&world), WATCH_NEW);
	take(&world);
	put_in(&world, "live/..2/key.pem", "written in place");
	assert_true(read_event(&world)); /* the new folder is watched */
	assert_int_equal(look(&world), WATCH_NEW);
	end(&world);
}

static void a_file_that_comes_into_being_is_seen(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	put(world.certificate, "one");
	assert_int_equal(symlink("../archive/later/key.pem", world.key), 0);
	take(&world);
	assert_int_equal(mkdir(in(&world, "archive/later"), 0700), 0);
	assert_true(read_event(&world)); /* the deepest folder that there is */
	put_in(&world, "archive/later/key.pem", "one");
	assert_true(read_event(&world));
	assert_int_equal(look(&world), WATCH_NEW);
	end(&world);
}

static void a_loop_of_links_ends(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	put(world.certificate, "one");
	assert_int_equal(symlink("key.pem", world.key), 0);
	take(&world);
	end(&world);
}

static void a_file_that_is_open_for_writing_is_waited_for(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	put(world.certificate, "one");
	put(world.key, "one");
	take(&world);
	int half = open(world.certificate, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_true(half >= 0);
	assert_int_equal(write(half, "ha", 2), 2);
	assert_int_equal(look(&world), WATCH_OPEN);
	assert_int_equal(close(half), 0);
	assert_true(read_event(&world));
	assert_int_equal(look(&world), WATCH_NEW);
	end(&world);
}

static void a_set_that_does_not_fit_is_tried_once_and_warned_of_once(void **state)
{
	const struct thaw_error why = {.cls = THAW_ERR_CONFIG, .text = "the key does not match"};
	struct world world;

	(void)state;
	begin(&world);
	put(world.certificate, "one");
	put(world.key, "one");
	take(&world);
	put(world.certificate, "second");
	assert_int_equal(look(&world), WATCH_NEW);
	watch_unfit(&world.watch, &why, 1000);
	assert_int_equal(look(&world), WATCH_SAME);
	assert_null(watch_due(&world.watch, 1000 + WATCH_PATIENCE_MS - 1));
	assert_null(watch_held(&world.watch));
	assert_string_equal(watch_due(&world.watch, 1000 + WATCH_PATIENCE_MS), why.text);
	assert_string_equal(watch_held(&world.watch), why.text);
	assert_null(watch_due(&world.watch, THAW_NEVER - 1));
	put(world.certificate, "the third"); /* with the same fault */
	assert_int_equal(look(&world), WATCH_NEW);
	watch_unfit(&world.watch, &why, 9000);
	assert_null(watch_due(&world.watch, THAW_NEVER - 1));
	assert_non_null(watch_held(&world.watch));
	put(world.key, "which fits");
	assert_int_equal(look(&world), WATCH_NEW);
	take(&world);
	assert_null(watch_held(&world.watch));
	put(world.key, "and this does not");
	assert_int_equal(look(&world), WATCH_NEW);
	watch_unfit(&world.watch, &why, 20000);
	assert_non_null(watch_due(&world.watch, 20000 + WATCH_PATIENCE_MS)); /* another occasion */
	end(&world);
}

static void a_set_that_fits_in_time_is_not_warned_of(void **state)
{
	const struct thaw_error why = {.cls = THAW_ERR_CONFIG, .text = "the key does not match"};
	struct world world;

	(void)state;
	begin(&world);
	put(world.certificate, "one");
	put(world.key, "one");
	take(&world);
	put(world.certificate, "second");
	assert_int_equal(look(&world), WATCH_NEW);
	watch_unfit(&world.watch, &why, 1000);
	put(world.key, "second");
	assert_int_equal(look(&world), WATCH_NEW);
	take(&world);
	assert_null(watch_due(&world.watch, THAW_NEVER - 1));
	end(&world);
}

static void the_set_in_use_is_put_back_and_nothing_is_held(void **state)
{
	const struct thaw_error why = {.cls = THAW_ERR_CONFIG, .text = "the key does not match"};
	struct world world;

	(void)state;
	begin(&world);
	put(world.certificate, "one");
	put_in(&world, "archive/one", "one");
	put_in(&world, "archive/two", "two");
	link_to(&world, "../archive/one", "live/key.pem");
	take(&world);
	for (uint64_t now_ms = 1000; now_ms < 3 * WATCH_PATIENCE_MS; now_ms += 2 * WATCH_PATIENCE_MS) {
		link_to(&world, "../archive/two", "live/key.pem");
		assert_int_equal(look(&world), WATCH_NEW);
		watch_unfit(&world.watch, &why, now_ms);
		assert_non_null(watch_due(&world.watch, now_ms + WATCH_PATIENCE_MS)); /* each time */
		assert_non_null(watch_held(&world.watch));
		link_to(&world, "../archive/one", "live/key.pem");
		assert_int_equal(look(&world), WATCH_SAME);
		assert_null(watch_held(&world.watch));
	}
	end(&world);
}

static void a_configuration_that_has_changed_is_not_taken_along(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	put(world.certificate, "one");
	put(world.key, "one");
	take(&world);
	put(world.yaml, "workers: 17\n");
	assert_int_equal(look(&world), WATCH_SAME);
	put(world.key, "second");
	assert_int_equal(look(&world), WATCH_RECONFIGURED);
	end(&world);
}

static void without_the_setting_nothing_is_watched(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	put(world.certificate, "one");
	world.config.watch_files = false;
	watch_reading(&world.watch, &world.config, world.yaml);
	assert_true(watch_taken(&world.watch, &world.config));
	assert_int_equal(world.watch.fd, -1);
	assert_false(world.watch.wanted);
	end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_that_are_written_or_replaced_are_another_set),
		cmocka_unit_test(links_that_are_swapped_are_seen),
		cmocka_unit_test(a_folder_that_is_swapped_is_seen),
		cmocka_unit_test(a_file_that_comes_into_being_is_seen),
		cmocka_unit_test(a_loop_of_links_ends),
		cmocka_unit_test(a_file_that_is_open_for_writing_is_waited_for),
		cmocka_unit_test(a_set_that_does_not_fit_is_tried_once_and_warned_of_once),
		cmocka_unit_test(a_set_that_fits_in_time_is_not_warned_of),
		cmocka_unit_test(the_set_in_use_is_put_back_and_nothing_is_held),
		cmocka_unit_test(a_configuration_that_has_changed_is_not_taken_along),
		cmocka_unit_test(without_the_setting_nothing_is_watched),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
