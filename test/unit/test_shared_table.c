/* Unit tests of data/shared_table. */
#include "data/shared_table.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct {
	int created;
	int destroyed[8];
	int destroyed_count;
} seen; /* written under the table's lock, or by one thread */

static int values[8];

static int
setup(void **state) {
	seen.created = 0;
	seen.destroyed_count = 0;
	*state = shared_table_create();
	return 0;
}

static void *
create(void *ud) {
	seen.created++;
	return ud;
}

static void *
create_nothing(void *ud) {
	(void)ud;
	seen.created++;
	return NULL;
}

static void
destroy(void *object) {
	seen.destroyed[seen.destroyed_count++] = (int)((int *)object - values);
}

static void
an_object_is_made_once(void **state) {
	struct shared_table *table = *state;
	assert_ptr_equal(shared_table_get(table, "cache", create, &values[1], destroy), &values[1]);
	assert_ptr_equal(shared_table_get(table, "cache", create, &values[2], destroy), &values[1]);
	assert_ptr_equal(shared_table_get(table, "other", create, &values[2], destroy), &values[2]);
	assert_ptr_equal(shared_table_get(table, "cache", NULL, NULL, NULL), &values[1]);
	assert_int_equal(seen.created, 2);
	assert_int_equal(shared_table_count(table), 2);
	shared_table_destroy(table);
	assert_int_equal(seen.destroyed_count, 2);
}

static void
objects_end_in_reverse_order(void **state) {
	struct shared_table *table = *state;
	shared_table_get(table, "a", create, &values[0], destroy);
	shared_table_get(table, "b", create, &values[1], NULL);
	shared_table_get(table, "c", create, &values[2], destroy);
	shared_table_get(table, "a", create, &values[3], destroy);
	shared_table_destroy(table);
	assert_int_equal(seen.destroyed_count, 2);
	assert_int_equal(seen.destroyed[0], 2);
	assert_int_equal(seen.destroyed[1], 0);
}

static void
a_creator_that_fails_is_asked_again(void **state) {
	struct shared_table *table = *state;
	assert_null(shared_table_get(table, "a", create_nothing, NULL, destroy));
	assert_null(shared_table_get(table, "a", NULL, NULL, destroy));
	assert_null(shared_table_get(table, "a", create_nothing, NULL, destroy));
	assert_int_equal(shared_table_count(table), 0);
	assert_ptr_equal(shared_table_get(table, "a", create, &values[0], destroy), &values[0]);
	assert_int_equal(seen.created, 3);
	shared_table_destroy(table);
	assert_int_equal(seen.destroyed_count, 1);
}

static void *
ask(void *ud) {
	void *object = NULL;
	for (int i = 0; i < 100; i++)
		object = shared_table_get(ud, "a", create, &values[4], destroy);
	return object;
}

static void
threads_get_the_same_object(void **state) {
	struct shared_table *table = *state;
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask, table), 0);
	for (int i = 0; i < 4; i++) {
		void *object;
		pthread_join(threads[i], &object);
		assert_ptr_equal(object, &values[4]);
	}
	assert_int_equal(seen.created, 1);
	shared_table_destroy(table);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_object_is_made_once, setup),
		cmocka_unit_test_setup(objects_end_in_reverse_order, setup),
		cmocka_unit_test_setup(a_creator_that_fails_is_asked_again, setup),
		cmocka_unit_test_setup(threads_get_the_same_object, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
