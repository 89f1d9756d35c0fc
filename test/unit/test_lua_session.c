/* The table of sessions, against a naive one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lua_session.h"

#define MODEL_SIZE 4096

static uint32_t
next_random(uint32_t *seed) {
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* Random sessions of a small range come and go. */
static void
check_against_model(uint32_t seed, int base, uint32_t range) {
	struct session_table table = {NULL, 0, 0};
	void **model = calloc(MODEL_SIZE, sizeof *model);
	uint32_t count = 0;
	for (int step = 0; step < 100000; step++) {
		uint32_t at = next_random(&seed) % range;
		int session = base + (int)at;
		struct session_entry *entry = session_find(&table, session);
		if (model[at] == NULL) {
			assert_null(entry);
			model[at] = &model[next_random(&seed) % MODEL_SIZE];
			assert_true(session_add(&table, session, SESSION_CALL, model[at]));
			assert_false(session_add(&table, session, SESSION_SLEEP, NULL));
			count++;
		} else {
			assert_non_null(entry);
			assert_ptr_equal(entry->owner, model[at]);
			assert_int_equal(entry->kind, SESSION_CALL);
			session_remove(&table, entry);
			model[at] = NULL;
			count--;
		}
		assert_int_equal(table.count, count);
	}
	free(model);
	session_table_clear(&table);
}

static void
agrees_with_a_model(void **state) {
	(void)state;
	check_against_model(1, 1, 8);
	check_against_model(2, 1, 100);
	check_against_model(3, 1000000, MODEL_SIZE);
	check_against_model(4, INT32_MAX - MODEL_SIZE, MODEL_SIZE);
}

static void
grows_and_shrinks(void **state) {
	(void)state;
	struct session_table table = {NULL, 0, 0};
	for (int session = 1; session <= 100000; session++)
		assert_true(session_add(&table, session, SESSION_CALL, NULL));
	assert_true(table.mask >= 100000);
	for (int session = 1; session <= 100000; session++) {
		struct session_entry *entry = session_find(&table, session);
		assert_non_null(entry);
		session_remove(&table, entry);
	}
	assert_int_equal(table.count, 0);
	assert_true(table.mask < 4096);
	session_table_clear(&table);
}

static void
finds_nothing_in_an_empty_table(void **state) {
	(void)state;
	struct session_table table = {NULL, 0, 0};
	assert_null(session_find(&table, 1));
	assert_null(session_find(&table, 0));
	session_table_clear(&table);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_a_model),
		cmocka_unit_test(grows_and_shrinks),
		cmocka_unit_test(finds_nothing_in_an_empty_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
