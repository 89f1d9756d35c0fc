/* How a clusteragent hands requests to services: in order, names looked up on the way. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "clusteragent.h"

#define GLOBAL_NAME_MAX 15
#define NS_PER_MS       1000000
#define INVALID_NAME    "remote: Invalid name"
#define ANSWER_MS       10 /* added to a deadline: the other node is to end the call first */

/* ---- requests to services ---- */

void
agent_clear_request(struct agent_request *request) {
	skynet_free(request->data);
	skynet_free(request->tag);
	request->data = request->tag = NULL;
}

/* Milliseconds until the deadline of a request, which has one. */
static int64_t
time_left_ms(const struct clusteragent *agent, const struct agent_request *request) {
	return ((int64_t)request->deadline_ns - (int64_t)skynet_clock_ns(agent->context)) /
	       NS_PER_MS;
}

/* Makes a session for an answer; 0 for a push. */
static int
open_call(struct clusteragent *agent, const struct agent_request *request, uint32_t handle) {
	if (request->push)
		return 0;
	int session = skynet_context_newsession(agent->context);
	while (cluster_sessions_find(&agent->calls, (uint32_t)session) != NULL)
		session = skynet_context_newsession(agent->context);
	struct cluster_session *call = cluster_sessions_add(&agent->calls, (uint32_t)session);
	call->number = request->session;
	call->target = handle;
	if (request->deadline_ns != 0)
		cluster_deadlines_start(
			&agent->deadlines, call, time_left_ms(agent, request) + ANSWER_MS);
	return session;
}

static void
refuse_call(struct clusteragent *agent, int session, const char *text) {
	struct cluster_session *call = cluster_sessions_find(&agent->calls, (uint32_t)session);
	if (session == 0 || call == NULL)
		return;
	uint32_t number = call->number;
	agent_end_call(agent, call);
	agent_answer_text(agent, number, text);
}

/* The message of a request, as skynet_send wants it. */
static void *
message_of(struct agent_request *request, int *type) {
	*type = PTYPE_RESERVED_LUA;
	if (request->data == NULL)
		return (void *)(uintptr_t)request->borrowed;
	*type |= PTYPE_TAG_DONTCOPY;
	void *data = request->data;
	request->data = NULL;
	return data;
}

static void
refuse(struct clusteragent *agent, const struct agent_request *request, const char *text) {
	agent_answer_text(agent, request->push ? 0 : request->session, text);
}

/* Returns true, and has told the caller, when the deadline is over. */
static bool
is_over(struct clusteragent *agent, const struct agent_request *request) {
	if (request->deadline_ns == 0 || time_left_ms(agent, request) > 0)
		return false;
	refuse(agent, request, "timeout");
	return true;
}

int
agent_hand_over(struct clusteragent *agent, struct agent_request *request, uint32_t handle) {
	int type, session, result;
	if (is_over(agent, request))
		return 0;
	if (handle != 0 && !agent_room_for(agent, handle)) {
		refuse(agent, request, "overloaded");
		return 0;
	}
	session = open_call(agent, request, handle);
	if (request->tag != NULL && handle != 0)
		skynet_send(agent->context, 0, handle, PTYPE_RESERVED_TRACE, 0, request->tag,
			request->tag_size);
	void *data = message_of(request, &type);
	if (handle != 0)
		result = skynet_send(agent->context, 0, handle, type, session, data, request->size);
	else
		result = skynet_sendname(
			agent->context, 0, request->name, type, session, data, request->size);
	agent_room_check(agent);
	if (result == SKYNET_SEND_FULL)
		refuse_call(agent, session, "overloaded");
	else if (result < 0)
		refuse_call(agent, session, "dead_service");
	return result < 0 ? 0 : session;
}

/* Hands a request over, or keeps it until answers have left. */
static void
send_on(struct clusteragent *agent, struct agent_request *request, uint32_t handle) {
	if (agent_is_late(agent, handle)) {
		request->handle = handle;
		agent_keep(agent, &agent->late, request);
	} else {
		agent_hand_over(agent, request, handle);
	}
}

/* Passes a query for a registered name to clusterd, whose response answers it. */
static void
send_query(struct clusteragent *agent, struct agent_request *request) {
	static const char word[] = "query ";
	size_t size = sizeof word - 1 + request->size;
	const char *payload = request->data != NULL ? request->data : request->borrowed;
	char *text = skynet_malloc(size);
	memcpy(text, word, sizeof word - 1);
	if (request->size > 0)
		memcpy(text + sizeof word - 1, payload, request->size);
	request->push = false;
	int session = open_call(agent, request, agent->daemon);
	if (skynet_send(agent->context, 0, agent->daemon, PTYPE_TEXT | PTYPE_TAG_DONTCOPY, session,
		    text, size) < 0)
		refuse_call(agent, session, "dead_service");
}

/* The other node asks whether all that it has sent is handed over: what is in `late` is not. */
static bool
is_fence(const struct agent_request *request) {
	uint32_t none;
	uint64_t identity;
	const char *payload = request->data != NULL ? request->data : request->borrowed;
	return request->session == CLUSTER_FENCE &&
	       cluster_probe_unpack(payload, request->size, &none, &identity);
}

/* ---- names ---- */

static struct known_name *
place_of(struct clusteragent *agent, const char *name) {
	uint32_t hash = hash_text(name);
	return &agent->known[(hash ^ hash >> 16) & (CLUSTER_KNOWN_MAX - 1)];
}

void
agent_forget_names(struct clusteragent *agent) {
	for (size_t i = 0; i < CLUSTER_KNOWN_MAX; i++) {
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

/* What the address of a request stands for. */
enum target {
	TARGET_SERVICE, /* of this node */
	TARGET_GLOBAL,  /* a global name */
	TARGET_QUERY,   /* it asks for a registered name */
	TARGET_FENCE,   /* it asks whether all before it is handed over */
	TARGET_ASKED,   /* clusterd has been asked for it */
	TARGET_DEAD,    /* a local name that nobody has */
	TARGET_INVALID,
};

static enum target
find_registered(struct clusteragent *agent, const char *name, uint32_t *handle) {
	const struct known_name *known = place_of(agent, name);
	if (known->name == NULL || strcmp(known->name, name) != 0)
		return ask_name(agent, name) ? TARGET_ASKED : TARGET_INVALID;
	*handle = known->handle;
	return *handle != 0 ? TARGET_SERVICE : TARGET_INVALID;
}

/* Sets `handle` for TARGET_SERVICE. */
static enum target
find_target(struct clusteragent *agent, const struct agent_request *request, uint32_t *handle) {
	const char *name = request->name;
	*handle = request->handle;
	if (request->name_size == 0 && *handle == 0)
		return is_fence(request) ? TARGET_FENCE : TARGET_QUERY;
	if (request->name_size == 0)
		return TARGET_SERVICE;
	if (strlen(name) != request->name_size) /* a NUL inside */
		return TARGET_INVALID;
	switch (name[0]) {
	case '@':
		return find_registered(agent, name, handle);
	case '.':
		*handle = skynet_name_find(agent->context, name + 1);
		return *handle != 0 ? TARGET_SERVICE : TARGET_DEAD;
	case ':':
		return TARGET_INVALID;
	default:
		return request->name_size <= GLOBAL_NAME_MAX ? TARGET_GLOBAL : TARGET_INVALID;
	}
}

/* Returns false when the request must wait for its name. */
static bool
serve(struct clusteragent *agent, struct agent_request *request) {
	uint32_t handle;
	if (is_over(agent, request))
		return true;
	switch (find_target(agent, request, &handle)) {
	case TARGET_SERVICE:
		send_on(agent, request, handle);
		return true;
	case TARGET_GLOBAL:
		send_on(agent, request, 0);
		return true;
	case TARGET_QUERY:
		send_query(agent, request);
		return true;
	case TARGET_FENCE:
		agent->fenced = true;
		return true;
	case TARGET_ASKED:
		return false;
	case TARGET_DEAD:
		refuse(agent, request, "dead_service");
		return true;
	case TARGET_INVALID:
		break;
	}
	refuse(agent, request, INVALID_NAME);
	return true;
}

static void
serve_held(struct clusteragent *agent) {
	struct agent_request_list *held = &agent->held;
	while (held->first != NULL && agent->identity_session == 0 && serve(agent, held->first)) {
		struct agent_request *request = agent_take_kept(agent, held);
		agent_clear_request(request);
		skynet_free(request);
	}
}

void
agent_name_known(struct clusteragent *agent, bool found, const char *text, size_t size) {
	char number[16];
	agent->ask_session = 0;
	struct agent_request *request = agent->held.first;
	if (request == NULL)
		return;
	snprintf(number, sizeof number, "%.*s", (int)(size < INT_MAX ? size : 0), text);
	if (found) {
		struct known_name *known = place_of(agent, request->name);
		skynet_free(known->name);
		known->name = skynet_strdup(request->name);
		known->handle = (uint32_t)strtoul(number, NULL, 16);
	} else {
		agent_take_kept(agent, &agent->held);
		refuse(agent, request, INVALID_NAME);
		agent_clear_request(request);
		skynet_free(request);
	}
	serve_held(agent);
}

void
agent_serve(struct clusteragent *agent, struct agent_request *request) {
	if (agent->ask_session != 0 || agent->identity_session != 0 || !serve(agent, request))
		agent_keep(agent, &agent->held, request);
	agent_clear_request(request);
}

void
agent_earlier_ended(struct clusteragent *agent) {
	agent->identity_session = 0;
	if (agent->ask_session == 0)
		serve_held(agent);
}
