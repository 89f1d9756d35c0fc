/* Timers: a delay becomes a message. Any thread may start and cancel; expired ones are delivered by
 * the timer thread, or by the thread that steps the runtime.
 */
#ifndef SKYNET_TIMEOUT_H
#define SKYNET_TIMEOUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct skynet_node;
struct skynet_runtime;
struct timeouts;

/// Makes an empty wheel and what the timer thread sleeps on. Returns 0 or SKYNET_ESYSTEM; end with
/// timeouts_fini in both cases, when no thread uses it.
int timeouts_init(struct timeouts *timeouts, struct skynet_error *error);
void timeouts_fini(struct timeouts *timeouts);

/// Sends PTYPE_RESPONSE with `session` to `handle` after `delay_ms`. Returns the timer's id; 0 when
/// the delay is not positive and the message was sent at once.
uint64_t timeout_start(struct skynet_node *node, uint32_t handle, int64_t delay_ms, int session);

/// Delivers what has expired. Returns the number of messages.
size_t timeouts_expire(struct skynet_runtime *runtime);

/// Timer thread: sleeps until the next expiry, but not longer than `limit_ms`, or until woken.
void timeouts_sleep(struct skynet_runtime *runtime, uint64_t limit_ms);

/// Wakes the timer thread. Any thread.
void timeouts_wake(struct timeouts *timeouts);

#endif
