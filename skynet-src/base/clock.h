/* Time, behind an interface that the runtime holds so that a test can move it by hand.
 * The system clock has no state and may be used from any thread; a manual clock is advanced by the
 * thread that steps the runtime and read from any.
 */
#ifndef SKYNET_CLOCK_H
#define SKYNET_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

struct clock {
	bool has_ticks; /* the processor counts at a steady rate, alike on all cores */
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

/* A thread's own view of a clock that it reads very often: between two readings, 10 ms apart, it
 * reckons with the ticks that the processor counts, which takes a third of the time. Never goes
 * back; differs from the clock by microseconds. Where there are no such ticks, it is the clock.
 */
struct clock_reader {
	const struct clock *clock;
	uint64_t ticks, ns; /* at the last reading */
	uint64_t limit;     /* ticks from there until the next one; 0: always read */
	uint64_t scale;     /* ns per tick, times 2^32 */
	uint64_t last_ns;   /* what was told last */
};

/// Fills `reader`, which borrows `clock`.
void clock_reader_init(struct clock_reader *reader, const struct clock *clock);

/// The slow half of clock_reader_ns.
uint64_t clock_reader_read(struct clock_reader *reader);

static inline uint64_t
clock_ticks(void) {
#if defined(__x86_64__)
	return __rdtsc();
#else
	return 0;
#endif
}

/// The time, as clock_monotonic_ns. One thread at a time.
static inline uint64_t
clock_reader_ns(struct clock_reader *reader) {
	if (reader->limit == 0)
		return clock_monotonic_ns(reader->clock);
	uint64_t since = clock_ticks() - reader->ticks;
	uint64_t now = since < reader->limit ? reader->ns + (since * reader->scale >> 32)
					     : clock_reader_read(reader);
	if (now > reader->last_ns)
		reader->last_ns = now;
	return reader->last_ns;
}

/// CPU time of the calling thread. A system call on most machines.
uint64_t clock_thread_cpu_ns(void);

#endif
