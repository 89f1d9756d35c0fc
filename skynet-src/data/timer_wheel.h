/* Hierarchical timer wheel: 1 ms ticks, eleven levels of 64 slots, so any 64-bit time has its
 * place. What expires comes out in order of expiry; timers of one service that expire in the same
 * millisecond come out in order of creation.
 *
 * Not locked: one thread at a time, the kernel holds a lock of LOCK_RANK_TIMER around each call.
 * timer_wheel_collect copies what has expired out of the wheel, so that it can be delivered without
 * the lock. Empty stretches of time cost nothing. Memory of timers is reused, and freed with the
 * wheel.
 */
#ifndef SKYNET_TIMER_WHEEL_H
#define SKYNET_TIMER_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMER_WHEEL_NEVER UINT64_MAX

struct timer_wheel;

/* What the wheel keeps for its user. */
struct timer_payload {
	void *owner; /* opaque: the node */
	uint32_t handle;
	int session;
};

/// Gives a wheel whose time is `now_ms`. End with timer_wheel_destroy. Never fails.
struct timer_wheel *timer_wheel_create(uint64_t now_ms);
void timer_wheel_destroy(struct timer_wheel *wheel);

/// Adds a timer that expires at `expire_ms`, an absolute time; one that is past expires with the
/// next collect. Copies `payload`. Returns its id: positive as int64_t, never 0, not used again
/// soon.
uint64_t timer_wheel_add(
	struct timer_wheel *wheel, uint64_t expire_ms, const struct timer_payload *payload);

/// Removes the timer `id` if it is one of `handle` of `owner`. Returns false when it has been
/// collected or cancelled before, is somebody else's, or never existed.
bool timer_wheel_cancel(struct timer_wheel *wheel, uint64_t id, const void *owner, uint32_t handle);

/// Removes all timers of `owner`, looking at every timer. Returns how many there were. What was
/// collected before is not recalled.
size_t timer_wheel_cancel_owner(struct timer_wheel *wheel, const void *owner);

/// Moves time to `now_ms` and copies to `expired`, in order, at most `capacity` payloads that have
/// expired by then; call again while the result equals `capacity`. Time that is not after the
/// wheel's is no error. Returns how many were copied.
size_t timer_wheel_collect(
	struct timer_wheel *wheel, uint64_t now_ms, struct timer_payload *expired, size_t capacity);

/// Called for one expired timer, which is out of the wheel already; may add and cancel timers.
typedef void (*timer_expire_fn)(const struct timer_payload *payload, void *ud);

/// Moves time to `now_ms` and calls `expire` for each timer that has expired, also for those that
/// `expire` adds and that have expired too. Returns how many there were.
size_t timer_wheel_advance(
	struct timer_wheel *wheel, uint64_t now_ms, timer_expire_fn expire, void *ud);

/// When to collect next: TIMER_WHEEL_NEVER without timers, else a time that is never after the next
/// expiry, and is that expiry unless an earlier timer was cancelled. Cheap.
uint64_t timer_wheel_next(const struct timer_wheel *wheel);

/// Number of timers that wait.
size_t timer_wheel_count(const struct timer_wheel *wheel);

#endif
