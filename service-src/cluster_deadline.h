/* Deadlines of the calls of a cluster link. One thread at a time. */
#ifndef SKYNET_CLUSTER_DEADLINE_H
#define SKYNET_CLUSTER_DEADLINE_H

#include <stdint.h>

#include "cluster_session.h"
#include "skynet.h"

struct cluster_deadlines {
	struct skynet_context *context;
	struct cluster_sessions timers; /* session of the timer to `number`, the id of the call */
};

/// End with cluster_deadlines_fini; timers that run are forgotten.
void cluster_deadlines_init(struct cluster_deadlines *deadlines, struct skynet_context *context);
void cluster_deadlines_fini(struct cluster_deadlines *deadlines);

/// Starts the deadline of `call`, which has none. `delay_ms` is more than 0.
void cluster_deadlines_start(
	struct cluster_deadlines *deadlines, struct cluster_session *call, int64_t delay_ms);

/// Ends the deadline of `call`, if it has one.
void cluster_deadlines_stop(struct cluster_deadlines *deadlines, struct cluster_session *call);

/// A response with `session` has come. Returns the id of the call whose deadline is over, 0 when
/// the response is no timer.
uint32_t cluster_deadlines_fired(struct cluster_deadlines *deadlines, int session);

#endif
