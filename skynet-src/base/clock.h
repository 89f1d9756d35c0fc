/* Time, behind an interface that the runtime holds so that a test can move it by hand.
 * The system clock has no state and may be used from any thread; a manual clock is advanced by the
 * thread that steps the runtime and read from any.
 */
#ifndef SKYNET_CLOCK_H
#define SKYNET_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

struct clock {
	uint64_t (*monotonic_ns)(const struct clock *clock); /* never goes back */
	uint64_t (*wall_ns)(const struct clock *clock);      /* since the epoch */
	_Atomic(uint64_t) manual_ns;                         /* of a manual clock */
	uint64_t manual_wall_ns;                             /* wall time at manual_ns 0 */
};

/// Fills `clock` with the operating system's clocks.
void clock_init_system(struct clock *clock);

/// Fills `clock` with one that stands still at monotonic 0 and the given wall time.
void clock_init_manual(struct clock *clock, uint64_t wall_ns);

/// Moves a manual clock forward. Any thread.
void clock_advance(struct clock *clock, uint64_t delta_ns);

static inline uint64_t
clock_monotonic_ns(const struct clock *clock) {
	return clock->monotonic_ns(clock);
}

static inline uint64_t
clock_wall_ns(const struct clock *clock) {
	return clock->wall_ns(clock);
}

/// CPU time of the calling thread. A system call on most machines.
uint64_t clock_thread_cpu_ns(void);

#endif
