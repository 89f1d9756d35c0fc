/* Unit tests of base/error. */
#include "base/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
every_code_has_a_name_and_a_text(void **state) {
	(void)state;
	assert_string_equal(error_name(SKYNET_ENOTFOUND), "ENOTFOUND");
	assert_string_equal(error_text(SKYNET_ENOTFOUND), "not found");
	assert_string_equal(error_name(SKYNET_OK), "OK");
#define CHECK(number, name, text)                          \
	assert_string_equal(error_name(-(number)), #name); \
	assert_string_equal(error_text(-(number)), text);
	SKYNET_ERROR_LIST(CHECK)
#undef CHECK
}

static void
a_code_that_is_none_is_unknown(void **state) {
	(void)state;
	static const int codes[] = {1, -1000, 1000};
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		assert_string_equal(error_name(codes[i]), "unknown");
		assert_string_equal(error_text(codes[i]), "unknown");
	}
}

static void
set_stores_code_and_text_and_returns_the_code(void **state) {
	(void)state;
	struct skynet_error error;
	assert_int_equal(
		error_set(&error, SKYNET_EEXIST, "name '%s' is taken", "x"), SKYNET_EEXIST);
	assert_int_equal(error.code, SKYNET_EEXIST);
	assert_string_equal(error.text, "name 'x' is taken");
}

static void
set_errno_adds_the_text_of_the_system(void **state) {
	(void)state;
	struct skynet_error error;
	int code = error_set_errno(&error, SKYNET_ESYSTEM, ENOENT, "cannot open '%s'", "f");
	assert_int_equal(code, SKYNET_ESYSTEM);
	assert_string_equal(error.text, "cannot open 'f': No such file or directory");
}

static void
prefix_puts_text_in_front(void **state) {
	(void)state;
	struct skynet_error error;
	error_set(&error, SKYNET_ECONFIG, "thread is 0");
	error_prefix(&error, "config '%s'", "c");
	assert_string_equal(error.text, "config 'c': thread is 0");
	assert_int_equal(error.code, SKYNET_ECONFIG);
}

static void
text_that_is_too_long_is_cut(void **state) {
	(void)state;
	char name[2 * SKYNET_ERROR_TEXT_SIZE];
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	struct skynet_error error;
	error_set(&error, SKYNET_EINVALID, "%s", name);
	assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
	error_set_errno(&error, SKYNET_EINVALID, EINVAL, "%s", name);
	assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
	error_prefix(&error, "%s", name);
	assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
	/* One byte of room: half of the separator fits. */
	name[SKYNET_ERROR_TEXT_SIZE - 2] = '\0';
	error_set(&error, SKYNET_EINVALID, "b");
	error_prefix(&error, "%s", name);
	assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
	assert_int_equal(error.text[sizeof(error.text) - 2], ':');
}

static void
nobody_need_ask_for_the_text(void **state) {
	(void)state;
	assert_int_equal(error_set(NULL, SKYNET_EINVALID, "x"), SKYNET_EINVALID);
	assert_int_equal(error_set_errno(NULL, SKYNET_ESYSTEM, EIO, "x"), SKYNET_ESYSTEM);
	error_prefix(NULL, "x");
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_has_a_name_and_a_text),
		cmocka_unit_test(a_code_that_is_none_is_unknown),
		cmocka_unit_test(set_stores_code_and_text_and_returns_the_code),
		cmocka_unit_test(set_errno_adds_the_text_of_the_system),
		cmocka_unit_test(prefix_puts_text_in_front),
		cmocka_unit_test(text_that_is_too_long_is_cut),
		cmocka_unit_test(nobody_need_ask_for_the_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
