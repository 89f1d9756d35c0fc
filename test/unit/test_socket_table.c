/* Ids and their sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

#include "io/socket_table.h"

#define MANY 100000

static void
release(struct socket_table *table, struct socket_entry *entry) {
	mutex_acquire(&entry->lock);
	socket_table_release(table, entry);
}

static struct socket_entry *
reserve(struct socket_table *table) {
	struct socket_entry *entry = socket_table_reserve(table);
	mutex_release(&entry->lock);
	return entry;
}

static int
id_of(struct socket_entry *entry) {
	return atomic_load_explicit(&entry->id, memory_order_relaxed);
}

static void
ids_grow_and_dead_ones_are_not_found(void **state) {
	(void)state;
	struct socket_table table;
	socket_table_init(&table);
	int last = 0;
	for (int i = 0; i < 5000; i++) {
		struct socket_entry *entry = reserve(&table);
		int id = id_of(entry);
		assert_true(id > last);
		last = id;
		assert_ptr_equal(socket_table_find(&table, id), entry);
		assert_null(socket_table_find(&table, id + 1));
		release(&table, entry);
		assert_null(socket_table_find(&table, id));
		assert_null(socket_table_acquire(&table, id));
	}
	assert_null(socket_table_find(&table, 0));
	assert_null(socket_table_find(&table, -1));
	assert_null(socket_table_find(&table, INT_MIN));
	assert_int_equal(table.entry_count, 1); /* used again and again */
	socket_table_fini(&table);
}

static void
a_hundred_thousand_sockets_fit(void **state) {
	(void)state;
	struct socket_table table;
	socket_table_init(&table);
	int *ids = malloc(MANY * sizeof(*ids));
	for (int i = 0; i < MANY; i++)
		ids[i] = id_of(reserve(&table));
	for (int i = 0; i < MANY; i++) {
		struct socket_entry *entry = socket_table_acquire(&table, ids[i]);
		assert_non_null(entry);
		assert_int_equal(id_of(entry), ids[i]);
		if (i % 2 == 0)
			socket_table_release(&table, entry);
		else
			mutex_release(&entry->lock);
	}
	for (int i = 0; i < MANY; i++)
		assert_int_equal(socket_table_find(&table, ids[i]) != NULL, i % 2 != 0);
	struct socket_entry *first = socket_table_at(&table, 0);
	assert_non_null(first);
	mutex_release(&first->lock);
	assert_null(socket_table_at(&table, MANY));
	free(ids);
	socket_table_fini(&table);
}

static void
ids_start_again_behind_the_last_one(void **state) {
	(void)state;
	struct socket_table table;
	socket_table_init(&table);
	struct socket_entry *first = reserve(&table);
	assert_int_equal(id_of(first), 1);
	table.last_id = INT_MAX - 1;
	struct socket_entry *last = reserve(&table);
	assert_int_equal(id_of(last), INT_MAX);
	struct socket_entry *next = reserve(&table);
	assert_int_equal(id_of(next), 2); /* 1 is still in use */
	assert_ptr_equal(socket_table_find(&table, 1), first);
	assert_ptr_equal(socket_table_find(&table, INT_MAX), last);
	socket_table_fini(&table);
}

static void *
reserve_and_release(void *ud) {
	struct socket_table *table = ud;
	struct socket_entry *held[64] = {NULL};
	for (int i = 0; i < 20000; i++) {
		struct socket_entry **slot = &held[i % 64];
		if (*slot != NULL)
			release(table, *slot);
		*slot = reserve(table);
		if (socket_table_find(table, id_of(*slot)) != *slot)
			abort();
		struct socket_entry *other = socket_table_acquire(table, id_of(*slot) - 70);
		if (other != NULL)
			mutex_release(&other->lock);
	}
	return NULL;
}

static void
threads_may_reserve_at_once(void **state) {
	(void)state;
	struct socket_table table;
	pthread_t threads[3];
	socket_table_init(&table);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, reserve_and_release, &table);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(table.used, 3 * 64);
	socket_table_fini(&table);
}

struct ending {
	struct socket_table *table;
	struct socket_entry *entry;
};

/* Ends a socket as soon as the table lets it. */
static void *
end_socket(void *ud) {
	struct ending *ending = ud;
	release(ending->table, ending->entry);
	return NULL;
}

/* While a socket ends, the one is reserved for which the index must grow. */
static void
a_socket_that_ends_while_the_index_grows_takes_no_other_along(void **state) {
	(void)state;
	for (int round = 0; round < 300; round++) {
		struct socket_table table;
		pthread_t thread;
		socket_table_init(&table);
		/* The first one has the first place, whatever the size. */
		table.last_id = (1 << 20) - 1;
		struct socket_entry *first = reserve(&table);
		struct ending ending = {.table = &table, .entry = reserve(&table)};
		for (int i = 2; i < 512; i++)
			reserve(&table);
		mutex_acquire(&table.lock);
		pthread_create(&thread, NULL, end_socket, &ending);
		/* By then it probably waits for the lock. */
		for (int i = 0; i < 50; i++)
			sched_yield();
		mutex_release(&table.lock);
		reserve(&table);
		reserve(&table);
		pthread_join(thread, NULL);
		assert_ptr_equal(socket_table_find(&table, 1 << 20), first);
		socket_table_fini(&table);
	}
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_grow_and_dead_ones_are_not_found),
		cmocka_unit_test(a_hundred_thousand_sockets_fit),
		cmocka_unit_test(ids_start_again_behind_the_last_one),
		cmocka_unit_test(threads_may_reserve_at_once),
		cmocka_unit_test(a_socket_that_ends_while_the_index_grows_takes_no_other_along),
	};
	return cmocka_run_group_tests_name("socket_table", tests, NULL, NULL);
}
