#include "harbor_word.h"

#include <string.h>

#include "harbor_send.h"
#include "skynet_socket.h"

#define PARTS_RULES 2 /* how parts are confirmed, see lane_mix.h */

static const char PING[] = "ping", PONG[] = "pong", PARTS[] = "parts", TAKEN[] = "taken";

/* Sends a control word; `number` stands in the session of its frame. */
static void
write_word(struct harbor_link *link, const char *word, int number) {
	struct harbor_frame frame = {
		.source = (uint32_t)link->harbor->id << HANDLE_REMOTE_SHIFT,
		.type = PTYPE_ERROR,
		.session = number,
		.size = strlen(word),
		.payload = (void *)(uintptr_t)word,
	};
	harbor_send_frame(link, &frame);
}

void
harbor_word_ping(struct harbor_link *link) {
	if (link->ping_ns == 0)
		link->ping_ns = skynet_clock_ns(link->harbor->context);
	write_word(link, PING, 0);
}

void
harbor_word_offer(struct harbor_link *link) {
	if (link->reader.takes_parts)
		return;
	link->reader.takes_parts = true;
	write_word(link, PARTS, PARTS_RULES);
}

void
harbor_word_confirm(struct harbor_link *link, bool now) {
	uint32_t size = lane_confirm_take(&link->reader.confirm, now);
	if (size > 0)
		write_word(link, TAKEN, (int)size);
}

/* Sets how many bytes of parts may be unconfirmed. */
static void
set_window(struct harbor_link *link) {
	uint64_t rtt_ns = skynet_socket_round_trip(link->harbor->context, link->fd);
	if (rtt_ns == 0)
		rtt_ns = link->rtt_ns;
	lane_output_set_window(link->output, lane_window(rtt_ns));
	lane_output_set_narrow(link->output, rtt_ns);
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

bool
harbor_word_take(struct harbor_link *link, const struct harbor_frame *frame) {
	if (frame->source >> HANDLE_REMOTE_SHIFT != (uint32_t)link->id)
		return false;
	if (says(frame, PING)) {
		link->beats = true;
		write_word(link, PONG, 0);
		harbor_word_offer(link);
		harbor_start_ticking(link->harbor);
	} else if (says(frame, PONG)) {
		on_pong(link);
	} else if (says(frame, PARTS) && frame->session == PARTS_RULES) {
		link->parts = true;
		set_window(link);
	} else if (says(frame, TAKEN) && frame->session > 0) {
		lane_output_confirm(link->output, (uint32_t)frame->session);
		harbor_send_touch(link);
	} else {
		return false;
	}
	return true;
}
