/* The table of requests between nodes: what is in it is found, whatever was removed before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harbor_request.h"

#define REQUESTS 3000
#define STEPS    200000

static struct request
numbered(uint32_t number) {
	return (struct request){
		.caller = number % 7 + 1,
		.session = (int)(number / 7 + 1),
		.callee = number % 3 + 1,
		.note = number,
	};
}

/* Puts and removes at random, and compares with an array. */
static void
it_has_what_was_put_and_not_removed(void **state) {
	(void)state;
	for (int by_callee = 0; by_callee < 2; by_callee++) {
		struct request_table table = {.by_callee = by_callee};
		bool there[REQUESTS] = {false};
		size_t count = 0;
		uint32_t random = 1;
		for (int step = 0; step < STEPS; step++) {
			random = random * 1103515245 + 12345;
			uint32_t number = (random >> 8) % REQUESTS;
			struct request key = numbered(number);
			struct request *found = request_table_find(&table, &key);
			assert_int_equal(found != NULL, there[number]);
			if (found != NULL) {
				assert_int_equal(found->note, number);
				request_table_remove(&table, found);
				count--;
			} else {
				request_table_put(&table, &key);
				count++;
			}
			there[number] = found == NULL;
			assert_int_equal(table.count, count);
		}
		request_table_fini(&table);
	}
}

static void
the_callee_tells_requests_apart_where_asked_for(void **state) {
	(void)state;
	for (int by_callee = 0; by_callee < 2; by_callee++) {
		struct request_table table = {.by_callee = by_callee};
		struct request first = {.caller = 1, .session = 1, .callee = 1};
		struct request second = {.caller = 1, .session = 1, .callee = 2, .note = 2};
		request_table_put(&table, &first);
		assert_int_equal(request_table_find(&table, &second) == NULL, by_callee);
		request_table_put(&table, &second);
		assert_int_equal(table.count, by_callee ? 2 : 1);
		assert_int_equal(request_table_find(&table, &first)->note, by_callee ? 0 : 2);
		request_table_fini(&table);
	}
}

static bool
is_odd(void *ud, struct request *request) {
	++*(size_t *)ud;
	return request->note % 2 == 1;
}

static void
a_filter_sees_each_request_once(void **state) {
	(void)state;
	struct request_table table = {.by_callee = true};
	size_t seen = 0;
	request_table_filter(&table, is_odd, &seen);
	assert_int_equal(seen, 0);
	for (uint32_t number = 0; number < REQUESTS; number++) {
		struct request request = numbered(number);
		request_table_put(&table, &request);
	}
	request_table_filter(&table, is_odd, &seen);
	assert_int_equal(seen, REQUESTS);
	assert_int_equal(table.count, REQUESTS / 2);
	for (uint32_t number = 0; number < REQUESTS; number++) {
		struct request key = numbered(number);
		assert_int_equal(request_table_find(&table, &key) != NULL, number % 2);
	}
	request_table_fini(&table);
}

static void
sweeps_come_round_and_give_memory_back(void **state) {
	(void)state;
	struct request_table table = {0};
	size_t seen = 0;
	for (uint32_t number = 0; number < REQUESTS; number++) {
		struct request request = numbered(2 * number);
		request_table_put(&table, &request);
	}
	for (int round = 0; round < 64; round++)
		request_table_sweep(&table, is_odd, &seen);
	assert_int_equal(table.count, 0);
	assert_int_equal(table.capacity, 64);
	request_table_fini(&table);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_has_what_was_put_and_not_removed),
		cmocka_unit_test(the_callee_tells_requests_apart_where_asked_for),
		cmocka_unit_test(a_filter_sees_each_request_once),
		cmocka_unit_test(sweeps_come_round_and_give_memory_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
