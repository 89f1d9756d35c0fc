#include "harbor_link.h"

#include <stdio.h>
#include <string.h>

#include "harbor_send.h"
#include "harbor_word.h"
#include "skynet_socket.h"

#define NANO_PER_MILLI       UINT64_C(1000000)
#define SILENCE_TICKS        3 /* heartbeats missed before a peer counts as lost */
#define KEEPALIVE_IDLE_S     10
#define KEEPALIVE_INTERVAL_S 5
#define USER_TIMEOUT_MS      20000
#define REASON_MAX           128
#define DEAD_SERVICE         "dead_service"

struct harbor_link *
harbor_find_link(struct harbor *harbor, int fd) {
	for (int i = 0; i < harbor->open_count; i++)
		if (harbor->links[harbor->open[i]].fd == fd)
			return &harbor->links[harbor->open[i]];
	return NULL;
}

/* ---- errors to those who wait ---- */

bool
harbor_wants_error(int type) {
	return type != PTYPE_RESPONSE && type != PTYPE_ERROR && type != PTYPE_MULTICAST;
}

void
harbor_refuse(struct harbor *harbor, const struct waiting_message *message, const char *reason) {
	if (harbor_wants_error(message->type) && message->source != 0)
		/* The bytes are only read without PTYPE_TAG_DONTCOPY. */
		skynet_send(harbor->context, message->destination, message->source, PTYPE_ERROR,
			message->session, (void *)(uintptr_t)reason, strlen(reason));
	skynet_free(message->data);
}

/* Writes why there is no way to `handle`, with the id of its node, in at most REASON_MAX bytes.
 * Returns `text`. */
static char *
dead_node_text(char *text, uint32_t handle, const char *why) {
	snprintf(text, REASON_MAX, "dead_node: %u (%s)", handle >> HANDLE_REMOTE_SHIFT, why);
	return text;
}

void
harbor_refuse_dead(struct harbor *harbor, const struct waiting_message *message, const char *why) {
	char text[REASON_MAX];
	harbor_refuse(harbor, message, dead_node_text(text, message->destination, why));
}

/* ---- sending ---- */

void
harbor_link_send(struct harbor_link *link, const struct waiting_message *message) {
	struct harbor *harbor = link->harbor;
	switch (link->state) {
	case LINK_UP:
		harbor_send_message(link, message);
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
		harbor_refuse_dead(harbor, message, "there is no link to it");
		break;
	}
}

void
harbor_link_resume(struct harbor_link *link) {
	lane_output_resume(link->output);
	harbor_send_touch(link);
}

static void
flush(struct harbor_link *link) {
	/* A confirmation that leaves with other output costs no system call of its own. */
	if (lane_output_ready(link->output))
		harbor_word_confirm(link, true);
	lane_output_flush(link->output);
	if (harbor_send_overflows(link))
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

/* ---- receiving: the id of the peer, then frames ---- */

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
		harbor_word_ping(link);
		harbor_word_offer(link);
	}
	while (message_queue_pop(&link->queue, &message))
		harbor_send_message(link, &message);
}

static void
answer_error(struct harbor_link *link, const struct harbor_frame *frame, const char *reason) {
	struct harbor *harbor = link->harbor;
	if (!harbor_wants_error(frame->type))
		return;
	skynet_send(harbor->context,
		(uint32_t)harbor->id << HANDLE_REMOTE_SHIFT | frame->destination, frame->source,
		PTYPE_ERROR, frame->session, (void *)(uintptr_t)reason, strlen(reason));
}

/* Whether the type of a message carries pointers or commands, which only this process may send. (A
 * multicast message from the network is plain bytes: only the kernel can mark one as shared.) */
static bool
is_internal(const struct harbor_frame *frame) {
	return frame->type == PTYPE_SYSTEM || frame->type == PTYPE_HARBOR ||
	       frame->type == PTYPE_SOCKET;
}

/* Logs the first one, the second, the fourth and so on: a peer cannot fill the log. */
static void
refuse_internal(struct harbor_link *link, const struct harbor_frame *frame) {
	struct harbor *harbor = link->harbor;
	uint64_t refused = ++link->refused;
	if ((refused & (refused - 1)) == 0)
		skynet_error(harbor->context,
			"error: refused a message of type %d from :%08x (harbor %d) to :%08x; %llu "
			"so far",
			frame->type, frame->source, link->id,
			(uint32_t)harbor->id << HANDLE_REMOTE_SHIFT | frame->destination,
			(unsigned long long)refused);
	answer_error(link, frame, "remote: this type of message must not leave its node");
	skynet_free(frame->payload);
}

/* Hands a message to a service of this node. Takes the payload. */
static void
deliver(struct harbor_link *link, const struct harbor_frame *frame) {
	struct harbor *harbor = link->harbor;
	uint32_t destination = (uint32_t)harbor->id << HANDLE_REMOTE_SHIFT | frame->destination;
	if (frame->session > 0 && (frame->type == PTYPE_RESPONSE || frame->type == PTYPE_ERROR))
		call_table_take(&harbor->calls, destination, frame->session);
	/* skynet_send would replace source 0 by this service. */
	uint32_t source =
		frame->source != 0 ? frame->source : (uint32_t)link->id << HANDLE_REMOTE_SHIFT;
	int result = skynet_send(harbor->context, source, destination,
		frame->type | PTYPE_TAG_DONTCOPY, frame->session, frame->payload, frame->size);
	if (result >= 0 && !frame->joined)
		lane_output_expect_answer(link->output);
	if (result < 0)
		answer_error(link, frame, result == SKYNET_SEND_FULL ? "overloaded" : DEAD_SERVICE);
	else if (frame->session > 0 && harbor_wants_error(frame->type))
		served_table_put(&harbor->served, source, frame->session, destination);
}

static void
on_frame(void *ud, const struct harbor_frame *frame) {
	struct harbor_link *link = ud;
	bool to_us = frame->destination == 0;
	if (to_us && frame->type == PTYPE_ERROR && harbor_word_take(link, frame)) {
		skynet_free(frame->payload);
		return;
	}
	if (!frame->joined)
		lane_confirm_small(&link->reader.confirm);
	if (to_us) {
		answer_error(link, frame, DEAD_SERVICE);
		skynet_free(frame->payload);
	} else if (is_internal(frame)) {
		refuse_internal(link, frame);
	} else {
		deliver(link, frame);
	}
}

/* The first bytes are not the id of the node that was dialled: another node, or one that wants to
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
		harbor_word_confirm(link, false);
}

/* ---- life ---- */

static void
forget_name(void *ud, struct name_entry *entry) {
	const struct harbor_link *link = ud;
	if (entry->handle >> HANDLE_REMOTE_SHIFT == (uint32_t)link->id) {
		entry->handle = 0;
		entry->asked = false;
	}
}

/* Gives the link its socket. With forget_socket the only place that changes `fd`, so that `open`
 * lists exactly the links that have one. */
static void
set_socket(struct harbor_link *link, int fd) {
	struct harbor *harbor = link->harbor;
	link->fd = fd;
	harbor->open[harbor->open_count++] = link->id;
	harbor_send_start(link);
}

/* Closes the socket of a link, if there is one, and drops its output. */
static void
forget_socket(struct harbor_link *link) {
	struct harbor *harbor = link->harbor;
	int kept = 0;
	if (link->fd == NO_SOCKET)
		return;
	for (int i = 0; i < harbor->open_count; i++)
		if (harbor->open[i] != link->id)
			harbor->open[kept++] = harbor->open[i];
	harbor->open_count = kept;
	skynet_socket_close(harbor->context, link->fd);
	link->fd = NO_SOCKET;
	harbor_send_stop(link);
}

void
harbor_link_open(struct harbor_link *link, int fd, bool dialled, bool beats) {
	struct harbor *harbor = link->harbor;
	bool crossed = link->fd != NO_SOCKET && link->state != LINK_UP && link->dialled && !dialled;
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
	set_socket(link, fd);
	link->local = false;
	link->state = LINK_TAKING;
	link->dialled = dialled;
	link->beats = beats;
	link->ping_ns = link->rtt_ns = 0;
	link->parts = false;
	link->last_number = 0;
	link->heard_ns = skynet_clock_ns(harbor->context);
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
	harbor_send_id(link);
	if (link->dialled)
		link->state = LINK_HANDSHAKE;
	else
		go_up(link);
}

static void
fail_call(void *ud, uint32_t caller, int session, uint32_t callee) {
	struct harbor *harbor = ud;
	char text[REASON_MAX];
	dead_node_text(text, callee, "it was lost");
	skynet_send(harbor->context, callee, caller, PTYPE_ERROR, session, text, strlen(text));
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
	forget_socket(link);
	link->local = false;
	link->state = LINK_DOWN;
	frame_reader_clear(&link->reader);
	struct waiting_message message;
	while (message_queue_pop(&link->queue, &message))
		harbor_refuse_dead(harbor, &message, "it was lost");
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
		harbor_word_ping(link);
}
