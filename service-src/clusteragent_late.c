/* Bounds the answers that wait for the other node. While more than `limit` bytes of them wait,
 * requests to services whose answers are large are kept here, up to a limit of their own, instead
 * of being handed over; requests to other services go on.
 *
 * A node of ours confirms parts of answers on the connection that brings its requests, so reading
 * must go on. Instead, while much is kept, parts of requests are not confirmed: without credit that
 * node sends no more. Reading stops only when small requests, which need no credit, reach the limit
 * by themselves, or when services have full mailboxes. Confirmations are not read then either, so
 * answers leave without regard to credit.
 *
 * There is no deadlock. The other end, a clustersender, always reads, so answers leave, with credit
 * or without; then what is kept is handed over, and requests are confirmed and read again. Requests
 * in the other direction have a connection of their own, and neither waits for the other.
 *
 * What services answer to requests that they had before cannot wait anywhere else. When it comes to
 * a multiple of the limit, because the other node does not read, callers get an error instead.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clusteragent.h"

#define UNCONFIRMED_MAX UINT32_C(33554432) /* bytes of parts; larger than any window */
#define RELEASE_MS      100 /* how long a request waits for those before it to be answered */
#define ANSWERS_MAX     4   /* times the limit: no more answers wait, but for the last of them */

/* ---- lists ---- */

static void
count(struct clusteragent *agent, const struct agent_request *request, bool added) {
	size_t size = sizeof *request + request->size + request->tag_size;
	size_t small = request->size <= CLUSTER_REQUEST_MAX ? size : 0;
	agent->kept_size = added ? agent->kept_size + size : agent->kept_size - size;
	agent->kept_small = added ? agent->kept_small + small : agent->kept_small - small;
}

void
agent_keep(struct clusteragent *agent, struct agent_request_list *list,
	struct agent_request *request) {
	struct agent_request *kept = skynet_malloc(sizeof *kept);
	*kept = *request;
	kept->next = NULL;
	if (kept->data == NULL && kept->size > 0) {
		kept->data = skynet_malloc(kept->size);
		memcpy(kept->data, kept->borrowed, kept->size);
	}
	if (list->last != NULL)
		list->last->next = kept;
	else
		list->first = kept;
	list->last = kept;
	count(agent, kept, true);
	request->data = request->tag = NULL;
}

struct agent_request *
agent_take_kept(struct clusteragent *agent, struct agent_request_list *list) {
	struct agent_request *request = list->first;
	list->first = request->next;
	if (list->first == NULL)
		list->last = NULL;
	count(agent, request, false);
	return request;
}

void
agent_drop_kept(struct clusteragent *agent, struct agent_request_list *list) {
	while (list->first != NULL) {
		struct agent_request *request = agent_take_kept(agent, list);
		agent_clear_request(request);
		skynet_free(request);
	}
}

/* ---- services whose answers are large ---- */

static uint64_t *
lavish_word(struct clusteragent *agent, uint32_t handle, uint64_t *bit) {
	uint32_t place = handle & (CLUSTER_LAVISH_BITS - 1);
	*bit = UINT64_C(1) << place % 64;
	return &agent->lavish[place / 64];
}

void
agent_note_answer(struct clusteragent *agent, uint32_t handle, size_t size, bool parts) {
	uint64_t bit, *word = lavish_word(agent, handle, &bit);
	if (parts)
		*word |= bit;
	if (*word & bit)
		agent->expected = agent->expected - agent->expected / 4 + size / 4;
}

static bool
is_lavish(struct clusteragent *agent, uint32_t handle) {
	uint64_t bit;
	return (*lavish_word(agent, handle, &bit) & bit) != 0;
}

static bool
is_full(const struct clusteragent *agent) {
	return agent->ours && agent->limit != 0 &&
	       lane_output_waiting(&agent->output) > agent->limit;
}

bool
agent_is_overloaded(const struct clusteragent *agent) {
	return agent->limit != 0 &&
	       lane_output_waiting(&agent->output) / ANSWERS_MAX > agent->limit;
}

bool
agent_is_late(struct clusteragent *agent, uint32_t handle) {
	bool behind = agent->late.first != NULL;
	if (!behind && !is_full(agent))
		return false;
	if (handle != 0)
		return is_lavish(agent, handle);
	if (!behind && !is_lavish(agent, handle))
		return false;
	/* A global name may belong to any service, so from now on no request may pass this one. */
	memset(agent->lavish, 0xff, sizeof agent->lavish);
	return true;
}

/* Whether the next kept request may be handed over: the answers that are to be expected for it and
 * for those before it must fit. If these are not answered for long, it goes without (`overdue`). */
static bool
has_room(const struct clusteragent *agent) {
	if (is_full(agent))
		return false;
	if (agent->released == 0 || agent->overdue)
		return true;
	size_t room = agent->limit - lane_output_waiting(&agent->output);
	return (agent->released + 1) * agent->expected <= room;
}

static void
release_next(struct clusteragent *agent) {
	struct agent_request *request = agent_take_kept(agent, &agent->late);
	struct cluster_session *call = NULL;
	int session = agent_hand_over(agent, request, request->handle);
	if (session != 0)
		call = cluster_sessions_find(&agent->calls, (uint32_t)session);
	if (call != NULL) {
		call->extra = agent;
		agent->released++;
	}
	agent->overdue = false;
	agent_clear_request(request);
	skynet_free(request);
}

bool
agent_release_late(struct clusteragent *agent) {
	bool any = false;
	if (agent->late.first == NULL && agent->output.lane == NULL)
		memset(agent->lavish, 0, sizeof agent->lavish);
	while (agent->late.first != NULL && has_room(agent)) {
		release_next(agent);
		any = true;
	}
	if (agent->late.first != NULL && !is_full(agent) && agent->release_session == 0) {
		agent->release_session = skynet_context_newsession(agent->context);
		skynet_timer_start(agent->context, RELEASE_MS, agent->release_session);
	}
	return any;
}

bool
agent_late_timer(struct clusteragent *agent, int session) {
	if (session == 0 || session != agent->release_session)
		return false;
	agent->release_session = 0;
	agent->overdue = true;
	return true;
}

void
agent_end_call(struct clusteragent *agent, struct cluster_session *call) {
	if (call->timer != 0)
		cluster_deadlines_stop(&agent->deadlines, call);
	if (call->extra != NULL)
		agent->released--;
	cluster_sessions_remove(&agent->calls, call);
}

/* ---- what the other node may send ---- */

bool
agent_withholds_credit(const struct clusteragent *agent) {
	return agent->limit != 0 && agent->kept_size > agent->limit;
}

bool
agent_has_too_much(const struct clusteragent *agent) {
	const struct lane_output *output = &agent->output;
	size_t limit = agent->paused ? agent->limit / 2 : agent->limit;
	if (agent->limit == 0)
		return false;
	if (agent->kept_small > limit)
		return true;
	if (!agent->ours)
		return output->stalled && lane_output_waiting(output) > limit;
	return (output->stalled && output->size > limit) ||
	       (agent_withholds_credit(agent) && agent->confirm.size > UNCONFIRMED_MAX);
}

void
agent_answer_status(struct clusteragent *agent, uint32_t source, int session) {
	char text[256];
	int size = snprintf(text, sizeof text,
		"peer=%s calls=%" PRIu32 " queued=%zu most=%zu limit=%zu kept=%zu paused=%d"
		" address=%s",
		agent->ours ? "ours" : "other", agent->calls.count,
		lane_output_waiting(&agent->output), agent->most, agent->limit, agent->kept_size,
		agent->paused, agent->from);
	skynet_send(agent->context, 0, source, PTYPE_RESPONSE, session, text, (size_t)size);
}
