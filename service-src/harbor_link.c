#include "harbor_link.h"

#include <stdio.h>
#include <string.h>

#include "skynet_socket.h"

#define HANDLE_MASK          0xffffffu
#define NANO_PER_MILLI       UINT64_C(1000000)
#define SILENCE_TICKS        3 /* heartbeats missed before a peer counts as lost */
#define SEND_LIMIT           ((size_t)256 << 20) /* waiting to be sent: answers become errors */
#define CLOSE_LIMIT          (SEND_LIMIT + ((size_t)1 << 20)) /* there is room for the errors */
#define CONGESTED            ((size_t)64 << 20)               /* requests are refused */
#define KEEPALIVE_IDLE_S     10
#define KEEPALIVE_INTERVAL_S 5
#define USER_TIMEOUT_MS      20000
#define REASON_MAX           128
#define DEAD_SERVICE         "dead_service"

#define GATHER_SIZE ((size_t)262144) /* this much output is written without waiting for more */
#define COPY_MAX    ((size_t)16384)  /* a larger payload is not copied into the gathered output */
#define LARGE_SIZE  ((size_t)65536)  /* a larger payload goes in parts, where the peer takes them */
#define PART_SIZE   ((size_t)32768)
#define WINDOW_MAX  ((uint64_t)16777216)
#define PARTS_RULES 2 /* how parts are confirmed, see lane_mix.h */

/* Control words between our nodes: payloads of frames of type error to handle 0, which a node of
 * the reference ignores. PARTS: this end takes parts and confirms them by the rules with the number
 * `session`. TAKEN: `session` bytes of parts have been read. */
static const char PING[] = "ping", PONG[] = "pong", PARTS[] = "parts", TAKEN[] = "taken";

struct harbor_link *
harbor_find_link(struct harbor *harbor, int fd) {
	for (int i = 0; i < harbor->open_count; i++)
		if (harbor->links[harbor->open[i]].fd == fd)
			return &harbor->links[harbor->open[i]];
	return NULL;
}

/* ---- errors to those who wait ---- */

static bool
wants_error(int type) {
	return type != PTYPE_RESPONSE && type != PTYPE_ERROR && type != PTYPE_MULTICAST;
}

void
harbor_refuse(struct harbor *harbor, const struct waiting_message *message, const char *reason) {
	if (wants_error(message->type) && message->source != 0)
		/* The bytes are only read without PTYPE_TAG_DONTCOPY. */
		skynet_send(harbor->context, message->destination, message->source, PTYPE_ERROR,
			message->session, (void *)(uintptr_t)reason, strlen(reason));
	skynet_free(message->data);
}

/* ---- writing ---- */

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

/* Notes that the link has output, which settle() in harbor.c writes after this message. */
static void
touch(struct harbor_link *link) {
	struct harbor *harbor = link->harbor;
	if (!link->touched)
		harbor->touched[harbor->touched_count++] = link->id;
	link->touched = true;
	if (link->output->size >= GATHER_SIZE)
		lane_output_flush(link->output);
}

static void
write_id(struct harbor_link *link) {
	*lane_output_append(link->output, 1) = (char)(unsigned char)link->harbor->id;
	touch(link);
}

static void
write_frame(struct harbor_link *link, const struct harbor_frame *frame) {
	char *bytes = lane_output_append(link->output, harbor_frame_size(frame->size));
	harbor_frame_put(bytes, frame);
	touch(link);
}

/* Sends a control word; `number` stands in the session of its frame. */
static void
write_word(struct harbor_link *link, const char *word, int number) {
	struct harbor_frame frame = {
		.source = (uint32_t)link->harbor->id << HARBOR_SHIFT,
		.type = PTYPE_ERROR,
		.session = number,
		.size = strlen(word),
		.payload = (void *)(uintptr_t)word,
	};
	write_frame(link, &frame);
}

static void
write_ping(struct harbor_link *link) {
	if (link->ping_ns == 0)
		link->ping_ns = skynet_clock_ns(link->harbor->context);
	write_word(link, PING, 0);
}

/* Says that this end takes parts. */
static void
offer_parts(struct harbor_link *link) {
	if (link->reader.takes_parts)
		return;
	link->reader.takes_parts = true;
	write_word(link, PARTS, PARTS_RULES);
}

/* Tells the peer how many bytes of parts have come, when there are enough of them, or `now`. */
static void
confirm_parts(struct harbor_link *link, bool now) {
	uint32_t size = lane_confirm_take(&link->reader.confirm, now);
	if (size > 0)
		write_word(link, TAKEN, (int)size);
}

/* Sets how many bytes of parts may be unconfirmed: as many as the line carries in a round trip, if
 * that is known and more than the default. */
static void
set_window(struct harbor_link *link) {
	uint64_t rtt_ns = skynet_socket_round_trip(link->harbor->context, link->fd);
	if (rtt_ns == 0)
		rtt_ns = link->rtt_ns;
	uint64_t line =
		rtt_ns / LANE_LINE_NS_BYTE < WINDOW_MAX ? rtt_ns / LANE_LINE_NS_BYTE : WINDOW_MAX;
	lane_output_set_window(
		link->output, (int64_t)line > LANE_WINDOW_WIDE ? (int64_t)line : LANE_WINDOW_WIDE);
	lane_output_set_narrow(link->output, rtt_ns);
}

void
harbor_link_resume(struct harbor_link *link) {
	lane_output_resume(link->output);
	touch(link);
}

static void
flush(struct harbor_link *link) {
	struct lane_output *output = link->output;
	/* A confirmation that leaves with other output costs no system call of its own. */
	if (lane_output_ready(output))
		confirm_parts(link, true);
	lane_output_flush(output);
	if (lane_output_waiting(output) > CLOSE_LIMIT)
		harbor_link_close(link, "send buffer limit");
}

void
harbor_links_flush(struct harbor *harbor) {
	int kept = 0;
	for (int i = 0; i < harbor->touched_count; i++) {
		struct harbor_link *link = &harbor->links[harbor->touched[i]];
		if (link->output != NULL && !lane_output_gives_way(link->output))
			flush(link);
		/* A flush stops when messages wait for this service: the rest is written after
		 * them. */
		link->touched = link->output != NULL && lane_output_ready(link->output);
		if (link->touched)
			harbor->touched[kept++] = link->id;
	}
	harbor->touched_count = kept;
}

/* ---- sending ---- */

/* Puts a message into the lane of its sender and receiver. Takes the data. */
static void
queue_message(struct harbor_link *link, const struct harbor_frame *frame, uint64_t key) {
	char head[FRAME_BEGIN_SIZE], trailer[FRAME_TRAILER_SIZE];
	if (link->parts && frame->size > LARGE_SIZE) {
		harbor_frame_put_begin(head, ++link->last_number, frame);
		lane_output_queue(link->output, key, LANE_PARTS, link->last_number, head,
			FRAME_BEGIN_SIZE, frame->payload, frame->payload, frame->size);
	} else {
		harbor_frame_put_head(head, frame);
		harbor_frame_put_trailer(trailer, frame);
		lane_output_queue_frame(link->output, key, head, FRAME_HEAD_SIZE, trailer,
			FRAME_TRAILER_SIZE, frame->payload, frame->size);
	}
	touch(link);
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
	if (frame.size > small || (output->lane != NULL && lane_output_waits(output, key))) {
		queue_message(link, &frame, key);
	} else {
		write_frame(link, &frame);
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

static void
send_message(struct harbor_link *link, const struct waiting_message *message) {
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
	bool is_call = message->session > 0 && wants_error(message->type);
	if (is_call && lane_output_waiting(link->output) >= CONGESTED) {
		harbor_refuse(harbor, message, "overloaded: the link to that node is congested");
		return;
	}
	/* The socket has failed, but its event has not reached this service yet. */
	if (link->output->failed) {
		harbor_refuse(harbor, message, "dead_node: the link is broken");
		return;
	}
	if (is_answer && lane_output_waiting(link->output) + message->size > SEND_LIMIT) {
		replace_answer(link, message, "overloaded: the link to this node is congested");
		return;
	}
	/* The answer to a redirected request goes to the node of its source, which remembers the
	 * call. */
	if (is_call && message->source >> HARBOR_SHIFT == (uint32_t)harbor->id) {
		call_table_put(
			&harbor->calls, message->source, message->session, message->destination);
		harbor_start_ticking(harbor);
	}
	write_message(link, message);
}

void
harbor_link_send(struct harbor_link *link, const struct waiting_message *message) {
	struct harbor *harbor = link->harbor;
	switch (link->state) {
	case LINK_UP:
		send_message(link, message);
		break;
	case LINK_WAIT:
	case LINK_TAKING:
	case LINK_HANDSHAKE:
		if (!message_queue_push(&link->queue, message))
			harbor_refuse(harbor, message, "overloaded: too much waits for that node");
		else
			harbor_start_ticking(harbor);
		break;
	case LINK_DOWN:
		harbor_log_drop(harbor, message);
		harbor_refuse(harbor, message, "dead_node: there is no link to that node");
		break;
	}
}

/* Tells the slave what has become of a link, and why. */
static void
tell_slave(struct harbor_link *link, char letter, const char *reason) {
	struct harbor *harbor = link->harbor;
	char text[REASON_MAX + 16];
	int size = snprintf(text, sizeof text, "%c %d%.*s", letter, link->id, REASON_MAX, reason);
	skynet_send(harbor->context, 0, harbor->slave, PTYPE_TEXT, 0, text, (size_t)size);
}

static void
go_up(struct harbor_link *link) {
	struct waiting_message message;
	link->state = LINK_UP;
	tell_slave(link, 'U', "");
	/* Only to a node of ours: it learns from this first frame that this end is one too. */
	if (link->beats) {
		write_ping(link);
		offer_parts(link);
	}
	while (message_queue_pop(&link->queue, &message))
		send_message(link, &message);
}

/* ---- receiving ---- */

static void
answer_error(struct harbor_link *link, const struct harbor_frame *frame, const char *reason) {
	struct harbor *harbor = link->harbor;
	if (!wants_error(frame->type))
		return;
	skynet_send(harbor->context, (uint32_t)harbor->id << HARBOR_SHIFT | frame->destination,
		frame->source, PTYPE_ERROR, frame->session, (void *)(uintptr_t)reason,
		strlen(reason));
}

static bool
says(const struct harbor_frame *frame, const char *word) {
	return frame->size == strlen(word) && memcmp(frame->payload, word, frame->size) == 0;
}

static void
on_pong(struct harbor_link *link) {
	uint64_t rtt_ns = skynet_clock_ns(link->harbor->context) - link->ping_ns;
	if (link->ping_ns != 0 && (link->rtt_ns == 0 || rtt_ns < link->rtt_ns))
		link->rtt_ns = rtt_ns;
	link->ping_ns = 0;
	if (link->parts)
		set_window(link);
}

/* Handles a control word of the peer. Returns false when the frame is none. */
static bool
take_word(struct harbor_link *link, const struct harbor_frame *frame) {
	if (frame->source >> HARBOR_SHIFT != (uint32_t)link->id)
		return false;
	if (says(frame, PING)) {
		link->beats = true;
		write_word(link, PONG, 0);
		offer_parts(link);
		harbor_start_ticking(link->harbor);
	} else if (says(frame, PONG)) {
		on_pong(link);
	} else if (says(frame, PARTS) && frame->session == PARTS_RULES) {
		link->parts = true;
		set_window(link);
	} else if (says(frame, TAKEN) && frame->session > 0) {
		lane_output_confirm(link->output, (uint32_t)frame->session);
		touch(link);
	} else {
		return false;
	}
	return true;
}

/* Whether the type of a message carries pointers or commands, which only this process may send. (A
 * multicast message from the network is plain bytes: only the kernel can mark one as shared.) */
static bool
is_internal(const struct harbor_frame *frame) {
	return frame->type == PTYPE_SYSTEM || frame->type == PTYPE_HARBOR ||
	       frame->type == PTYPE_SOCKET;
}

static void
on_frame(void *ud, const struct harbor_frame *frame) {
	struct harbor_link *link = ud;
	struct harbor *harbor = link->harbor;
	bool to_us = frame->destination == 0 && frame->type == PTYPE_ERROR;
	if (to_us && take_word(link, frame)) {
		skynet_free(frame->payload);
		return;
	}
	if (!frame->joined)
		lane_confirm_small(&link->reader.confirm);
	if (frame->destination == 0) {
		answer_error(link, frame, DEAD_SERVICE);
		skynet_free(frame->payload);
		return;
	}
	uint32_t destination = (uint32_t)harbor->id << HARBOR_SHIFT | frame->destination;
	if (is_internal(frame)) {
		skynet_error(harbor->context,
			"error: refused a message of type %d from :%08x (harbor %d) to :%08x",
			frame->type, frame->source, link->id, destination);
		answer_error(link, frame, "remote: this type of message must not leave its node");
		skynet_free(frame->payload);
		return;
	}
	if (frame->session > 0 && (frame->type == PTYPE_RESPONSE || frame->type == PTYPE_ERROR))
		call_table_take(&harbor->calls, destination, frame->session);
	/* skynet_send would replace source 0 by this service. */
	uint32_t source = frame->source != 0 ? frame->source : (uint32_t)link->id << HARBOR_SHIFT;
	int result = skynet_send(harbor->context, source, destination,
		frame->type | PTYPE_TAG_DONTCOPY, frame->session, frame->payload, frame->size);
	if (result >= 0 && !frame->joined)
		lane_output_gave(link->output);
	if (result < 0)
		answer_error(link, frame, result == -3 ? "overloaded" : DEAD_SERVICE);
	else if (frame->session > 0 && wants_error(frame->type))
		served_table_put(&harbor->served, source, frame->session, destination);
}

/* The first bytes are not the id of the node that was dialed: another node, or one that wants to
 * authenticate. Closes the link with the reason. */
static void
refuse_peer(struct harbor_link *link, int id, const char *bytes, size_t size) {
	struct skynet_socket_greeting greeting = {.count = 0};
	char reason[REASON_MAX];
	if (!skynet_socket_demands(
		    link->harbor->context, &greeting, bytes, size, reason, sizeof reason))
		snprintf(reason, sizeof reason, "the peer says that it is harbor %d", id);
	harbor_link_close(link, reason);
}

void
harbor_link_receive(struct harbor_link *link, const char *bytes, size_t size) {
	link->heard_ns = skynet_clock_ns(link->harbor->context);
	if (link->state == LINK_HANDSHAKE && size > 0) {
		int id = (unsigned char)bytes[0];
		if (id != link->id) {
			refuse_peer(link, id, bytes, size);
			return;
		}
		go_up(link);
		bytes++;
		size--;
	}
	if (link->state != LINK_UP)
		return;
	if (!frame_reader_push(&link->reader, bytes, size, on_frame, link))
		harbor_link_close(link, "what came is no frame");
	else
		confirm_parts(link, false);
}

/* ---- life ---- */

static void
forget_name(void *ud, struct name_entry *entry) {
	const struct harbor_link *link = ud;
	if (entry->handle >> HARBOR_SHIFT == (uint32_t)link->id) {
		entry->handle = 0;
		entry->asked = false;
	}
}

static void
forget_socket(struct harbor_link *link) {
	struct harbor *harbor = link->harbor;
	int i = 0;
	while (harbor->open[i] != link->id)
		i++;
	harbor->open[i] = harbor->open[--harbor->open_count];
	skynet_socket_close(harbor->context, link->fd);
	link->fd = NO_SOCKET;
	lane_output_fini(link->output);
	skynet_free(link->output);
	link->output = NULL;
}

void
harbor_link_open(struct harbor_link *link, int fd, bool dialed, bool beats) {
	struct harbor *harbor = link->harbor;
	bool crossed = link->fd != NO_SOCKET && link->state != LINK_UP && link->dialed && !dialed;
	if (crossed && link->id < harbor->id)
		forget_socket(link);
	if (link->fd != NO_SOCKET) {
		skynet_error(harbor->context, "error: harbor %d is linked already", link->id);
		skynet_socket_close(harbor->context, fd);
		return;
	}
	/* The node may have been restarted, and its handles may mean other services now: names of
	 * it are forgotten, and the slave is asked for them again. */
	name_table_each(&harbor->names, forget_name, link);
	link->local = false;
	link->fd = fd;
	link->state = LINK_TAKING;
	link->dialed = dialed;
	link->beats = beats;
	link->ping_ns = link->rtt_ns = 0;
	link->parts = false;
	link->last_number = 0;
	link->output = skynet_malloc(sizeof *link->output);
	lane_output_init(link->output, &FRAMING, harbor->context, fd);
	link->heard_ns = skynet_clock_ns(harbor->context);
	harbor->open[harbor->open_count++] = link->id;
	skynet_socket_start(harbor->context, fd);
	skynet_socket_nodelay(harbor->context, fd);
	/* `output` bounds what waits. The queue of the socket is used only when the link is ended
	 * in order, and must take all of it then. */
	skynet_socket_limit(harbor->context, fd, 0, SKYNET_SOCKET_CLOSE);
	skynet_socket_keepalive(
		harbor->context, fd, KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, USER_TIMEOUT_MS);
	harbor_start_ticking(harbor);
}

void
harbor_link_taken(struct harbor_link *link) {
	if (link->state != LINK_TAKING)
		return;
	/* The id is sent only now: before, the answer of the peer could have gone to the slave. */
	write_id(link);
	if (link->dialed)
		link->state = LINK_HANDSHAKE;
	else
		go_up(link);
}

static void
fail_call(void *ud, uint32_t caller, int session, uint32_t callee) {
	static const char reason[] = "dead_node: the node was lost";
	struct harbor *harbor = ud;
	skynet_send(harbor->context, callee, caller, PTYPE_ERROR, session,
		(void *)(uintptr_t)reason, sizeof reason - 1);
}

void
harbor_link_end(struct harbor_link *link) {
	if (link->state == LINK_UP)
		lane_output_spill(link->output);
	harbor_link_close(link, "closed by the slave");
}

void
harbor_link_join(struct harbor_link *link) {
	struct harbor *harbor = link->harbor;
	struct waiting_message message;
	if (link->local)
		return;
	harbor_link_close(link, "the node runs in this process");
	name_table_each(&harbor->names, forget_name, link);
	link->local = true;
	link->state = LINK_DOWN;
	tell_slave(link, 'U', "");
	while (message_queue_pop(&link->queue, &message))
		skynet_send(harbor->context, message.source, message.destination,
			message.type | PTYPE_TAG_DONTCOPY, message.session, message.data,
			message.size);
}

void
harbor_link_close(struct harbor_link *link, const char *reason) {
	struct harbor *harbor = link->harbor;
	if (link->fd == NO_SOCKET && !link->local)
		return;
	char told[REASON_MAX];
	snprintf(told, sizeof told, " %s", reason);
	skynet_error(harbor->context, "harbor %d is disconnected: %s", link->id, reason);
	if (link->fd != NO_SOCKET)
		forget_socket(link);
	link->local = false;
	link->state = LINK_DOWN;
	frame_reader_clear(&link->reader);
	struct waiting_message message;
	while (message_queue_pop(&link->queue, &message))
		harbor_refuse(harbor, &message, "dead_node: the node was lost");
	call_table_lose(&harbor->calls, link->id, fail_call, harbor);
	served_table_lose(&harbor->served, link->id);
	tell_slave(link, 'D', told);
}

void
harbor_link_tick(struct harbor_link *link, uint64_t now_ns, bool slept) {
	if (slept)
		link->heard_ns = now_ns;
	uint64_t tick_ns = (uint64_t)link->harbor->tick_ms * NANO_PER_MILLI;
	uint64_t silence_ns = now_ns > link->heard_ns ? now_ns - link->heard_ns : 0;
	bool must_talk = link->state != LINK_UP || link->beats;
	if (link->fd != NO_SOCKET && must_talk && silence_ns > SILENCE_TICKS * tick_ns)
		harbor_link_close(link, "the peer is silent");
	else if (link->state == LINK_UP && link->beats)
		write_ping(link);
}
