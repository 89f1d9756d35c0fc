/* The side of the checking thread. What it remembers of each slot is in `watches`, which no other
 * thread uses. */
#include "data/stall_monitor.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

#include "skynet_malloc.h"

struct stall_watch {
	uint64_t version;  /* of the message last seen, 0 when there was none */
	uint64_t since_ms; /* when it was first seen */
	uint64_t due_ms;   /* elapsed time of the next report; 0: after the timeout */
	int count;         /* reports so far */
};

struct stall_monitor {
	int slot_count;
	struct stall_slot *slots;
	struct stall_watch *watches; /* of the checking thread */
};

struct stall_monitor *
stall_monitor_create(int slot_count) {
	assert(slot_count > 0);
	struct stall_monitor *monitor = skynet_malloc(sizeof(*monitor));
	size_t count = (size_t)slot_count;
	monitor->slot_count = slot_count;
	monitor->slots =
		skynet_memalign(_Alignof(struct stall_slot), count * sizeof(struct stall_slot));
	monitor->watches = skynet_calloc(count, sizeof(struct stall_watch));
	for (size_t i = 0; i < count; i++) {
		atomic_init(&monitor->slots[i].version, 0);
		atomic_init(&monitor->slots[i].route, 0);
		atomic_init(&monitor->slots[i].owner, NULL);
	}
	return monitor;
}

void
stall_monitor_destroy(struct stall_monitor *monitor) {
	if (monitor == NULL)
		return;
	skynet_free(monitor->watches);
	skynet_free(monitor->slots);
	skynet_free(monitor);
}

struct stall_slot *
stall_monitor_slot(struct stall_monitor *monitor, int index) {
	assert(index >= 0 && index < monitor->slot_count);
	return &monitor->slots[index];
}

/* Reads a slot; returns false when no message runs, or another one by the end of the reading. */
static bool
read_slot(const struct stall_slot *slot, uint64_t *version, struct stall_report *report) {
	/* The acquire loads pair with the release stores of stall_slot_enter. */
	*version = atomic_load_explicit(&slot->version, memory_order_acquire);
	if ((*version & 1) == 0)
		return false;
	uint64_t route = atomic_load_explicit(&slot->route, memory_order_acquire);
	report->owner = atomic_load_explicit(&slot->owner, memory_order_acquire);
	report->source = (uint32_t)(route >> 32);
	report->destination = (uint32_t)route;
	report->version = (int)(*version / 2 & INT_MAX);
	return atomic_load_explicit(&slot->version, memory_order_relaxed) == *version;
}

/* Reports one slot if it is due; returns how long until it can be, STALL_NEVER when idle. */
static uint64_t
check_slot(struct stall_monitor *monitor, int index, uint64_t now_ms, uint64_t timeout_ms,
	stall_report_fn report_fn, void *ud) {
	struct stall_watch *watch = &monitor->watches[index];
	struct stall_report report = {.slot = index};
	uint64_t version;
	if (!read_slot(&monitor->slots[index], &version, &report)) {
		/* Odd: another message runs by now; the next check sees it for the first time. */
		watch->version = 0;
		return version & 1 ? timeout_ms : STALL_NEVER;
	}
	if (watch->version != version) {
		*watch = (struct stall_watch){.version = version, .since_ms = now_ms};
		return timeout_ms;
	}
	uint64_t due = watch->due_ms != 0 ? watch->due_ms : timeout_ms;
	report.elapsed_ms = now_ms - watch->since_ms;
	if (report.elapsed_ms < due)
		return due - report.elapsed_ms;
	report.count = watch->count++;
	due = report_fn(&report, ud);
	if (due <= report.elapsed_ms)
		due = report.elapsed_ms + timeout_ms;
	watch->due_ms = due;
	return due - report.elapsed_ms;
}

uint64_t
stall_monitor_check(struct stall_monitor *monitor, uint64_t now_ms, uint64_t timeout_ms,
	stall_report_fn report, void *ud) {
	uint64_t wait = STALL_NEVER;
	for (int i = 0; i < monitor->slot_count; i++) {
		uint64_t slot_wait = check_slot(monitor, i, now_ms, timeout_ms, report, ud);
		if (slot_wait < wait)
			wait = slot_wait;
	}
	return wait;
}

bool
stall_monitor_find(const struct stall_monitor *monitor, const void *owner, uint32_t *destination) {
	struct stall_report report;
	uint64_t version;
	for (int i = 0; i < monitor->slot_count; i++) {
		if (read_slot(&monitor->slots[i], &version, &report) && report.owner == owner) {
			*destination = report.destination;
			return true;
		}
	}
	return false;
}
