/* Timers: after a delay a service gets a message. Any thread may start and cancel timers; the timer
 * thread, or the thread that steps the runtime, delivers those that have expired.
 */
#ifndef SKYNET_TIMEOUT_H
#define SKYNET_TIMEOUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct skynet_node;
struct skynet_runtime;
struct timeouts;

/// Makes an empty timer wheel, and the condition on which the timer thread sleeps. Returns 0 or
/// SKYNET_ESYSTEM; end with timeouts_fini in both cases, when no thread uses it any more.
int timeouts_init(struct timeouts *timeouts, struct skynet_error *error);
void timeouts_fini(struct timeouts *timeouts);

/// Sends an empty PTYPE_RESPONSE with `session` to `handle` after `delay_ms`. Returns the id of the
/// timer; or 0 when the delay is not positive, in which case the message has been sent at once.
uint64_t timeout_start(struct skynet_node *node, uint32_t handle, int64_t delay_ms, int session);

/// Sends the messages of all timers that have expired. Returns how many there were. Timer thread,
/// or the thread that steps the runtime.
size_t timeouts_expire(struct skynet_runtime *runtime);

/// Timer thread: sleeps until the next expiry, but not longer than `limit_ms`, or until woken.
void timeouts_sleep(struct skynet_runtime *runtime, uint64_t limit_ms);

/// Wakes the timer thread. Any thread.
void timeouts_wake(struct timeouts *timeouts);

#endif
