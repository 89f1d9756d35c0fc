/* Finds messages that do not end. Each thread that runs services publishes what it runs into its
 * own slot (a few plain stores per message, no shared cache line); one checking thread looks at the
 * slots now and then. A slot is read like a sequence lock: an odd version means a message runs, and
 * source, destination and owner are right when the version is the same before and after.
 */
#ifndef SKYNET_STALL_MONITOR_H
#define SKYNET_STALL_MONITOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define STALL_NEVER UINT64_MAX

/* Written by one thread. Each on its own cache line. */
struct stall_slot {
	_Alignas(64) _Atomic(uint64_t) version; /* odd: a message runs */
	_Atomic(uint64_t) route;                /* source << 32 | destination */
	_Atomic(void *) owner;                  /* opaque: the node of the destination */
};

struct stall_monitor;

/* What a report function is told. */
struct stall_report {
	int slot;
	void *owner;
	uint32_t source;
	uint32_t destination;
	int version;         /* counts the messages of that thread */
	int count;           /* reports about this message before this one */
	uint64_t elapsed_ms; /* since the checker first saw the message */
};

/// Told about a message that has not ended, on the checking thread. Returns the value of elapsed_ms
/// at which it wants to be told again; 0 means after another timeout.
typedef uint64_t (*stall_report_fn)(const struct stall_report *report, void *ud);

/// Gives a monitor with `slot_count` slots. End with stall_monitor_destroy. Never fails.
struct stall_monitor *stall_monitor_create(int slot_count);
void stall_monitor_destroy(struct stall_monitor *monitor);

/// The slot that thread number `index` writes; valid as long as the monitor.
struct stall_slot *stall_monitor_slot(struct stall_monitor *monitor, int index);

/// Looks at all slots; calls `report` for each message seen for at least `timeout_ms` (or for what
/// the last report asked for). One thread at a time. Returns in how many milliseconds the next
/// report can be due, STALL_NEVER when no thread is in a message.
uint64_t stall_monitor_check(struct stall_monitor *monitor, uint64_t now_ms, uint64_t timeout_ms,
	stall_report_fn report, void *ud);

/// Finds a message of `owner` that runs now and stores its destination. Any thread. Returns false
/// when there is none.
bool stall_monitor_find(
	const struct stall_monitor *monitor, const void *owner, uint32_t *destination);

/// The slot's thread begins a message, or goes on to the next one.
static inline void
stall_slot_enter(struct stall_slot *slot, void *owner, uint32_t source, uint32_t destination) {
	/* Relaxed: only this thread writes. The stores below are release, each pairs with the
	   acquire load of the same field in stall_monitor_check: whoever sees a new route or owner
	   also sees that the version before has ended. */
	uint64_t version = atomic_load_explicit(&slot->version, memory_order_relaxed);
	if (version & 1)
		atomic_store_explicit(&slot->version, ++version, memory_order_release);
	atomic_store_explicit(
		&slot->route, (uint64_t)source << 32 | destination, memory_order_release);
	atomic_store_explicit(&slot->owner, owner, memory_order_release);
	atomic_store_explicit(&slot->version, version + 1, memory_order_release);
}

/// The slot's thread is in no message any more.
static inline void
stall_slot_leave(struct stall_slot *slot) {
	uint64_t version = atomic_load_explicit(&slot->version, memory_order_relaxed);
	if (version & 1)
		atomic_store_explicit(&slot->version, version + 1, memory_order_release);
}

#endif
