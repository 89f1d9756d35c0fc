/* One connection from another node of the cluster: its requests go to the services here, and their
 * answers back.
 *
 * Argument: id of the socket, and for the log who has connected. It reads what clusterd has
 * accepted, and lives as long as the connection. What is asked of clusterd is text: "name NAME" is
 * answered by a handle in hexadecimal or an error; "query " with a packed name behind it by the
 * packed handle. PTYPE_SYSTEM from clusterd: "forget" drops the known names, "replaced" ends the
 * connection, "status" is answered with text. Requests are served in order: what follows a name
 * that must be asked for waits with it.
 */
#include "clusteragent.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "skynet_socket.h"

#define DAEMON        "clusterd"
#define HEAD_WIDTH    2
#define ERROR_MAX     CLUSTER_RESPONSE_MAX
#define JOIN_MAX      4096 /* payloads that come in parts at the same time */
#define INVALID_PARTS "remote: Invalid large req"
#define LIMIT_DEFAULT 67108864
#define NS_PER_MS     UINT64_C(1000000)
#define REASON_MAX    160

#define PATIENCE_DEFAULT 2

/* When a peer that says nothing is given up. */
#define KEEPALIVE_S          10
#define KEEPALIVE_INTERVAL_S 5
#define UNACKNOWLEDGED_MS    30000

struct clusteragent *clusteragent_create(void);
int clusteragent_init(
	struct clusteragent *agent, struct skynet_context *context, const char *param);
void clusteragent_release(struct clusteragent *agent);

struct clusteragent *
clusteragent_create(void) {
	struct clusteragent *agent = skynet_calloc(1, sizeof *agent);
	agent->socket = -1;
	cluster_sessions_init(&agent->calls);
	cluster_sessions_init(&agent->parts);
	packet_split_init(&agent->split, HEAD_WIDTH);
	return agent;
}

/* ---- answers ---- */

static void
answer(struct clusteragent *agent, uint32_t session, enum cluster_response_kind kind,
	const char *data, size_t size) {
	char head[CLUSTER_HEAD_MAX];
	size_t head_size = cluster_head_response(head, session, kind, size);
	lane_output_write(&agent->output, head, head_size, data, size);
	lane_output_small(&agent->output);
}

static void
answer_error(struct clusteragent *agent, uint32_t session, const char *text, size_t size) {
	answer(agent, session, CLUSTER_ANSWER_ERROR, text, size < ERROR_MAX ? size : ERROR_MAX);
}

static size_t
part_head(char *head, const struct lane_item *item, size_t size, bool last) {
	return cluster_head_response(
		head, item->session, last ? CLUSTER_ANSWER_LAST : CLUSTER_ANSWER_PART, size);
}

static const struct lane_framing FRAMING = {
	.part_size = CLUSTER_PART_SIZE,
	.part_head = part_head,
	.same_target = cluster_targets_meet,
};

void
agent_answer_text(struct clusteragent *agent, uint32_t session, const char *text) {
	answer_error(agent, session, text, strlen(text));
}

/* Answers in parts. The frame that announces the answer is written like a small one, so that the
 * peer knows the order of answers; the parts follow in their lane. */
static void
answer_parts(struct clusteragent *agent, uint32_t session, char *data, size_t size) {
	char head[CLUSTER_HEAD_MAX];
	size_t head_size = cluster_head_response_begin(head, session, (uint32_t)size);
	lane_output_write(&agent->output, head, head_size, NULL, 0);
	struct lane_payload payload = {
		.key = lane_key(session, 0),
		.form = LANE_PARTS,
		.session = session,
		.block = data,
		.at = data,
		.size = size,
	};
	lane_output_queue(&agent->output, &payload);
}

/* Returns true when it has taken `data`. */
static bool
answer_data(struct clusteragent *agent, uint32_t session, char *data, size_t size) {
	bool taken = size > CLUSTER_RESPONSE_MAX && size <= CLUSTER_MESSAGE_MAX;
	if (taken)
		answer_parts(agent, session, data, size);
	else if (size <= CLUSTER_RESPONSE_MAX)
		answer(agent, session, CLUSTER_ANSWER_OK, data, size);
	else
		agent_answer_text(agent, session, "remote: response is too large");
	return taken;
}

/* Tells the other node what has been read of parts, when it is much or `now`. */
static void
confirm(struct clusteragent *agent, bool now) {
	char head[CLUSTER_HEAD_MAX];
	bool may = agent->ours && !agent_withholds_credit(agent);
	uint32_t parts = may ? lane_confirm_take(&agent->confirm, now) : 0;
	if (parts == 0)
		return;
	size_t size = cluster_head_confirm(head, parts);
	lane_output_write(&agent->output, head, size, NULL, 0);
}

/* ---- from the other node ---- */

/* What was sent ahead of a request becomes a part of it. */
static void
take_ahead(struct clusteragent *agent, struct agent_request *request) {
	request->tag = NULL;
	request->tag_size = 0;
	request->deadline_ns = 0;
	if (request->push)
		return;
	request->tag = agent->tag;
	request->tag_size = agent->tag_size;
	request->deadline_ns = agent->deadline_ns;
	agent->tag = NULL;
	agent->deadline_ns = 0;
}

static void
set_address(struct agent_request *request, const struct cluster_address *to) {
	request->handle = to->handle;
	request->name_size = 0;
	if (to->name == NULL)
		return;
	/* name_size 0 would mean an address by handle; the empty name stands for no service. */
	request->name_size = to->name_size > 0 ? to->name_size : 1;
	memcpy(request->name, to->name, to->name_size);
	request->name[to->name_size] = '\0';
}

static void
free_parts(struct clusteragent *agent, struct cluster_session *session) {
	struct parts *parts = session->extra;
	cluster_sessions_remove(&agent->parts, session);
	skynet_free(parts->join.data);
	agent_clear_request(&parts->request);
	skynet_free(parts);
}

static void
begin_parts(struct clusteragent *agent, const struct cluster_request *request) {
	struct cluster_session *session = cluster_sessions_find(&agent->parts, request->session);
	if (session != NULL) {
		/* Two requests with one number: an error answers the last part. */
		((struct parts *)session->extra)->broken = true;
		return;
	}
	if (request->session == 0 || agent->parts.count >= JOIN_MAX) {
		agent_answer_text(agent, request->session, INVALID_PARTS);
		return;
	}
	struct parts *parts = skynet_calloc(1, sizeof *parts);
	parts->join.total = request->total;
	parts->broken = request->total > CLUSTER_MESSAGE_MAX;
	parts->request.session = request->session;
	parts->request.push = request->push;
	take_ahead(agent, &parts->request);
	set_address(&parts->request, &request->to);
	cluster_sessions_add(&agent->parts, request->session)->extra = parts;
}

static void
add_part(struct clusteragent *agent, const struct cluster_request *part) {
	struct cluster_session *session = cluster_sessions_find(&agent->parts, part->session);
	if (session == NULL) {
		if (part->kind == CLUSTER_LAST)
			agent_answer_text(agent, part->session, "remote: Invalid name");
		return;
	}
	struct parts *parts = session->extra;
	struct payload_join *join = &parts->join;
	if (!parts->broken && !payload_join_add(join, part->data, part->size))
		parts->broken = true;
	if (part->kind == CLUSTER_PART)
		return;
	if (parts->broken || join->size != join->total) {
		agent_answer_text(agent, part->session, INVALID_PARTS);
	} else {
		parts->request.data = join->data;
		parts->request.size = join->size;
		join->data = NULL;
		agent_serve(agent, &parts->request);
	}
	free_parts(agent, session);
}

/* Has clusterd end what is left of earlier connections of the same sender. */
static void
ask_identity(struct clusteragent *agent, uint64_t identity) {
	char text[64];
	if (identity == 0 || identity == agent->identity)
		return;
	int size =
		snprintf(text, sizeof text, "identity %016" PRIx64 " %d", identity, agent->socket);
	agent->identity = identity;
	agent->identity_session = skynet_context_newsession(agent->context);
	if (skynet_send(agent->context, 0, agent->daemon, PTYPE_TEXT, agent->identity_session, text,
		    (size_t)size) < 0)
		agent->identity_session = 0;
}

/* Sets the narrow bound for parts. Where the system cannot tell the round trip, the window that the
 * peer has asked for shows how long the line is. */
static void
set_narrow(struct clusteragent *agent, uint32_t window) {
	uint64_t rtt_ns = skynet_socket_round_trip(agent->context, agent->socket);
	if (rtt_ns == 0 && (int64_t)window > LANE_WINDOW_WIDE)
		rtt_ns = (uint64_t)window * LANE_LINE_NS_BYTE;
	lane_output_set_narrow(&agent->output, rtt_ns);
}

/* Answers a probe. Returns false when the request is none. */
static bool
answer_probe(struct clusteragent *agent, const struct cluster_request *request) {
	char head[CLUSTER_HEAD_MAX], payload[CLUSTER_PROBE_SIZE];
	uint32_t window;
	uint64_t identity;
	if (request->to.name != NULL || request->to.handle != 0 ||
		request->session != CLUSTER_PROBE ||
		!cluster_probe_unpack(request->data, request->size, &window, &identity))
		return false;
	agent->ours = true;
	ask_identity(agent, identity);
	lane_output_set_window(&agent->output, (int64_t)window);
	set_narrow(agent, window);
	cluster_probe_pack(payload, CLUSTER_PROBE_VERSION, 0);
	size_t head_size =
		cluster_head_response(head, CLUSTER_PROBE, CLUSTER_ANSWER_OK, sizeof payload);
	lane_output_write(&agent->output, head, head_size, payload, sizeof payload);
	return true;
}

/* Returns true when there was one to be answered. */
static bool
answer_fence(struct clusteragent *agent) {
	char head[CLUSTER_HEAD_MAX];
	if (!agent->fenced || agent->late.first != NULL)
		return false;
	agent->fenced = false;
	size_t size = cluster_head_response(head, CLUSTER_FENCE, CLUSTER_ANSWER_OK, 0);
	lane_output_write(&agent->output, head, size, NULL, 0);
	return true;
}

static void
take_tag(struct clusteragent *agent, const char *tag, size_t size) {
	skynet_free(agent->tag);
	agent->tag = skynet_malloc(size + 1);
	memcpy(agent->tag, tag, size);
	agent->tag_size = size;
}

/* What later nodes may add is ignored. */
static void
take_extra(struct clusteragent *agent, enum cluster_extra extra, uint32_t value) {
	if (extra == CLUSTER_EXTRA_CONFIRM)
		lane_output_confirm(&agent->output, value);
	else if (extra == CLUSTER_EXTRA_DEADLINE)
		agent->deadline_ns = skynet_clock_ns(agent->context) + value * NS_PER_MS;
}

/* A request in one frame. */
static void
take_request(struct clusteragent *agent, const struct cluster_request *parsed) {
	struct agent_request request;
	if (answer_probe(agent, parsed))
		return;
	lane_confirm_small(&agent->confirm);
	lane_output_expect_answer(&agent->output);
	request.session = parsed->session;
	request.push = parsed->push;
	request.data = NULL;
	request.borrowed = parsed->data;
	request.size = parsed->size;
	take_ahead(agent, &request);
	set_address(&request, &parsed->to);
	agent_serve(agent, &request);
}

/* Logs the first one, the second, the fourth and so on: a stranger cannot fill the log. */
static void
ignore_frame(struct clusteragent *agent, const char *frame, size_t size) {
	uint64_t malformed = ++agent->malformed;
	if ((malformed & (malformed - 1)) == 0)
		skynet_error(agent->context,
			"cluster: malformed request of %zu bytes, type 0x%02x, from %s; %llu so far",
			size, size > 0 ? (unsigned char)frame[0] : 0, agent->from,
			(unsigned long long)malformed);
}

static void
on_frame(void *ud, const char *frame, size_t size) {
	struct clusteragent *agent = ud;
	struct cluster_request parsed;
	if (!cluster_request_parse(frame, size, &parsed)) {
		ignore_frame(agent, frame, size);
		return;
	}
	switch (parsed.kind) {
	case CLUSTER_BEGIN:
		begin_parts(agent, &parsed);
		break;
	case CLUSTER_PART:
	case CLUSTER_LAST:
		lane_confirm_part(&agent->confirm, parsed.size);
		add_part(agent, &parsed);
		break;
	case CLUSTER_TRACE:
		take_tag(agent, parsed.data, parsed.size);
		break;
	case CLUSTER_EXTRA:
		take_extra(agent, (enum cluster_extra)parsed.extra, parsed.total);
		break;
	case CLUSTER_REQUEST:
		take_request(agent, &parsed);
		break;
	}
}

/* ---- from services ---- */

/* The deadline of a call is over; its answer finds nobody. */
static void
expire_call(struct clusteragent *agent, uint32_t id) {
	struct cluster_session *call = cluster_sessions_find(&agent->calls, id);
	if (call == NULL)
		return;
	agent_answer_text(agent, call->number, "timeout");
	agent_end_call(agent, call);
}

/* Returns true when it has taken `data`. */
static bool
on_answer(struct clusteragent *agent, int type, int session, char *data, size_t size) {
	if (session != 0 && session == agent->ask_session) {
		agent_name_known(agent, type == PTYPE_RESPONSE, data, size);
		return false;
	}
	if (session != 0 && session == agent->identity_session) {
		agent_earlier_ended(agent);
		return false;
	}
	if (agent_room_response(agent, session) || agent_late_timer(agent, session))
		return false;
	struct cluster_session *call = cluster_sessions_find(&agent->calls, (uint32_t)session);
	if (call == NULL) {
		uint32_t id = cluster_deadlines_fired(&agent->deadlines, session);
		if (id != 0)
			expire_call(agent, id);
		return false;
	}
	uint32_t number = call->number, target = call->target;
	agent_end_call(agent, call);
	if (type == PTYPE_RESPONSE && agent_is_overloaded(agent)) {
		agent_answer_text(agent, number, "overloaded: the answers before it are not read");
		return false;
	}
	if (type == PTYPE_RESPONSE) {
		bool parts = answer_data(agent, number, data, size);
		agent_note_answer(agent, target, size, parts);
		return parts;
	}
	if (size > 0)
		answer_error(agent, number, data, size);
	else
		agent_answer_text(agent, number, "call failed");
	return false;
}

static void
leave(struct clusteragent *agent) {
	char text[32];
	int size = snprintf(text, sizeof text, "closed %d", agent->socket);
	skynet_socket_close(agent->context, agent->socket);
	agent->socket = -1;
	skynet_send(agent->context, 0, agent->daemon, PTYPE_TEXT, 0, text, (size_t)size);
	skynet_context_kill(agent->context, 0);
}

/* The other node waits for us to authenticate. Ends the connection. */
static bool
is_guarded(struct clusteragent *agent, const char *bytes, size_t size) {
	char reason[REASON_MAX];
	if (!skynet_socket_demands(
		    agent->context, &agent->greeting, bytes, size, reason, sizeof reason))
		return false;
	skynet_error(
		agent->context, "cluster: refused a connection of %s: %s", agent->from, reason);
	leave(agent);
	return true;
}

static void
on_socket(struct clusteragent *agent, const struct skynet_socket_message *message) {
	switch (message->type) {
	case SKYNET_SOCKET_TYPE_DATA:
		if (is_guarded(agent, message->buffer, (size_t)message->ud)) {
			skynet_free(message->buffer);
			break;
		}
		packet_split_push(
			&agent->split, message->buffer, (size_t)message->ud, on_frame, agent);
		skynet_free(message->buffer);
		confirm(agent, false);
		break;
	case SKYNET_SOCKET_TYPE_WARNING:
		if (message->ud == 0)
			lane_output_resume(&agent->output);
		break;
	case SKYNET_SOCKET_TYPE_ERROR:
	case SKYNET_SOCKET_TYPE_CLOSE:
		if (message->id == agent->socket)
			leave(agent);
		break;
	default:
		break;
	}
}

/* Reads no more requests while too much waits, or a service here is to get no more. */
static void
update_pause(struct clusteragent *agent) {
	bool pause = agent_has_too_much(agent) || agent_room_waits(agent);
	if (pause == agent->paused)
		return;
	agent->paused = agent->output.deaf = pause;
	if (pause)
		skynet_socket_pause(agent->context, agent->socket);
	else
		skynet_socket_start(agent->context, agent->socket);
}

static void
settle(struct clusteragent *agent) {
	if (agent->socket < 0)
		return;
	size_t waiting = lane_output_waiting(&agent->output);
	if (waiting > agent->most)
		agent->most = waiting;
	update_pause(agent);
	if (lane_output_ready(&agent->output))
		confirm(agent, true);
	lane_output_settle(&agent->output);
	bool released = agent_release_late(agent);
	if (released)
		confirm(agent, false);
	if (answer_fence(agent) || released)
		lane_output_settle(&agent->output);
	update_pause(agent);
	if (agent->output.failed) {
		skynet_socket_shutdown(agent->context, agent->socket);
		leave(agent);
	}
}

/* What clusterd says. */
static void
on_told(struct clusteragent *agent, int session, const char *text, size_t size) {
	static const char forget[] = "forget", replaced[] = "replaced", status[] = "status";
	if (size == sizeof forget - 1 && memcmp(text, forget, size) == 0) {
		agent_forget_names(agent);
	} else if (size == sizeof status - 1 && memcmp(text, status, size) == 0) {
		agent_answer_status(agent, agent->daemon, session);
	} else if (size == sizeof replaced - 1 && memcmp(text, replaced, size) == 0) {
		/* The sender has given this connection up. */
		if (agent->socket >= 0) {
			skynet_socket_shutdown(agent->context, agent->socket);
			leave(agent);
		}
		skynet_send(agent->context, 0, agent->daemon, PTYPE_RESPONSE, session, NULL, 0);
	}
}

static int
dispatch(struct skynet_context *context, void *ud, int type, int session, uint32_t source,
	const void *message, size_t size) {
	(void)context;
	struct clusteragent *agent = ud;
	int taken = 0;
	switch (type) {
	case PTYPE_RESPONSE:
	case PTYPE_ERROR:
		/* The kernel frees the message unless `taken` is returned. */
		taken = on_answer(agent, type, session, (char *)(uintptr_t)message, size);
		break;
	case PTYPE_SOCKET:
		if (size >= sizeof(struct skynet_socket_message))
			on_socket(agent, message);
		break;
	case PTYPE_SYSTEM:
		if (source == agent->daemon)
			on_told(agent, session, message, size);
		break;
	default:
		break;
	}
	settle(agent);
	return taken;
}

/* ---- start and end ---- */

int
clusteragent_init(struct clusteragent *agent, struct skynet_context *context, const char *param) {
	char *end = NULL;
	long id = param != NULL ? strtol(param, &end, 10) : -1;
	agent->context = context;
	agent->daemon = skynet_name_find(context, DAEMON);
	if (end == NULL || end == param || (*end != '\0' && *end != ' ') || id < 0 ||
		id > INT_MAX || agent->daemon == 0) {
		skynet_error(context, "error: clusteragent wants the id of a socket");
		return 1;
	}
	agent->socket = (int)id;
	snprintf(agent->from, sizeof agent->from, "%s", *end == ' ' ? end + 1 : "somebody");
	lane_output_init(&agent->output, &FRAMING, context, agent->socket);
	agent->limit =
		(size_t)skynet_setting_number(context, "cluster_buffer_limit", LIMIT_DEFAULT);
	agent->patience_s =
		(int)skynet_setting_number(context, "cluster_patience", PATIENCE_DEFAULT);
	cluster_deadlines_init(&agent->deadlines, context);
	skynet_callback(context, agent, dispatch);
	skynet_socket_start(context, agent->socket);
	skynet_socket_nodelay(context, agent->socket);
	skynet_socket_keepalive(
		context, agent->socket, KEEPALIVE_S, KEEPALIVE_INTERVAL_S, UNACKNOWLEDGED_MS);
	return 0;
}

void
clusteragent_release(struct clusteragent *agent) {
	if (agent->socket >= 0) {
		lane_output_spill(&agent->output);
		skynet_socket_close(agent->context, agent->socket);
	}
	for (uint32_t i = 0; i <= agent->parts.mask; i++) {
		struct parts *parts = agent->parts.places[i].extra;
		if (parts == NULL)
			continue;
		skynet_free(parts->join.data);
		agent_clear_request(&parts->request);
		skynet_free(parts);
	}
	agent_drop_kept(agent, &agent->held);
	agent_drop_kept(agent, &agent->late);
	agent_forget_names(agent);
	skynet_free(agent->tag);
	lane_output_fini(&agent->output);
	if (agent->deadlines.context != NULL)
		cluster_deadlines_fini(&agent->deadlines);
	cluster_sessions_fini(&agent->calls);
	cluster_sessions_fini(&agent->parts);
	packet_split_fini(&agent->split);
	skynet_free(agent);
}
