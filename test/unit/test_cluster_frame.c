/* Frames of the cluster protocol as other nodes write them: read, written again, the same bytes;
 * malformed ones are refused. Sessions and payloads in parts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cluster_frame.h"
#include "cluster_session.h"
#include "payload_join.h"
#include "skynet_malloc.h"

#define FRAME_MAX   512
#define COUNT(list) (sizeof(list) / sizeof *(list))

/* With their length in front. */
static const char *const request_frames[] = {
	"000f000c000000010000001c4745540c61",
	"000d0000000000070000001c736462",
	"000b00feffff02785634120c58",
	"0009000c00000002000000",
	"000d010c0000000400000000800000",
	"000d010c0000000500000001800000",
	"000603050000008a",
	"000d010c0000000600000000000100",
	"000b000c000000ffffff7f0a01",
	"0010800440736462080000001c4745540c61",
	"001480092e6c61756e6368657209000000244c495354",
	"00098001780a0000000a01",
	"000e8104407364620e00000000800000",
	"000b0000000000100000000c78",
	"000e000c000000000000002450494e47",
	"000f800440736462000000002450494e47",
	"000d410c0000001600000000800000",
	"000ec104407364621700000001800000",
	"000603170000008a",
	"000c043a30303030303030382d31",
	"001904286e6f6465412d64622d3236293a30303030303030382d33",
	"000104",
};

static const char *const response_frames[] = {
	"000c010000000134666f6f626172",
	"00050200000001",
	"0009040000000201800000",
	"000604000000048a",
	"0009050000000200000100",
	"0009060000000201000100",
	"0006060000000419",
	"0007ffffffff010a01",
	"001307000000006e616d65206e6f7420666f756e64",
	"00050800000000",
};

/* Without their length. */
static const char *const bad_requests[] = {
	"000c000000010000",
	"010c00000005000000010000",
	"010c000000050000000100000000",
	"02010000",
	"80",
	"8020616263",
	"81044073646205000000",
	"05",
	"40",
	"ff",
};

static const char *const bad_responses[] = {
	"05000000020100000000",
	"0500000005616263",
	"01000000",
};

static size_t
from_hex(const char *text, char *bytes) {
	static const char digits[] = "0123456789abcdef";
	size_t size = strlen(text) / 2;
	assert_true(size <= FRAME_MAX);
	for (size_t i = 0; i < size; i++) {
		long high = strchr(digits, text[2 * i]) - digits;
		long low = strchr(digits, text[2 * i + 1]) - digits;
		bytes[i] = (char)(high << 4 | low);
	}
	return size;
}

static size_t
write_request(const struct cluster_request *request, char *out) {
	size_t size = request->size;
	switch (request->kind) {
	case CLUSTER_TRACE:
		return cluster_head_trace(out, size);
	case CLUSTER_PART:
	case CLUSTER_LAST:
		return cluster_head_part(
			out, request->session, size, request->kind == CLUSTER_LAST);
	default:
		if (request->kind == CLUSTER_BEGIN)
			size = request->total;
		return cluster_head_request(
			out, &request->to, request->push, request->session, size);
	}
}

static void
requests_are_read_and_written_as_other_nodes_do(void **state) {
	(void)state;
	for (size_t i = 0; i < COUNT(request_frames); i++) {
		char frame[FRAME_MAX], again[FRAME_MAX];
		size_t size = from_hex(request_frames[i], frame);
		struct cluster_request request;
		assert_true(cluster_request_parse(frame + 2, size - 2, &request));
		size_t head_size = write_request(&request, again);
		if (request.size > 0)
			memcpy(again + head_size, request.data, request.size);
		assert_int_equal(head_size + request.size, size);
		assert_memory_equal(again, frame, size);
	}
}

static void
responses_are_read_and_written_as_other_nodes_do(void **state) {
	(void)state;
	for (size_t i = 0; i < COUNT(response_frames); i++) {
		char frame[FRAME_MAX], again[FRAME_MAX];
		size_t size = from_hex(response_frames[i], frame), head_size;
		struct cluster_response response;
		assert_true(cluster_response_parse(frame + 2, size - 2, &response));
		if (response.kind == CLUSTER_ANSWER_BEGIN) {
			head_size = cluster_head_response_begin(
				again, response.session, response.total);
			assert_int_equal(head_size, size);
		} else {
			head_size = cluster_head_response(
				again, response.session, response.kind, response.size);
			memcpy(again + head_size, response.data, response.size);
			assert_int_equal(head_size + response.size, size);
		}
		assert_memory_equal(again, frame, size);
	}
}

static void
malformed_frames_are_refused(void **state) {
	(void)state;
	char frame[FRAME_MAX] = {0};
	struct cluster_request request;
	struct cluster_response response;
	assert_false(cluster_request_parse(frame, 0, &request));
	assert_false(cluster_response_parse(frame, 0, &response));
	for (size_t i = 0; i < COUNT(bad_requests); i++) {
		size_t size = from_hex(bad_requests[i], frame);
		assert_false(cluster_request_parse(frame, size, &request));
	}
	for (size_t i = 0; i < COUNT(bad_responses); i++) {
		size_t size = from_hex(bad_responses[i], frame);
		assert_false(cluster_response_parse(frame, size, &response));
	}
}

static void
a_payload_of_32768_bytes_is_sent_in_parts(void **state) {
	(void)state;
	char head[CLUSTER_HEAD_MAX];
	struct cluster_address to = {.handle = 1};
	assert_int_equal(cluster_head_request(head, &to, false, 1, 32767), 11);
	assert_int_equal(head[2], 0);
	assert_int_equal(cluster_head_request(head, &to, false, 1, 32768), 15);
	assert_int_equal(head[2], 1);
}

static void
addresses_are_read_from_packed_messages(void **state) {
	(void)state;
	static const struct {
		const char *hex;
		size_t used;
		uint32_t handle;
	} cases[] = {
		{"02", 1, 0},
		{"0a0c", 2, 12},
		{"12feff", 3, 0xfffe},
		{"22feffff02", 5, 0x02fffffe},
		{"22feffffff", 0, 0}, /* -2 */
		{"32ffffffff00000000", 9, 0xffffffff},
		{"32ffffffffffffffff", 0, 0},
		{"42000000000000f03f", 9, 1},          /* 1.0 */
		{"420000e0ffffffef41", 9, 0xffffffff}, /* as a float */
		{"42000000000000f041", 0, 0},          /* 2^32 */
		{"42000000000000f83f", 0, 0},          /* 1.5 */
		{"42000000000000f0bf", 0, 0},          /* -1.0 */
		{"42000000000000f87f", 0, 0},          /* NaN */
		{"42000000000000f0", 0, 0},            /* cut off */
		{"0a", 0, 0},
		{"00", 0, 0},
		{"06", 0, 0},
		{"04", 0, 0},     /* "" */
		{"1c40", 0, 0},   /* cut off */
		{"15ff01", 0, 0}, /* too long */
		{"25ffffffff", 0, 0},
	};
	char bytes[FRAME_MAX];
	struct cluster_address address;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t size = from_hex(cases[i].hex, bytes);
		assert_int_equal(cluster_address_read(bytes, size, &address), cases[i].used);
		if (cases[i].used > 0)
			assert_int_equal(address.handle, cases[i].handle);
	}
	size_t size = from_hex("1c404142ff", bytes);
	assert_int_equal(cluster_address_read(bytes, size, &address), 4);
	assert_int_equal(address.name_size, 3);
	assert_memory_equal(address.name, "@AB", 3);
	assert_int_equal(cluster_address_read(bytes, 0, &address), 0);
}

static void
sessions_are_found_until_they_are_removed(void **state) {
	(void)state;
	struct cluster_sessions sessions;
	cluster_sessions_init(&sessions);
	uint32_t first = INT32_MAX - 500;
	for (uint32_t i = 0; i < 1000; i++)
		cluster_sessions_add(&sessions, first + i)->number = i;
	for (uint32_t i = 0; i < 1000; i += 3)
		cluster_sessions_remove(&sessions, cluster_sessions_find(&sessions, first + i));
	for (uint32_t i = 0; i < 1000; i++) {
		struct cluster_session *session = cluster_sessions_find(&sessions, first + i);
		if (i % 3 == 0) {
			assert_null(session);
		} else {
			assert_non_null(session);
			assert_int_equal(session->number, i);
		}
	}
	assert_null(cluster_sessions_find(&sessions, 0));
	assert_int_equal(sessions.count, 666);
	cluster_sessions_fini(&sessions);
}

static void
parts_never_take_more_than_was_announced(void **state) {
	(void)state;
	struct payload_join join = {.total = 10};
	assert_true(payload_join_add(&join, "01234", 5));
	assert_true(payload_join_add(&join, "", 0));
	assert_true(join.capacity <= 10);
	assert_false(payload_join_add(&join, "567890", 6));
	assert_true(payload_join_add(&join, "56789", 5));
	assert_int_equal(join.size, 10);
	assert_memory_equal(join.data, "0123456789", 10);
	skynet_free(join.data);
}

static void
an_announced_size_takes_no_memory_before_the_bytes_come(void **state) {
	(void)state;
	struct payload_join join = {.total = CLUSTER_MESSAGE_MAX};
	assert_true(payload_join_add(&join, "x", 1));
	assert_true(join.capacity <= 64);
	skynet_free(join.data);
}

static void
what_our_nodes_add_is_read_again(void **state) {
	(void)state;
	char frame[CLUSTER_HEAD_MAX + CLUSTER_PROBE_SIZE + 1];
	struct cluster_request request;
	struct cluster_response response;
	uint32_t value;
	uint64_t identity;
	size_t size = cluster_head_extra(frame, CLUSTER_EXTRA_DEADLINE, 1234567);
	assert_true(cluster_request_parse(frame + 2, size - 2, &request));
	assert_int_equal(request.kind, CLUSTER_EXTRA);
	assert_int_equal(request.extra, CLUSTER_EXTRA_DEADLINE);
	assert_int_equal(request.total, 1234567);
	assert_false(cluster_request_parse(frame + 2, size - 3, &request));
	size = cluster_head_confirm(frame, 524288);
	assert_true(cluster_response_parse(frame + 2, size - 2, &response));
	assert_true(cluster_confirm_read(&response, &value));
	assert_int_equal(value, 524288);
	response.size--;
	assert_false(cluster_confirm_read(&response, &value));
	cluster_probe_pack(frame, 77, UINT64_C(0x123456789abcdef0));
	frame[CLUSTER_PROBE_SIZE] = 'x';
	assert_true(cluster_probe_unpack(frame, CLUSTER_PROBE_SIZE, &value, &identity));
	assert_int_equal(value, 77);
	assert_true(identity == UINT64_C(0x123456789abcdef0));
	assert_true(cluster_probe_unpack(frame, CLUSTER_PROBE_SIZE + 1, &value, &identity));
	assert_false(cluster_probe_unpack(frame, CLUSTER_PROBE_SIZE - 1, &value, &identity));
	frame[3]++;
	assert_false(cluster_probe_unpack(frame, CLUSTER_PROBE_SIZE, &value, &identity));
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_read_and_written_as_other_nodes_do),
		cmocka_unit_test(responses_are_read_and_written_as_other_nodes_do),
		cmocka_unit_test(malformed_frames_are_refused),
		cmocka_unit_test(a_payload_of_32768_bytes_is_sent_in_parts),
		cmocka_unit_test(addresses_are_read_from_packed_messages),
		cmocka_unit_test(what_our_nodes_add_is_read_again),
		cmocka_unit_test(sessions_are_found_until_they_are_removed),
		cmocka_unit_test(parts_never_take_more_than_was_announced),
		cmocka_unit_test(an_announced_size_takes_no_memory_before_the_bytes_come),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
