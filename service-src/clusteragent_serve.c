/* How a clusteragent hands requests to services: in order, names looked up on the way. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clusteragent.h"

#define GLOBAL_NAME_MAX 15
#define NS_PER_MS       1000000
#define ANSWER_MS       10 /* later than the caller, who counts as well */

/* ---- requests to services ---- */

void
agent_clear_request(struct request *request) {
	skynet_free(request->data);
	skynet_free(request->tag);
	request->data = request->tag = NULL;
}

/* Milliseconds until the deadline of a request, which has one. */
static int64_t
time_left_ms(const struct clusteragent *agent, const struct request *request) {
	return ((int64_t)request->deadline_ns - (int64_t)skynet_clock_ns(agent->context)) /
	       NS_PER_MS;
}

/* Makes a session for an answer; 0 for a push. */
static int
open_call(struct clusteragent *agent, const struct request *request) {
	if (request->push)
		return 0;
	int session = skynet_context_newsession(agent->context);
	while (cluster_sessions_find(&agent->calls, (uint32_t)session) != NULL)
		session = skynet_context_newsession(agent->context);
	struct cluster_session *call = cluster_sessions_add(&agent->calls, (uint32_t)session);
	call->number = request->session;
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
	if (call->timer != 0)
		cluster_deadlines_stop(&agent->deadlines, call);
	cluster_sessions_remove(&agent->calls, call);
	agent_answer_text(agent, number, text);
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
	int type, session, result;
	if (handle != 0 && !agent_room_for(agent, handle)) {
		agent_answer_text(agent, request->push ? 0 : request->session, "overloaded");
		return;
	}
	session = open_call(agent, request);
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

/* Returns false when the request must wait for its name. */
static bool
serve(struct clusteragent *agent, struct request *request) {
	if (request->deadline_ns != 0 && time_left_ms(agent, request) <= 0) {
		agent_answer_text(agent, request->push ? 0 : request->session, "timeout");
		return true;
	}
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
		agent_answer_text(agent, request->push ? 0 : request->session, refusal);
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
	while (agent->first != NULL && agent->identity_session == 0 && serve(agent, agent->first)) {
		struct request *request = unhold(agent);
		agent_clear_request(request);
		skynet_free(request);
	}
}

/* clusterd has said what the name of the first held request stands for. */
void
agent_name_known(struct clusteragent *agent, bool found, const char *text, size_t size) {
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
		agent_answer_text(
			agent, request->push ? 0 : request->session, "remote: Invalid name");
		agent_clear_request(request);
		skynet_free(request);
	}
	serve_held(agent);
}

void
agent_request(struct clusteragent *agent, struct request *request) {
	if (agent->ask_session != 0 || agent->identity_session != 0 || !serve(agent, request))
		hold(agent, request);
	agent_clear_request(request);
}

void
agent_follow(struct clusteragent *agent) {
	agent->identity_session = 0;
	if (agent->ask_session == 0)
		serve_held(agent);
}

void
agent_drop_held(struct clusteragent *agent) {
	while (agent->first != NULL) {
		struct request *request = unhold(agent);
		agent_clear_request(request);
		skynet_free(request);
	}
	agent_forget_names(agent);
}
