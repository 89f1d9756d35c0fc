/* The Lua core over a kernel in one thread: what is hard to bring about in a node. */
// link: test/lib/fake_kernel.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lauxlib.h>

#include "fake_kernel.h"
#include "lua_seri.h"

#define HEAD "local skynet = require 'skynet' "

static int
setup(void **state) {
	*state = fake_kernel_create();
	return 0;
}

static int
teardown(void **state) {
	fake_kernel_destroy(*state);
	return 0;
}

static void
boots_and_calls(void **state) {
	struct fake_kernel *kernel = *state;
	fake_service_start_named(kernel, "echo",
		HEAD "skynet.start(function() skynet.dispatch('lua', function(_, _, ...) "
		     "skynet.retpack(...) end) end)");
	fake_service_start(kernel, HEAD "skynet.start(function() local sum = 0 for i = 1, 100 do "
					"sum = sum + skynet.call('.echo', 'lua', i) end "
					"skynet.error('sum', sum) end)");
	fake_kernel_run(kernel);
	assert_true(fake_kernel_logged(kernel, "sum 5050"));
	assert_int_equal(fake_kernel_timers(kernel), 0);
}

static void
session_numbers_wrap_over_those_in_use(void **state) {
	struct fake_kernel *kernel = *state;
	uint32_t handle = fake_service_start(kernel,
		HEAD "skynet.start(function() "
		     "skynet.fork(function() skynet.error('slept', skynet.sleep(1000)) end) "
		     "skynet.fork(function() skynet.timeout(1000, function() skynet.error 'due' "
		     "end) end) "
		     "skynet.dispatch('lua', function() for i = 1, 20 do "
		     "skynet.timeout(1, function() count = (count or 0) + 1 end) "
		     "skynet.sleep(1) end skynet.error('count', count) end) end)");
	fake_kernel_settle(kernel);
	/* The two that wait now have small numbers; the counter reaches them again. */
	fake_service_set_session(kernel, handle, INT32_MAX - 2);
	fake_kernel_post(kernel, handle, handle, PTYPE_RESERVED_LUA, 0, NULL, 0);
	fake_kernel_run(kernel);
	assert_true(fake_kernel_logged(kernel, "slept"));
	assert_true(fake_kernel_logged(kernel, "due"));
	assert_true(fake_kernel_logged(kernel, "count 20"));
	assert_false(fake_kernel_logged(kernel, "Unknown session"));
}

static void
a_stop_hook_ends_with_the_last_function(void **state) {
	struct fake_kernel *kernel = *state;
	uint32_t handle = fake_service_start(kernel,
		HEAD "skynet.start(function() "
		     "skynet.on_stop(function() skynet.error 'first' end) "
		     "skynet.on_stop(function() skynet.sleep(10) skynet.error 'second' end) end)");
	fake_kernel_run(kernel);
	fake_kernel_log_clear(kernel);
	fake_kernel_post(kernel, 0, handle, PTYPE_SYSTEM, 1, NULL, 0);
	fake_kernel_run(kernel);
	assert_string_equal(fake_kernel_log(kernel), "second\nfirst\n");
	assert_int_equal(fake_kernel_stops(kernel), 1);
}

static void
a_stop_hook_that_fails_does_not_hold_the_node(void **state) {
	struct fake_kernel *kernel = *state;
	uint32_t handle = fake_service_start(kernel,
		HEAD "skynet.start(function() skynet.on_stop(function() error 'hook' end) end)");
	fake_kernel_run(kernel);
	fake_kernel_post(kernel, 0, handle, PTYPE_SYSTEM, 1, NULL, 0);
	fake_kernel_run(kernel);
	assert_true(fake_kernel_logged(kernel, "hook"));
	assert_int_equal(fake_kernel_stops(kernel), 1);
}

static void
a_full_mailbox_rejects(void **state) {
	struct fake_kernel *kernel = *state;
	uint32_t full =
		fake_service_start_named(kernel, "full", HEAD "skynet.start(function() end)");
	fake_kernel_run(kernel);
	fake_service_reject(kernel, full, true);
	fake_service_start(kernel, HEAD "skynet.start(function() "
					"skynet.error('send', skynet.send('.full', 'lua')) "
					"local ok, err = pcall(skynet.call, '.full', 'lua') "
					"skynet.error(ok, err, skynet.error_kind(err)) end)");
	fake_kernel_run(kernel);
	assert_true(fake_kernel_logged(kernel, "send false"));
	assert_true(fake_kernel_logged(kernel, "false call failed: overloaded overloaded"));
}

static void
a_full_mailbox_makes_the_sender_wait(void **state) {
	struct fake_kernel *kernel = *state;
	uint32_t full =
		fake_service_start_named(kernel, "full", HEAD "skynet.start(function() end)");
	fake_kernel_run(kernel);
	fake_service_congest(kernel, full, true);
	fake_service_start(kernel, HEAD
		"skynet.start(function() skynet.error('sent', skynet.send('.full', 'lua')) end)");
	fake_kernel_run(kernel);
	assert_false(fake_kernel_logged(kernel, "sent"));
	fake_service_congest(kernel, full, false);
	fake_kernel_run(kernel);
	assert_true(fake_kernel_logged(kernel, "sent 0"));
}

static void
a_default_deadline_comes_from_the_config(void **state) {
	struct fake_kernel *kernel = *state;
	fake_kernel_set(kernel, "call_timeout", "50");
	fake_service_start_named(kernel, "mute",
		HEAD "skynet.start(function() skynet.dispatch('lua', function() skynet.response() "
		     "end) end)");
	fake_service_start(kernel,
		HEAD "skynet.start(function() skynet.error(pcall(skynet.call, '.mute', 'lua')) "
		     "skynet.error('at', skynet.now()) end)");
	fake_kernel_run(kernel);
	assert_true(fake_kernel_logged(kernel, "false call failed: timeout"));
	assert_true(fake_kernel_logged(kernel, "at 50"));
}

static void
a_request_without_memory_is_answered(void **state) {
	struct fake_kernel *kernel = *state;
	uint32_t poor = fake_service_start_named(kernel, "poor",
		HEAD "skynet.start(function() skynet.dispatch('lua', function(_, _, size) "
		     "local s = string.rep('x', size) skynet.retpack(#s) end) end)");
	fake_kernel_run(kernel);
	fake_service_limit(kernel, poor, fake_service_memory(kernel, poor) + 20000);
	fake_service_start(kernel, HEAD "skynet.start(function() "
					"for i = 1, 200 do skynet.fork(function() local ok, err = "
					"pcall(skynet.call, '.poor', 'lua', 1000000) "
					"skynet.error('rich', ok, err) end) end "
					"skynet.sleep(100) skynet.error('small', "
					"pcall(skynet.call, '.poor', 'lua', 10)) end)");
	fake_kernel_run(kernel);
	const char *at = fake_kernel_log(kernel);
	int failed = 0;
	while ((at = strstr(at, "rich false call failed: remote error: not enough memory")) !=
		NULL) {
		failed++;
		at++;
	}
	assert_int_equal(failed, 200);
	assert_true(fake_kernel_logged(kernel, "small true 10"));
}

static void
no_task_without_memory(void **state) {
	struct fake_kernel *kernel = *state;
	uint32_t poor = fake_service_start(kernel,
		HEAD "skynet.start(function() skynet.dispatch('lua', function(_, source) "
		     "skynet.wait {} end) end)");
	uint32_t client = fake_service_start(kernel, HEAD "skynet.start(function() end)");
	fake_kernel_run(kernel);
	fake_service_limit(kernel, poor, fake_service_memory(kernel, poor));
	for (int session = 1; session <= 20; session++)
		fake_kernel_post(kernel, client, poor, PTYPE_RESERVED_LUA, session, NULL, 0);
	fake_kernel_run(kernel);
	assert_true(fake_kernel_logged(kernel, "lua memory error : [2 to 1 : 20]"));
	fake_service_limit(kernel, poor, 0);
}

static void
a_state_can_be_closed_in_the_middle(void **state) {
	struct fake_kernel *kernel = *state;
	uint32_t handle = fake_service_start(kernel,
		HEAD "local co = require 'skynet.queue' skynet.start(function() "
		     "for i = 1, 20 do skynet.fork(function() skynet.sleep(1000) end) "
		     "skynet.timeout(1000, function() end) local c = skynet.timeout(1000, print) "
		     "skynet.fork(function() for _ in skynet.request { skynet.self(), 'lua' } "
		     ":select(5000) do end end) end "
		     "skynet.dispatch('lua', function() state = skynet.response() end) "
		     "setmetatable({}, { __gc = function() skynet.error 'finalised' "
		     "skynet.send(skynet.self(), 'lua') end }) skynet.timeout(1, function() "
		     "skynet.exit() end) end)");
	fake_kernel_run(kernel);
	assert_null(fake_service_state(kernel, handle));
	assert_true(fake_kernel_logged(kernel, "finalised"));
}

static void
foreign_messages_do_no_harm(void **state) {
	struct fake_kernel *kernel = *state;
	uint32_t handle = fake_service_start(kernel,
		HEAD "skynet.start(function() skynet.dispatch('lua', function(session) "
		     "if session ~= 0 then skynet.ret() end end) "
		     "skynet.fork(function() skynet.sleep(5) end) "
		     "skynet.fork(skynet.wait) skynet.timeout(5, function() end) end)");
	uint32_t seed = 1;
	fake_kernel_run(kernel);
	for (int i = 0; i < 20000; i++) {
		char data[32];
		size_t size = seed % sizeof data;
		for (size_t j = 0; j < size; j++) {
			seed = seed * 1664525u + 1013904223u;
			data[j] = (char)(seed >> 24);
		}
		seed = seed * 1664525u + 1013904223u;
		int type = (int)(seed >> 20 & 15);
		fake_kernel_post(kernel, seed >> 10 & 3, handle, type, (int)(seed >> 5 & 31) - 1,
			size != 0 ? data : NULL, size);
		fake_kernel_run(kernel);
		fake_kernel_log_clear(kernel);
		if (fake_service_state(kernel, handle) == NULL)
			return; /* the debug command EXIT was drawn */
	}
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(boots_and_calls, setup, teardown),
		cmocka_unit_test_setup_teardown(
			session_numbers_wrap_over_those_in_use, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_stop_hook_ends_with_the_last_function, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_stop_hook_that_fails_does_not_hold_the_node, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_mailbox_rejects, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_full_mailbox_makes_the_sender_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_default_deadline_comes_from_the_config, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_request_without_memory_is_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(no_task_without_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_state_can_be_closed_in_the_middle, setup, teardown),
		cmocka_unit_test_setup_teardown(foreign_messages_do_no_harm, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
