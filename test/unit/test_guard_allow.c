/* Addresses that may do without authentication, and those that failed too often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "guard/guard_allow.h"
#include "guard/guard_limit.h"
#include "skynet_malloc.h"

#define SECOND ((uint64_t)1000000000)

static struct socket_address
at(const char *host, int port) {
	struct socket_address address;
	assert_int_equal(socket_address_parse(&address, host, port), SKYNET_OK);
	return address;
}

static bool
lets_in(const char *text, const char *host) {
	struct skynet_error error = {0};
	struct guard_allow *allow = guard_allow_create(text, &error);
	assert_non_null(allow);
	struct socket_address peer = at(host, 4000);
	bool result = guard_allow_from(allow, &peer);
	guard_allow_destroy(allow);
	return result;
}

static bool
dials(const char *text, const char *host, int port) {
	struct guard_allow *allow = guard_allow_create(text, NULL);
	assert_non_null(allow);
	struct socket_address peer = at(host, port);
	bool result = guard_allow_to(allow, &peer);
	guard_allow_destroy(allow);
	return result;
}

static void
hosts_networks_and_paths_are_let_in(void **state) {
	(void)state;
	static const char text[] = " 10.0.0.7, 10.1.0.0/16\tfd00::7 [fd01::]/16,192.168.1.129/25 "
				   "10.9.9.9:2526 [fd02::1]:80 unix:/tmp/a unix:@b ";
	static const char *const in[] = {"10.0.0.7", "10.1.255.1", "fd00::7", "fd01:1::9",
		"192.168.1.200", "10.9.9.9", "fd02::1", "unix:/tmp/a", "unix:@b",
		"::ffff:10.0.0.7"};
	static const char *const out[] = {"10.0.0.8", "10.2.0.1", "fd00::8", "fd02::2",
		"192.168.1.5", "unix:/tmp/b", "unix:@a", "unix:@bb", "::ffff:10.0.0.9",
		"::10.0.0.7"};
	for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
		assert_true(lets_in(text, in[i]));
	for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++)
		assert_false(lets_in(text, out[i]));
	assert_false(lets_in("", "10.0.0.7"));
	assert_true(lets_in("0.0.0.0/0", "1.2.3.4"));
	assert_false(lets_in("0.0.0.0/0", "fd00::1"));
	struct socket_address peer = at("10.0.0.7", 1);
	assert_false(guard_allow_from(NULL, &peer));
	assert_false(guard_allow_to(NULL, &peer));
}

static void
a_port_counts_for_those_that_are_dialled(void **state) {
	(void)state;
	assert_true(dials("10.0.0.7:2526", "10.0.0.7", 2526));
	assert_false(dials("10.0.0.7:2526", "10.0.0.7", 2527));
	assert_true(dials("10.0.0.7", "10.0.0.7", 2527));
	assert_true(dials("[fd00::1]:5", "fd00::1", 5));
	assert_false(dials("[fd00::1]:5", "fd00::1", 6));
	assert_true(dials("unix:/x", "unix:/x", 0));
}

static void
what_is_no_address_is_named(void **state) {
	(void)state;
	static const char *const bad[] = {"name", "10.0.0.7:", "10.0.0.7:0", "10.0.0.7:99999",
		"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "fd00::/129", "fd00::1:5:", "/8",
		"[fd00::1", "unix:", "10.0.0.1/8/8", "10.0.0.0/8x"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct skynet_error error = {0};
		char text[64], named[64];
		snprintf(text, sizeof(text), "10.0.0.1 %s 10.0.0.2", bad[i]);
		snprintf(named, sizeof(named), "'%s'", bad[i]);
		struct guard_allow *allow = guard_allow_create(text, &error);
		if (allow != NULL)
			print_message("# taken: %s\n", bad[i]);
		assert_null(allow);
		assert_non_null(strstr(error.text, named));
	}
	char large[1000];
	memset(large, '1', sizeof(large));
	large[sizeof(large) - 1] = '\0';
	assert_null(guard_allow_create(large, NULL));
}

static void
note(struct guard_limit *limit, const char *host, uint64_t now, bool success) {
	struct socket_address peer = at(host, 1);
	guard_limit_note(limit, &peer, now, success);
}

static bool
admits(struct guard_limit *limit, const char *host, uint64_t now) {
	struct socket_address peer = at(host, 9);
	return guard_limit_admits(limit, &peer, now);
}

static void
an_address_that_fails_is_refused_for_a_while(void **state) {
	(void)state;
	struct guard_limit limit = {0};
	for (int i = 0; i < GUARD_LIMIT_FAILURES; i++) {
		assert_true(admits(&limit, "10.0.0.7", SECOND));
		note(&limit, "10.0.0.7", SECOND, false);
	}
	assert_false(admits(&limit, "10.0.0.7", SECOND));
	assert_false(admits(&limit, "::ffff:10.0.0.7", SECOND));
	assert_true(admits(&limit, "10.0.0.8", SECOND));
	assert_true(admits(&limit, "10.0.0.7", SECOND + GUARD_LIMIT_BACK_NS));
	note(&limit, "10.0.0.7", SECOND + GUARD_LIMIT_BACK_NS, false);
	assert_false(admits(&limit, "10.0.0.7", SECOND + GUARD_LIMIT_BACK_NS));
	assert_true(admits(&limit, "10.0.0.7", SECOND + 1000 * GUARD_LIMIT_BACK_NS));
}

static void
the_network_of_an_ipv6_address_counts(void **state) {
	(void)state;
	struct guard_limit limit = {0};
	for (int i = 0; i < GUARD_LIMIT_FAILURES; i++) {
		char host[32];
		snprintf(host, sizeof(host), "fd00::%d", i + 1);
		note(&limit, host, SECOND, false);
	}
	assert_false(admits(&limit, "fd00::ffff", SECOND));
	assert_true(admits(&limit, "fd00:0:0:1::1", SECOND));
}

static void
an_address_that_authenticates_is_never_refused(void **state) {
	(void)state;
	struct guard_limit limit = {0};
	for (int i = 0; i < GUARD_LIMIT_FAILURES; i++)
		note(&limit, "10.0.0.7", SECOND, false);
	assert_false(admits(&limit, "10.0.0.7", SECOND));
	note(&limit, "10.0.0.7", SECOND, true);
	for (int i = 0; i < 100; i++)
		note(&limit, "10.0.0.7", SECOND, false);
	assert_true(admits(&limit, "10.0.0.7", SECOND));
	/* Not even when a thousand strangers want its place. */
	for (int i = 0; i < 1000; i++) {
		char host[32];
		snprintf(host, sizeof(host), "10.1.%d.%d", i / 250, i % 250);
		for (int k = 0; k < GUARD_LIMIT_FAILURES; k++)
			note(&limit, host, SECOND + (uint64_t)i, false);
	}
	assert_true(admits(&limit, "10.0.0.7", SECOND));
}

static void
those_that_fail_most_are_remembered_when_there_is_no_room(void **state) {
	(void)state;
	struct guard_limit limit = {0};
	for (int i = 0; i < GUARD_LIMIT_FAILURES; i++)
		note(&limit, "10.0.0.7", SECOND, false);
	for (int i = 0; i < 1000; i++) {
		char host[32];
		snprintf(host, sizeof(host), "10.1.%d.%d", i / 250, i % 250);
		note(&limit, host, SECOND, false);
	}
	assert_false(admits(&limit, "10.0.0.7", SECOND));
}

static void
local_sockets_are_never_refused(void **state) {
	(void)state;
	struct guard_limit limit = {0};
	for (int i = 0; i < 100; i++)
		note(&limit, "unix:/tmp/x", SECOND, false);
	assert_true(admits(&limit, "unix:/tmp/x", SECOND));
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_networks_and_paths_are_let_in),
		cmocka_unit_test(a_port_counts_for_those_that_are_dialled),
		cmocka_unit_test(what_is_no_address_is_named),
		cmocka_unit_test(an_address_that_fails_is_refused_for_a_while),
		cmocka_unit_test(the_network_of_an_ipv6_address_counts),
		cmocka_unit_test(an_address_that_authenticates_is_never_refused),
		cmocka_unit_test(those_that_fail_most_are_remembered_when_there_is_no_room),
		cmocka_unit_test(local_sockets_are_never_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
