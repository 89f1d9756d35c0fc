/* Unit tests of data/env_table. */
#include "data/env_table.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int
setup(void **state) {
	*state = env_table_create();
	return 0;
}

static int
teardown(void **state) {
	env_table_destroy(*state);
	return 0;
}

static void
a_value_is_found_by_its_key(void **state) {
	struct env_table *table = *state;
	assert_null(env_table_get(table, "thread"));
	assert_true(env_table_set(table, "thread", "8"));
	assert_true(env_table_set(table, "", "empty key"));
	assert_true(env_table_set(table, "empty value", ""));
	assert_string_equal(env_table_get(table, "thread"), "8");
	assert_string_equal(env_table_get(table, ""), "empty key");
	assert_string_equal(env_table_get(table, "empty value"), "");
	assert_null(env_table_get(table, "threa"));
	assert_null(env_table_get(table, "threads"));
	assert_int_equal(env_table_count(table), 3);
}

static void
a_key_is_written_once(void **state) {
	struct env_table *table = *state;
	assert_true(env_table_set(table, "key", "first"));
	const char *value = env_table_get(table, "key");
	assert_false(env_table_set(table, "key", "second"));
	assert_false(env_table_set(table, "key", "first"));
	assert_ptr_equal(env_table_get(table, "key"), value);
	assert_string_equal(value, "first");
	assert_int_equal(env_table_count(table), 1);
}

static void
texts_are_copied(void **state) {
	struct env_table *table = *state;
	char key[] = "key";
	char value[] = "value";
	env_table_set(table, key, value);
	memset(key, 'x', 3);
	memset(value, 'x', 5);
	assert_string_equal(env_table_get(table, "key"), "value");
}

struct visited {
	int count;
	int stop_after;
};

static bool
visit_numbers(const char *key, const char *value, void *ud) {
	struct visited *visited = ud;
	assert_int_equal(atoi(key + 1), visited->count);
	assert_int_equal(atoi(value), visited->count * 2);
	return ++visited->count != visited->stop_after;
}

static void
visits_come_in_order_of_setting_and_can_be_stopped(void **state) {
	struct env_table *table = *state;
	struct visited visited = {0, -1};
	env_table_visit(table, visit_numbers, &visited);
	assert_int_equal(visited.count, 0);
	for (int i = 0; i < 5000; i++) {
		char key[16];
		char value[16];
		snprintf(key, sizeof(key), "k%d", i);
		snprintf(value, sizeof(value), "%d", i * 2);
		assert_true(env_table_set(table, key, value));
	}
	env_table_visit(table, visit_numbers, &visited);
	assert_int_equal(visited.count, 5000);
	visited = (struct visited){0, 7};
	env_table_visit(table, visit_numbers, &visited);
	assert_int_equal(visited.count, 7);
}

#define WRITERS 3
#define KEYS    3000

struct race {
	struct env_table *table;
	atomic_int won;
	atomic_int wrong;
};

/* All writers set the same keys; readers see nothing or a whole value. */
static void *
write_and_read(void *ud) {
	struct race *race = ud;
	char key[16];
	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "%d", i);
		if (env_table_set(race->table, key, key))
			atomic_fetch_add(&race->won, 1);
		snprintf(key, sizeof(key), "%d", (i * 7919) % KEYS);
		const char *value = env_table_get(race->table, key);
		if (value != NULL && strcmp(value, key) != 0)
			atomic_fetch_add(&race->wrong, 1);
	}
	return NULL;
}

static void
each_key_is_won_by_one_thread(void **state) {
	struct race race = {.table = *state};
	pthread_t threads[WRITERS];
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_and_read, &race), 0);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(race.won, KEYS);
	assert_int_equal(race.wrong, 0);
	assert_int_equal(env_table_count(race.table), KEYS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void) {
	const struct CMUnitTest tests[] = {
		TEST(a_value_is_found_by_its_key),
		TEST(a_key_is_written_once),
		TEST(texts_are_copied),
		TEST(visits_come_in_order_of_setting_and_can_be_stopped),
		TEST(each_key_is_won_by_one_thread),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
