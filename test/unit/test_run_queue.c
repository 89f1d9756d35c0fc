/* Run queue: order, growth, stealing. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/run_queue.h"

#define ITEM(n) ((void *)(uintptr_t)(n))

static void
gives_items_in_order_while_it_grows(void **state) {
	(void)state;
	struct run_queue queue;
	run_queue_init(&queue);
	assert_null(run_queue_pop(&queue));
	uintptr_t in = 0, out = 0;
	for (int round = 1; round < 40; round++) {
		for (int i = 0; i < round * 3; i++) {
			in++;
			assert_int_equal(run_queue_push(&queue, ITEM(in)), in - out);
		}
		for (int i = 0; i < round * 2; i++)
			assert_ptr_equal(run_queue_pop(&queue), ITEM(++out));
	}
	while (out < in)
		assert_ptr_equal(run_queue_pop(&queue), ITEM(++out));
	assert_int_equal(run_queue_count(&queue), 0);
	run_queue_fini(&queue);
}

static void
a_thief_takes_the_older_half(void **state) {
	(void)state;
	struct run_queue from, to;
	run_queue_init(&from);
	run_queue_init(&to);
	assert_null(run_queue_steal(&from, &to));
	for (uintptr_t i = 1; i <= 5; i++)
		run_queue_push(&from, ITEM(i));
	assert_ptr_equal(run_queue_steal(&from, &to), ITEM(1));
	assert_ptr_equal(run_queue_pop(&to), ITEM(2));
	assert_ptr_equal(run_queue_pop(&to), ITEM(3));
	assert_null(run_queue_pop(&to));
	assert_ptr_equal(run_queue_pop(&from), ITEM(4));
	assert_ptr_equal(run_queue_steal(&from, &to), ITEM(5));
	assert_null(run_queue_pop(&from));
	run_queue_fini(&from);
	run_queue_fini(&to);
}

static void
the_owner_and_a_thief_take_in_the_order_of_putting(void **state) {
	(void)state;
	struct run_queue queue, other;
	run_queue_init(&queue);
	run_queue_init(&other);
	for (uintptr_t i = 1; i <= 4; i++)
		assert_int_equal(run_queue_push_own(&queue, ITEM(i)), i);
	assert_int_equal(run_queue_count(&queue), 4);
	assert_ptr_equal(run_queue_pop(&queue), ITEM(1));
	/* What comes behind the ring must not overtake it. */
	assert_int_equal(run_queue_push_own(&queue, ITEM(5)), 4);
	assert_ptr_equal(run_queue_steal(&queue, &other), ITEM(2));
	assert_ptr_equal(run_queue_pop(&other), ITEM(3));
	assert_ptr_equal(run_queue_pop(&queue), ITEM(4));
	assert_ptr_equal(run_queue_pop(&queue), ITEM(5));
	assert_null(run_queue_pop(&queue));
	run_queue_push_own(&queue, ITEM(6));
	assert_int_equal(run_queue_push_own(&queue, ITEM(7)), 2);
	assert_int_equal(run_queue_push_own(&queue, ITEM(8)), 3);
	assert_ptr_equal(run_queue_steal(&queue, &other), ITEM(6));
	assert_ptr_equal(run_queue_pop(&other), ITEM(7));
	assert_ptr_equal(run_queue_steal(&queue, &other), ITEM(8));
	assert_null(run_queue_steal(&queue, &other));
	run_queue_fini(&queue);
	run_queue_fini(&other);
}

#define ITEMS 50000

struct thief {
	struct run_queue *from, own;
	_Atomic(uintptr_t) *sum, *seen;
};

static void *
steal(void *argument) {
	struct thief *thief = argument;
	while (atomic_load(thief->seen) < ITEMS) {
		void *item = run_queue_pop(&thief->own);
		if (item == NULL)
			item = run_queue_steal(thief->from, &thief->own);
		if (item == NULL) {
			sched_yield();
			continue;
		}
		atomic_fetch_add(thief->sum, (uintptr_t)item);
		atomic_fetch_add(thief->seen, 1);
	}
	return NULL;
}

/* `push` alternates with the owner's pops when `owner_pops`. */
static void
rob(uint32_t (*push)(struct run_queue *queue, void *item), bool owner_pops) {
	struct run_queue queue;
	_Atomic(uintptr_t) sum = 0, seen = 0;
	struct thief thieves[2];
	pthread_t threads[2];
	run_queue_init(&queue);
	for (int i = 0; i < 2; i++) {
		thieves[i] = (struct thief){.from = &queue, .sum = &sum, .seen = &seen};
		run_queue_init(&thieves[i].own);
		assert_int_equal(pthread_create(&threads[i], NULL, steal, &thieves[i]), 0);
	}
	for (uintptr_t i = 1; i <= ITEMS; i++) {
		push(&queue, ITEM(i));
		void *item = owner_pops && i % 2 == 0 ? run_queue_pop(&queue) : NULL;
		if (item != NULL) {
			atomic_fetch_add(&sum, (uintptr_t)item);
			atomic_fetch_add(&seen, 1);
		}
	}
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		run_queue_fini(&thieves[i].own);
	}
	assert_int_equal(atomic_load(&seen), ITEMS);
	assert_int_equal(atomic_load(&sum), (uintptr_t)ITEMS * (ITEMS + 1) / 2);
	run_queue_fini(&queue);
}

static void
several_thieves_lose_and_double_nothing(void **state) {
	(void)state;
	rob(run_queue_push, false);
}

static void
thieves_and_the_owner_lose_and_double_nothing(void **state) {
	(void)state;
	rob(run_queue_push_own, true);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_items_in_order_while_it_grows),
		cmocka_unit_test(a_thief_takes_the_older_half),
		cmocka_unit_test(the_owner_and_a_thief_take_in_the_order_of_putting),
		cmocka_unit_test(several_thieves_lose_and_double_nothing),
		cmocka_unit_test(thieves_and_the_owner_lose_and_double_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
