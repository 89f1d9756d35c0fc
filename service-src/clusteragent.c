/* One connection from another node of the cluster: its requests go to the services here, and their
 * answers back.
 *
 * Argument: id of the socket. It reads what clusterd has accepted, and lives as long as the
 * connection. What is asked of clusterd is text: "name NAME" is answered by a handle in hexadecimal
 * or an error; "query " with a packed name behind it by the packed handle. Text from clusterd:
 * "forget" drops the known names. Requests are served in order: what follows a name that must be
 * asked for waits with it.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster_frame.h"
#include "cluster_output.h"
#include "cluster_session.h"
#include "packet_split.h"
#include "skynet.h"
#include "skynet_socket.h"

#define DAEMON          "clusterd"
#define HEAD_WIDTH      2
#define GLOBAL_NAME_MAX 15
#define ERROR_MAX       CLUSTER_RESPONSE_MAX
#define JOIN_MAX        4096 /* payloads that come in parts at the same time */
#define INVALID_PARTS   "remote: Invalid large req"
#define KNOWN_MAX       1024 /* names; a power of 2 */

/* When a peer that says nothing is given up. */
#define KEEPALIVE_S          10
#define KEEPALIVE_INTERVAL_S 5
#define UNACKNOWLEDGED_MS    30000

/* A complete request. */
struct request {
	struct request *next;
	uint32_t session; /* of the other node; 0 in an answer that nobody waits for */
	bool push;
	char *data; /* skynet_malloc; NULL: `borrowed` */
	const char *borrowed;
	size_t size;
	char *tag; /* skynet_malloc, or NULL */
	size_t tag_size;
	uint32_t handle;
	size_t name_size; /* 0: by handle */
	char name[CLUSTER_NAME_MAX + 1];
};

/* A request whose parts are coming. */
struct parts {
	struct cluster_join join;
	bool broken; /* answered with an error when the last part has come */
	struct request request;
};

struct known_name {
	char *name; /* skynet_malloc, NULL: free place */
	uint32_t handle;
};

struct clusteragent {
	struct skynet_context *context;
	int socket;
	uint32_t daemon;
	struct packet_split split;
	struct cluster_output output;
	struct cluster_sessions calls; /* session here to session there */
	struct cluster_sessions parts; /* session there to struct parts */
	struct known_name known[KNOWN_MAX];
	int ask_session;              /* the first of `held` waits for its name; 0: none */
	struct request *first, *last; /* held, in order */
	char *tag;                    /* of the next request; skynet_malloc or NULL */
	size_t tag_size;
};

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
	cluster_output_write(&agent->output, head, head_size, data, size);
}

static void
answer_error(struct clusteragent *agent, uint32_t session, const char *text, size_t size) {
	answer(agent, session, CLUSTER_ANSWER_ERROR, text, size < ERROR_MAX ? size : ERROR_MAX);
}

static void
answer_text(struct clusteragent *agent, uint32_t session, const char *text) {
	answer_error(agent, session, text, strlen(text));
}

static void
answer_parts(struct clusteragent *agent, uint32_t session, const char *data, size_t size) {
	char head[CLUSTER_HEAD_MAX];
	size_t head_size = cluster_head_response_begin(head, session, (uint32_t)size);
	cluster_output_expect(&agent->output, size);
	cluster_output_write(&agent->output, head, head_size, NULL, 0);
	while (size > CLUSTER_PART_SIZE) {
		answer(agent, session, CLUSTER_ANSWER_PART, data, CLUSTER_PART_SIZE);
		data += CLUSTER_PART_SIZE;
		size -= CLUSTER_PART_SIZE;
	}
	answer(agent, session, CLUSTER_ANSWER_LAST, data, size);
}

static void
answer_data(struct clusteragent *agent, uint32_t session, const char *data, size_t size) {
	if (size <= CLUSTER_RESPONSE_MAX)
		answer(agent, session, CLUSTER_ANSWER_OK, data, size);
	else if (size <= CLUSTER_MESSAGE_MAX)
		answer_parts(agent, session, data, size);
	else
		answer_text(agent, session, "remote: response is too large");
}

/* ---- requests to services ---- */

static void
clear_request(struct request *request) {
	skynet_free(request->data);
	skynet_free(request->tag);
	request->data = request->tag = NULL;
}

/* Makes a session for an answer; 0 for a push. */
static int
open_call(struct clusteragent *agent, const struct request *request) {
	if (request->push)
		return 0;
	int session = skynet_context_newsession(agent->context);
	while (cluster_sessions_find(&agent->calls, (uint32_t)session) != NULL)
		session = skynet_context_newsession(agent->context);
	cluster_sessions_add(&agent->calls, (uint32_t)session)->number = request->session;
	return session;
}

static void
refuse_call(struct clusteragent *agent, int session, const char *text) {
	struct cluster_session *call = cluster_sessions_find(&agent->calls, (uint32_t)session);
	if (session == 0 || call == NULL)
		return;
	uint32_t number = call->number;
	cluster_sessions_remove(&agent->calls, call);
	answer_text(agent, number, text);
}

/* The message of a request, as skynet_send wants it. */
static void *
message_of(struct request *request, int *type) {
	*type = PTYPE_RESERVED_LUA;
	if (request->data == NULL)
		return (void *)(uintptr_t)request->borrowed;
	*type |= PTYPE_TAG_DONTCOPY;
	void *data = request->data;
	request->data = NULL;
	return data;
}

/* Sends to `handle`, or to the global name of the request when it is 0. */
static void
send_on(struct clusteragent *agent, struct request *request, uint32_t handle) {
	int type, session = open_call(agent, request), result;
	if (request->tag != NULL && handle != 0)
		skynet_send(agent->context, 0, handle, PTYPE_RESERVED_TRACE, 0, request->tag,
			request->tag_size);
	void *data = message_of(request, &type);
	if (handle != 0)
		result = skynet_send(agent->context, 0, handle, type, session, data, request->size);
	else
		result = skynet_sendname(
			agent->context, 0, request->name, type, session, data, request->size);
	if (result == -3)
		refuse_call(agent, session, "overloaded");
	else if (result < 0)
		refuse_call(agent, session, "dead_service");
}

/* A question about a name goes to clusterd, whose answer is that of the call. */
static void
send_query(struct clusteragent *agent, struct request *request) {
	static const char word[] = "query ";
	size_t size = sizeof word - 1 + request->size;
	const char *payload = request->data != NULL ? request->data : request->borrowed;
	char *text = skynet_malloc(size);
	memcpy(text, word, sizeof word - 1);
	if (request->size > 0)
		memcpy(text + sizeof word - 1, payload, request->size);
	request->push = false;
	int session = open_call(agent, request);
	if (skynet_send(agent->context, 0, agent->daemon, PTYPE_TEXT | PTYPE_TAG_DONTCOPY, session,
		    text, size) < 0)
		refuse_call(agent, session, "dead_service");
}

/* ---- names ---- */

static struct known_name *
place_of(struct clusteragent *agent, const char *name) {
	uint32_t hash = 2166136261u;
	for (const char *at = name; *at != '\0'; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619u;
	return &agent->known[(hash ^ hash >> 16) & (KNOWN_MAX - 1)];
}

static void
forget_names(struct clusteragent *agent) {
	for (size_t i = 0; i < KNOWN_MAX; i++) {
		skynet_free(agent->known[i].name);
		agent->known[i].name = NULL;
	}
}

/* Returns false when clusterd is gone. */
static bool
ask_name(struct clusteragent *agent, const char *name) {
	char question[CLUSTER_NAME_MAX + 16];
	int size = snprintf(question, sizeof question, "name %s", name + 1);
	agent->ask_session = skynet_context_newsession(agent->context);
	if (skynet_send(agent->context, 0, agent->daemon, PTYPE_TEXT, agent->ask_session, question,
		    (size_t)size) >= 0)
		return true;
	agent->ask_session = 0;
	return false;
}

/* Returns false when the request must wait for its name. */
static bool
serve(struct clusteragent *agent, struct request *request) {
	if (request->name_size == 0) {
		if (request->handle == 0)
			send_query(agent, request);
		else
			send_on(agent, request, request->handle);
		return true;
	}
	uint32_t handle = 0;
	const char *refusal = "remote: Invalid name";
	if (strlen(request->name) != request->name_size) {
		handle = 0; /* a NUL inside */
	} else if (request->name[0] == '@') {
		struct known_name *known = place_of(agent, request->name);
		if (known->name == NULL || strcmp(known->name, request->name) != 0) {
			if (ask_name(agent, request->name))
				return false;
		} else {
			handle = known->handle;
		}
	} else if (request->name[0] == '.') {
		handle = skynet_name_find(agent->context, request->name + 1);
		refusal = "dead_service";
	} else if (request->name[0] != ':' && request->name_size <= GLOBAL_NAME_MAX) {
		send_on(agent, request, 0);
		return true;
	}
	if (handle != 0)
		send_on(agent, request, handle);
	else
		answer_text(agent, request->push ? 0 : request->session, refusal);
	return true;
}

/* Keeps a request, with a copy of what it borrows. */
static void
hold(struct clusteragent *agent, struct request *request) {
	struct request *held = skynet_malloc(sizeof *held);
	*held = *request;
	held->next = NULL;
	if (held->data == NULL && held->size > 0) {
		held->data = skynet_malloc(held->size);
		memcpy(held->data, held->borrowed, held->size);
	}
	if (agent->last != NULL)
		agent->last->next = held;
	else
		agent->first = held;
	agent->last = held;
	request->data = request->tag = NULL;
}

static struct request *
unhold(struct clusteragent *agent) {
	struct request *request = agent->first;
	agent->first = request->next;
	if (agent->first == NULL)
		agent->last = NULL;
	return request;
}

static void
serve_held(struct clusteragent *agent) {
	while (agent->first != NULL && serve(agent, agent->first)) {
		struct request *request = unhold(agent);
		clear_request(request);
		skynet_free(request);
	}
}

/* clusterd has said what the name of the first held request stands for. */
static void
on_name(struct clusteragent *agent, bool found, const char *text, size_t size) {
	char number[16];
	agent->ask_session = 0;
	struct request *request = agent->first;
	if (request == NULL)
		return;
	snprintf(number, sizeof number, "%.*s", (int)(size < INT_MAX ? size : 0), text);
	if (found) {
		struct known_name *known = place_of(agent, request->name);
		skynet_free(known->name);
		known->name = skynet_strdup(request->name);
		known->handle = (uint32_t)strtoul(number, NULL, 16);
	} else {
		unhold(agent);
		answer_text(agent, request->push ? 0 : request->session, "remote: Invalid name");
		clear_request(request);
		skynet_free(request);
	}
	serve_held(agent);
}

/* ---- from the other node ---- */

static void
on_request(struct clusteragent *agent, struct request *request) {
	request->tag = NULL;
	request->tag_size = 0;
	if (!request->push) {
		request->tag = agent->tag;
		request->tag_size = agent->tag_size;
		agent->tag = NULL;
	}
	if (agent->ask_session != 0 || !serve(agent, request))
		hold(agent, request);
	clear_request(request);
}

static void
set_address(struct request *request, const struct cluster_address *to) {
	request->handle = to->handle;
	request->name_size = 0;
	if (to->name == NULL)
		return;
	/* An empty name is a wrong name. */
	request->name_size = to->name_size > 0 ? to->name_size : 1;
	memcpy(request->name, to->name, to->name_size);
	request->name[to->name_size] = '\0';
}

static void
free_parts(struct clusteragent *agent, struct cluster_session *session) {
	struct parts *parts = session->extra;
	cluster_sessions_remove(&agent->parts, session);
	skynet_free(parts->join.data);
	skynet_free(parts);
}

static void
begin_parts(struct clusteragent *agent, const struct cluster_request *request) {
	struct cluster_session *session = cluster_sessions_find(&agent->parts, request->session);
	if (session != NULL) {
		/* Told once, with the last part. */
		((struct parts *)session->extra)->broken = true;
		return;
	}
	if (request->session == 0 || agent->parts.count >= JOIN_MAX) {
		answer_text(agent, request->session, INVALID_PARTS);
		return;
	}
	struct parts *parts = skynet_calloc(1, sizeof *parts);
	parts->join.total = request->total;
	parts->broken = request->total > CLUSTER_MESSAGE_MAX;
	parts->request.session = request->session;
	parts->request.push = request->push;
	set_address(&parts->request, &request->to);
	cluster_sessions_add(&agent->parts, request->session)->extra = parts;
}

static void
add_part(struct clusteragent *agent, const struct cluster_request *part) {
	struct cluster_session *session = cluster_sessions_find(&agent->parts, part->session);
	if (session == NULL) {
		if (part->kind == CLUSTER_LAST)
			answer_text(agent, part->session, "remote: Invalid name");
		return;
	}
	struct parts *parts = session->extra;
	struct cluster_join *join = &parts->join;
	if (!parts->broken && !cluster_join_add(join, part->data, part->size))
		parts->broken = true;
	if (part->kind == CLUSTER_PART)
		return;
	if (parts->broken || join->size != join->total) {
		answer_text(agent, part->session, INVALID_PARTS);
	} else {
		parts->request.data = join->data;
		parts->request.size = join->size;
		join->data = NULL;
		on_request(agent, &parts->request);
	}
	free_parts(agent, session);
}

static void
on_frame(void *ud, const char *frame, size_t size) {
	struct clusteragent *agent = ud;
	struct cluster_request parsed;
	if (!cluster_request_parse(frame, size, &parsed)) {
		skynet_error(agent->context, "cluster: malformed request of %zu bytes, type 0x%02x",
			size, size > 0 ? (unsigned char)frame[0] : 0);
		return;
	}
	switch (parsed.kind) {
	case CLUSTER_BEGIN:
		begin_parts(agent, &parsed);
		return;
	case CLUSTER_PART:
	case CLUSTER_LAST:
		add_part(agent, &parsed);
		return;
	case CLUSTER_TRACE:
		skynet_free(agent->tag);
		agent->tag = skynet_malloc(parsed.size + 1);
		memcpy(agent->tag, parsed.data, parsed.size);
		agent->tag_size = parsed.size;
		return;
	case CLUSTER_REQUEST:
		break;
	}
	struct request request;
	request.session = parsed.session;
	request.push = parsed.push;
	request.data = NULL;
	request.borrowed = parsed.data;
	request.size = parsed.size;
	set_address(&request, &parsed.to);
	on_request(agent, &request);
}

/* ---- from services ---- */

/* Returns 1 when the message has been taken. */
static int
on_answer(struct clusteragent *agent, int type, int session, const char *data, size_t size) {
	if (session != 0 && session == agent->ask_session) {
		on_name(agent, type == PTYPE_RESPONSE, data, size);
		return 0;
	}
	struct cluster_session *call = cluster_sessions_find(&agent->calls, (uint32_t)session);
	if (call == NULL)
		return 0;
	uint32_t number = call->number;
	cluster_sessions_remove(&agent->calls, call);
	if (type == PTYPE_RESPONSE)
		answer_data(agent, number, data, size);
	else if (size > 0)
		answer_error(agent, number, data, size);
	else
		answer_text(agent, number, "call failed");
	return 0;
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

static void
on_socket(struct clusteragent *agent, const struct skynet_socket_message *message) {
	switch (message->type) {
	case SKYNET_SOCKET_TYPE_DATA:
		packet_split_push(
			&agent->split, message->buffer, (size_t)message->ud, on_frame, agent);
		skynet_free(message->buffer);
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

static int
dispatch(struct skynet_context *context, void *ud, int type, int session, uint32_t source,
	const void *message, size_t size) {
	static const char forget[] = "forget";
	(void)context;
	struct clusteragent *agent = ud;
	switch (type) {
	case PTYPE_RESPONSE:
	case PTYPE_ERROR:
		on_answer(agent, type, session, message, size);
		break;
	case PTYPE_SOCKET:
		if (size >= sizeof(struct skynet_socket_message))
			on_socket(agent, message);
		break;
	case PTYPE_TEXT:
		if (source == agent->daemon && size == sizeof forget - 1 &&
			memcmp(message, forget, size) == 0)
			forget_names(agent);
		break;
	default:
		break;
	}
	cluster_output_settle(&agent->output);
	if (agent->output.failed && agent->socket >= 0) {
		skynet_error(agent->context, "error: cluster: too much waits to be sent on %d",
			agent->socket);
		skynet_socket_shutdown(agent->context, agent->socket);
		leave(agent);
	}
	return 0;
}

/* ---- start and end ---- */

int
clusteragent_init(struct clusteragent *agent, struct skynet_context *context, const char *param) {
	char *end = NULL;
	long id = param != NULL ? strtol(param, &end, 10) : -1;
	agent->context = context;
	agent->daemon = skynet_name_find(context, DAEMON);
	if (end == NULL || *end != '\0' || id < 0 || id > INT_MAX || agent->daemon == 0) {
		skynet_error(context, "error: clusteragent wants the id of a socket");
		return 1;
	}
	agent->socket = (int)id;
	cluster_output_init(&agent->output, context, agent->socket);
	skynet_callback(context, agent, dispatch);
	skynet_socket_start(context, agent->socket);
	skynet_socket_nodelay(context, agent->socket);
	skynet_socket_keepalive(
		context, agent->socket, KEEPALIVE_S, KEEPALIVE_INTERVAL_S, UNACKNOWLEDGED_MS);
	return 0;
}

void
clusteragent_release(struct clusteragent *agent) {
	if (agent->socket >= 0)
		skynet_socket_close(agent->context, agent->socket);
	for (uint32_t i = 0; i <= agent->parts.mask; i++) {
		struct parts *parts = agent->parts.places[i].extra;
		if (parts != NULL)
			skynet_free(parts->join.data);
		skynet_free(parts);
	}
	while (agent->first != NULL) {
		struct request *request = unhold(agent);
		clear_request(request);
		skynet_free(request);
	}
	forget_names(agent);
	skynet_free(agent->tag);
	cluster_output_fini(&agent->output);
	cluster_sessions_fini(&agent->calls);
	cluster_sessions_fini(&agent->parts);
	packet_split_fini(&agent->split);
	skynet_free(agent);
}
