/* The operating system's clocks, and one that a test moves by hand. */
#include "base/clock.h"

#include <stddef.h>
#include <time.h>

#define NS_PER_S UINT64_C(1000000000)

static uint64_t
read_clock(clockid_t id) {
	struct timespec now;
	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t
system_monotonic_ns(const struct clock *clock) {
	(void)clock;
	return read_clock(CLOCK_MONOTONIC);
}

static uint64_t
system_wall_ns(const struct clock *clock) {
	(void)clock;
	return read_clock(CLOCK_REALTIME);
}

static uint64_t
manual_monotonic_ns(const struct clock *clock) {
	/* Acquire pairs with the release of clock_advance: what was done before the clock moved is
	   seen by whoever sees the new time. */
	return atomic_load_explicit(&clock->manual_ns, memory_order_acquire);
}

static uint64_t
manual_wall_ns(const struct clock *clock) {
	return clock->manual_wall_ns + manual_monotonic_ns(clock);
}

static void
init(struct clock *clock, uint64_t (*monotonic)(const struct clock *),
	uint64_t (*wall)(const struct clock *), uint64_t wall_ns) {
	clock->monotonic_ns = monotonic;
	clock->wall_ns = wall;
	clock->manual_wall_ns = wall_ns;
	atomic_init(&clock->manual_ns, 0);
}

void
clock_init_system(struct clock *clock) {
	init(clock, system_monotonic_ns, system_wall_ns, 0);
}

void
clock_init_manual(struct clock *clock, uint64_t wall_ns) {
	init(clock, manual_monotonic_ns, manual_wall_ns, wall_ns);
}

void
clock_advance(struct clock *clock, uint64_t delta_ns) {
	/* Release pairs with the acquire of manual_monotonic_ns. */
	atomic_fetch_add_explicit(&clock->manual_ns, delta_ns, memory_order_release);
}

uint64_t
clock_thread_cpu_ns(void) {
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}
