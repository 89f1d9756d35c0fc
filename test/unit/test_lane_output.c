// wrap: skynet_socket_write skynet_socket_sendbuffer skynet_stat_get skynet_turn_end
// wrap: skynet_context_newsession
/* What leaves on a link between nodes, and when: parts take turns, small frames pass between them,
 * the order of a lane holds, whatever the system takes at a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cluster_frame.h"
#include "lane_confirm.h"
#include "lane_output.h"
#include "packet_split.h"
#include "skynet_socket.h"

#define LARGE    ((size_t)1000000)
#define UNTAKEN  INT64_MAX
#define PAYLOADS 8

/* The system, and what the other end makes of what it gets. */
struct wire {
	int64_t takes;   /* bytes until it is full; UNTAKEN: any number */
	int64_t at_once; /* bytes in one call at most */
	int mailbox;     /* messages that wait for the service */
	int writes;
	int turns; /* ended to give way */
	struct packet_split split;
	size_t got[PAYLOADS]; /* bytes of parts by session */
	bool ended[PAYLOADS];
	char order[512];   /* B: begin, p: part, L: last part, s: small; with the session */
	size_t parts_size; /* of all parts */
	struct lane_confirm confirm;
};

int64_t __wrap_skynet_socket_write(
	struct skynet_context *context, int id, const struct iovec *pieces, int count);
int __wrap_skynet_socket_sendbuffer(
	struct skynet_context *context, struct socket_sendbuffer *buffer);
int64_t __wrap_skynet_stat_get(
	struct skynet_context *context, uint32_t handle, enum skynet_stat stat);
void __wrap_skynet_turn_end(struct skynet_context *context, int session);
int __wrap_skynet_context_newsession(struct skynet_context *context);

/* One test runs at a time; the context, which nobody looks into, is not at hand everywhere. */
static struct wire *current_wire;

static struct wire *
wire_of(void) {
	return current_wire;
}

static void
note(struct wire *wire, char what, uint32_t session) {
	size_t length = strlen(wire->order);
	if (length + 3 > sizeof wire->order)
		return;
	wire->order[length] = what;
	wire->order[length + 1] = (char)('0' + session % 10);
	wire->order[length + 2] = '\0';
}

/* Payload byte `at` of a session. */
static char
payload_byte(uint32_t session, size_t at) {
	return (char)(session * 31 + at % 251);
}

static void
on_frame(void *ud, const char *frame, size_t size) {
	struct wire *wire = ud;
	struct cluster_request request;
	assert_true(cluster_request_parse(frame, size, &request));
	uint32_t session = request.session;
	assert_true(session < PAYLOADS);
	switch (request.kind) {
	case CLUSTER_REQUEST:
		note(wire, 's', session);
		lane_confirm_small(&wire->confirm);
		return;
	case CLUSTER_BEGIN:
		note(wire, 'B', session);
		return;
	default:
		break;
	}
	assert_true(request.kind == CLUSTER_PART || request.kind == CLUSTER_LAST);
	assert_false(wire->ended[session]);
	note(wire, request.kind == CLUSTER_PART ? 'p' : 'L', session);
	for (size_t i = 0; i < request.size; i += 97)
		assert_int_equal(request.data[i], payload_byte(session, wire->got[session] + i));
	wire->got[session] += request.size;
	wire->parts_size += request.size;
	lane_confirm_part(&wire->confirm, request.size);
	wire->ended[session] = request.kind == CLUSTER_LAST;
}

int64_t
__wrap_skynet_socket_write(
	struct skynet_context *context, int id, const struct iovec *pieces, int count) {
	(void)context;
	(void)id;
	struct wire *wire = wire_of();
	int64_t written = 0;
	wire->writes++;
	for (int i = 0; i < count; i++) {
		int64_t room = wire->takes < wire->at_once - written ? wire->takes
								     : wire->at_once - written;
		int64_t size = (int64_t)pieces[i].iov_len;
		size_t part = (size_t)(size < room ? size : room);
		packet_split_push(&wire->split, pieces[i].iov_base, part, on_frame, wire);
		written += (int64_t)part;
		if (wire->takes != UNTAKEN)
			wire->takes -= (int64_t)part;
		if ((int64_t)part < size)
			break;
	}
	return written;
}

int
__wrap_skynet_socket_sendbuffer(struct skynet_context *context, struct socket_sendbuffer *buffer) {
	(void)context;
	struct wire *wire = wire_of();
	packet_split_push(&wire->split, buffer->buffer, buffer->sz, on_frame, wire);
	skynet_free((void *)(uintptr_t)buffer->buffer);
	return 0;
}

int64_t
__wrap_skynet_stat_get(struct skynet_context *context, uint32_t handle, enum skynet_stat stat) {
	(void)context;
	(void)handle;
	assert_int_equal(stat, SKYNET_STAT_MAILBOX);
	return wire_of()->mailbox;
}

void
__wrap_skynet_turn_end(struct skynet_context *context, int session) {
	(void)context;
	wire_of()->turns++;
	assert_int_equal(session, wire_of()->turns);
}

int
__wrap_skynet_context_newsession(struct skynet_context *context) {
	(void)context;
	return wire_of()->turns + 1;
}

/* ---- fixture ---- */

static size_t
part_head(char *head, const struct lane_item *item, size_t size, bool last) {
	return cluster_head_part(head, item->session, size, last);
}

struct fixture {
	struct wire wire;
	struct lane_framing framing;
	struct lane_output output;
};

static int
setup(void **state) {
	struct fixture *f = calloc(1, sizeof *f);
	f->wire.takes = f->wire.at_once = UNTAKEN;
	packet_split_init(&f->wire.split, 2);
	f->framing = (struct lane_framing){
		.part_size = CLUSTER_PART_SIZE,
		.part_head = part_head,
		.same_target = cluster_targets_meet,
	};
	lane_output_init(&f->output, &f->framing, NULL, 1);
	current_wire = &f->wire;
	*state = f;
	return 0;
}

static int
teardown(void **state) {
	struct fixture *f = *state;
	lane_output_fini(&f->output);
	packet_split_fini(&f->wire.split);
	free(f);
	return 0;
}

static void
queue(struct fixture *f, uint64_t key, enum lane_form form, uint32_t session, const char *head,
	size_t head_size, char *block, size_t size) {
	struct lane_payload payload = {
		.key = key,
		.form = form,
		.session = session,
		.head = head,
		.head_size = head_size,
		.block = block,
		.at = block,
		.size = size,
	};
	lane_output_queue(&f->output, &payload);
}

static void
put_large(struct fixture *f, uint32_t sender, uint32_t session, size_t size) {
	uint64_t key = lane_key(sender, 0);
	static const struct cluster_address to = {.handle = 5};
	char head[CLUSTER_HEAD_MAX], *block = skynet_malloc(size);
	for (size_t i = 0; i < size; i++)
		block[i] = payload_byte(session, i);
	size_t head_size = cluster_head_request(head, &to, false, session, size);
	queue(f, key, LANE_PARTS, session, head, head_size, block, size);
}

static void
put_small(struct fixture *f, uint32_t sender, uint32_t session) {
	uint64_t key = lane_key(sender, 0);
	static const struct cluster_address to = {.handle = 5};
	char head[CLUSTER_HEAD_MAX];
	size_t head_size = cluster_head_request(head, &to, false, session, 3);
	if (lane_output_holds(&f->output, key)) {
		char *block = skynet_malloc(3);
		memcpy(block, "abc", 3);
		queue(f, key, LANE_WHOLE, session, head, head_size, block, 3);
	} else {
		lane_output_write(&f->output, head, head_size, "abc", 3);
		lane_output_small(&f->output);
	}
}

/* Lets the system take everything. */
static void
drain(struct fixture *f) {
	f->wire.takes = UNTAKEN;
	while (lane_output_waiting(&f->output) > 0) {
		lane_output_resume(&f->output);
		lane_output_settle(&f->output);
		assert_false(f->output.failed);
	}
}

/* ---- tests ---- */

static void
parts_of_several_payloads_take_turns(void **state) {
	struct fixture *f = *state;
	put_large(f, 1, 1, 3 * CLUSTER_PART_SIZE);
	put_large(f, 2, 2, 2 * CLUSTER_PART_SIZE + 1);
	put_large(f, 3, 3, CLUSTER_PART_SIZE);
	drain(f);
	assert_string_equal(f->wire.order, "B1p1B2p2B3L3p1p2L1L2");
	assert_int_equal(f->wire.got[2], 2 * CLUSTER_PART_SIZE + 1);
}

static void
payloads_of_one_lane_leave_one_after_the_other(void **state) {
	struct fixture *f = *state;
	put_large(f, 1, 1, 2 * CLUSTER_PART_SIZE);
	put_large(f, 1, 2, 2 * CLUSTER_PART_SIZE);
	put_small(f, 1, 3);
	drain(f);
	assert_string_equal(f->wire.order, "B1p1L1B2p2L2s3");
}

static void
a_small_frame_passes_parts_of_another_lane_only(void **state) {
	struct fixture *f = *state;
	f->wire.takes = (int64_t)CLUSTER_PART_SIZE;
	put_large(f, 1, 1, LARGE);
	lane_output_settle(&f->output);
	assert_true(f->output.stalled);
	put_small(f, 1, 3);
	put_small(f, 2, 4);
	drain(f);
	/* One batch had been begun. */
	const char *passed = strstr(f->wire.order, "s4"), *kept = strstr(f->wire.order, "s3");
	assert_int_equal(passed - f->wire.order, 2 * (1 + LANE_BATCH_PARTS));
	assert_string_equal(kept, "s3");
	assert_int_equal(f->wire.got[1], LARGE);
}

static void
no_more_payloads_are_begun_than_the_other_end_takes(void **state) {
	struct fixture *f = *state;
	f->framing.begun_max = 2;
	for (uint32_t i = 1; i <= 4; i++)
		put_large(f, i, i, 2 * CLUSTER_PART_SIZE);
	put_small(f, 4, 5);
	drain(f);
	assert_string_equal(f->wire.order, "B1p1B2p2L1L2B3p3B4p4L3L4s5");
	assert_int_equal(f->output.begun, 0);
}

static void
a_frame_in_a_lane_has_its_tail(void **state) {
	struct fixture *f = *state;
	static const struct cluster_address to = {.handle = 5};
	char head[CLUSTER_HEAD_MAX], *block = skynet_malloc(3);
	memcpy(block, "abc", 3);
	size_t head_size = cluster_head_request(head, &to, false, 1, 5);
	struct lane_payload payload = {
		.key = lane_key(1, 0),
		.form = LANE_WHOLE,
		.head = head,
		.head_size = head_size,
		.tail = "de",
		.tail_size = 2,
		.block = block,
		.at = block,
		.size = 3,
	};
	lane_output_queue(&f->output, &payload);
	put_small(f, 1, 2);
	f->wire.at_once = 1;
	drain(f);
	assert_string_equal(f->wire.order, "s1s2");
}

static void
what_may_be_the_same_receiver_waits(void **state) {
	struct fixture *f = *state;
	static const struct cluster_address handle = {.handle = 7}, other = {.handle = 8},
					    name = {.name = "@seven", .name_size = 6},
					    second = {.name = "@eight", .name_size = 6};
	char *block = skynet_malloc(1);
	uint64_t key = lane_key(1, cluster_target(&handle));
	queue(f, key, LANE_PARTS, 1, NULL, 0, block, 1);
	assert_true(lane_output_holds(&f->output, key));
	assert_true(lane_output_holds(&f->output, lane_key(1, cluster_target(&name))));
	assert_false(lane_output_holds(&f->output, lane_key(1, cluster_target(&other))));
	assert_false(lane_output_holds(&f->output, lane_key(2, cluster_target(&name))));
	assert_false(cluster_targets_meet(cluster_target(&name), cluster_target(&second)));
}

static void
nothing_is_lost_whatever_the_system_takes(void **state) {
	struct fixture *f = *state;
	for (int64_t at_once = 1; at_once < 200000; at_once = at_once * 3 + 1) {
		memset(f->wire.got, 0, sizeof f->wire.got);
		memset(f->wire.ended, 0, sizeof f->wire.ended);
		f->wire.at_once = at_once;
		f->wire.order[0] = '\0';
		put_large(f, 1, 1, 70000);
		put_small(f, 1, 2);
		put_large(f, 2, 3, 100000);
		put_small(f, 3, 4);
		drain(f);
		assert_int_equal(f->wire.got[1], 70000);
		assert_int_equal(f->wire.got[3], 100000);
		assert_true(f->wire.ended[1] && f->wire.ended[3]);
		assert_non_null(strstr(f->wire.order, "s2"));
		assert_non_null(strstr(f->wire.order, "s4"));
	}
}

static void
a_window_bounds_the_parts_under_way(void **state) {
	struct fixture *f = *state;
	const size_t window = 100000;
	lane_output_set_window(&f->output, (int64_t)window);
	put_large(f, 1, 1, LARGE);
	lane_output_settle(&f->output);
	assert_true(f->wire.parts_size >= window);
	assert_true(f->wire.parts_size < window + CLUSTER_PART_SIZE);
	put_small(f, 2, 2);
	lane_output_settle(&f->output);
	assert_non_null(strstr(f->wire.order, "s2"));
	size_t confirmed = 0;
	while (f->wire.got[1] < LARGE) {
		size_t before = f->wire.parts_size;
		lane_output_confirm(&f->output, (uint32_t)(before - confirmed));
		confirmed = before;
		lane_output_settle(&f->output);
		assert_true(f->wire.parts_size > before);
		assert_true(f->wire.parts_size - before < window + CLUSTER_PART_SIZE);
	}
	assert_true(f->wire.ended[1]);
}

static void
a_peer_that_confirms_too_much_gains_nothing(void **state) {
	struct fixture *f = *state;
	lane_output_set_window(&f->output, 100000);
	lane_output_confirm(&f->output, UINT32_MAX);
	put_large(f, 1, 1, LARGE);
	lane_output_settle(&f->output);
	assert_true(f->wire.parts_size < 100000 + CLUSTER_PART_SIZE);
}

static void
beside_small_messages_less_is_under_way(void **state) {
	struct fixture *f = *state;
	const size_t wide = (size_t)LANE_WINDOW_WIDE, narrow = (size_t)LANE_WINDOW_NARROW;
	lane_output_set_window(&f->output, LANE_WINDOW_WIDE);
	lane_output_set_narrow(&f->output, 0);
	put_large(f, 1, 1, LARGE);
	lane_output_settle(&f->output);
	assert_true(f->wire.parts_size >= wide);
	put_small(f, 2, 2);
	lane_output_confirm(&f->output, (uint32_t)(wide - narrow)); /* not enough any more */
	size_t before = f->wire.parts_size;
	lane_output_settle(&f->output);
	assert_non_null(strstr(f->wire.order, "s2"));
	assert_int_equal(f->wire.parts_size, before);
	lane_output_confirm(&f->output, (uint32_t)narrow);
	lane_output_settle(&f->output);
	assert_true(f->wire.parts_size >= before + narrow / 2);
	assert_true(f->wire.parts_size < before + narrow + CLUSTER_PART_SIZE);
}

static void
a_long_line_stays_filled_beside_small_messages(void **state) {
	struct fixture *f = *state;
	const size_t line = 300000;
	lane_output_set_window(&f->output, LANE_WINDOW_WIDE);
	lane_output_set_narrow(&f->output, line * LANE_LINE_NS_BYTE);
	put_large(f, 3, 3, 2 * CLUSTER_PART_SIZE);
	lane_output_settle(&f->output);
	put_small(f, 2, 2);
	put_large(f, 1, 1, LARGE);
	lane_output_settle(&f->output);
	assert_true(f->wire.parts_size >= line);
	assert_true(f->wire.parts_size < line + CLUSTER_PART_SIZE);
}

/* Sends what may be sent, and confirms as the other end does after each read. */
static void
exchange(struct fixture *f) {
	uint32_t confirmed;
	do {
		lane_output_settle(&f->output);
		confirmed = lane_confirm_take(&f->wire.confirm, false);
		lane_output_confirm(&f->output, confirmed);
	} while (confirmed > 0);
	assert_int_equal(lane_output_waiting(&f->output), 0);
}

static void
neither_end_waits_for_the_other_whatever_is_mixed(void **state) {
	struct fixture *f = *state;
	lane_output_set_window(&f->output, LANE_WINDOW_WIDE);
	lane_output_set_narrow(&f->output, 0);
	uint32_t random = 1;
	for (int round = 0; round < 300; round++) {
		memset(f->wire.got, 0, sizeof f->wire.got);
		memset(f->wire.ended, 0, sizeof f->wire.ended);
		for (uint32_t session = 1; session < PAYLOADS; session++) {
			random = random * 1103515245 + 12345;
			if ((random >> 16 & 7) < 2)
				put_small(f, 1 + session % 2, session);
			else if ((random >> 16 & 7) < (round < 150 ? 4 : 3))
				put_large(f, 1 + session % 2, session,
					40000 + (random >> 8) % 200000);
			if ((random >> 24 & 3) == 0)
				exchange(f);
		}
		exchange(f);
	}
}

static void
small_messages_ahead_of_large_ones_make_no_mixture(void **state) {
	struct fixture *f = *state;
	lane_output_set_window(&f->output, LANE_WINDOW_WIDE);
	lane_output_set_narrow(&f->output, 0);
	for (uint32_t i = 0; i < 100; i++)
		put_small(f, 2, 2);
	put_large(f, 1, 1, LARGE);
	lane_output_settle(&f->output);
	assert_true(f->wire.parts_size >= (size_t)LANE_WINDOW_WIDE);
	assert_int_equal(lane_confirm_take(&f->wire.confirm, false), f->wire.parts_size);
	/* One among them does, however many come with it. */
	for (uint32_t i = 0; i < 100; i++)
		put_small(f, 2, 2);
	assert_int_equal(f->output.mix.left, LANE_MIX_STEP);
}

static void
a_small_message_behind_a_large_one_counts_when_it_leaves(void **state) {
	struct fixture *f = *state;
	lane_output_set_window(&f->output, LANE_WINDOW_WIDE);
	lane_output_set_narrow(&f->output, 0);
	put_large(f, 1, 1, LARGE);
	put_small(f, 1, 2);
	exchange(f); /* the other end still confirms seldom */
	assert_non_null(strstr(f->wire.order, "L1s2"));
}

static void
it_is_wide_again_after_a_while(void **state) {
	struct fixture *f = *state;
	const size_t wide = (size_t)LANE_WINDOW_WIDE;
	lane_output_set_window(&f->output, LANE_WINDOW_WIDE);
	lane_output_set_narrow(&f->output, 0);
	put_large(f, 3, 3, LARGE);
	exchange(f);
	put_small(f, 2, 2);
	for (size_t sent = 0; sent < LANE_MIX_STEP; sent += LARGE) {
		f->wire.got[1] = 0;
		f->wire.ended[1] = false;
		put_large(f, 1, 1, LARGE);
		exchange(f);
	}
	lane_output_confirm(&f->output, lane_confirm_take(&f->wire.confirm, true));
	f->wire.got[1] = 0;
	f->wire.ended[1] = false;
	put_large(f, 1, 1, LARGE);
	size_t before = f->wire.parts_size;
	lane_output_settle(&f->output);
	assert_true(f->wire.parts_size - before >= wide);
	assert_int_equal(lane_confirm_take(&f->wire.confirm, false), f->wire.parts_size - before);
}

static void
credit_does_not_count_while_confirmations_are_not_read(void **state) {
	struct fixture *f = *state;
	lane_output_set_window(&f->output, LANE_WINDOW_WIDE);
	put_large(f, 1, 1, LARGE);
	lane_output_settle(&f->output);
	assert_false(f->wire.ended[1]);
	f->output.deaf = true;
	assert_true(lane_output_ready(&f->output));
	lane_output_settle(&f->output);
	assert_true(f->wire.ended[1]);
	f->output.deaf = false;
	put_large(f, 1, 2, LARGE);
	assert_false(lane_output_ready(&f->output));
	lane_output_confirm(&f->output, LARGE);
	exchange(f);
	assert_true(f->wire.ended[2]);
}

static void
what_has_not_begun_can_be_taken_back(void **state) {
	struct fixture *f = *state;
	f->wire.takes = 1000;
	put_large(f, 1, 1, LARGE);
	lane_output_settle(&f->output);
	put_large(f, 1, 2, LARGE);
	put_large(f, 2, 3, LARGE);
	lane_output_cancel(&f->output, 1); /* has begun */
	lane_output_cancel(&f->output, 2);
	lane_output_cancel(&f->output, 3);
	lane_output_cancel(&f->output, 4); /* unknown */
	assert_false(lane_output_holds(&f->output, lane_key(2, 0)));
	drain(f);
	assert_int_equal(f->wire.got[1], LARGE);
	assert_int_equal(f->wire.got[2] + f->wire.got[3], 0);
}

static void
frames_are_gathered_while_messages_wait(void **state) {
	struct fixture *f = *state;
	f->wire.mailbox = 1;
	for (int i = 0; i < 100; i++) {
		put_small(f, 1, 1);
		lane_output_settle(&f->output);
	}
	assert_int_equal(f->wire.writes, 0);
	f->wire.mailbox = 0;
	lane_output_settle(&f->output);
	assert_int_equal(f->wire.writes, 1);
	f->wire.mailbox = 1;
	for (int i = 0; i < 1000; i++) {
		put_small(f, 1, 1);
		lane_output_settle(&f->output);
	}
	assert_true(f->wire.writes > 1); /* not for ever */
}

static void
parts_give_way_once_to_who_got_a_small_message(void **state) {
	struct fixture *f = *state;
	lane_output_expect_answer(&f->output);
	put_small(f, 1, 1);
	lane_output_settle(&f->output);
	assert_string_equal(f->wire.order, "s1"); /* nothing large is in the way of an answer */
	put_large(f, 1, 2, 2 * CLUSTER_PART_SIZE);
	lane_output_expect_answer(&f->output);
	lane_output_settle(&f->output);
	assert_int_equal(f->wire.turns, 1);
	assert_string_equal(f->wire.order, "s1");
	/* The answer, and one more small message that has come meanwhile. */
	put_small(f, 2, 3);
	lane_output_expect_answer(&f->output);
	lane_output_settle(&f->output);
	assert_int_equal(f->wire.turns, 1);
	assert_string_equal(f->wire.order, "s1s3B2p2L2");
}

static void
what_must_wait_anyway_gives_no_way(void **state) {
	struct fixture *f = *state;
	lane_output_set_window(&f->output, (int64_t)CLUSTER_PART_SIZE);
	put_large(f, 1, 1, 4 * CLUSTER_PART_SIZE);
	lane_output_settle(&f->output);
	put_small(f, 2, 2);
	lane_output_expect_answer(&f->output);
	lane_output_settle(&f->output); /* a part may not leave, a small frame may */
	assert_int_equal(f->wire.turns, 0);
	assert_string_equal(f->wire.order, "B1p1s2");
	lane_output_confirm(&f->output, CLUSTER_PART_SIZE);
	f->wire.takes = 0;
	lane_output_settle(&f->output);
	lane_output_expect_answer(&f->output);
	assert_false(lane_output_gives_way(&f->output)); /* the system takes nothing */
}

static void
a_spill_hands_over_all_of_it(void **state) {
	struct fixture *f = *state;
	f->wire.takes = 50000;
	put_large(f, 1, 1, LARGE);
	lane_output_settle(&f->output);
	put_small(f, 1, 2);
	put_large(f, 2, 3, LARGE);
	lane_output_spill(&f->output);
	assert_int_equal(lane_output_waiting(&f->output), 0);
	assert_int_equal(f->wire.got[1] + f->wire.got[3], 2 * LARGE);
	assert_non_null(strstr(f->wire.order, "s2"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void
the_window_is_what_the_line_carries_within_bounds(void **state) {
	(void)state;
	assert_int_equal(lane_window(0), LANE_WINDOW_WIDE);
	assert_int_equal(lane_window((uint64_t)LANE_WINDOW_WIDE * LANE_LINE_NS_BYTE * 3),
		LANE_WINDOW_WIDE * 3);
	assert_int_equal(lane_window(UINT64_MAX), LANE_WINDOW_MAX);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		CASE(parts_of_several_payloads_take_turns),
		CASE(payloads_of_one_lane_leave_one_after_the_other),
		CASE(a_small_frame_passes_parts_of_another_lane_only),
		CASE(no_more_payloads_are_begun_than_the_other_end_takes),
		CASE(a_frame_in_a_lane_has_its_tail),
		CASE(what_may_be_the_same_receiver_waits),
		CASE(nothing_is_lost_whatever_the_system_takes),
		CASE(a_window_bounds_the_parts_under_way),
		CASE(a_peer_that_confirms_too_much_gains_nothing),
		CASE(beside_small_messages_less_is_under_way),
		CASE(the_window_is_what_the_line_carries_within_bounds),
		CASE(a_long_line_stays_filled_beside_small_messages),
		CASE(neither_end_waits_for_the_other_whatever_is_mixed),
		CASE(small_messages_ahead_of_large_ones_make_no_mixture),
		CASE(a_small_message_behind_a_large_one_counts_when_it_leaves),
		CASE(it_is_wide_again_after_a_while),
		CASE(credit_does_not_count_while_confirmations_are_not_read),
		CASE(what_has_not_begun_can_be_taken_back),
		CASE(frames_are_gathered_while_messages_wait),
		CASE(parts_give_way_once_to_who_got_a_small_message),
		CASE(what_must_wait_anyway_gives_no_way),
		CASE(a_spill_hands_over_all_of_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
