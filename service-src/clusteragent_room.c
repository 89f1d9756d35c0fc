/* Receivers with a full mailbox whose policy asks senders to wait (`block`). What comes from
 * another node cannot wait in its sender, so its connection is not read for a while: the queue is
 * with the other node then, where it is bounded. Others that are reached over the connection wait
 * as well, so this ends with the patience of the node: what is for a receiver that is full still is
 * refused until it has room.
 */
#include "clusteragent.h"

#define MS_PER_S 1000

/* Removes the receiver; the last one takes its place. */
static void
forget(struct clusteragent *agent, struct full_receiver *receiver) {
	*receiver = agent->full[--agent->full_count];
}

static void
on_room(struct clusteragent *agent, struct full_receiver *receiver) {
	if (receiver->lost > 0)
		skynet_error(agent->context,
			"cluster: service :%08x has room again; %llu messages from %s were refused",
			receiver->handle, (unsigned long long)receiver->lost, agent->from);
	forget(agent, receiver);
}

static void
lose_patience(struct clusteragent *agent, struct full_receiver *receiver) {
	receiver->waiting = false;
	skynet_error(agent->context,
		"cluster: service :%08x has had a full mailbox for %d s: messages from %s to it are "
		"refused until it has room",
		receiver->handle, agent->patience_s, agent->from);
}

bool
agent_room_response(struct clusteragent *agent, int session) {
	for (int i = 0; session != 0 && i < agent->full_count; i++) {
		struct full_receiver *receiver = &agent->full[i];
		if (receiver->room_session == session) {
			on_room(agent, receiver);
			return true;
		}
		if (receiver->timer_session == session) {
			lose_patience(agent, receiver);
			return true;
		}
	}
	return false;
}

bool
agent_room_for(struct clusteragent *agent, uint32_t handle) {
	for (int i = 0; i < agent->full_count; i++) {
		struct full_receiver *receiver = &agent->full[i];
		if (receiver->handle != handle || receiver->waiting)
			continue;
		receiver->lost++;
		return false;
	}
	return true;
}

void
agent_room_check(struct clusteragent *agent) {
	uint32_t handle = skynet_send_congested(agent->context);
	if (handle == 0 || agent->full_count == CLUSTER_FULL_MAX)
		return;
	for (int i = 0; i < agent->full_count; i++)
		if (agent->full[i].handle == handle)
			return;
	struct full_receiver *receiver = &agent->full[agent->full_count];
	*receiver = (struct full_receiver){.handle = handle, .waiting = true};
	receiver->room_session = skynet_context_newsession(agent->context);
	if (!skynet_mailbox_wait(agent->context, handle, receiver->room_session))
		return;
	receiver->timer_session = skynet_context_newsession(agent->context);
	skynet_timer_start(
		agent->context, (int64_t)agent->patience_s * MS_PER_S, receiver->timer_session);
	agent->full_count++;
}

bool
agent_room_waits(const struct clusteragent *agent) {
	for (int i = 0; i < agent->full_count; i++)
		if (agent->full[i].waiting)
			return true;
	return false;
}
