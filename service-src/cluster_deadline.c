#include "cluster_deadline.h"

void
cluster_deadlines_init(struct cluster_deadlines *deadlines, struct skynet_context *context) {
	deadlines->context = context;
	cluster_sessions_init(&deadlines->timers);
}

void
cluster_deadlines_fini(struct cluster_deadlines *deadlines) {
	for (uint32_t i = 0; deadlines->timers.count > 0 && i <= deadlines->timers.mask; i++) {
		const struct cluster_session *timer = &deadlines->timers.places[i];
		if (timer->id != 0)
			skynet_timer_cancel(deadlines->context, (uint64_t)(uintptr_t)timer->extra);
	}
	cluster_sessions_fini(&deadlines->timers);
}

void
cluster_deadlines_start(
	struct cluster_deadlines *deadlines, struct cluster_session *call, int64_t delay_ms) {
	int session = skynet_context_newsession(deadlines->context);
	while (cluster_sessions_find(&deadlines->timers, (uint32_t)session) != NULL)
		session = skynet_context_newsession(deadlines->context);
	call->timer = (uint32_t)session;
	struct cluster_session *timer = cluster_sessions_add(&deadlines->timers, (uint32_t)session);
	timer->number = call->id;
	timer->extra = (void *)(uintptr_t)skynet_timer_start(deadlines->context, delay_ms, session);
}

void
cluster_deadlines_stop(struct cluster_deadlines *deadlines, struct cluster_session *call) {
	struct cluster_session *timer = cluster_sessions_find(&deadlines->timers, call->timer);
	call->timer = 0;
	if (timer == NULL)
		return;
	skynet_timer_cancel(deadlines->context, (uint64_t)(uintptr_t)timer->extra);
	cluster_sessions_remove(&deadlines->timers, timer);
}

uint32_t
cluster_deadlines_fired(struct cluster_deadlines *deadlines, int session) {
	struct cluster_session *timer =
		cluster_sessions_find(&deadlines->timers, (uint32_t)session);
	if (timer == NULL)
		return 0;
	uint32_t id = timer->number;
	cluster_sessions_remove(&deadlines->timers, timer);
	return id;
}
