/* What callers of a clustersender get: answers, whole or joined from parts, and failures. */
#include "clustersender.h"

#include <stdio.h>
#include <string.h>

#define ERROR_MAX 1200

/* ---- answers to callers ---- */

void
sender_fail_call(struct clustersender *sender, uint32_t source, int session, const char *kind,
	const char *text, size_t size) {
	char message[ERROR_MAX];
	int length = snprintf(message, sizeof message, "%s%s%.*s", kind, kind[0] ? ": " : "",
		(int)(size < 1024 ? size : 1024), text);
	if (session > 0)
		skynet_send(
			sender->context, 0, source, PTYPE_ERROR, session, message, (size_t)length);
}

void
sender_free_join(struct cluster_session *call) {
	struct cluster_join *join = call->extra;
	if (join != NULL)
		skynet_free(join->data);
	skynet_free(join);
}

/* Fails the calls that wait for `link`, or all of them when it is NULL. */
void
sender_fail_link_calls(struct clustersender *sender, const struct link *link) {
	struct cluster_sessions old = sender->calls;
	cluster_sessions_init(&sender->calls);
	for (uint32_t i = 0; i <= old.mask; i++) {
		struct cluster_session *call = &old.places[i];
		if (call->id == 0)
			continue;
		if (link != NULL && call->link != link->id) {
			*cluster_sessions_add(&sender->calls, call->id) = *call;
			continue;
		}
		sender_free_join(call);
		sender_fail_call(sender, call->peer, (int)call->number, "dead_node", sender->node,
			strlen(sender->node));
	}
	cluster_sessions_fini(&old);
}

/* ---- responses ---- */

static void
refuse_answer(struct clustersender *sender, const struct cluster_session *call) {
	static const char reason[] = "response does not have the announced size";
	sender_fail_call(
		sender, call->peer, (int)call->number, "remote", reason, sizeof reason - 1);
}

/* An error text of the other node; what our own nodes say begins with a kind. */
static void
answer_error(struct clustersender *sender, const struct cluster_session *call, const char *text,
	size_t size) {
	static const char *const kinds[] = {
		"timeout", "dead_service", "dead_node", "overloaded", "remote"};
	const char *kind = "remote";
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		size_t length = strlen(kinds[i]);
		if (size >= length && memcmp(text, kinds[i], length) == 0 &&
			(size == length || text[length] == ':'))
			kind = "";
	}
	sender_fail_call(sender, call->peer, (int)call->number, kind, text, size);
}

static void
answer_data(struct clustersender *sender, const struct cluster_session *call, const char *data,
	size_t size) {
	/* skynet_send only reads it, as there is no PTYPE_TAG_DONTCOPY. */
	skynet_send(sender->context, 0, call->peer, PTYPE_RESPONSE, (int)call->number,
		(void *)(uintptr_t)data, size);
}

/* Hands over what has been put together from parts. */
static void
answer_joined(struct clustersender *sender, struct cluster_session *call) {
	struct cluster_join *join = call->extra;
	if (join->size != join->total) {
		refuse_answer(sender, call);
		return;
	}
	skynet_send(sender->context, 0, call->peer, PTYPE_RESPONSE | PTYPE_TAG_DONTCOPY,
		(int)call->number, join->data, join->size);
	join->data = NULL;
}

/* Returns true when the call has been answered. */
bool
sender_take_response(struct clustersender *sender, struct cluster_session *call,
	const struct cluster_response *response) {
	struct cluster_join *join = call->extra;
	switch (response->kind) {
	case CLUSTER_ANSWER_BEGIN:
		if (join != NULL || response->total > CLUSTER_MESSAGE_MAX) {
			refuse_answer(sender, call);
			return true;
		}
		join = skynet_calloc(1, sizeof *join);
		join->total = response->total;
		call->extra = join;
		return false;
	case CLUSTER_ANSWER_ERROR:
		answer_error(sender, call, response->data, response->size);
		return true;
	default:
		break;
	}
	if (join == NULL && response->kind == CLUSTER_ANSWER_PART) {
		refuse_answer(sender, call);
		return true;
	}
	if (join == NULL) {
		answer_data(sender, call, response->data, response->size);
		return true;
	}
	if (!cluster_join_add(join, response->data, response->size)) {
		refuse_answer(sender, call);
		return true;
	}
	if (response->kind == CLUSTER_ANSWER_PART)
		return false;
	answer_joined(sender, call);
	return true;
}
