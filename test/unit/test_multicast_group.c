/* multicast_group.c: handles in order, each once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "multicast_group.h"

#define MANY 5000

static void
holds_each_handle_once_in_order(void **state) {
	(void)state;
	struct multicast_group group;
	multicast_group_init(&group);
	assert_false(multicast_group_has(&group, 1));
	assert_false(multicast_group_remove(&group, 1));
	for (uint32_t i = 1; i <= MANY; i++)
		assert_true(multicast_group_add(&group, 0x01000000 + i * 7));
	for (uint32_t i = 1; i <= MANY; i++)
		assert_false(multicast_group_add(&group, 0x01000000 + i * 7));
	assert_int_equal(group.count, MANY);
	uint32_t *handles = multicast_group_handles(&group);
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(handles[i], 0x01000000 + (i + 1) * 7);
	multicast_group_fini(&group);
	assert_int_equal(group.count, 0);
}

static void
removes_handles_from_everywhere(void **state) {
	(void)state;
	static bool expected[MANY];
	struct multicast_group group;
	multicast_group_init(&group);
	unsigned seed = 7;
	uint32_t count = 0;
	for (int i = 0; i < 20 * MANY; i++) {
		seed = seed * 1103515245u + 12345u;
		uint32_t handle = 1 + (seed >> 8) % (MANY - 1);
		if ((seed >> 7 & 1) != 0) {
			assert_int_equal(multicast_group_add(&group, handle), !expected[handle]);
			count += !expected[handle];
			expected[handle] = true;
		} else {
			assert_int_equal(multicast_group_remove(&group, handle), expected[handle]);
			count -= expected[handle];
			expected[handle] = false;
		}
		assert_int_equal(group.count, count);
	}
	for (uint32_t handle = 1; handle < MANY; handle++)
		assert_int_equal(multicast_group_has(&group, handle), expected[handle]);
	multicast_group_fini(&group);
}

static void
shrinks_to_what_the_caller_has_kept(void **state) {
	(void)state;
	struct multicast_group group;
	multicast_group_init(&group);
	for (uint32_t i = 1; i <= 10; i++)
		multicast_group_add(&group, i);
	for (uint32_t i = 0; i < 5; i++)
		multicast_group_handles(&group)[i] = 2 * (i + 1);
	multicast_group_shrink(&group, 5);
	assert_int_equal(group.count, 5);
	assert_true(multicast_group_has(&group, 10));
	assert_false(multicast_group_has(&group, 9));
	assert_true(multicast_group_add(&group, 9));
	multicast_group_shrink(&group, 0);
	assert_false(multicast_group_has(&group, 2));
	assert_true(multicast_group_add(&group, 2));
	multicast_group_fini(&group);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_each_handle_once_in_order),
		cmocka_unit_test(removes_handles_from_everywhere),
		cmocka_unit_test(shrinks_to_what_the_caller_has_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
