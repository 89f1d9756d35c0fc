/* Text to addresses and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "io/socket_address.h"

static void
expect_printed(const char *host, int port, const char *text) {
	struct socket_address address;
	char printed[SOCKET_ADDRESS_TEXT_SIZE];
	assert_int_equal(socket_address_parse(&address, host, port), SKYNET_OK);
	assert_int_equal(
		socket_address_print(&address, printed, sizeof(printed)), (int)strlen(text));
	assert_string_equal(printed, text);
}

static void
numeric_hosts_are_read_and_printed(void **state) {
	(void)state;
	expect_printed("127.0.0.1", 80, "127.0.0.1:80");
	expect_printed("0.0.0.0", 0, "0.0.0.0:0");
	expect_printed("255.255.255.255", 65535, "255.255.255.255:65535");
	expect_printed("::1", 80, "::1:80");
	expect_printed("[::1]", 80, "::1:80");
	expect_printed("[fe80::1%lo]", 1, "fe80::1:1");
	expect_printed("::ffff:10.1.2.3", 5, "10.1.2.3:5");
	expect_printed("2001:DB8:0:0::1", 5, "2001:db8::1:5");
	expect_printed("unix:/tmp/x", 0, "unix:/tmp/x");
	expect_printed("unix:relative", 99999, "unix:relative");
	expect_printed("unix:@name", 0, "unix:@name");
}

static void
names_are_left_to_the_resolver(void **state) {
	(void)state;
	static const char *const names[] = {"localhost", "a", "node-1.example.org", "_x", "1.2.3",
		"1.2.3.4.5", "256.1.1.1", "unix"};
	struct socket_address address;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(socket_address_parse(&address, names[i], 80), SKYNET_ENOTFOUND);
}

static void
garbage_is_refused(void **state) {
	(void)state;
	static const char *const hosts[] = {"", " ", "a b", "[", "]", "[]", "[::1", "::1]",
		"[[::1]]", "[127.0.0.1]", "1:2", ":::", "12345::", "::1%nosuchzone", "%", "a%b",
		"\x80:", "\n", "a\tb", "unix:", "unix:@", "a/b", "'x'", "\"x\"", "x@y"};
	struct socket_address address;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		assert_int_equal(socket_address_parse(&address, hosts[i], 80), SKYNET_EADDRESS);
	assert_int_equal(socket_address_parse(&address, "127.0.0.1", -1), SKYNET_EADDRESS);
	assert_int_equal(socket_address_parse(&address, "127.0.0.1", 65536), SKYNET_EADDRESS);
	char longest[SOCKET_ADDRESS_HOST_SIZE + 10];
	memset(longest, 'a', sizeof(longest));
	longest[SOCKET_ADDRESS_HOST_SIZE] = '\0';
	assert_int_equal(socket_address_parse(&address, longest, 1), SKYNET_EADDRESS);
	longest[SOCKET_ADDRESS_HOST_SIZE - 1] = '\0';
	assert_int_equal(socket_address_parse(&address, longest, 1), SKYNET_ENOTFOUND);
	memcpy(longest, "unix:/", 6);
	assert_int_equal(socket_address_parse(&address, longest, 1), SKYNET_EADDRESS);
	longest[5 + sizeof(address.u.local.sun_path) - 1] = '\0';
	assert_int_equal(socket_address_parse(&address, longest, 1), SKYNET_OK);
	char printed[SOCKET_ADDRESS_TEXT_SIZE];
	assert_true(socket_address_print(&address, printed, sizeof(printed)) > 100);
}

static void
host_and_port_are_taken_apart(void **state) {
	(void)state;
	static const struct {
		const char *text, *host;
		int port;
	} good[] = {
		{"127.0.0.1:80", "127.0.0.1", 80},
		{"name:0", "name", 0},
		{":8000", "", 8000},
		{"[::1]:65535", "::1", 65535},
		{"unix:/a:b", "unix:/a:b", 0},
	};
	static const char *const bad[] = {"", "name", "name:", "name:65536", "name:1x", "name:-1",
		"::1:80", "[::1]", "[::1]80", "[::1]:", "[::1", "a:b:1", "name: 1",
		"name:99999999999999999999", "a-host-that-is-longer-than-the-buffer:1"};
	char host[24];
	int port;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(
			socket_address_split(good[i].text, host, sizeof(host), &port), SKYNET_OK);
		assert_string_equal(host, good[i].host);
		assert_int_equal(port, good[i].port);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
			socket_address_split(bad[i], host, sizeof(host), &port), SKYNET_EADDRESS);
}

static void
the_binary_form_is_seven_or_nineteen_bytes(void **state) {
	(void)state;
	struct socket_address address, back;
	unsigned char blob[SOCKET_ADDRESS_BLOB_SIZE];
	socket_address_parse(&address, "1.2.3.4", 0x1234);
	assert_int_equal(socket_address_pack(&address, blob), 7);
	assert_memory_equal(blob, "\x01\x12\x34\x01\x02\x03\x04", 7);
	assert_int_equal(socket_address_unpack(&back, blob), SKYNET_OK);
	assert_int_equal(socket_address_port(&back), 0x1234);
	assert_memory_equal(&back.u.v4.sin_addr, &address.u.v4.sin_addr, 4);

	socket_address_parse(&address, "::1", 1);
	assert_int_equal(socket_address_pack(&address, blob), 19);
	assert_memory_equal(blob, "\x02\x00\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 19);
	assert_int_equal(socket_address_unpack(&back, blob), SKYNET_OK);
	assert_memory_equal(&back.u.v6.sin6_addr, &address.u.v6.sin6_addr, 16);

	socket_address_parse(&address, "unix:/x", 1);
	assert_int_equal(socket_address_pack(&address, blob), 0);
	assert_int_equal(socket_address_port(&address), 0);
	blob[0] = 3;
	assert_int_equal(socket_address_blob_size(blob), 0);
	assert_int_equal(socket_address_unpack(&back, blob), SKYNET_EADDRESS);
}

static void
an_abstract_name_may_hold_any_byte(void **state) {
	(void)state;
	struct socket_address address;
	char printed[SOCKET_ADDRESS_TEXT_SIZE];
	memset(&address, 0, sizeof(address));
	address.u.local.sun_family = AF_UNIX;
	address.size = sizeof(address.u.local);
	assert_true(socket_address_print(&address, printed, sizeof(printed)) > 0);
	address.size = offsetof(struct sockaddr_un, sun_path); /* a nameless client */
	assert_int_equal(socket_address_print(&address, printed, sizeof(printed)), 5);
	assert_string_equal(printed, "unix:");
	memset(address.u.local.sun_path, 'p', sizeof(address.u.local.sun_path));
	address.size = sizeof(address.u.local);
	assert_true(socket_address_print(&address, printed, sizeof(printed)) < sizeof(printed));
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numeric_hosts_are_read_and_printed),
		cmocka_unit_test(names_are_left_to_the_resolver),
		cmocka_unit_test(garbage_is_refused),
		cmocka_unit_test(host_and_port_are_taken_apart),
		cmocka_unit_test(the_binary_form_is_seven_or_nineteen_bytes),
		cmocka_unit_test(an_abstract_name_may_hold_any_byte),
	};
	return cmocka_run_group_tests_name("socket_address", tests, NULL, NULL);
}
