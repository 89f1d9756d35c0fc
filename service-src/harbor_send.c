#include "harbor_send.h"

#include <string.h>

#define GATHER_SIZE ((size_t)262144) /* this much output is written without waiting for more */
#define COPY_MAX    ((size_t)16384)  /* a larger payload is not copied into the gathered output */
#define LARGE_SIZE  ((size_t)65536)  /* a larger payload goes in parts, where the peer takes them */
#define PART_SIZE   ((size_t)32768)

/* Bytes that wait to be sent. */
#define CONGESTED   ((size_t)64 << 20)               /* requests are refused */
#define SEND_LIMIT  ((size_t)256 << 20)              /* answers become errors */
#define CLOSE_LIMIT (SEND_LIMIT + ((size_t)1 << 20)) /* there was room for these errors */

static size_t
part_head(char *head, const struct lane_item *item, size_t size, bool last) {
	(void)last;
	harbor_frame_put_part(head, item->session, size);
	return FRAME_PART_HEAD;
}

/* Messages are addressed by handle here, so different targets are different services. */
static bool
never_same(uint32_t a, uint32_t b) {
	(void)a;
	(void)b;
	return false;
}

static const struct lane_framing FRAMING = {
	.part_size = PART_SIZE,
	.begun_max = FRAME_JOIN_MAX,
	.part_head = part_head,
	.same_target = never_same,
};
_Static_assert(FRAME_PART_HEAD <= LANE_PART_HEAD, "there is room for the head of a part");

void
harbor_send_start(struct harbor_link *link) {
	link->output = skynet_malloc(sizeof *link->output);
	lane_output_init(link->output, &FRAMING, link->harbor->context, link->fd);
}

void
harbor_send_stop(struct harbor_link *link) {
	lane_output_fini(link->output);
	skynet_free(link->output);
	link->output = NULL;
}

void
harbor_send_touch(struct harbor_link *link) {
	struct harbor *harbor = link->harbor;
	if (!link->touched)
		harbor->touched[harbor->touched_count++] = link->id;
	link->touched = true;
	if (link->output->size >= GATHER_SIZE)
		lane_output_flush(link->output);
}

void
harbor_send_id(struct harbor_link *link) {
	*lane_output_append(link->output, 1) = (char)(unsigned char)link->harbor->id;
	harbor_send_touch(link);
}

void
harbor_send_frame(struct harbor_link *link, const struct harbor_frame *frame) {
	char *bytes = lane_output_append(link->output, harbor_frame_size(frame->size));
	harbor_frame_put(bytes, frame);
	harbor_send_touch(link);
}

/* Puts a message into the lane of its sender and receiver. Takes the data. */
static void
queue_message(struct harbor_link *link, const struct harbor_frame *frame, uint64_t key) {
	char head[FRAME_BEGIN_SIZE], trailer[FRAME_TRAILER_SIZE];
	struct lane_payload payload = {
		.key = key,
		.head = head,
		.block = frame->payload,
		.at = frame->payload,
		.size = frame->size,
	};
	if (link->parts && frame->size > LARGE_SIZE) {
		payload.form = LANE_PARTS;
		payload.session = ++link->last_number;
		payload.head_size = FRAME_BEGIN_SIZE;
		harbor_frame_put_begin(head, link->last_number, frame);
	} else {
		payload.form = LANE_WHOLE;
		payload.head_size = FRAME_HEAD_SIZE;
		payload.tail = trailer;
		payload.tail_size = FRAME_TRAILER_SIZE;
		harbor_frame_put_head(head, frame);
		harbor_frame_put_trailer(trailer, frame);
	}
	lane_output_queue(link->output, &payload);
	harbor_send_touch(link);
}

/* Sends a message, or queues it: when it is large, or when earlier ones of the same sender and
 * receiver are still queued, which it must not overtake. Takes the data. */
static void
write_message(struct harbor_link *link, const struct waiting_message *message) {
	struct harbor_frame frame = {
		.source = message->source,
		.destination = message->destination,
		.type = message->type,
		.session = message->session,
		/* A node of the reference sends and expects no text. */
		.size = message->type == PTYPE_ERROR && !link->beats ? 0 : message->size,
		.payload = message->data,
	};
	struct lane_output *output = link->output;
	uint64_t key = lane_key(message->source, message->destination);
	/* Small messages are copied into the gathered output, so that many leave with one system
	 * call. */
	size_t small = link->parts ? LARGE_SIZE : COPY_MAX;
	if (frame.size > small || (output->lane != NULL && lane_output_holds(output, key))) {
		queue_message(link, &frame, key);
	} else {
		harbor_send_frame(link, &frame);
		lane_output_small(output);
		skynet_free(message->data);
	}
}

/* The caller gets an error instead of an answer that cannot be sent. Takes the data. */
static void
replace_answer(
	struct harbor_link *link, const struct waiting_message *message, const char *reason) {
	struct waiting_message error = *message;
	error.type = PTYPE_ERROR;
	error.size = strlen(reason);
	error.data = skynet_strdup(reason);
	skynet_free(message->data);
	write_message(link, &error);
}

void
harbor_send_message(struct harbor_link *link, const struct waiting_message *message) {
	struct harbor *harbor = link->harbor;
	bool is_answer = message->type == PTYPE_RESPONSE && message->session > 0;
	if (message->size > FRAME_PAYLOAD_MAX) {
		skynet_error(harbor->context,
			"error: a message of %zu bytes from :%08x to :%08x is too large for a harbor link",
			message->size, message->source, message->destination);
		if (is_answer)
			replace_answer(
				link, message, "remote: the answer is too large for this node");
		else
			harbor_refuse(harbor, message,
				"remote: the message is too large for another node");
		return;
	}
	bool is_call = message->session > 0 && harbor_wants_error(message->type);
	if (is_call && lane_output_waiting(link->output) >= CONGESTED) {
		harbor_refuse(harbor, message, "overloaded: the link to that node is congested");
		return;
	}
	/* The socket has failed, but its event has not reached this service yet. */
	if (link->output->failed) {
		harbor_refuse_dead(harbor, message, "the link is broken");
		return;
	}
	if (is_answer && lane_output_waiting(link->output) + message->size > SEND_LIMIT) {
		replace_answer(link, message, "overloaded: the link to this node is congested");
		return;
	}
	/* The answer to a redirected request goes to the node of its source, which remembers the
	 * call. */
	if (is_call && message->source >> HANDLE_REMOTE_SHIFT == (uint32_t)harbor->id) {
		call_table_put(
			&harbor->calls, message->source, message->session, message->destination);
		harbor_start_ticking(harbor);
	}
	write_message(link, message);
}

bool
harbor_send_overflows(const struct harbor_link *link) {
	return lane_output_waiting(link->output) > CLOSE_LIMIT;
}
