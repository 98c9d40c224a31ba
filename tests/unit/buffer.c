/* The buffer that holds what waits to be written: order, ceiling, and an error that sticks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../fault/alloc.h"
#include "base/buffer.h"

#define CEILING 1000

static void bytes_are_read_in_order(void **state)
{
	struct buffer buffer = {.bytes = NULL};
	unsigned char in = 0, out = 0;

	(void)state;
	for (int turn = 0; turn < 500; turn++) {
		size_t add = (size_t)(turn * 7 % 40), take;
		for (size_t i = 0; i < add && buffer_left(&buffer) < CEILING; i++, in++)
			assert_true(buffer_append(&buffer, CEILING, &in, 1));
		take = buffer_left(&buffer) < (size_t)(turn % 45) ? buffer_left(&buffer) : (size_t)(turn % 45);
		for (size_t i = 0; i < take; i++, out++)
			assert_int_equal((unsigned char)buffer_first(&buffer)[i], out);
		buffer_consume(&buffer, take);
		assert_true(buffer.room <= CEILING);
	}
	buffer_free(&buffer);
}

static void an_empty_buffer_begins_anew_in_the_same_memory(void **state)
{
	struct buffer buffer = {.bytes = NULL};

	(void)state;
	assert_true(buffer_reserve(&buffer, CEILING, 100));
	for (int turn = 0; turn < 100; turn++) {
		assert_true(buffer_append(&buffer, CEILING, "abc", 3));
		buffer_consume(&buffer, 2);
		buffer_consume(&buffer, 1);
		assert_int_equal(buffer.room, 100);
	}
	buffer_free(&buffer);
	assert_null(buffer.bytes);
}

static void exceeding_the_ceiling_fails_permanently(void **state)
{
	struct buffer buffer = {.bytes = NULL};
	char data[CEILING + 1] = "";

	(void)state;
	assert_true(buffer_append(&buffer, CEILING, data, CEILING));
	assert_false(buffer_append(&buffer, CEILING, data, 1));
	assert_true(buffer.failed);
	assert_int_equal(buffer_left(&buffer), CEILING);
	buffer_consume(&buffer, CEILING);
	assert_false(buffer_append(&buffer, CEILING, data, 1));
	buffer_free(&buffer);
	assert_false(buffer_append(&buffer, CEILING, data, sizeof(data)));
	buffer_free(&buffer);
	assert_true(buffer_append(&buffer, CEILING, data, 1));
	assert_false(buffer_append(&buffer, CEILING, data, SIZE_MAX));
	buffer_free(&buffer);
}

static char *copy(const char *text)
{
	char *bytes = malloc(strlen(text));

	assert_non_null(bytes);
	memcpy(bytes, text, strlen(text));
	return bytes;
}

static void adopted_memory_is_appended(void **state)
{
	struct buffer buffer = {.bytes = NULL};

	(void)state;
	assert_true(buffer_adopt(&buffer, CEILING, copy("ab"), 2));
	assert_true(buffer_adopt(&buffer, CEILING, copy("cd"), 2));
	assert_memory_equal(buffer_first(&buffer), "abcd", 4);
	assert_false(buffer_adopt(&buffer, CEILING, NULL, 0));
	assert_true(buffer.failed);
	buffer_free(&buffer);
	assert_false(buffer_adopt(&buffer, 1, copy("ab"), 2));
	buffer_free(&buffer);
}

static void a_failed_allocation_sticks(void **state)
{
	struct buffer buffer = {.bytes = NULL};

	(void)state;
	fault_arm(1);
	(void)fault_inside(true);
	assert_false(buffer_append(&buffer, CEILING, "abc", 3));
	(void)fault_inside(false);
	assert_true(fault_happened());
	assert_false(buffer_append(&buffer, CEILING, "abc", 3));
	buffer_free(&buffer);
	assert_true(buffer_append(&buffer, CEILING, "abc", 3));
	buffer_free(&buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_read_in_order),
		cmocka_unit_test(an_empty_buffer_begins_anew_in_the_same_memory),
		cmocka_unit_test(exceeding_the_ceiling_fails_permanently),
		cmocka_unit_test(adopted_memory_is_appended),
		cmocka_unit_test(a_failed_allocation_sticks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
