/* The payload of PTYPE_ERROR: what is read, and what garbage does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lauxlib.h>

#include "lua_error.h"
#include "skynet_malloc.h"

static void
check(const char *data, size_t size, enum call_failure_kind kind, const char *text) {
	struct call_failure failure;
	/* Exactly as large as the payload, so that reading beyond it is noticed. */
	char *copy = malloc(size != 0 ? size : 1);
	memcpy(copy, data, size);
	call_failure_parse(&failure, 7, copy, size);
	free(copy);
	assert_int_equal(failure.kind, kind);
	assert_int_equal(failure.source, 7);
	if (text == NULL)
		assert_null(failure.text);
	else
		assert_string_equal(failure.text, text);
	call_failure_clear(&failure);
	assert_int_equal(failure.kind, FAILURE_NONE);
}

static void
reads_kind_and_text(void **state) {
	(void)state;
	check("dead_service", 12, FAILURE_DEAD_SERVICE, NULL);
	check("dead_node: 3", 12, FAILURE_DEAD_NODE, "3");
	check("overloaded", 10, FAILURE_OVERLOADED, NULL);
	check("timeout", 7, FAILURE_TIMEOUT, NULL);
	check("remote: x.lua:1: broken", 23, FAILURE_REMOTE, "x.lua:1: broken");
}

static void
takes_garbage_for_unknown(void **state) {
	(void)state;
	check("", 0, FAILURE_UNKNOWN, NULL);
	check("dead_servic", 11, FAILURE_UNKNOWN, NULL);
	check("dead_services", 13, FAILURE_UNKNOWN, NULL);
	check("\xff\0remote", 8, FAILURE_UNKNOWN, NULL);
	check("remote:", 7, FAILURE_REMOTE, NULL);
	check("remote: ", 8, FAILURE_REMOTE, NULL);
	check("remote: a\0b", 11, FAILURE_REMOTE, "a");
	struct call_failure failure;
	call_failure_parse(&failure, 0, NULL, 100);
	assert_int_equal(failure.kind, FAILURE_UNKNOWN);
	call_failure_clear(&failure);
}

static void
cuts_long_texts(void **state) {
	(void)state;
	static char data[100000] = "remote: ";
	memset(data + 8, 'x', sizeof data - 8);
	struct call_failure failure;
	call_failure_parse(&failure, 0, data, sizeof data);
	assert_int_equal(strlen(failure.text), CALL_FAILURE_TEXT_MAX);
	call_failure_clear(&failure);
	size_t size;
	char *packed = call_failure_pack(FAILURE_REMOTE, data, sizeof data, &size);
	assert_int_equal(size, 8 + CALL_FAILURE_TEXT_MAX);
	skynet_free(packed);
}

static void
packs_the_first_line(void **state) {
	(void)state;
	size_t size;
	char *packed = call_failure_pack(FAILURE_REMOTE, "one\ntwo", 7, &size);
	assert_int_equal(size, 11);
	assert_memory_equal(packed, "remote: one", 11);
	skynet_free(packed);
	packed = call_failure_pack(FAILURE_DEAD_SERVICE, NULL, 0, &size);
	assert_memory_equal(packed, "dead_service", size);
	skynet_free(packed);
	packed = call_failure_pack(FAILURE_REMOTE, "\nx", 2, &size);
	assert_memory_equal(packed, "remote", size);
	skynet_free(packed);
}

/* Pushes the text of a failure and checks it and the kind that is read back from it. */
static void
check_text(lua_State *L, struct call_failure failure, const char *text, const char *kind) {
	lua_settop(L, 0);
	call_failure_push(L, 0, &failure);
	assert_string_equal(lua_tostring(L, 1), text);
	assert_int_equal(call_failure_lua_kind(L), 1);
	if (kind == NULL)
		assert_true(lua_isnil(L, -1));
	else
		assert_string_equal(lua_tostring(L, -1), kind);
}

static void
makes_texts_that_tell_the_kind(void **state) {
	(void)state;
	lua_State *L = luaL_newstate();
	check_text(L, (struct call_failure){FAILURE_UNKNOWN, 7, NULL}, "call failed", NULL);
	check_text(L, (struct call_failure){FAILURE_TIMEOUT, 7, NULL}, "call failed: timeout",
		"timeout");
	check_text(L, (struct call_failure){FAILURE_DEAD_SERVICE, 10, NULL},
		"call failed: dead service :0000000a", "dead_service");
	check_text(L, (struct call_failure){FAILURE_OVERLOADED, 0, NULL}, "call failed: overloaded",
		"overloaded");
	check_text(L, (struct call_failure){FAILURE_DEAD_NODE, 0, skynet_strdup("3")},
		"call failed: dead node 3", "dead_node");
	check_text(L, (struct call_failure){FAILURE_DEAD_NODE, 0x0300000a, NULL},
		"call failed: dead node 3", "dead_node");
	check_text(L,
		(struct call_failure){FAILURE_REMOTE, 7, skynet_strdup("call failed: timeout")},
		"call failed: remote error: call failed: timeout", "remote");
	lua_close(L);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_kind_and_text),
		cmocka_unit_test(takes_garbage_for_unknown),
		cmocka_unit_test(cuts_long_texts),
		cmocka_unit_test(packs_the_first_line),
		cmocka_unit_test(makes_texts_that_tell_the_kind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
