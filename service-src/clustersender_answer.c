/* What callers of a clustersender get: answers, whole or joined from parts, and failures.
 *
 * Answers of one service to one caller keep their order: one that comes in parts has its place from
 * its first frame on, and what is complete before it waits.
 */
#include "clustersender.h"

#include <stdio.h>
#include <string.h>

#include "payload_join.h"

#define ERROR_MAX    1200
#define DEAD_SERVICE "dead_service"

/* An answer that comes in parts, or waits behind one. */
struct answer {
	struct answer *next;
	struct answer_queue *queue;
	struct payload_join join;
	bool complete;
	int type; /* 0: nothing is sent */
	int session;
	void *data; /* skynet_malloc */
	size_t size;
};

/* Answers from one address to one service, which must be delivered in order. It exists only while
 * one of them comes in parts. */
struct answer_queue {
	struct answer_queue *next;
	uint32_t caller, target;
	struct answer *first, *last;
};

/* ---- order ---- */

static struct answer_queue *
find_queue(const struct clustersender *sender, const struct cluster_session *call) {
	struct answer_queue *queue = sender->queues;
	while (queue != NULL &&
		(queue->caller != call->peer || !cluster_targets_meet(queue->target, call->target)))
		queue = queue->next;
	return queue;
}

static struct answer *
append(struct answer_queue *queue, int session) {
	struct answer *answer = skynet_calloc(1, sizeof *answer);
	answer->queue = queue;
	answer->session = session;
	if (queue->last != NULL)
		queue->last->next = answer;
	else
		queue->first = answer;
	queue->last = answer;
	return answer;
}

static void
remove_queue(struct clustersender *sender, const struct answer_queue *queue) {
	struct answer_queue **at = &sender->queues;
	while (*at != queue)
		at = &(*at)->next;
	*at = queue->next;
}

/* Delivers what is complete and has nothing before it. */
static void
drain_queue(struct clustersender *sender, struct answer_queue *queue) {
	while (queue->first != NULL && queue->first->complete) {
		struct answer *answer = queue->first;
		if (answer->type != 0)
			skynet_send(sender->context, 0, queue->caller,
				answer->type | PTYPE_TAG_DONTCOPY, answer->session, answer->data,
				answer->size);
		queue->first = answer->next;
		skynet_free(answer);
	}
	if (queue->first != NULL)
		return;
	remove_queue(sender, queue);
	skynet_free(queue);
}

/* Completes an answer that has its place in a queue. Takes `data`. */
static void
complete(struct clustersender *sender, struct answer *answer, int type, void *data, size_t size) {
	skynet_free(answer->join.data);
	answer->join.data = NULL;
	answer->complete = true;
	answer->type = type;
	answer->data = data;
	answer->size = size;
	drain_queue(sender, answer->queue);
}

static void *
copy_of(const char *data, size_t size) {
	char *copy = skynet_malloc(size + 1);
	if (size > 0)
		memcpy(copy, data, size);
	copy[size] = '\0';
	return copy;
}

/* Delivers an answer to its caller: now, or behind those that came before. Borrows `data`. */
static void
deliver(struct clustersender *sender, struct cluster_session *call, int type, const char *data,
	size_t size) {
	struct answer *place = call->extra;
	struct answer_queue *queue = sender->queues != NULL ? find_queue(sender, call) : NULL;
	call->extra = NULL;
	if (place != NULL) {
		complete(sender, place, type, copy_of(data, size), size);
		return;
	}
	if (queue != NULL) {
		place = append(queue, (int)call->number);
		complete(sender, place, type, copy_of(data, size), size);
		return;
	}
	/* skynet_send only reads it, as there is no PTYPE_TAG_DONTCOPY. */
	skynet_send(sender->context, 0, call->peer, type, (int)call->number,
		(void *)(uintptr_t)data, size);
}

/* ---- failures ---- */

static size_t
error_text(char *message, size_t room, const char *kind, const char *text, size_t size) {
	int length = snprintf(message, room, "%s%s%.*s", kind, kind[0] ? ": " : "",
		(int)(size < 1024 ? size : 1024), text);
	return (size_t)length < room ? (size_t)length : room - 1;
}

void
sender_fail_call(struct clustersender *sender, uint32_t source, int session, const char *kind,
	const char *text, size_t size) {
	char message[ERROR_MAX];
	if (session <= 0)
		return;
	size_t length = error_text(message, sizeof message, kind, text, size);
	skynet_send(sender->context, 0, source, PTYPE_ERROR, session, message, length);
}

static void
fail(struct clustersender *sender, struct cluster_session *call, const char *kind, const char *text,
	size_t size) {
	char message[ERROR_MAX];
	size_t length = error_text(message, sizeof message, kind, text, size);
	deliver(sender, call, PTYPE_ERROR, message, length);
}

void
sender_fail_link_calls(
	struct clustersender *sender, const struct link *link, const char *text, size_t size) {
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
		cluster_deadlines_stop(&sender->deadlines, call);
		fail(sender, call, "dead_node", text, size);
	}
	cluster_sessions_fini(&old);
}

void
sender_drop_call(struct clustersender *sender, struct cluster_session *call) {
	struct answer *place = call->extra;
	call->extra = NULL;
	if (place != NULL)
		complete(sender, place, 0, NULL, 0);
}

/* ---- responses ---- */

static void
refuse_answer(struct clustersender *sender, struct cluster_session *call) {
	static const char reason[] = "response does not have the announced size";
	fail(sender, call, "remote", reason, sizeof reason - 1);
}

/* An error text of the other node; what our own nodes say begins with a kind. */
static void
answer_error(
	struct clustersender *sender, struct cluster_session *call, const char *text, size_t size) {
	static const char *const kinds[] = {
		"timeout", DEAD_SERVICE, "dead_node", "overloaded", "remote"};
	char place[NODE_MAX + 24];
	const char *kind = "remote";
	/* The text must name the other node, or this sender would seem to be the dead service. */
	if (size == sizeof DEAD_SERVICE - 1 && memcmp(text, DEAD_SERVICE, size) == 0) {
		int length = snprintf(place, sizeof place, "of cluster node %s", sender->node);
		fail(sender, call, DEAD_SERVICE, place, (size_t)length);
		return;
	}
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		size_t length = strlen(kinds[i]);
		if (size >= length && memcmp(text, kinds[i], length) == 0 &&
			(size == length || text[length] == ':'))
			kind = "";
	}
	fail(sender, call, kind, text, size);
}

/* Gives an answer in parts its place in the queue of its caller. Returns false when it has one
 * already or is too large. */
static bool
begin_answer(struct clustersender *sender, struct cluster_session *call, uint32_t total) {
	if (call->extra != NULL || total > CLUSTER_MESSAGE_MAX)
		return false;
	struct answer_queue *queue = find_queue(sender, call);
	if (queue == NULL) {
		queue = skynet_calloc(1, sizeof *queue);
		queue->caller = call->peer;
		queue->target = call->target;
		queue->next = sender->queues;
		sender->queues = queue;
	}
	struct answer *answer = append(queue, (int)call->number);
	answer->join.total = total;
	call->extra = answer;
	return true;
}

/* Hands over what has been put together from parts. */
static void
answer_joined(struct clustersender *sender, struct cluster_session *call) {
	struct answer *answer = call->extra;
	struct payload_join join = answer->join;
	if (join.size != join.total) {
		refuse_answer(sender, call);
		return;
	}
	call->extra = NULL;
	answer->join.data = NULL;
	complete(sender, answer, PTYPE_RESPONSE, join.data, join.size);
}

bool
sender_take_response(struct clustersender *sender, struct cluster_session *call,
	const struct cluster_response *response) {
	struct answer *answer = call->extra;
	if (response->kind == CLUSTER_ANSWER_BEGIN) {
		if (begin_answer(sender, call, response->total))
			return false;
		refuse_answer(sender, call);
	} else if (response->kind == CLUSTER_ANSWER_ERROR) {
		answer_error(sender, call, response->data, response->size);
	} else if (answer == NULL && response->kind == CLUSTER_ANSWER_PART) {
		refuse_answer(sender, call);
	} else if (answer == NULL) {
		deliver(sender, call, PTYPE_RESPONSE, response->data, response->size);
	} else if (!payload_join_add(&answer->join, response->data, response->size)) {
		refuse_answer(sender, call);
	} else if (response->kind == CLUSTER_ANSWER_PART) {
		return false;
	} else {
		answer_joined(sender, call);
	}
	return true;
}
