/* The way to one node of the cluster: one connection at a time, sessions, answers.
 *
 * Argument: name of the node; the service takes the local name .clustersender:NAME, so that there
 * is one for each node. A message of type PTYPE_LUA is a request: its first packed value is the
 * address on the other node, what follows goes there unchanged. It dials when there is something to
 * send; clusterd knows the address. What is asked of clusterd and what it says is text:
 * "address NAME" is answered by "HOST PORT" or an error, "change" means that the address may be
 * another one. A replaced connection lives on until its answers have come.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clustersender.h"
#include "skynet_socket.h"

#define NAME_PREFIX "clustersender:"
#define DAEMON      "clusterd"
#define HEAD_WIDTH  2

/* When a peer that says nothing is given up. */
#define KEEPALIVE_S          10
#define KEEPALIVE_INTERVAL_S 5
#define UNACKNOWLEDGED_MS    30000

struct clustersender *clustersender_create(void);
int clustersender_init(
	struct clustersender *sender, struct skynet_context *context, const char *param);
void clustersender_release(struct clustersender *sender);

struct clustersender *
clustersender_create(void) {
	struct clustersender *sender = skynet_calloc(1, sizeof *sender);
	cluster_sessions_init(&sender->calls);
	return sender;
}

/* ---- connections ---- */

static void
free_link(struct link *link) {
	packet_split_fini(&link->split);
	cluster_output_fini(&link->output);
	skynet_free(link);
}

static void
close_link(struct clustersender *sender, struct link *link) {
	cluster_output_flush(&link->output);
	skynet_socket_close(sender->context, link->id);
	free_link(link);
}

/* Takes `link` off the list of those that drain. */
static void
forget_draining(struct clustersender *sender, const struct link *link) {
	struct link **at = &sender->draining;
	while (*at != NULL && *at != link)
		at = &(*at)->next;
	if (*at != NULL)
		*at = link->next;
}

static struct link *
find_link(struct clustersender *sender, int id) {
	if (sender->link != NULL && sender->link->id == id)
		return sender->link;
	struct link *link = sender->draining;
	while (link != NULL && link->id != id)
		link = link->next;
	return link;
}

static void
fail_held(struct clustersender *sender, const char *kind, const char *text, size_t size) {
	size_t lost = 0;
	struct held *held = sender->first;
	sender->first = sender->last = NULL;
	while (held != NULL) {
		struct held *next = held->next;
		if (held->session > 0)
			sender_fail_call(sender, held->source, held->session, kind, text, size);
		else if (held->type == PTYPE_RESERVED_LUA)
			lost++;
		skynet_free(held->data);
		skynet_free(held);
		held = next;
	}
	if (lost > 0)
		skynet_error(sender->context, "error: %zu messages to cluster node %s are lost",
			lost, sender->node);
}

static void
ask_address(struct clustersender *sender) {
	char question[NODE_MAX + 16];
	int size = snprintf(question, sizeof question, "address %s", sender->node);
	uint32_t daemon = skynet_name_find(sender->context, DAEMON);
	sender->state = ASKING;
	sender->ask_again = false;
	sender->ask_session = skynet_context_newsession(sender->context);
	if (daemon == 0 || skynet_send(sender->context, 0, daemon, PTYPE_TEXT, sender->ask_session,
				   question, (size_t)size) < 0) {
		sender->state = DOWN;
		fail_held(sender, "remote", "no clusterd", 9);
	}
}

/* Tells clusterd that the connection is "up" or "down". */
static void
tell_daemon(struct clustersender *sender, const char *what) {
	char text[NODE_MAX + 16];
	int size = snprintf(text, sizeof text, "%s %s", what, sender->node);
	uint32_t daemon = skynet_name_find(sender->context, DAEMON);
	if (daemon != 0)
		skynet_send(sender->context, 0, daemon, PTYPE_TEXT, 0, text, (size_t)size);
}

/* The connection is lost, or could not be made. */
static void
lose_link(struct clustersender *sender, struct link *link, const char *text, size_t size) {
	bool current = link == sender->link, was_up = sender->state == UP;
	if (!current)
		forget_draining(sender, link);
	if (current) {
		sender->link = NULL;
		sender->state = DOWN;
		skynet_error(sender->context, "cluster node %s (%s) %s%.*s", sender->node,
			sender->address, was_up ? "is lost " : "cannot be reached: ", (int)size,
			text);
	}
	if (current && was_up)
		tell_daemon(sender, "down");
	if (link->waiting > 0)
		sender_fail_link_calls(sender, link);
	free_link(link);
	if (!current)
		return;
	if (was_up && sender->first != NULL)
		ask_address(sender);
	else
		fail_held(sender, "dead_node", sender->node, strlen(sender->node));
}

/* ---- requests ---- */

static uint32_t
next_session(struct clustersender *sender) {
	do
		sender->last_session =
			sender->last_session == INT32_MAX ? 1 : sender->last_session + 1;
	while (cluster_sessions_find(&sender->calls, sender->last_session) != NULL);
	return sender->last_session;
}

/* Writes the tag that `source` sent ahead of the request with number `session`, if any. A push has
 * none. */
static void
write_tag(struct clustersender *sender, uint32_t source, uint32_t session, bool push) {
	struct tag **at = &sender->tags;
	while (*at != NULL && (*at)->source != source)
		at = &(*at)->next;
	struct tag *tag = *at;
	if (tag == NULL)
		return;
	*at = tag->next;
	char head[CLUSTER_HEAD_MAX], text[ADDRESS_MAX + NODE_MAX + 32];
	int size = 0;
	if (!push && tag->size <= CLUSTER_PART_SIZE / 2) {
		if (tag->size == 0 || tag->text[0] != '(')
			size = snprintf(text, sizeof text, "(%s-%s-%" PRIu32 ")", sender->client,
				sender->node, session + 1);
		size_t head_size = cluster_head_trace(head, (size_t)size + tag->size);
		struct cluster_output *output = &sender->link->output;
		cluster_output_write(output, head, head_size, text, (size_t)size);
		cluster_output_write(output, tag->text, tag->size, NULL, 0);
	}
	skynet_free(tag);
}

static void
write_parts(struct clustersender *sender, uint32_t session, const char *data, size_t size) {
	char head[CLUSTER_HEAD_MAX];
	while (size > 0) {
		size_t part = size < CLUSTER_PART_SIZE ? size : CLUSTER_PART_SIZE;
		size_t head_size = cluster_head_part(head, session, part, part == size);
		cluster_output_write(&sender->link->output, head, head_size, data, part);
		data += part;
		size -= part;
	}
}

static void
send_request(
	struct clustersender *sender, uint32_t source, int session, const char *data, size_t size) {
	static const char malformed[] = "dest address must be a string or a handle";
	static const char large[] = "request is too large";
	struct cluster_address to;
	size_t used = cluster_address_read(data, size, &to);
	bool push = session <= 0;
	size_t payload = size - used;
	if (used == 0 || payload > CLUSTER_MESSAGE_MAX) {
		const char *reason = used == 0 ? malformed : large;
		if (push)
			skynet_error(sender->context, "error: to cluster node %s: %s", sender->node,
				reason);
		sender_fail_call(sender, source, session, "remote", reason, strlen(reason));
		return;
	}
	char head[CLUSTER_HEAD_MAX];
	bool parts = payload > CLUSTER_REQUEST_MAX;
	uint32_t number = push && !parts ? 0 : next_session(sender);
	if (sender->tags != NULL)
		write_tag(sender, source, number, push);
	size_t head_size = cluster_head_request(head, &to, push, number, payload);
	struct cluster_output *output = &sender->link->output;
	if (!push) {
		struct cluster_session *call = cluster_sessions_add(&sender->calls, number);
		call->peer = source;
		call->number = (uint32_t)session;
		call->link = output->id;
		sender->link->waiting++;
	}
	if (!parts) {
		cluster_output_write(output, head, head_size, data + used, payload);
		return;
	}
	cluster_output_expect(output, payload);
	cluster_output_write(output, head, head_size, NULL, 0);
	write_parts(sender, number, data + used, payload);
}

static void
keep_tag(struct clustersender *sender, uint32_t source, const char *text, size_t size) {
	struct tag *tag = skynet_malloc(sizeof *tag + size);
	*tag = (struct tag){.next = sender->tags, .source = source, .size = size};
	if (size > 0)
		memcpy(tag->text, text, size);
	sender->tags = tag;
}

static void
forward(struct clustersender *sender, int type, int session, uint32_t source, const void *data,
	size_t size) {
	if (type == PTYPE_RESERVED_TRACE)
		keep_tag(sender, source, data, size);
	else
		send_request(sender, source, session, data, size);
}

/* Keeps a message until there is a connection. Takes `data`. */
static void
hold(struct clustersender *sender, int type, int session, uint32_t source, const void *data,
	size_t size) {
	struct held *held = skynet_malloc(sizeof *held);
	*held = (struct held){NULL, type, session, source, (void *)(uintptr_t)data, size};
	if (sender->last != NULL)
		sender->last->next = held;
	else
		sender->first = held;
	sender->last = held;
	if (sender->state == DOWN && type != PTYPE_RESERVED_TRACE)
		ask_address(sender);
}

/* ---- responses ---- */

static void
on_frame(void *ud, const char *frame, size_t size) {
	struct link *link = ud;
	struct clustersender *sender = link->sender;
	struct cluster_response response;
	if (link->broken)
		return;
	if (!cluster_response_parse(frame, size, &response)) {
		link->broken = true;
		return;
	}
	struct cluster_session *call = cluster_sessions_find(&sender->calls, response.session);
	if (call == NULL || call->link != link->id)
		return;
	if (sender_take_response(sender, call, &response)) {
		sender_free_join(call);
		cluster_sessions_remove(&sender->calls, call);
		link->waiting--;
	}
}

static void
on_data(struct clustersender *sender, int id, const char *bytes, size_t size) {
	struct link *link = find_link(sender, id);
	if (link == NULL)
		return;
	packet_split_push(&link->split, bytes, size, on_frame, link);
	if (link->broken) {
		skynet_socket_close(sender->context, id);
		lose_link(sender, link, "response is malformed", 21);
	} else if (link != sender->link && link->waiting == 0) {
		forget_draining(sender, link);
		close_link(sender, link);
	}
}

/* ---- the state of the link ---- */

static void
dial(struct clustersender *sender, const char *address) {
	char host[ADDRESS_MAX];
	snprintf(host, sizeof host, "%s", address);
	char *space = strrchr(host, ' ');
	int port = space != NULL ? (int)strtol(space + 1, NULL, 10) : 0;
	if (space != NULL)
		*space = '\0';
	snprintf(sender->address, sizeof sender->address, "%s", address);
	struct link *link = skynet_calloc(1, sizeof *link);
	link->sender = sender;
	link->id = skynet_socket_connect(sender->context, host, port);
	packet_split_init(&link->split, HEAD_WIDTH);
	cluster_output_init(&link->output, sender->context, link->id);
	sender->link = link;
	sender->state = DIALLING;
	if (link->id < 0)
		lose_link(sender, link, "no socket", 9);
}

static void
connected(struct clustersender *sender, int id) {
	if (sender->state != DIALLING || sender->link->id != id)
		return;
	skynet_socket_nodelay(sender->context, id);
	skynet_socket_keepalive(
		sender->context, id, KEEPALIVE_S, KEEPALIVE_INTERVAL_S, UNACKNOWLEDGED_MS);
	sender->state = UP;
	tell_daemon(sender, "up");
	struct held *held = sender->first;
	sender->first = sender->last = NULL;
	while (held != NULL) {
		struct held *next = held->next;
		forward(sender, held->type, held->session, held->source, held->data, held->size);
		skynet_free(held->data);
		skynet_free(held);
		held = next;
	}
}

/* clusterd has said where the node is. */
static void
on_address(struct clustersender *sender, bool known, const char *text, size_t size) {
	if (sender->state != ASKING)
		return;
	if (sender->ask_again) {
		ask_address(sender);
		return;
	}
	sender->state = DOWN;
	if (!known) {
		fail_held(sender, "", text, size);
		return;
	}
	char address[ADDRESS_MAX];
	snprintf(address, sizeof address, "%.*s", (int)(size < INT_MAX ? size : 0), text);
	dial(sender, address);
}

/* Another address: the calls that are out get their answers over the old connection. */
static void
on_change(struct clustersender *sender, const char *address, size_t size) {
	if (sender->state == ASKING) {
		sender->ask_again = true;
		return;
	}
	if (sender->link == NULL ||
		(strlen(sender->address) == size && memcmp(sender->address, address, size) == 0))
		return;
	struct link *old = sender->link;
	bool was_up = sender->state == UP;
	sender->link = NULL;
	sender->state = DOWN;
	if (was_up && old->waiting > 0) {
		cluster_output_flush(&old->output);
		old->next = sender->draining;
		sender->draining = old;
	} else {
		close_link(sender, old);
	}
	if (sender->first != NULL || size > 0)
		ask_address(sender);
}

static void
on_text(struct clustersender *sender, const char *text, size_t size) {
	static const char change[] = "change ", down[] = "down";
	if (size >= sizeof change - 1 && memcmp(text, change, sizeof change - 1) == 0)
		on_change(sender, text + sizeof change - 1, size - (sizeof change - 1));
	else if (size == sizeof down - 1 && memcmp(text, down, size) == 0 && sender->link != NULL) {
		skynet_socket_close(sender->context, sender->link->id);
		lose_link(sender, sender->link, "on purpose", 10);
	}
}

static void
on_socket(struct clustersender *sender, const struct skynet_socket_message *message, size_t size) {
	const char *text = (const char *)(message + 1);
	struct link *link;
	switch (message->type) {
	case SKYNET_SOCKET_TYPE_DATA:
		on_data(sender, message->id, message->buffer, (size_t)message->ud);
		skynet_free(message->buffer);
		break;
	case SKYNET_SOCKET_TYPE_CONNECT:
		connected(sender, message->id);
		break;
	case SKYNET_SOCKET_TYPE_ERROR:
	case SKYNET_SOCKET_TYPE_CLOSE:
		link = find_link(sender, message->id);
		if (link == NULL)
			break;
		skynet_socket_close(sender->context, message->id);
		lose_link(sender, link, text, strnlen(text, size - sizeof *message));
		break;
	default:
		break;
	}
}

static int
dispatch(struct skynet_context *context, void *ud, int type, int session, uint32_t source,
	const void *message, size_t size) {
	static const char full[] = "its send buffer is full";
	(void)context;
	struct clustersender *sender = ud;
	int taken = 0;
	switch (type) {
	case PTYPE_RESERVED_LUA:
	case PTYPE_RESERVED_TRACE:
		taken = sender->state != UP;
		if (taken)
			hold(sender, type, session, source, message, size);
		else
			forward(sender, type, session, source, message, size);
		break;
	case PTYPE_RESPONSE:
	case PTYPE_ERROR:
		if (session == sender->ask_session)
			on_address(sender, type == PTYPE_RESPONSE, message, size);
		break;
	case PTYPE_TEXT:
		on_text(sender, message, size);
		break;
	case PTYPE_SOCKET:
		if (size >= sizeof(struct skynet_socket_message))
			on_socket(sender, message, size);
		break;
	default:
		break;
	}
	struct link *link = sender->link;
	if (link != NULL)
		cluster_output_settle(&link->output);
	if (link != NULL && link->output.failed) {
		skynet_socket_shutdown(sender->context, link->id);
		lose_link(sender, link, full, sizeof full - 1);
	}
	return taken;
}

/* ---- start and end ---- */

/* Host and process, as they are shown in traces. */
static void
set_client(struct clustersender *sender) {
	char host[ADDRESS_MAX / 2];
	if (gethostname(host, sizeof host) != 0)
		host[0] = '\0';
	host[sizeof host - 1] = '\0';
	snprintf(sender->client, sizeof sender->client, "%s%ld", host, (long)getpid());
	for (char *at = sender->client; *at != '\0'; at++) {
		if ((unsigned char)*at <= ' ' || *at == 0x7f)
			*at = '_';
	}
}

int
clustersender_init(
	struct clustersender *sender, struct skynet_context *context, const char *param) {
	char name[NODE_MAX + sizeof NAME_PREFIX + 1];
	sender->context = context;
	if (param == NULL || param[0] == '\0' || strlen(param) >= NODE_MAX)
		return 1;
	snprintf(sender->node, sizeof sender->node, "%s", param);
	snprintf(name, sizeof name, ".%s%s", NAME_PREFIX, param);
	/* Somebody else was faster: there is one already. */
	if (skynet_command(context, "REG", name) == NULL)
		return 1;
	set_client(sender);
	skynet_callback(context, sender, dispatch);
	return 0;
}

void
clustersender_release(struct clustersender *sender) {
	if (sender->context != NULL) {
		sender_fail_link_calls(sender, NULL);
		fail_held(sender, "dead_node", sender->node, strlen(sender->node));
	}
	if (sender->link != NULL)
		close_link(sender, sender->link);
	while (sender->draining != NULL) {
		struct link *next = sender->draining->next;
		close_link(sender, sender->draining);
		sender->draining = next;
	}
	while (sender->tags != NULL) {
		struct tag *next = sender->tags->next;
		skynet_free(sender->tags);
		sender->tags = next;
	}
	cluster_sessions_fini(&sender->calls);
	skynet_free(sender);
}
