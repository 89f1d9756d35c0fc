/* Cutting a stream into packets: whatever the pieces, the same packets; hostile lengths end it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packet_split.h"

#define STREAM_MAX 4096

struct fixture {
	struct packet_split split;
	char seen[STREAM_MAX]; /* packets, each with '|' behind it */
	size_t seen_size;
	size_t largest;
};

static int
setup(void **state) {
	*state = calloc(1, sizeof(struct fixture));
	return 0;
}

static int
teardown(void **state) {
	struct fixture *fixture = *state;
	packet_split_fini(&fixture->split);
	free(fixture);
	return 0;
}

static void
note(void *ud, const char *packet, size_t size) {
	struct fixture *fixture = ud;
	assert_true(size > 0);
	if (size > fixture->largest)
		fixture->largest = size;
	if (fixture->seen_size + size + 1 >= sizeof fixture->seen)
		return;
	memcpy(fixture->seen + fixture->seen_size, packet, size);
	fixture->seen_size += size;
	fixture->seen[fixture->seen_size++] = '|';
}

static bool
push(struct fixture *fixture, const char *bytes, size_t size) {
	return packet_split_push(&fixture->split, bytes, size, note, fixture);
}

static void
expect_seen(struct fixture *fixture, const char *expected) {
	fixture->seen[fixture->seen_size] = '\0';
	assert_string_equal(fixture->seen, expected);
	fixture->seen_size = 0;
}

#define PUSH(fixture, bytes) assert_true(push(fixture, bytes, sizeof(bytes) - 1))

static void
cuts_at_two_byte_lengths(void **state) {
	struct fixture *fixture = *state;
	packet_split_init(&fixture->split, 2);
	PUSH(fixture, "\0\5hello");
	expect_seen(fixture, "hello|");
	PUSH(fixture, "\0\3abc\0\0\0\2de");
	expect_seen(fixture, "abc|de|");
	PUSH(fixture, "\0\4ab");
	expect_seen(fixture, "");
	PUSH(fixture, "cd");
	expect_seen(fixture, "abcd|");
	PUSH(fixture, "");
	PUSH(fixture, "\0");
	PUSH(fixture, "\1x");
	expect_seen(fixture, "x|");
}

static void
cuts_at_four_byte_lengths(void **state) {
	struct fixture *fixture = *state;
	packet_split_init(&fixture->split, 4);
	PUSH(fixture, "\0\0\0\5hello\0\0");
	PUSH(fixture, "\0\1x\0\0\0\0\0\0\0\1y");
	expect_seen(fixture, "hello|x|y|");
}

static void
finds_the_same_packets_in_any_pieces(void **state) {
	struct fixture *fixture = *state;
	static const char STREAM[] = "\0\3abc\0\0\0\1d\0\12efghijklmn\0\2op";
	size_t size = sizeof STREAM - 1;
	for (size_t first = 0; first <= size; first++) {
		for (size_t second = first; second <= size; second++) {
			packet_split_init(&fixture->split, 2);
			assert_true(push(fixture, STREAM, first));
			assert_true(push(fixture, STREAM + first, second - first));
			assert_true(push(fixture, STREAM + second, size - second));
			expect_seen(fixture, "abc|d|efghijklmn|op|");
			packet_split_fini(&fixture->split);
		}
	}
	packet_split_init(&fixture->split, 2);
	for (size_t i = 0; i < size; i++)
		assert_true(push(fixture, STREAM + i, 1));
	expect_seen(fixture, "abc|d|efghijklmn|op|");
}

static void
refuses_a_length_as_soon_as_it_is_announced(void **state) {
	struct fixture *fixture = *state;
	static const char *const HEADS[] = {"\1\0\0\0", "\x80\0\0\1", "\xff\xff\xff\xff"};
	for (size_t i = 0; i < sizeof HEADS / sizeof HEADS[0]; i++) {
		packet_split_init(&fixture->split, 4);
		assert_true(push(fixture, "\0\0\0\1a", 5));
		assert_true(push(fixture, HEADS[i], 3));
		assert_false(push(fixture, HEADS[i] + 3, 1));
		assert_false(push(fixture, "\0\0\0\1b", 5));
		expect_seen(fixture, "a|");
		packet_split_fini(&fixture->split);
	}
}

static void
takes_the_largest_packet(void **state) {
	struct fixture *fixture = *state;
	size_t size = PACKET_SIZE_MAX;
	char *bytes = calloc(1, size);
	packet_split_init(&fixture->split, 4);
	PUSH(fixture, "\0\xff\xff\xff");
	assert_true(push(fixture, bytes, size - 1));
	assert_int_equal(fixture->largest, 0);
	assert_true(push(fixture, bytes, 1));
	assert_int_equal(fixture->largest, size);
	free(bytes);
}

static void
keeps_no_memory_for_bytes_that_have_not_come(void **state) {
	struct fixture *fixture = *state;
	packet_split_init(&fixture->split, 4);
	PUSH(fixture, "\0\xff\xff\xff");
	assert_null(fixture->split.partial);
	PUSH(fixture, "x");
	assert_true(fixture->split.partial_capacity < 1024);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(cuts_at_two_byte_lengths),
		TEST(cuts_at_four_byte_lengths),
		TEST(finds_the_same_packets_in_any_pieces),
		TEST(refuses_a_length_as_soon_as_it_is_announced),
		TEST(takes_the_largest_packet),
		TEST(keeps_no_memory_for_bytes_that_have_not_come),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
