/* Frames between harbors: the bytes that nodes of the reference send, in any pieces; messages in
 * parts; lengths and parts that must end a link.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harbor_frame.h"
#include "skynet_malloc.h"

#define SEEN_MAX  80
#define BYTES_MAX 256

/* One frame as recorded. */
struct vector {
	const char *hex;
	uint32_t source, destination;
	int type, session;
	const char *payload;
};

static const struct vector VECTORS[] = {
#include "../vectors/harbor_data.h"
};
#define VECTOR_COUNT (sizeof VECTORS / sizeof *VECTORS)

struct fixture {
	struct frame_reader reader;
	struct harbor_frame seen[SEEN_MAX];
	size_t count;
};

static int
setup(void **state) {
	*state = calloc(1, sizeof(struct fixture));
	return 0;
}

static int
teardown(void **state) {
	struct fixture *fixture = *state;
	for (size_t i = 0; i < fixture->count; i++)
		skynet_free(fixture->seen[i].payload);
	frame_reader_clear(&fixture->reader);
	free(fixture);
	return 0;
}

static void
note(void *ud, const struct harbor_frame *frame) {
	struct fixture *fixture = ud;
	assert_true(fixture->count < SEEN_MAX);
	fixture->seen[fixture->count++] = *frame;
}

static size_t
from_hex(const char *hex, char *bytes) {
	size_t size = strlen(hex) / 2;
	assert_true(size <= BYTES_MAX);
	for (size_t i = 0; i < size; i++) {
		char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
		bytes[i] = (char)strtoul(digits, NULL, 16);
	}
	return size;
}

static char *
pack(const struct harbor_frame *frame, size_t *size) {
	*size = harbor_frame_size(frame->size);
	char *bytes = skynet_malloc(*size);
	harbor_frame_put(bytes, frame);
	return bytes;
}

static bool
push(struct fixture *fixture, const char *bytes, size_t size) {
	return frame_reader_push(&fixture->reader, bytes, size, note, fixture);
}

static void
assert_frame(const struct harbor_frame *frame, const struct vector *vector) {
	char payload[BYTES_MAX];
	size_t size = from_hex(vector->payload, payload);
	assert_int_equal(frame->source, vector->source);
	assert_int_equal(frame->destination, vector->destination);
	assert_int_equal(frame->type, vector->type);
	assert_int_equal(frame->session, vector->session);
	assert_int_equal(frame->size, size);
	assert_memory_equal(frame->payload, payload, size);
	assert_int_equal(((const char *)frame->payload)[size], '\0');
}

static void
packs_the_bytes_of_the_reference(void **state) {
	(void)state;
	for (size_t i = 0; i < VECTOR_COUNT; i++) {
		char expected[BYTES_MAX], payload[BYTES_MAX];
		const struct vector *vector = &VECTORS[i];
		struct harbor_frame frame = {
			.source = vector->source,
			.destination = 0x05000000 | vector->destination,
			.type = vector->type,
			.session = vector->session,
			.size = from_hex(vector->payload, payload),
			.payload = payload,
		};
		size_t size;
		char *bytes = pack(&frame, &size);
		assert_int_equal(size, from_hex(vector->hex, expected));
		assert_memory_equal(bytes, expected, size);
		skynet_free(bytes);
	}
}

static void
reads_the_bytes_of_the_reference_in_any_pieces(void **state) {
	struct fixture *fixture = *state;
	char stream[VECTOR_COUNT * BYTES_MAX];
	size_t size = 0;
	for (size_t i = 0; i < VECTOR_COUNT; i++)
		size += from_hex(VECTORS[i].hex, stream + size);
	for (size_t piece = 1; piece <= size; piece++) {
		for (size_t at = 0; at < size; at += piece)
			assert_true(
				push(fixture, stream + at, size - at < piece ? size - at : piece));
		assert_int_equal(fixture->count, VECTOR_COUNT);
		for (size_t i = 0; i < VECTOR_COUNT; i++) {
			assert_frame(&fixture->seen[i], &VECTORS[i]);
			skynet_free(fixture->seen[i].payload);
		}
		fixture->count = 0;
	}
}

static void
reads_a_negative_session(void **state) {
	struct fixture *fixture = *state;
	char bytes[BYTES_MAX];
	size_t size = from_hex("0000000c020000070a00000affffffff", bytes);
	assert_true(push(fixture, bytes, size));
	assert_int_equal(fixture->seen[0].session, -1);
}

static void
refuses_a_length_whose_first_byte_is_not_0(void **state) {
	struct fixture *fixture = *state;
	assert_false(push(fixture, "\1", 1));
	assert_int_equal(fixture->count, 0);
}

static void
refuses_a_frame_shorter_than_its_trailer(void **state) {
	(void)state;
	static const char *const SHORT[] = {
		"00000000", "0000000461626364", "0000000b6162636465666768696a6b"};
	for (size_t i = 0; i < sizeof SHORT / sizeof *SHORT; i++) {
		struct fixture fixture = {0};
		char bytes[BYTES_MAX];
		size_t size = from_hex(SHORT[i], bytes);
		assert_false(push(&fixture, bytes, size));
		assert_int_equal(fixture.count, 0);
		frame_reader_clear(&fixture.reader);
	}
}

static void
takes_a_payload_of_the_largest_size(void **state) {
	struct fixture *fixture = *state;
	char *payload = calloc(1, FRAME_PAYLOAD_MAX);
	payload[FRAME_PAYLOAD_MAX - 1] = 'x';
	struct harbor_frame frame = {
		.source = 1, .destination = 2, .size = FRAME_PAYLOAD_MAX, .payload = payload};
	size_t size;
	char *bytes = pack(&frame, &size);
	for (size_t at = 0; at < size; at += 100000)
		assert_true(push(fixture, bytes + at, size - at < 100000 ? size - at : 100000));
	assert_int_equal(fixture->count, 1);
	assert_int_equal(fixture->seen[0].size, FRAME_PAYLOAD_MAX);
	assert_memory_equal(fixture->seen[0].payload, payload, FRAME_PAYLOAD_MAX);
	skynet_free(bytes);
	free(payload);
}

static void
takes_no_memory_for_what_is_only_announced(void **state) {
	struct fixture *fixture = *state;
	assert_true(push(fixture, "\0\xff\xff\xff", 4));
	assert_null(fixture->reader.body);
	assert_true(push(fixture, "x", 1));
	assert_true(fixture->reader.body_capacity <= 65536);
}

/* ---- parts ---- */

#define MESSAGE_SIZE ((size_t)100000)

/* Byte `at` of the payload of a message. */
static char
payload_byte(uint32_t number, size_t at) {
	return (char)(number * 31 + at % 251);
}

/* Writes a begin frame. Returns its size. */
static size_t
put_begin(char *bytes, uint32_t number, size_t total) {
	struct harbor_frame frame = {
		.source = 0x02000000 | number,
		.destination = 0x0500000a,
		.type = 10,
		.session = -(int)number,
		.size = total,
	};
	harbor_frame_put_begin(bytes, number, &frame);
	return FRAME_BEGIN_SIZE;
}

/* Writes a part with the payload from `at` on. Returns its size. */
static size_t
put_part(char *bytes, uint32_t number, size_t at, size_t size) {
	harbor_frame_put_part(bytes, number, size);
	for (size_t i = 0; i < size; i++)
		bytes[FRAME_PART_HEAD + i] = payload_byte(number, at + i);
	return FRAME_PART_HEAD + size;
}

static bool
push_begin(struct fixture *fixture, uint32_t number, size_t total) {
	char bytes[FRAME_BEGIN_SIZE];
	return push(fixture, bytes, put_begin(bytes, number, total));
}

static bool
push_part(struct fixture *fixture, uint32_t number, size_t at, size_t size) {
	char *bytes = skynet_malloc(FRAME_PART_HEAD + size);
	bool sound = push(fixture, bytes, put_part(bytes, number, at, size));
	skynet_free(bytes);
	return sound;
}

static void
assert_message(const struct harbor_frame *frame, uint32_t number, size_t total) {
	const char *payload = frame->payload;
	assert_int_equal(frame->source, 0x02000000 | number);
	assert_int_equal(frame->destination, 0xa);
	assert_int_equal(frame->type, 10);
	assert_int_equal(frame->session, -(int)number);
	assert_int_equal(frame->size, total);
	for (size_t i = 0; i < total; i++)
		assert_int_equal(payload[i], payload_byte(number, i));
	assert_int_equal(payload[total], '\0');
	assert_true(frame->joined);
}

static void
joins_parts_between_which_others_stand_in_any_pieces(void **state) {
	struct fixture *fixture = *state;
	char stream[2048], small[BYTES_MAX];
	size_t small_size = from_hex(VECTORS[0].hex, small), size = 0;
	size += put_begin(stream + size, 1, 300);
	size += put_part(stream + size, 1, 0, 100);
	size += put_begin(stream + size, 2, 200);
	size += put_part(stream + size, 2, 0, 199);
	memcpy(stream + size, small, small_size);
	size += small_size;
	size += put_part(stream + size, 1, 100, 200);
	size += put_part(stream + size, 2, 199, 1);
	fixture->reader.takes_parts = true;
	for (size_t piece = 1; piece <= size; piece++) {
		for (size_t at = 0; at < size; at += piece)
			assert_true(
				push(fixture, stream + at, size - at < piece ? size - at : piece));
		assert_int_equal(fixture->count, 3);
		assert_frame(&fixture->seen[0], &VECTORS[0]);
		assert_message(&fixture->seen[1], 1, 300);
		assert_message(&fixture->seen[2], 2, 200);
		assert_int_equal(lane_confirm_take(&fixture->reader.confirm, true), 500);
		for (size_t i = 0; i < 3; i++)
			skynet_free(fixture->seen[i].payload);
		fixture->count = 0;
	}
}

static void
writes_the_documented_bytes_of_parts(void **state) {
	(void)state;
	static const char EXPECTED[] = "0200001400000007"
				       "00000003"
				       "020000090a00000affffffff"
				       "0100000600000007"
				       "6869";
	char bytes[BYTES_MAX], expected[BYTES_MAX];
	struct harbor_frame frame = {.source = 0x02000009,
		.destination = 0x0500000a,
		.type = 10,
		.session = -1,
		.size = 3};
	harbor_frame_put_begin(bytes, 7, &frame);
	harbor_frame_put_part(bytes + FRAME_BEGIN_SIZE, 7, 2);
	memcpy(bytes + FRAME_BEGIN_SIZE + FRAME_PART_HEAD, "hi", 2);
	size_t size = from_hex(EXPECTED, expected);
	assert_int_equal(size, FRAME_BEGIN_SIZE + FRAME_PART_HEAD + 2);
	assert_memory_equal(bytes, expected, size);
}

static void
refuses_parts_that_nobody_asked_for(void **state) {
	struct fixture *fixture = *state;
	assert_false(push_begin(fixture, 1, MESSAGE_SIZE));
	frame_reader_clear(&fixture->reader);
	assert_false(push_part(fixture, 1, 0, 1));
}

/* Pushes to a reader that takes parts and has begun message 1. */
static void
begin_again(struct fixture *fixture) {
	frame_reader_clear(&fixture->reader);
	fixture->reader.takes_parts = true;
	assert_true(push_begin(fixture, 1, MESSAGE_SIZE));
}

static void
refuses_parts_that_do_not_fit(void **state) {
	struct fixture *fixture = *state;
	begin_again(fixture);
	assert_false(push_begin(fixture, 1, MESSAGE_SIZE)); /* begun twice */
	begin_again(fixture);
	assert_false(push_part(fixture, 2, 0, 1)); /* not begun */
	begin_again(fixture);
	assert_false(push_part(fixture, 1, 0, 0));
	begin_again(fixture);
	assert_true(push_part(fixture, 1, 0, 1));
	assert_false(push_part(fixture, 1, 1, MESSAGE_SIZE)); /* one byte too many */
	begin_again(fixture);
	assert_true(push_part(fixture, 1, 0, MESSAGE_SIZE));
	assert_false(push_part(fixture, 1, 0, 1)); /* it has ended */
	assert_int_equal(fixture->count, 1);
}

static void
refuses_bad_sizes_of_begin_and_part(void **state) {
	(void)state;
	static const char *const BAD[] = {
		"02000014000000070000000002000009" /* an empty message */
		"0a00000affffffff",
		"020000140000000700fffff402000009" /* larger than a frame could be */
		"0a00000affffffff",
		"02000013000000070000000302000009"
		"0a00000affffffff",
		"02000015000000070000000302000009"
		"0a00000affffffff",
		"0100000000000007",
		"0100000300000007",
		"03000000",
		"ff000000",
	};
	for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
		struct fixture fixture = {.reader = {.takes_parts = true}};
		char bytes[BYTES_MAX];
		size_t size = from_hex(BAD[i], bytes);
		assert_false(push(&fixture, bytes, size));
		assert_int_equal(fixture.count, 0);
		frame_reader_clear(&fixture.reader);
	}
}

static void
no_more_than_16_messages_are_joined_at_a_time(void **state) {
	struct fixture *fixture = *state;
	fixture->reader.takes_parts = true;
	for (uint32_t i = 1; i <= FRAME_JOIN_MAX; i++)
		assert_true(push_begin(fixture, i, 2));
	for (uint32_t i = FRAME_JOIN_MAX; i >= 1; i--)
		assert_true(push_part(fixture, i, 0, 1));
	assert_true(push_part(fixture, 3, 1, 1));
	assert_message(&fixture->seen[0], 3, 2);
	assert_true(push_begin(fixture, 99, 2));
	assert_false(push_begin(fixture, 100, 2));
}

static void
memory_for_parts_grows_with_what_has_come(void **state) {
	struct fixture *fixture = *state;
	fixture->reader.takes_parts = true;
	assert_true(push_begin(fixture, 1, FRAME_PAYLOAD_MAX));
	assert_null(fixture->reader.joins[0].payload.data);
	assert_true(push_part(fixture, 1, 0, 1000));
	assert_true(fixture->reader.joins[0].payload.capacity <= 64000);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(packs_the_bytes_of_the_reference),
		TEST(reads_the_bytes_of_the_reference_in_any_pieces),
		TEST(reads_a_negative_session),
		TEST(refuses_a_length_whose_first_byte_is_not_0),
		TEST(refuses_a_frame_shorter_than_its_trailer),
		TEST(takes_a_payload_of_the_largest_size),
		TEST(takes_no_memory_for_what_is_only_announced),
		TEST(joins_parts_between_which_others_stand_in_any_pieces),
		TEST(writes_the_documented_bytes_of_parts),
		TEST(refuses_parts_that_nobody_asked_for),
		TEST(refuses_parts_that_do_not_fit),
		TEST(refuses_bad_sizes_of_begin_and_part),
		TEST(no_more_than_16_messages_are_joined_at_a_time),
		TEST(memory_for_parts_grows_with_what_has_come),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
