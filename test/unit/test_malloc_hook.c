/* Unit tests of the allocator's part of malloc_hook.h. The allocator is a stand-in with jemalloc's
 * interface, and so is the log; the source is included to get at both.
 */
#include "kernel/malloc_hook.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct {
	size_t number;
	int option;
	bool truth;
	int commands;
	int log_lines;
} fake;

void
skynet_error(struct skynet_context *context, const char *format, ...) {
	(void)context;
	(void)format;
	fake.log_lines++;
}

static int
exchange_value(void *value, size_t size, void *old_value, const size_t *old_size,
	const void *new_value, size_t new_size) {
	if ((old_value != NULL && *old_size != size) || (new_value != NULL && new_size != size))
		return EINVAL;
	if (old_value != NULL)
		memcpy(old_value, value, size);
	if (new_value != NULL)
		memcpy(value, new_value, size);
	return 0;
}

int
mallctl(const char *name, void *old_value, size_t *old_size, void *new_value, size_t new_size) {
	if (strcmp(name, "number") == 0)
		return exchange_value(&fake.number, sizeof(fake.number), old_value, old_size,
			new_value, new_size);
	if (strcmp(name, "option") == 0)
		return exchange_value(&fake.option, sizeof(fake.option), old_value, old_size,
			new_value, new_size);
	if (strcmp(name, "truth") == 0)
		return exchange_value(
			&fake.truth, sizeof(fake.truth), old_value, old_size, new_value, new_size);
	if (strcmp(name, "command") == 0 && old_value == NULL && new_value == NULL)
		return fake.commands++ < 1 ? 0 : EAGAIN;
	return ENOENT;
}

static void
values_are_read_and_set(void **state) {
	(void)state;
	size_t number = 8;
	int option = -3;
	bool truth = true;
	memset(&fake, 0, sizeof(fake));
	fake.number = 7;
	fake.option = 5;
	assert_int_equal(mallctl_int64("number", NULL), 7);
	assert_int_equal(mallctl_int64("number", &number), 7);
	assert_int_equal(fake.number, 8);
	assert_int_equal(mallctl_opt("option", NULL), 5);
	assert_int_equal(mallctl_opt("option", &option), 5);
	assert_int_equal(fake.option, -3);
	assert_false(mallctl_bool("truth", NULL));
	assert_false(mallctl_bool("truth", &truth));
	assert_true(mallctl_bool("truth", NULL));
	assert_int_equal(fake.log_lines, 0);
}

static void
numbers_of_other_widths_are_read(void **state) {
	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake.option = 12;
	fake.truth = true;
	assert_int_equal(mallctl_int64("option", NULL), 12);
	assert_int_equal(mallctl_int64("truth", NULL), 1);
}

static void
what_is_not_there_is_zero(void **state) {
	(void)state;
	bool truth = true;
	assert_int_equal(mallctl_int64("none", NULL), 0);
	assert_int_equal(mallctl_opt("none", NULL), 0);
	assert_false(mallctl_bool("none", &truth));
	assert_int_equal(mallctl_cmd("none"), ENOENT);
}

static void
a_command_tells_its_status(void **state) {
	(void)state;
	memset(&fake, 0, sizeof(fake));
	assert_int_equal(mallctl_cmd("command"), 0);
	assert_int_equal(mallctl_cmd("command"), EAGAIN);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_read_and_set),
		cmocka_unit_test(numbers_of_other_widths_are_read),
		cmocka_unit_test(what_is_not_there_is_zero),
		cmocka_unit_test(a_command_tells_its_status),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
