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

/* A faster way for one thread to read a clock very often. It reads the clock every 10 ms only, and
 * in between adds the ticks that the processor has counted since, which takes a third of the time.
 * It never goes back, and differs from the clock by microseconds. On a processor without such ticks
 * it reads the clock each time.
 */
struct clock_reader {
	const struct clock *clock;
	uint64_t ticks, ns; /* when the clock was last read */
	uint64_t limit;     /* ticks until the clock is read again; 0: always read it */
	uint64_t scale;     /* ns per tick, times 2^32 */
	uint64_t last_ns;   /* the last time that was returned */
};

/// Fills `reader`, which borrows `clock`.
void clock_reader_init(struct clock_reader *reader, const struct clock *clock);

/// The slow path of clock_reader_ns: reads the clock.
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
