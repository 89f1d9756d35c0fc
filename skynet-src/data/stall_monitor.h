/* Finds services that do not return from a message. Each thread that runs services writes into its
 * own slot which message it is running (a few stores per message, on a cache line of its own); one
 * checking thread reads the slots now and then. A slot works like a sequence lock: the version is
 * odd while a message runs, and the other fields are consistent when the version is the same before
 * and after reading them.
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
	int version;         /* of the slot: tells messages of that thread apart */
	int count;           /* earlier reports about the same message */
	uint64_t elapsed_ms; /* since the checker first saw the message */
};

/// Called on the checking thread for a message that has not ended. Returns the value of elapsed_ms
/// at which it is to be called again for that message; 0: after another timeout.
typedef uint64_t (*stall_report_fn)(const struct stall_report *report, void *ud);

/// Gives a monitor with `slot_count` slots. End with stall_monitor_destroy. Never fails.
struct stall_monitor *stall_monitor_create(int slot_count);
void stall_monitor_destroy(struct stall_monitor *monitor);

/// The slot that thread number `index` writes; valid as long as the monitor.
struct stall_slot *stall_monitor_slot(struct stall_monitor *monitor, int index);

/// Looks at all slots; calls `report` for each message that has been running for `timeout_ms` since
/// it was first seen (or for the time that the last report asked for). One thread at a time.
/// Returns in how many milliseconds the next report can be due, STALL_NEVER when no thread runs a
/// message.
uint64_t stall_monitor_check(struct stall_monitor *monitor, uint64_t now_ms, uint64_t timeout_ms,
	stall_report_fn report, void *ud);

/// Finds a message of `owner` that runs now and stores its destination. Any thread. Returns false
/// when there is none.
bool stall_monitor_find(
	const struct stall_monitor *monitor, const void *owner, uint32_t *destination);

/// Called by the thread of the slot when it begins a message, or goes on to the next one.
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

/// Called by the thread of the slot when no message runs any more.
static inline void
stall_slot_leave(struct stall_slot *slot) {
	uint64_t version = atomic_load_explicit(&slot->version, memory_order_relaxed);
	if (version & 1)
		atomic_store_explicit(&slot->version, version + 1, memory_order_release);
}

#endif
