/* Hierarchical timer wheel with a resolution of 1 ms and eleven levels of 64 slots, enough for any
 * 64-bit time. Timers come out in order of expiry; those of one service that expire in the same
 * millisecond come out in order of creation.
 *
 * No locking: one thread at a time. The kernel holds a lock of LOCK_RANK_TIMER during each call.
 * timer_wheel_collect copies expired timers out of the wheel, so that they can be delivered without
 * the lock. A long time without timers costs nothing to pass. Memory of timers is reused, and freed
 * with the wheel.
 */
#ifndef SKYNET_TIMER_WHEEL_H
#define SKYNET_TIMER_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMER_WHEEL_NEVER UINT64_MAX

struct timer_wheel;

/* What a timer carries for the user of the wheel. */
struct timer_payload {
	void *owner; /* opaque: the node */
	uint32_t handle;
	int session;
};

/// Gives a wheel whose time is `now_ms`. End with timer_wheel_destroy. Never fails.
struct timer_wheel *timer_wheel_create(uint64_t now_ms);
void timer_wheel_destroy(struct timer_wheel *wheel);

/// Adds a timer that expires at the absolute time `expire_ms`; if that is past, with the next
/// collect. Copies `payload`. Returns the id of the timer: never 0, positive as int64_t, not used
/// again soon.
uint64_t timer_wheel_add(
	struct timer_wheel *wheel, uint64_t expire_ms, const struct timer_payload *payload);

/// Removes the timer `id` if its payload has this owner and handle. Returns false when it does not,
/// or when the timer has been collected or cancelled before, or never existed.
bool timer_wheel_cancel(struct timer_wheel *wheel, uint64_t id, const void *owner, uint32_t handle);

/// Removes all timers of `owner`; looks at every timer of the wheel. Returns how many it removed.
/// Timers that were collected before are not affected.
size_t timer_wheel_cancel_owner(struct timer_wheel *wheel, const void *owner);

/// Moves time to `now_ms` and copies to `expired`, in order, at most `capacity` payloads that have
/// expired by then; call again while the result equals `capacity`. A time that is not later than
/// before is no error. Returns how many were copied.
size_t timer_wheel_collect(
	struct timer_wheel *wheel, uint64_t now_ms, struct timer_payload *expired, size_t capacity);

/// Called for one expired timer, which is out of the wheel already; may add and cancel timers.
typedef void (*timer_expire_fn)(const struct timer_payload *payload, void *ud);

/// Moves time to `now_ms` and calls `expire` for each timer that has expired, also for those that
/// `expire` adds and that have expired too. Returns how many there were.
size_t timer_wheel_advance(
	struct timer_wheel *wheel, uint64_t now_ms, timer_expire_fn expire, void *ud);

/// When to collect next: TIMER_WHEEL_NEVER without timers, else the time of the next expiry, or an
/// earlier time when a timer that was due before has been cancelled. Cheap.
uint64_t timer_wheel_next(const struct timer_wheel *wheel);

/// Number of timers that wait.
size_t timer_wheel_count(const struct timer_wheel *wheel);

#endif
