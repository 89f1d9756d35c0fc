/* The operating system's clocks, and one that a test moves by hand. */
#include "base/clock.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)

/* For so long a reader counts ticks of the processor before it reads the clock of the system again.
 */
#define READ_INTERVAL_NS UINT64_C(10000000)
/* How long a tick takes is measured between two readings of both ticks and clock. These are read
 * one after the other: a pair counts only if that took less than this part of the time since the
 * pair before. */
#define PAIR_PRECISION 20000
/* The first measurement takes at least so many ticks. */
#define FIRST_TICKS UINT64_C(1000000)
#define TICK_SOURCE "/sys/devices/system/clocksource/clocksource0/current_clocksource"

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
	/* Acquire pairs with the release of clock_advance: a thread that sees the new time also
	 * sees what was done before the clock was moved. */
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
	clock->has_ticks = false;
	atomic_init(&clock->manual_ns, 0);
}

/* True when the kernel of the system takes its own time from the ticks: then it has checked that
 * they can be trusted. */
static bool
ticks_are_steady(void) {
#if defined(__x86_64__) && defined(__linux__)
	char name[8] = "";
	int fd = open(TICK_SOURCE, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t size = read(fd, name, sizeof name - 1);
	close(fd);
	return size == 4 && memcmp(name, "tsc\n", 4) == 0;
#else
	return false;
#endif
}

void
clock_init_system(struct clock *clock) {
	init(clock, system_monotonic_ns, system_wall_ns, 0);
	clock->has_ticks = ticks_are_steady();
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

void
clock_reader_init(struct clock_reader *reader, const struct clock *clock) {
	*reader = (struct clock_reader){.clock = clock};
	if (!clock->has_ticks)
		return;
	reader->ticks = clock_ticks();
	reader->ns = clock_monotonic_ns(clock);
	reader->limit = 1;
}

/* Notes how long a tick takes. When that has changed, the machine was suspended or moved to another
 * one, and it has to be measured anew. */
static void
set_rate(struct clock_reader *reader, uint64_t scale) {
	uint64_t before = reader->scale;
	bool same = before == 0 || (scale < before + before / 100 && scale > before - before / 100);
	reader->scale = same ? scale : 0;
	reader->limit = reader->scale != 0 ? (READ_INTERVAL_NS << 32) / reader->scale : 1;
}

uint64_t
clock_reader_read(struct clock_reader *reader) {
	uint64_t ticks = clock_ticks();
	uint64_t now = clock_monotonic_ns(reader->clock);
	uint64_t gap = clock_ticks() - ticks;
	uint64_t since = ticks - reader->ticks, elapsed = now - reader->ns;
	/* It is too early to measure: the pair before stays. */
	if (reader->scale == 0 && since < FIRST_TICKS)
		return now;
	/* The thread was interrupted between the two readings. */
	if (gap >= since / PAIR_PRECISION)
		return now;
	reader->ticks = ticks;
	reader->ns = now;
	/* After a long sleep the length of a tick from before is good enough. */
	if (elapsed < NS_PER_S)
		set_rate(reader, (elapsed << 32) / since);
	return now;
}

uint64_t
clock_thread_cpu_ns(void) {
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}
