/* The connection of a clustersender: down, asking for the address, dialling, up, and draining when
 * another address replaces it (clustersender_drain.c).
 *
 * One dial at a time. After one that failed, or led to no response, no other is made for a while,
 * which grows from failure to failure and differs from node to node; calls fail at once meanwhile.
 * A node that was found to be one of ours is asked for a sign of life again and again, and given up
 * when it is silent.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clustersender.h"
#include "skynet_socket.h"

#define DAEMON     "clusterd"
#define HEAD_WIDTH 2

#define NS_PER_MS       UINT64_C(1000000)
#define DIAL_MS         10000 /* a dial that takes longer has failed */
#define PAUSE_MIN_MS    50    /* after the first dial that failed */
#define PAUSE_MAX_MS    2000
#define PAUSE_DOUBLINGS 6    /* then it is PAUSE_MAX_MS */
#define PROBE_MS        1000 /* from the connection to the probe of an unknown peer, at the latest */

/* By what the system finds a dead peer that has no heartbeats. */
#define KEEPALIVE_S          10
#define KEEPALIVE_INTERVAL_S 5
#define UNACKNOWLEDGED_MS    30000

/* ---- connections ---- */

static size_t
part_head(char *head, const struct lane_item *item, size_t size, bool last) {
	return cluster_head_part(head, item->session, size, last);
}

static const struct lane_framing FRAMING = {
	.part_size = CLUSTER_PART_SIZE,
	.part_head = part_head,
	.same_target = cluster_targets_meet,
};

static void
free_link(struct link *link) {
	packet_split_fini(&link->split);
	lane_output_fini(&link->output);
	skynet_free(link);
}

void
sender_close_link(struct clustersender *sender, struct link *link) {
	lane_output_spill(&link->output);
	skynet_socket_close(sender->context, link->id);
	free_link(link);
}

struct link *
sender_find_link(struct clustersender *sender, int id) {
	if (sender->link != NULL && sender->link->id == id)
		return sender->link;
	struct link *link = sender->draining;
	while (link != NULL && link->id != id)
		link = link->next;
	return link;
}

/* ---- clusterd ---- */

void
sender_ask_address(struct clustersender *sender) {
	static const char missing[] = "no clusterd";
	char question[NODE_MAX + 16];
	int size = snprintf(question, sizeof question, "address %s", sender->node);
	uint32_t daemon = skynet_name_find(sender->context, DAEMON);
	sender->state = LINK_ASKING;
	sender->ask_again = false;
	sender->ask_session = skynet_context_newsession(sender->context);
	if (daemon == 0 || skynet_send(sender->context, 0, daemon, PTYPE_TEXT, sender->ask_session,
				   question, (size_t)size) < 0) {
		sender->state = LINK_DOWN;
		sender_fail_held(sender, "remote", missing, sizeof missing - 1);
	}
}

/* Tells clusterd that the connection is up, or that it is down if it was told of another state. */
static void
tell_daemon(struct clustersender *sender, bool up) {
	char text[NODE_MAX + 16];
	if (!up && !sender->told_up)
		return;
	sender->told_up = up;
	int size = snprintf(text, sizeof text, "%s %s", up ? "up" : "down", sender->node);
	uint32_t daemon = skynet_name_find(sender->context, DAEMON);
	if (daemon != 0)
		skynet_send(sender->context, 0, daemon, PTYPE_TEXT, 0, text, (size_t)size);
}

/* ---- timers ---- */

/* Starts a timer, whose response has `session`. Returns when it is due. */
static uint64_t
start_timer(struct clustersender *sender, int64_t delay_ms, uint64_t *timer, int *session) {
	*session = skynet_context_newsession(sender->context);
	*timer = skynet_timer_start(sender->context, delay_ms, *session);
	return skynet_clock_ns(sender->context) + (uint64_t)delay_ms * NS_PER_MS;
}

static void
stop_timer(struct clustersender *sender, uint64_t timer, int *session) {
	if (*session != 0)
		skynet_timer_cancel(sender->context, timer);
	*session = 0;
}

void
sender_start_state_timer(struct clustersender *sender, int64_t delay_ms) {
	sender->state_due_ns =
		start_timer(sender, delay_ms, &sender->state_timer, &sender->state_session);
}

void
sender_stop_state_timer(struct clustersender *sender) {
	stop_timer(sender, sender->state_timer, &sender->state_session);
}

static void
start_tick(struct clustersender *sender, int64_t delay_ms) {
	stop_timer(sender, sender->tick_timer, &sender->tick_session);
	if (sender->heartbeat_ms == 0)
		return;
	sender->tick_due_ns =
		start_timer(sender, delay_ms, &sender->tick_timer, &sender->tick_session);
}

/* Ticks as long as there is a connection to look after. */
static void
keep_ticking(struct clustersender *sender) {
	if (sender->tick_session == 0 && (sender->state == LINK_UP || sender->draining != NULL))
		start_tick(sender, sender->heartbeat_ms);
}

static void
stop_timers(struct clustersender *sender) {
	sender_stop_state_timer(sender);
	stop_timer(sender, sender->tick_timer, &sender->tick_session);
}

/* ---- the pause behind a dial that failed ---- */

/* A random number below `bound`, so that senders do not all dial at the same time. */
static uint64_t
random_below(struct clustersender *sender, uint64_t bound) {
	uint32_t x = sender->random;
	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	sender->random = x;
	return x % bound;
}

static void
start_pause(struct clustersender *sender) {
	uint64_t pause_ms = PAUSE_MAX_MS;
	if (sender->failures < PAUSE_DOUBLINGS)
		pause_ms = PAUSE_MIN_MS << sender->failures;
	sender->failures++;
	pause_ms = pause_ms / 2 + random_below(sender, pause_ms / 2);
	sender->retry_ns = skynet_clock_ns(sender->context) + pause_ms * NS_PER_MS;
}

static void
end_pause(struct clustersender *sender) {
	sender->failures = 0;
	sender->retry_ns = 0;
}

/* A connection that is lost before it was of any use counts as a failed dial: something else may
 * listen there. But for the first one, as the peer may just have started anew. */
static void
pause_if_useless(
	struct clustersender *sender, const struct link *link, const char *text, int size) {
	uint64_t silent_ns = skynet_clock_ns(sender->context) - link->alive_ns;
	if (link->useful || silent_ns > PAUSE_MAX_MS * NS_PER_MS) {
		sender->failures = 0;
		return;
	}
	snprintf(sender->reason, sizeof sender->reason, "lost: %.*s", size, text);
	if (sender->failures > 0)
		start_pause(sender);
	else
		sender->failures = 1;
}

bool
sender_pauses(const struct clustersender *sender) {
	return sender->retry_ns != 0 && skynet_clock_ns(sender->context) < sender->retry_ns;
}

size_t
sender_pause_text(const struct clustersender *sender, char *text, size_t size) {
	int length = snprintf(text, size, "%s (%s)", sender->node, sender->reason);
	return (size_t)length < size ? (size_t)length : size - 1;
}

/* ---- the end of a connection ---- */

static void
fail_held_unreachable(struct clustersender *sender) {
	char text[NODE_MAX + sizeof sender->reason + 8];
	size_t size = sender_pause_text(sender, text, sizeof text);
	sender_fail_held(sender, "dead_node", text, size);
}

static void
lose_current(struct clustersender *sender, const char *text, size_t size) {
	const struct link *link = sender->link;
	bool was_up = sender->state == LINK_UP;
	sender->link = NULL;
	sender->state = LINK_DOWN;
	sender_stop_state_timer(sender);
	keep_ticking(sender);
	/* Of several failures in a row only the first is logged. */
	if (was_up || sender->failures == 0)
		skynet_error(sender->context, "cluster node %s (%s) %s: %.*s", sender->node,
			sender->address, was_up ? "is lost" : "cannot be reached", (int)size, text);
	tell_daemon(sender, false);
	if (was_up) {
		pause_if_useless(sender, link, text, (int)size);
		return;
	}
	snprintf(sender->reason, sizeof sender->reason, "cannot be reached: %.*s", (int)size, text);
	start_pause(sender);
}

static void
fail_lost(struct clustersender *sender, const struct link *link, const char *reason,
	size_t reason_size) {
	char text[NODE_MAX + sizeof sender->reason + 16];
	int size = snprintf(text, sizeof text, "%s (lost: %.*s)", sender->node,
		(int)(reason_size < sizeof sender->reason ? reason_size : sizeof sender->reason),
		reason);
	sender_fail_link_calls(sender, link, text, (size_t)size);
}

/* A replaced connection. What it has lost besides calls nobody else would hear of. */
static void
lose_draining(struct clustersender *sender, struct link *link, const char *text, size_t size) {
	if (link == sender->left || link->waiting > 0)
		skynet_error(sender->context,
			"cluster node %s: a replaced connection is lost: %.*s", sender->node,
			(int)size, text);
	if (link->waiting > 0)
		fail_lost(sender, link, text, size);
	sender_forget_draining(sender, link);
	free_link(link);
}

void
sender_lose_link(struct clustersender *sender, struct link *link, const char *text, size_t size) {
	bool was_up = sender->state == LINK_UP;
	if (link != sender->link) {
		lose_draining(sender, link, text, size);
		return;
	}
	lose_current(sender, text, size);
	if (link->waiting > 0)
		fail_lost(sender, link, text, size);
	free_link(link);
	if (was_up && sender->first != NULL && !sender_pauses(sender))
		sender_ask_address(sender);
	else
		fail_held_unreachable(sender);
}

void
sender_cut_link(struct clustersender *sender, struct link *link, const char *text) {
	skynet_socket_shutdown(sender->context, link->id);
	sender_lose_link(sender, link, text, strlen(text));
}

void
sender_close_links(struct clustersender *sender) {
	stop_timers(sender);
	if (sender->link != NULL)
		sender_close_link(sender, sender->link);
	sender->link = sender->left = NULL;
	while (sender->draining != NULL) {
		struct link *next = sender->draining->next;
		sender_close_link(sender, sender->draining);
		sender->draining = next;
	}
}

/* ---- dialling ---- */

static void
dial(struct clustersender *sender, const char *address) {
	static const char reason[] = "no socket";
	char host[ADDRESS_MAX];
	snprintf(host, sizeof host, "%s", address);
	char *space = strrchr(host, ' ');
	int port = space != NULL ? (int)strtol(space + 1, NULL, 10) : 0;
	if (space != NULL)
		*space = '\0';
	if (strcmp(sender->address, address) != 0) {
		sender->peer = PEER_UNKNOWN;
		sender->rtt_ns = 0;
	}
	snprintf(sender->address, sizeof sender->address, "%s", address);
	struct link *link = skynet_calloc(1, sizeof *link);
	link->sender = sender;
	link->identity = sender->identity;
	link->id = skynet_socket_connect_guarded(sender->context, host, port);
	packet_split_init(&link->split, HEAD_WIDTH);
	lane_output_init(&link->output, &FRAMING, sender->context, link->id);
	sender->link = link;
	sender->state = LINK_DIALLING;
	if (link->id < 0)
		sender_lose_link(sender, link, reason, sizeof reason - 1);
	else
		sender_start_state_timer(sender, DIAL_MS);
}

void
sender_connected(struct clustersender *sender, int id) {
	struct link *link = sender->link;
	if (sender->state != LINK_DIALLING || link->id != id)
		return;
	sender_stop_state_timer(sender);
	skynet_socket_nodelay(sender->context, id);
	skynet_socket_keepalive(
		sender->context, id, KEEPALIVE_S, KEEPALIVE_INTERVAL_S, UNACKNOWLEDGED_MS);
	link->alive_ns = skynet_clock_ns(sender->context);
	sender->state = LINK_UP;
	sender->retry_ns = 0;
	tell_daemon(sender, true);
	/* Before any request: the peer learns whose connection this is, and drops the earlier one.
	 */
	if (sender->peer == PEER_OURS || (sender->peer == PEER_UNKNOWN && sender->identified))
		sender_probe(sender, link);
	sender_release_held(sender);
	start_tick(sender, sender->peer == PEER_UNKNOWN && sender->heartbeat_ms > PROBE_MS
				   ? PROBE_MS
				   : sender->heartbeat_ms);
}

/* ---- heartbeats ---- */

static void
on_tick(struct clustersender *sender) {
	struct link *next;
	bool slept = sender_slept(sender, sender->tick_due_ns);
	for (struct link *link = sender->draining; link != NULL; link = next) {
		next = link->next;
		if (link->ours)
			sender_beat(sender, link, true, slept);
	}
	if (sender->state == LINK_UP && sender->peer != PEER_OTHER)
		sender_beat(sender, sender->link, sender->peer == PEER_OURS, slept);
	keep_ticking(sender);
}

/* ---- what clusterd says ---- */

static void
set_default_timeout(struct clustersender *sender, const char *centiseconds) {
	sender->default_timeout_ms = strtoll(centiseconds, NULL, 10) * MS_PER_CS;
}

/* Splits "HOST PORT TIMEOUT" off its last word. */
static void
read_address(struct clustersender *sender, const char *text, size_t size, char *address) {
	snprintf(address, ADDRESS_MAX, "%.*s", (int)(size < INT_MAX ? size : 0), text);
	char *space = strrchr(address, ' ');
	if (space == NULL)
		return;
	*space = '\0';
	set_default_timeout(sender, space + 1);
}

static void
on_address(struct clustersender *sender, bool known, const char *text, size_t size) {
	char address[ADDRESS_MAX];
	if (sender->state != LINK_ASKING)
		return;
	if (sender->ask_again) {
		sender_ask_address(sender);
		return;
	}
	sender->state = LINK_DOWN;
	if (!known) {
		tell_daemon(sender, false);
		sender_fail_held(sender, "", text, size);
		return;
	}
	read_address(sender, text, size, address);
	dial(sender, address);
}

static void
replace_link(struct clustersender *sender) {
	if (sender->state == LINK_UP) {
		sender_leave(sender);
		keep_ticking(sender);
		return;
	}
	sender_stop_state_timer(sender);
	sender_close_link(sender, sender->link);
	sender->link = NULL;
	sender_ask_address(sender);
}

static void
on_change(struct clustersender *sender, const char *text, size_t size) {
	char address[ADDRESS_MAX];
	read_address(sender, text, size, address);
	end_pause(sender);
	/* In LINK_DRAINING there is no link; its end asks for the newest address. */
	if (sender->state == LINK_ASKING)
		sender->ask_again = true;
	else if (sender->link != NULL && strcmp(sender->address, address) != 0)
		replace_link(sender);
}

/* Ends all connections. */
static void
on_down(struct clustersender *sender) {
	static const char reason[] = "down on purpose";
	end_pause(sender);
	while (sender->draining != NULL)
		sender_cut_link(sender, sender->draining, reason);
	if (sender->link != NULL)
		sender_cut_link(sender, sender->link, reason);
}

static bool
begins(const char *text, size_t size, const char *word) {
	size_t length = strlen(word);
	return size >= length && memcmp(text, word, length) == 0;
}

void
sender_link_told(
	struct clustersender *sender, uint32_t source, int session, const char *text, size_t size) {
	static const char change[] = "change ", timeout[] = "timeout ";
	if (begins(text, size, change)) {
		on_change(sender, text + sizeof change - 1, size - (sizeof change - 1));
	} else if (begins(text, size, timeout)) {
		char number[24];
		snprintf(number, sizeof number, "%.*s", (int)(size - (sizeof timeout - 1)),
			text + sizeof timeout - 1);
		set_default_timeout(sender, number);
	} else if (begins(text, size, "down")) {
		on_down(sender);
	} else if (begins(text, size, "status")) {
		sender_answer_status(sender, source, session);
	}
}

static void
on_state_timer(struct clustersender *sender) {
	if (sender->state == LINK_DRAINING)
		sender_check_left(sender);
	else
		sender_cut_link(sender, sender->link, "connecting takes too long");
}

bool
sender_link_response(
	struct clustersender *sender, bool ok, int session, const char *text, size_t size) {
	if (session == sender->ask_session) {
		sender->ask_session = 0;
		on_address(sender, ok, text, size);
	} else if (session == sender->state_session) {
		sender->state_session = 0;
		on_state_timer(sender);
	} else if (session == sender->tick_session) {
		sender->tick_session = 0;
		on_tick(sender);
	} else {
		return false;
	}
	return true;
}
