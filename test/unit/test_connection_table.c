/* The connections of a gate: found by id, bounded in number, the same as a plain array would hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "connection_table.h"

#define ID_COUNT    512
#define ROUND_COUNT 20000

static int
setup(void **state) {
	*state = connection_table_create(ID_COUNT / 2);
	return 0;
}

static int
teardown(void **state) {
	connection_table_destroy(*state);
	return 0;
}

static void
finds_what_was_added(void **state) {
	struct connection *connection = connection_table_add(*state, 7, 4);
	assert_non_null(connection);
	assert_int_equal(connection->id, 7);
	assert_int_equal(connection->split.head_width, 4);
	assert_int_equal(connection->agent, 0);
	assert_ptr_equal(connection_table_find(*state, 7), connection);
	assert_null(connection_table_find(*state, 8));
	assert_int_equal(connection_table_count(*state), 1);
	assert_ptr_equal(connection_table_any(*state), connection);
}

static void
refuses_the_same_id_twice(void **state) {
	assert_non_null(connection_table_add(*state, 7, 2));
	assert_null(connection_table_add(*state, 7, 2));
	assert_int_equal(connection_table_count(*state), 1);
}

static void
refuses_more_than_its_limit(void **state) {
	for (int i = 0; i < ID_COUNT / 2; i++)
		assert_non_null(connection_table_add(*state, i * 3, 2));
	assert_null(connection_table_add(*state, 1, 2));
	assert_true(connection_table_remove(*state, 3));
	assert_non_null(connection_table_add(*state, 1, 2));
}

static void
is_empty_when_all_are_removed(void **state) {
	assert_null(connection_table_any(*state));
	assert_false(connection_table_remove(*state, 1));
	connection_table_add(*state, 1, 2);
	assert_true(connection_table_remove(*state, 1));
	assert_false(connection_table_remove(*state, 1));
	assert_null(connection_table_any(*state));
	assert_int_equal(connection_table_count(*state), 0);
}

static void
frees_half_received_packets(void **state) {
	struct connection *connection = connection_table_add(*state, 1, 2);
	assert_true(packet_split_push(&connection->split, "\0\5ab", 4, NULL, NULL));
	connection = connection_table_add(*state, 2, 2);
	assert_true(packet_split_push(&connection->split, "\0\5ab", 4, NULL, NULL));
	assert_true(connection_table_remove(*state, 1));
	connection_table_destroy(NULL);
}

static void
holds_what_an_array_would_hold(void **state) {
	struct connection *model[ID_COUNT] = {0};
	uint32_t random = 12345;
	size_t count = 0;
	for (int round = 0; round < ROUND_COUNT; round++) {
		random = random * UINT32_C(1664525) + UINT32_C(1013904223);
		/* Ids that collide: few bits differ, and they lie far apart. */
		int index = (int)(random >> 16) % ID_COUNT, id = index * 65536 / 4;
		if (model[index] != NULL) {
			assert_true(connection_table_remove(*state, id));
			model[index] = NULL;
			count--;
		} else if (count < ID_COUNT / 2) {
			model[index] = connection_table_add(*state, id, 2);
			assert_non_null(model[index]);
			count++;
		}
		assert_int_equal(connection_table_count(*state), count);
		if (round % 100 != 0)
			continue;
		for (int i = 0; i < ID_COUNT; i++)
			assert_ptr_equal(connection_table_find(*state, i * 65536 / 4), model[i]);
	}
}

int
main(void) {
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(finds_what_was_added),
		TEST(refuses_the_same_id_twice),
		TEST(refuses_more_than_its_limit),
		TEST(is_empty_when_all_are_removed),
		TEST(frees_half_received_packets),
		TEST(holds_what_an_array_would_hold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
