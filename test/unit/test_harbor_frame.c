/* Frames between harbors: the bytes that nodes of the reference send, in any pieces, and lengths
 * that must end a link.
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
		char *bytes = harbor_frame_pack(&frame, &size);
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
	char *bytes = harbor_frame_pack(&frame, &size);
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
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
