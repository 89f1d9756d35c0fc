/* Requests of a clustersender: numbered, framed, and kept while they cannot be written. What waits
 * is bounded; the policy says what becomes of more.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clustersender.h"

#define PACKED_TRUE     9 /* see lualib-src/lua_seri_format.h */
#define NO_LINK         (-1)
#define NS_PER_MS       UINT64_C(1000000)
#define EXTRA_SIZE      16 /* at least what a CLUSTER_EXTRA takes */
#define CLIENT_TAG_SIZE (ADDRESS_MAX + NODE_MAX + 32)

/* ---- calls ---- */

static uint32_t
next_session(struct clustersender *sender) {
	do
		sender->last_session =
			sender->last_session == INT32_MAX ? 1 : sender->last_session + 1;
	while (cluster_sessions_find(&sender->calls, sender->last_session) != NULL);
	return sender->last_session;
}

/* Notes who waits for the answer `number`. */
static struct cluster_session *
add_call(struct clustersender *sender, uint32_t number, uint32_t source, int session,
	int64_t timeout_ms) {
	struct cluster_session *call = cluster_sessions_add(&sender->calls, number);
	call->peer = source;
	call->number = (uint32_t)session;
	call->link = NO_LINK;
	if (timeout_ms > 0)
		cluster_deadlines_start(&sender->deadlines, call, timeout_ms);
	return call;
}

void
sender_remove_call(struct clustersender *sender, struct cluster_session *call) {
	struct link *link = sender_find_link(sender, call->link);
	if (call->timer != 0)
		cluster_deadlines_stop(&sender->deadlines, call);
	if (link != NULL)
		link->waiting--;
	cluster_sessions_remove(&sender->calls, call);
}

void
sender_expire_call(struct clustersender *sender, uint32_t number) {
	struct cluster_session *call = cluster_sessions_find(&sender->calls, number);
	if (call == NULL)
		return;
	struct link *link = sender_find_link(sender, call->link);
	call->timer = 0;
	if (link != NULL)
		lane_output_cancel(&link->output, number);
	char whose[NODE_MAX + 24];
	int length = snprintf(whose, sizeof whose, "of cluster node %s", sender->node);
	sender_fail_call(sender, call->peer, (int)call->number, "timeout", whose, (size_t)length);
	sender_drop_call(sender, call);
	sender_remove_call(sender, call);
}

/* ---- requests ---- */

/* What is known of a request when its head has been read. */
struct request {
	uint32_t source;
	int session;
	bool push;
	uint32_t number; /* under which it goes out */
	int64_t timeout_ms;
	struct cluster_address to;
	const char *payload;
	size_t size;
};

/* Reads a message up to its payload. Returns NULL, or what is wrong with it. */
static const char *
read_request(const struct clustersender *sender, struct request *request, const char *data,
	size_t size) {
	request->timeout_ms = sender->default_timeout_ms;
	if (sender->call_timeout_ms > 0 &&
		(request->timeout_ms == 0 || sender->call_timeout_ms < request->timeout_ms))
		request->timeout_ms = sender->call_timeout_ms;
	if (size > 0 && data[0] == PACKED_TRUE) {
		size_t used = cluster_address_read(data + 1, size - 1, &request->to);
		if (used == 0 || request->to.name != NULL || request->to.handle == 0)
			return "the deadline of a call must be a positive number";
		request->timeout_ms = (int64_t)request->to.handle * MS_PER_CS;
		data += 1 + used;
		size -= 1 + used;
	}
	size_t used = cluster_address_read(data, size, &request->to);
	request->payload = data + used;
	request->size = size - used;
	if (used == 0)
		return "an address is a handle, or a string of 1 to 255 bytes";
	return request->size > CLUSTER_MESSAGE_MAX ? "request is too large" : NULL;
}

/* Takes the tag that `source` sent ahead of its request, NULL when there is none. */
static struct tag *
take_tag(struct clustersender *sender, uint32_t source) {
	struct tag **at = &sender->tags;
	while (*at != NULL && (*at)->source != source)
		at = &(*at)->next;
	struct tag *tag = *at;
	if (tag != NULL)
		*at = tag->next;
	return tag;
}

/* Writes a trace frame. Returns its size. */
static size_t
put_tag(const struct clustersender *sender, const struct tag *tag, uint32_t number, char *out) {
	char client[CLIENT_TAG_SIZE];
	int size = 0;
	if (tag->size == 0 || tag->text[0] != '(')
		size = snprintf(client, sizeof client, "(%s-%s-%" PRIu32 ")", sender->client,
			sender->node, number + 1);
	size_t used = cluster_head_trace(out, (size_t)size + tag->size);
	memcpy(out + used, client, (size_t)size);
	memcpy(out + used + (size_t)size, tag->text, tag->size);
	return used + (size_t)size + tag->size;
}

/* Milliseconds left for a call, 0 when it may take any time. */
static uint32_t
time_left(const struct clustersender *sender, const struct request *request) {
	if (request->push || request->timeout_ms <= 0 || !sender->link->ours)
		return 0;
	return request->timeout_ms < UINT32_MAX ? (uint32_t)request->timeout_ms : UINT32_MAX;
}

/* Writes all that stands before the payload: tag, deadline, head. Returns its size. */
static size_t
put_heads(const struct clustersender *sender, const struct request *request, const struct tag *tag,
	char *out) {
	size_t size = 0;
	uint32_t left = time_left(sender, request);
	if (tag != NULL)
		size += put_tag(sender, tag, request->number, out);
	if (left > 0)
		size += cluster_head_extra(out + size, CLUSTER_EXTRA_DEADLINE, left);
	return size + cluster_head_request(out + size, &request->to, request->push, request->number,
			      request->size);
}

/* Puts a request on its way. Returns true when it has taken `block`, in which the payload lies. */
static bool
write_request(struct clustersender *sender, const struct request *request, const struct tag *tag,
	void *block) {
	char small[CLUSTER_HEAD_MAX + EXTRA_SIZE], *head = small;
	struct lane_output *output = &sender->link->output;
	uint64_t key = lane_key(request->source, cluster_target(&request->to));
	if (tag != NULL)
		head = skynet_malloc(sizeof small + CLIENT_TAG_SIZE + tag->size);
	size_t head_size = put_heads(sender, request, tag, head);
	bool parts = request->size > CLUSTER_REQUEST_MAX;
	bool taken = parts || (output->lane != NULL && lane_output_holds(output, key));
	if (taken) {
		struct lane_payload payload = {
			.key = key,
			.form = parts ? LANE_PARTS : LANE_WHOLE,
			.session = request->number,
			.head = head,
			.head_size = head_size,
			.block = block,
			.at = request->payload,
			.size = request->size,
		};
		lane_output_queue(output, &payload);
	} else {
		lane_output_write(output, head, head_size, request->payload, request->size);
		lane_output_small(output);
	}
	if (head != small)
		skynet_free(head);
	return taken;
}

void
sender_probe_early(struct clustersender *sender, struct link *link) {
	if (!link->probed && sender->heartbeat_ms > 0)
		sender_probe(sender, link);
}

static void
refuse_request(struct clustersender *sender, const struct request *request, const char *reason) {
	if (request->push)
		skynet_error(
			sender->context, "error: to cluster node %s: %s", sender->node, reason);
	sender_fail_call(
		sender, request->source, request->session, "remote", reason, strlen(reason));
}

static int64_t
held_time_left_ms(const struct clustersender *sender, const struct held *held) {
	uint64_t now_ns = skynet_clock_ns(sender->context);
	/* The timer of the deadline has not fired, even if it is due. */
	return held->due_ns > now_ns ? (int64_t)((held->due_ns - now_ns) / NS_PER_MS) + 1 : 1;
}

bool
sender_send_request(struct clustersender *sender, uint32_t source, int session,
	const struct held *held, void *data, size_t size) {
	struct request request = {.source = source, .session = session, .push = session <= 0};
	const char *wrong = read_request(sender, &request, data, size);
	if (wrong != NULL) {
		refuse_request(sender, &request, wrong);
		return false;
	}
	struct cluster_session *call = NULL;
	struct tag *tag = sender->tags != NULL ? take_tag(sender, source) : NULL;
	if (held != NULL && held->number != 0) {
		request.number = held->number;
		request.timeout_ms = held_time_left_ms(sender, held);
		call = cluster_sessions_find(&sender->calls, held->number);
	} else if (!request.push || request.size > CLUSTER_REQUEST_MAX) {
		request.number = next_session(sender);
		if (!request.push)
			call = add_call(
				sender, request.number, source, session, request.timeout_ms);
	}
	if (call != NULL) {
		call->link = sender->link->id;
		call->target = cluster_target(&request.to);
		sender->link->waiting++;
	}
	/* The protocol has no tags for pushes. */
	bool tagged = tag != NULL && !request.push && tag->size <= CLUSTER_PART_SIZE / 2;
	bool taken = write_request(sender, &request, tagged ? tag : NULL, data);
	skynet_free(tag);
	if (request.size > CLUSTER_REQUEST_MAX || request.timeout_ms > 0)
		sender_probe_early(sender, sender->link);
	return taken;
}

void
sender_keep_tag(struct clustersender *sender, uint32_t source, const char *text, size_t size) {
	struct tag *tag = skynet_malloc(sizeof *tag + size);
	*tag = (struct tag){.next = sender->tags, .source = source, .size = size};
	if (size > 0)
		memcpy(tag->text, text, size);
	sender->tags = tag;
}

/* ---- what waits ---- */

size_t
sender_waiting_size(const struct clustersender *sender) {
	size_t size = sender->held_size;
	if (sender->link != NULL)
		size += lane_output_waiting(&sender->link->output);
	for (const struct link *link = sender->draining; link != NULL; link = link->next)
		size += lane_output_waiting(&link->output);
	return size;
}

/* Drops the oldest push that waits. Returns false when there is none. */
static bool
drop_push(struct clustersender *sender) {
	struct held *before = NULL, *held = sender->first;
	while (held != NULL && (held->type != PTYPE_RESERVED_LUA || held->session > 0)) {
		before = held;
		held = held->next;
	}
	if (held == NULL)
		return false;
	if (before != NULL)
		before->next = held->next;
	else
		sender->first = held->next;
	if (sender->last == held)
		sender->last = before;
	sender->held_size -= held->size;
	sender->dropped++;
	skynet_free(held->data);
	skynet_free(held);
	return true;
}

bool
sender_make_room(struct clustersender *sender) {
	if (sender->limit == 0 || sender->policy == SKYNET_MAILBOX_BLOCK)
		return true;
	while (sender_waiting_size(sender) >= sender->limit) {
		if (sender->policy == SKYNET_MAILBOX_REJECT)
			return false;
		/* Calls cannot be dropped, so the new request is let in above the limit. */
		if (!drop_push(sender))
			break;
	}
	return true;
}

void
sender_refuse_full(struct clustersender *sender, uint32_t source, int session) {
	char text[NODE_MAX + 64];
	int size = snprintf(text, sizeof text, "the way to cluster node %s is full", sender->node);
	sender->rejected++;
	sender_fail_call(sender, source, session, "overloaded", text, (size_t)size);
}

void
sender_update_full(struct clustersender *sender) {
	size_t waiting = sender_waiting_size(sender);
	if (sender->limit == 0 || sender->policy == SKYNET_MAILBOX_DROP)
		return;
	bool full = waiting >= (sender->full ? sender->limit / 2 + 1 : sender->limit);
	if (full == sender->full)
		return;
	sender->full = full;
	skynet_mailbox_full(sender->context, full);
}

/* Starts the deadline of a call that waits, if it has one. */
static void
start_held_deadline(struct clustersender *sender, struct held *held) {
	struct request request;
	if (held->session <= 0 || read_request(sender, &request, held->data, held->size) != NULL ||
		request.timeout_ms <= 0)
		return;
	held->number = next_session(sender);
	held->due_ns = skynet_clock_ns(sender->context) + (uint64_t)request.timeout_ms * NS_PER_MS;
	add_call(sender, held->number, held->source, held->session, request.timeout_ms);
}

void
sender_hold(struct clustersender *sender, int type, int session, uint32_t source, void *data,
	size_t size) {
	struct held *held = skynet_malloc(sizeof *held);
	*held = (struct held){
		.type = type,
		.session = session,
		.source = source,
		.data = data,
		.size = size,
	};
	if (type == PTYPE_RESERVED_LUA)
		start_held_deadline(sender, held);
	if (sender->last != NULL)
		sender->last->next = held;
	else
		sender->first = held;
	sender->last = held;
	sender->held_size += size;
}

/* Takes the first message that waits. Returns NULL when there is none, or its call is over. */
static struct held *
unhold(struct clustersender *sender, bool *over) {
	struct held *held = sender->first;
	*over = false;
	if (held == NULL)
		return NULL;
	sender->first = held->next;
	if (sender->first == NULL)
		sender->last = NULL;
	sender->held_size -= held->size;
	*over = held->number != 0 && cluster_sessions_find(&sender->calls, held->number) == NULL;
	return held;
}

void
sender_release_held(struct clustersender *sender) {
	struct held *held;
	bool over;
	while ((held = unhold(sender, &over)) != NULL) {
		bool taken = false;
		if (held->type == PTYPE_RESERVED_TRACE)
			sender_keep_tag(sender, held->source, held->data, held->size);
		else if (!over)
			taken = sender_send_request(
				sender, held->source, held->session, held, held->data, held->size);
		if (!taken)
			skynet_free(held->data);
		skynet_free(held);
	}
}

void
sender_fail_held(struct clustersender *sender, const char *kind, const char *text, size_t size) {
	size_t lost = 0;
	struct held *held;
	bool over;
	while ((held = unhold(sender, &over)) != NULL) {
		if (held->number != 0 && !over)
			sender_remove_call(
				sender, cluster_sessions_find(&sender->calls, held->number));
		if (held->session > 0 && !over)
			sender_fail_call(sender, held->source, held->session, kind, text, size);
		else if (held->session <= 0 && held->type == PTYPE_RESERVED_LUA)
			lost++;
		skynet_free(held->data);
		skynet_free(held);
	}
	if (lost > 0)
		skynet_error(sender->context, "error: %zu messages to cluster node %s are lost",
			lost, sender->node);
}

void
sender_fail_at_once(struct clustersender *sender, int type, uint32_t source, int session) {
	char text[NODE_MAX + 512];
	if (type == PTYPE_RESERVED_LUA && session <= 0)
		sender->dropped++;
	size_t size = sender_pause_text(sender, text, sizeof text);
	sender_fail_call(sender, source, session, "dead_node", text, size);
}
