/* The way to one node of the cluster: one connection at a time, sessions, answers.
 *
 * Argument: name of the node, and optionally the number of the last session; the service takes the
 * local name .clustersender:NAME, so that there is one for each node. A message of type PTYPE_LUA
 * is a request: its first packed value is the address on the other node, what follows goes there
 * unchanged. In front of the address may stand `true` and a deadline in 1/100 s. It dials when
 * there is something to send. clusterd answers the question "address NAME" with "HOST PORT TIMEOUT"
 * or an error, and says, as PTYPE_SYSTEM, "change HOST PORT TIMEOUT", "timeout TIMEOUT", "down", or
 * asks for the "status". See clustersender_link.c for the connection, clustersender_drain.c for
 * those that it replaces, clustersender_answer.c for answers.
 */
#include "clustersender.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "skynet_socket.h"

#define NAME_PREFIX    "clustersender:"
#define LIMIT_DEFAULT  ((int64_t)67108864)
#define MESSAGES_MAX   10000
#define BEAT_DEFAULT_S 5
#define REASON_MAX     160

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

/* A message of a service. Returns true when it has taken `data`. */
static bool
on_message(struct clustersender *sender, int type, int session, uint32_t source, void *data,
	size_t size) {
	bool request = type == PTYPE_RESERVED_LUA;
	if (sender->state == LINK_DOWN && sender_pauses(sender)) {
		sender_fail_at_once(sender, type, source, session);
		return false;
	}
	if (request && !sender_make_room(sender)) {
		sender_refuse_full(sender, source, session);
		return false;
	}
	if (sender->state != LINK_UP || sender->link->output.stalled || sender->first != NULL) {
		sender_hold(sender, type, session, source, data, size);
		if (sender->state == LINK_DOWN && request)
			sender_ask_address(sender);
		return true;
	}
	if (request)
		return sender_send_request(sender, source, session, NULL, data, size);
	sender_keep_tag(sender, source, data, size);
	return false;
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
	if (!link->useful) {
		link->useful = true;
		sender->failures = 0;
	}
	if (response.kind == CLUSTER_ANSWER_PART || response.kind == CLUSTER_ANSWER_LAST)
		lane_confirm_part(&link->confirm, response.size);
	if (response.session > INT32_MAX && sender_take_control(sender, link, &response))
		return;
	if (response.kind == CLUSTER_ANSWER_OK || response.kind == CLUSTER_ANSWER_ERROR) {
		lane_confirm_small(&link->confirm);
		lane_output_expect_answer(&link->output);
	}
	struct cluster_session *call = cluster_sessions_find(&sender->calls, response.session);
	if (call == NULL || call->link != link->id)
		return;
	if (response.kind == CLUSTER_ANSWER_BEGIN)
		sender_probe_early(sender, link);
	if (sender_take_response(sender, call, &response))
		sender_remove_call(sender, call);
}

static void
on_data(struct clustersender *sender, int id, const char *bytes, size_t size) {
	static const char malformed[] = "its response is malformed";
	char reason[REASON_MAX];
	struct link *link = sender_find_link(sender, id);
	if (link == NULL)
		return;
	link->alive_ns = skynet_clock_ns(sender->context);
	if (skynet_socket_demands(
		    sender->context, &link->greeting, bytes, size, reason, sizeof reason)) {
		skynet_socket_close(sender->context, id);
		sender_lose_link(sender, link, reason, strlen(reason));
		return;
	}
	packet_split_push(&link->split, bytes, size, on_frame, link);
	if (link->broken) {
		skynet_socket_close(sender->context, id);
		sender_lose_link(sender, link, malformed, sizeof malformed - 1);
		return;
	}
	sender_confirm(link, false);
}

/* The system takes bytes again. */
static void
on_room(struct clustersender *sender, int id) {
	struct link *link = sender_find_link(sender, id);
	if (link == NULL)
		return;
	link->alive_ns = skynet_clock_ns(sender->context);
	lane_output_resume(&link->output);
	if (link == sender->link && sender->state == LINK_UP)
		sender_release_held(sender);
}

static void
on_socket(struct clustersender *sender, const struct skynet_socket_message *message, size_t size) {
	static const char closed[] = "the other side closed the connection";
	const char *text = (const char *)(message + 1);
	struct link *link;
	switch (message->type) {
	case SKYNET_SOCKET_TYPE_DATA:
		on_data(sender, message->id, message->buffer, (size_t)message->ud);
		skynet_free(message->buffer);
		break;
	case SKYNET_SOCKET_TYPE_CONNECT:
		sender_connected(sender, message->id);
		break;
	case SKYNET_SOCKET_TYPE_WARNING:
		if (message->ud == 0)
			on_room(sender, message->id);
		break;
	case SKYNET_SOCKET_TYPE_ERROR:
	case SKYNET_SOCKET_TYPE_CLOSE:
		link = sender_find_link(sender, message->id);
		if (link == NULL)
			break;
		skynet_socket_close(sender->context, message->id);
		size = strnlen(text, size - sizeof *message);
		sender_lose_link(sender, link, size > 0 ? text : closed,
			size > 0 ? size : sizeof closed - 1);
		break;
	default:
		break;
	}
}

static void
on_response(struct clustersender *sender, bool ok, int session, const char *text, size_t size) {
	if (sender_link_response(sender, ok, session, text, size))
		return;
	uint32_t number = cluster_deadlines_fired(&sender->deadlines, session);
	if (number != 0)
		sender_expire_call(sender, number);
}

static void
settle(struct clustersender *sender) {
	static const char failed[] = "it takes no more bytes";
	struct link *link = sender->link;
	if (link != NULL && sender->state == LINK_UP) {
		if (lane_output_ready(&link->output))
			sender_confirm(link, true);
		lane_output_settle(&link->output);
		if (link->output.failed) {
			skynet_socket_shutdown(sender->context, link->id);
			sender_lose_link(sender, link, failed, sizeof failed - 1);
		}
	}
	sender_drain(sender);
	sender_update_full(sender);
}

static int
dispatch(struct skynet_context *context, void *ud, int type, int session, uint32_t source,
	const void *message, size_t size) {
	(void)context;
	struct clustersender *sender = ud;
	int taken = 0;
	switch (type) {
	case PTYPE_RESERVED_LUA:
	case PTYPE_RESERVED_TRACE:
		/* The kernel frees the message unless `taken` is returned. */
		taken = on_message(sender, type, session, source, (void *)(uintptr_t)message, size);
		break;
	case PTYPE_RESPONSE:
	case PTYPE_ERROR:
		on_response(sender, type == PTYPE_RESPONSE, session, message, size);
		break;
	case PTYPE_SYSTEM:
		if (size > 0)
			sender_link_told(sender, source, session, message, size);
		break;
	case PTYPE_SOCKET:
		if (size >= sizeof(struct skynet_socket_message))
			on_socket(sender, message, size);
		break;
	default:
		break;
	}
	settle(sender);
	return taken;
}

/* ---- what the console shows ---- */

static const char *
state_name(const struct clustersender *sender) {
	switch (sender->state) {
	case LINK_UP:
		return "up";
	case LINK_DRAINING:
		return "draining";
	case LINK_ASKING:
	case LINK_DIALLING:
		return "dialling";
	default:
		return "down";
	}
}

void
sender_answer_status(struct clustersender *sender, uint32_t source, int session) {
	static const char *const peers[] = {"unknown", "other", "ours"};
	char text[ADDRESS_MAX + 512];
	struct skynet_context *context = sender->context;
	int draining = 0;
	for (const struct link *link = sender->draining; link != NULL; link = link->next)
		draining++;
	int64_t rejected = skynet_stat_get(context, 0, SKYNET_STAT_REJECTED);
	int size = snprintf(text, sizeof text,
		"state=%s peer=%s draining=%d calls=%" PRIu32
		" queued=%zu limit=%zu blocked=%" PRId64 " rejected=%" PRIu64 " dropped=%" PRIu64
		" failed=%" PRIu32 " address=%s",
		state_name(sender), peers[sender->peer], draining, sender->calls.count,
		sender_waiting_size(sender), sender->limit,
		skynet_stat_get(context, 0, SKYNET_STAT_BLOCKED),
		sender->rejected + (uint64_t)rejected,
		sender->dropped + (uint64_t)skynet_stat_get(context, 0, SKYNET_STAT_DROPPED),
		sender->failures, sender->address);
	skynet_send(context, 0, source, PTYPE_RESPONSE, session, text, (size_t)size);
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

void
sender_set_identity(struct clustersender *sender) {
	uint64_t now = skynet_clock_ns(sender->context), hash = UINT64_C(14695981039346656037);
	uint64_t own[] = {now, skynet_context_starttime(sender->context),
		skynet_context_handle(sender->context), (uint64_t)(uintptr_t)sender};
	for (const char *at = sender->client; *at != '\0'; at++)
		hash = (hash ^ (unsigned char)*at) * UINT64_C(1099511628211);
	for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
		hash = (hash ^ own[i]) * UINT64_C(1099511628211);
		hash ^= hash >> 29;
	}
	sender->identity = hash;
	sender->identified = false;
	sender->random = (uint32_t)(hash >> 32) | 1;
}

static void
read_settings(struct clustersender *sender) {
	struct skynet_context *context = sender->context;
	const char *policy = skynet_setting_get(context, "cluster_buffer_policy");
	sender->limit =
		(size_t)skynet_setting_number(context, "cluster_buffer_limit", LIMIT_DEFAULT);
	sender->heartbeat_ms =
		skynet_setting_number(context, "cluster_heartbeat", BEAT_DEFAULT_S) * 1000;
	sender->call_timeout_ms = skynet_setting_number(context, "call_timeout", 0) * MS_PER_CS;
	sender->policy = SKYNET_MAILBOX_BLOCK;
	if (policy != NULL && strcmp(policy, "reject") == 0)
		sender->policy = SKYNET_MAILBOX_REJECT;
	else if (policy != NULL && strcmp(policy, "drop") == 0)
		sender->policy = SKYNET_MAILBOX_DROP;
	/* `limit` counts what this service has looked at; its mailbox needs a bound too. */
	int64_t limit = skynet_stat_get(context, 0, SKYNET_STAT_LIMIT);
	if (limit == 0 && sender->limit != 0 && sender->policy != SKYNET_MAILBOX_DROP)
		limit = MESSAGES_MAX;
	skynet_mailbox_limit(context, (size_t)limit, sender->policy);
}

/* Splits "NAME LAST_SESSION". Returns false when there is no name. */
static bool
read_param(struct clustersender *sender, const char *param) {
	size_t length = param != NULL ? strcspn(param, " ") : 0;
	if (length == 0 || length >= NODE_MAX)
		return false;
	memcpy(sender->node, param, length);
	long long last = strtoll(param + length, NULL, 10);
	if (last > 0 && last <= INT32_MAX)
		sender->last_session = (uint32_t)last;
	return true;
}

int
clustersender_init(
	struct clustersender *sender, struct skynet_context *context, const char *param) {
	char name[NODE_MAX + sizeof NAME_PREFIX + 1];
	if (!read_param(sender, param))
		return 1;
	sender->context = context;
	cluster_deadlines_init(&sender->deadlines, context);
	snprintf(name, sizeof name, ".%s%s", NAME_PREFIX, sender->node);
	/* The name is taken: another service started the sender of this node in the meantime. */
	if (skynet_command(context, "REG", name) == NULL)
		return 1;
	set_client(sender);
	sender_set_identity(sender);
	read_settings(sender);
	skynet_callback(context, sender, dispatch);
	return 0;
}

void
clustersender_release(struct clustersender *sender) {
	if (sender->context != NULL) {
		char text[NODE_MAX + 24];
		size_t size =
			(size_t)snprintf(text, sizeof text, "%s (its sender ends)", sender->node);
		sender_fail_held(sender, "dead_node", text, size);
		sender_fail_link_calls(sender, NULL, text, size);
		sender_close_links(sender);
		cluster_deadlines_fini(&sender->deadlines);
	}
	while (sender->tags != NULL) {
		struct tag *next = sender->tags->next;
		skynet_free(sender->tags);
		sender->tags = next;
	}
	cluster_sessions_fini(&sender->calls);
	skynet_free(sender);
}
