/* Datagrams. */
#include "socket_fixture.h"

#include "io/socket_address.h"

static int
listen_udp(struct fixture *f, const char *host) {
	struct skynet_error error;
	int id = socket_server_udp_listen(f->server, f->owner, host, 0, &error);
	assert_true(id > 0);
	settle(f);
	return id;
}

static int
send_datagram(struct fixture *f, int id, const void *address, const char *text) {
	struct socket_sendbuffer buffer = {
		.id = id, .type = SOCKET_BUFFER_RAWPOINTER, .buffer = text, .sz = strlen(text)};
	return socket_server_udp_send(f->server, address, &buffer);
}

static void
datagrams_come_with_the_address_to_answer_to(void **state) {
	struct fixture *f = *state;
	int server = listen_udp(f, "127.0.0.1");
	int client = socket_server_udp_dial(
		f->server, f->owner, "127.0.0.1", socket_server_port(f->server, server), NULL);
	assert_true(client > 0);
	assert_int_equal(send_text(f, client, "ask"), 0);
	struct recorded *item = expect_event(f, SOCKET_EVENT_UDP, server, __FILE__, __LINE__);
	assert_int_equal(item->event.size, 3);
	assert_memory_equal(item->event.data, "ask", 3);
	assert_int_equal(item->event.udp_address_size, 7);
	assert_int_equal(send_datagram(f, server, item->event.udp_address, "answer"), 0);
	recorded_free(item);
	item = expect_event(f, SOCKET_EVENT_UDP, client, __FILE__, __LINE__);
	assert_memory_equal(item->event.data, "answer", 6);
	recorded_free(item);
	assert_int_equal(info_of(f, server).type, SOCKET_INFO_UDP);
	assert_int_equal(info_of(f, server).read, 3);
	assert_int_equal(info_of(f, server).write, 6);
	socket_server_close(f->server, client);
	EXPECT(f, CLOSE, client, NULL);
}

static void
an_unbound_socket_sends_after_udp_connect(void **state) {
	struct fixture *f = *state;
	struct skynet_error error = {0};
	int server = listen_udp(f, "127.0.0.1"), port = socket_server_port(f->server, server);
	int id = socket_server_udp(f->server, f->owner, NULL, 0, NULL);
	assert_int_equal(send_text(f, id, "to nobody"), 0);
	assert_int_equal(info_of(f, id).dropped, 1);
	assert_int_equal(socket_server_udp_connect(f->server, id, "300.1.1.1:", port, &error), -1);
	assert_non_null(strstr(error.text, "300.1.1.1"));
	assert_int_equal(socket_server_udp_connect(f->server, id, "127.0.0.1", port, NULL), 0);
	assert_int_equal(send_text(f, id, "to somebody"), 0);
	EXPECT(f, UDP, server, NULL);
	assert_int_equal(socket_server_udp_connect(f->server, 4711, "127.0.0.1", port, &error), -1);
}

static void
sizes_from_nothing_to_the_largest_arrive(void **state) {
	struct fixture *f = *state;
	int server = listen_udp(f, "127.0.0.1");
	int client = socket_server_udp_dial(
		f->server, f->owner, "127.0.0.1", socket_server_port(f->server, server), NULL);
	static const size_t sizes[] = {0, 1, 1500, 65507};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(send_block(f, client, sizes[i], 'x'), 0);
		struct recorded *item =
			expect_event(f, SOCKET_EVENT_UDP, server, __FILE__, __LINE__);
		assert_int_equal(item->event.size, sizes[i]);
		recorded_free(item);
	}
	assert_int_equal(send_block(f, client, 65508, 'x'), 0); /* too long: dropped and counted */
	assert_int_equal(info_of(f, client).dropped, 1);
}

static void
an_unreachable_peer_does_not_end_the_socket(void **state) {
	struct fixture *f = *state;
	int server = listen_udp(f, "127.0.0.1"), port = socket_server_port(f->server, server);
	int client = socket_server_udp_dial(f->server, f->owner, "127.0.0.1", port, NULL);
	socket_server_close(f->server, server);
	EXPECT(f, CLOSE, server, NULL);
	for (int i = 0; i < 5; i++) {
		send_text(f, client, "to nobody");
		poll_once(f, 1);
	}
	struct skynet_error error;
	server = socket_server_udp_listen(f->server, f->owner, "127.0.0.1", port, &error);
	assert_true(server > 0);
	settle(f);
	assert_null(take_event(f, SOCKET_EVENT_ERROR, client));
	POLL_UNTIL(f, (send_text(f, client, "x"), f->first != NULL));
	EXPECT(f, UDP, server, NULL);
}

static void
addresses_of_another_family_are_refused(void **state) {
	struct fixture *f = *state;
	int id = listen_udp(f, "127.0.0.1");
	struct socket_address v6;
	char blob[SOCKET_ADDRESS_BLOB_SIZE], garbage[SOCKET_ADDRESS_BLOB_SIZE] = {9};
	assert_int_equal(socket_address_parse(&v6, "::1", 9), 0);
	assert_int_equal(socket_address_pack(&v6, blob), 19);
	assert_int_equal(send_datagram(f, id, blob, "x"), -1);
	assert_int_equal(send_datagram(f, id, garbage, "x"), -1);
	assert_int_equal(send_datagram(f, 4711, blob, "x"), -1);
	int port, stream = start_listener(f, &port);
	assert_int_equal(send_datagram(f, stream, blob, "x"), -1);
}

static void
bad_addresses_are_errors(void **state) {
	struct fixture *f = *state;
	struct skynet_error error = {0};
	assert_int_equal(
		socket_server_udp_listen(f->server, f->owner, "unix:/tmp/x", 0, &error), -1);
	assert_int_equal(socket_server_udp_dial(f->server, f->owner, "unix:@x", 0, &error), -1);
	assert_int_equal(socket_server_udp_dial(f->server, f->owner, "[", 1, &error), -1);
	assert_int_equal(socket_server_udp(f->server, f->owner, "1.2.3", -1, &error), -1);
	int id = listen_udp(f, "127.0.0.1");
	int port = socket_server_port(f->server, id);
	assert_int_equal(socket_server_udp_connect(f->server, id, "unix:@x", port, &error), -1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void) {
	const struct CMUnitTest tests[] = {
		CASE(datagrams_come_with_the_address_to_answer_to),
		CASE(an_unbound_socket_sends_after_udp_connect),
		CASE(sizes_from_nothing_to_the_largest_arrive),
		CASE(an_unreachable_peer_does_not_end_the_socket),
		CASE(addresses_of_another_family_are_refused),
		CASE(bad_addresses_are_errors),
	};
	return cmocka_run_group_tests_name("socket_udp", tests, NULL, NULL);
}
