/* netpack.c: frames out of pieces of byte streams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "netpack.h"
#include "skynet_malloc.h"

#define ID     7
#define EVENTS 512

/* ---- a gate that writes down what it gets ---- */

static size_t
feed_bytes(struct netpack *pack, int id, const void *bytes, size_t size) {
	char *block = skynet_malloc(size > 0 ? size : 1);
	if (size > 0) {
		memcpy(block, bytes, size);
	}
	return netpack_feed(pack, id, block, size);
}

/* Feeds the pieces, ended by NULL, given in hex, and compares the frames, "|" behind each, in hex.
 */
static void
check_pieces(const char *const *pieces, const char *expected) {
	struct netpack *pack = netpack_create();
	char frames[EVENTS] = "";
	size_t used = 0;
	for (; *pieces != NULL; pieces++) {
		unsigned char bytes[EVENTS];
		size_t size = strlen(*pieces) / 2;
		for (size_t i = 0; i < size; i++) {
			const char digits[3] = {(*pieces)[2 * i], (*pieces)[2 * i + 1], '\0'};
			bytes[i] = (unsigned char)strtoul(digits, NULL, 16);
		}
		feed_bytes(pack, ID, bytes, size);
		struct netpack_frame frame;
		while (netpack_pop(pack, &frame)) {
			assert_int_equal(frame.id, ID);
			for (size_t i = 0; i < frame.size; i++) {
				used += (size_t)snprintf(frames + used, EVENTS - used, "%02x",
					(unsigned char)frame.data[i]);
			}
			used += (size_t)snprintf(frames + used, EVENTS - used, "|");
			skynet_free(frame.data);
		}
	}
	assert_string_equal(frames, expected);
	netpack_destroy(pack);
}

#define CHECK(expected, ...) check_pieces((const char *const[]){__VA_ARGS__, NULL}, expected)

static void
cuts_frames_wherever_the_stream_is_cut(void **state) {
	(void)state;
	CHECK("68656c6c6f|", "000568656c6c6f");
	CHECK("6162|636465|", "000261620003636465");
	CHECK("68656c6c6f|", "00", "0568656c6c6f");
	CHECK("68656c6c6f|", "0005", "68656c6c6f");
	CHECK("68656c6c6f|", "00056865", "6c6c6f");
	CHECK("78797a|", "00", "03", "78", "79", "7a");
	CHECK("61|62|63|646566|", "000161000162000163000364", "6566");
	CHECK("61|62|", "00016100", "0162");
	CHECK("61|6263|", "0001610002", "6263");
}

static void
delivers_empty_frames(void **state) {
	(void)state;
	CHECK("|", "0000");
	CHECK("61||62|", "0001610000000162");
	CHECK("|||", "000000000000");
	CHECK("|", "00", "00");
	CHECK("|61|", "00", "00000161");
}

static void
keeps_unfinished_frames_to_itself(void **state) {
	(void)state;
	CHECK("", "00056865");
	CHECK("", "00");
	CHECK("", "", "0001", "");
}

static void
delivers_the_largest_frame_in_any_pieces(void **state) {
	(void)state;
	static unsigned char payload[NETPACK_PAYLOAD_MAX];
	for (size_t i = 0; i < sizeof(payload); i++) {
		payload[i] = (unsigned char)(i % 251);
	}
	static const size_t pieces[] = {1, 2, 3, 1000, 4096, NETPACK_PAYLOAD_MAX + 2};
	char *whole = netpack_encode(payload, sizeof(payload));
	for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
		struct netpack *pack = netpack_create();
		size_t size = sizeof(payload) + NETPACK_HEADER_SIZE;
		size_t queued = 0;
		for (size_t at = 0; at < size; at += pieces[p]) {
			assert_int_equal(queued, 0);
			size_t part = size - at < pieces[p] ? size - at : pieces[p];
			queued = feed_bytes(pack, ID, whole + at, part);
		}
		assert_int_equal(queued, 1);
		struct netpack_frame frame;
		assert_true(netpack_pop(pack, &frame));
		assert_int_equal(frame.size, sizeof(payload));
		assert_memory_equal(frame.data, payload, sizeof(payload));
		skynet_free(frame.data);
		netpack_destroy(pack);
	}
	skynet_free(whole);
}

static void
keeps_thousands_of_connections_apart(void **state) {
	(void)state;
	enum { COUNT = 5000 };
	struct netpack *pack = netpack_create();
	for (int id = 0; id < COUNT; id++) {
		const unsigned char head[] = {0, 4, (unsigned char)(id >> 8)};
		assert_int_equal(feed_bytes(pack, id, head, sizeof(head)), 0);
	}
	for (int id = COUNT - 1; id >= 0; id--) {
		const unsigned char tail[] = {(unsigned char)id, 'x', 'y'};
		assert_int_equal(feed_bytes(pack, id, tail, sizeof(tail)), 1);
		struct netpack_frame frame;
		assert_true(netpack_pop(pack, &frame));
		assert_int_equal(frame.id, id);
		assert_int_equal(frame.size, 4);
		assert_int_equal(
			(unsigned char)frame.data[0] << 8 | (unsigned char)frame.data[1], id);
		skynet_free(frame.data);
	}
	netpack_destroy(pack);
}

static void
queues_frames_in_order_of_completion(void **state) {
	(void)state;
	struct netpack *pack = netpack_create();
	assert_int_equal(feed_bytes(pack, 1, "\0\1a\0\2b", 6), 1);
	assert_int_equal(feed_bytes(pack, 2, "\0\1c", 3), 2);
	assert_int_equal(feed_bytes(pack, 1, "d\0\0", 3), 4);
	static const char *const expected[] = {"a", "c", "bd", ""};
	struct netpack_frame frame;
	for (int i = 0; i < 4; i++) {
		assert_true(netpack_pop(pack, &frame));
		assert_string_equal(frame.data, expected[i]);
		skynet_free(frame.data);
	}
	assert_false(netpack_pop(pack, &frame));
	netpack_destroy(pack);
}

static void
queues_a_burst_of_tiny_frames(void **state) {
	(void)state;
	static const char burst[60000] = {0};
	struct netpack *pack = netpack_create();
	for (int round = 0; round < 2; round++) {
		assert_int_equal(feed_bytes(pack, ID, burst, sizeof(burst)), sizeof(burst) / 2);
		struct netpack_frame frame;
		size_t count = 0;
		for (; netpack_pop(pack, &frame); count++) {
			assert_int_equal(frame.size, 0);
			skynet_free(frame.data);
		}
		assert_int_equal(count, sizeof(burst) / 2);
	}
	netpack_destroy(pack);
}

static void
drops_the_unfinished_frame_of_a_closed_connection(void **state) {
	(void)state;
	struct netpack *pack = netpack_create();
	assert_int_equal(feed_bytes(pack, ID, "\0\1a\0\5he", 7), 1);
	netpack_drop(pack, ID);
	netpack_drop(pack, ID);
	netpack_drop(pack, 12345);
	assert_int_equal(feed_bytes(pack, ID, "\0\1b", 3), 2);
	netpack_clear(pack);
	struct netpack_frame frame;
	assert_false(netpack_pop(pack, &frame));
	netpack_destroy(pack);
}

static void
frees_what_it_holds(void **state) {
	(void)state;
	struct netpack *pack = netpack_create();
	feed_bytes(pack, 1, "\0\1a\0\1b\0\5he", 10);
	feed_bytes(pack, -2, "\377", 1);
	netpack_feed(pack, 3, NULL, 0);
	netpack_destroy(pack);
	netpack_destroy(NULL);
}

static void
encodes_up_to_64_kib(void **state) {
	(void)state;
	static const char payload[NETPACK_PAYLOAD_MAX + 1] = {0};
	char *block = netpack_encode("hello", 5);
	assert_memory_equal(block, "\0\5hello", 7);
	skynet_free(block);
	block = netpack_encode(NULL, 0);
	assert_memory_equal(block, "\0\0", 2);
	skynet_free(block);
	block = netpack_encode(payload, NETPACK_PAYLOAD_MAX);
	assert_memory_equal(block, "\377\377", 2);
	skynet_free(block);
	assert_null(netpack_encode(payload, NETPACK_PAYLOAD_MAX + 1));
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_frames_wherever_the_stream_is_cut),
		cmocka_unit_test(delivers_empty_frames),
		cmocka_unit_test(keeps_unfinished_frames_to_itself),
		cmocka_unit_test(delivers_the_largest_frame_in_any_pieces),
		cmocka_unit_test(keeps_thousands_of_connections_apart),
		cmocka_unit_test(queues_frames_in_order_of_completion),
		cmocka_unit_test(queues_a_burst_of_tiny_frames),
		cmocka_unit_test(drops_the_unfinished_frame_of_a_closed_connection),
		cmocka_unit_test(frees_what_it_holds),
		cmocka_unit_test(encodes_up_to_64_kib),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
