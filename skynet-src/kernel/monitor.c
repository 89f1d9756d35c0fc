#include "kernel/monitor.h"

#include "base/thread.h"
#include "data/stall_monitor.h"
#include "io/socket_server.h"
#include "kernel/current.h"
#include "kernel/log.h"
#include "kernel/node.h"
#include "kernel/runtime.h"
#include "kernel/service.h"
#include "kernel/socket_service.h"
#include "kernel/timeout.h"

#define TICK_MINIMUM_MS 1
#define TICK_MAXIMUM_MS 10
#define TICKS_BACK_OFF  16 /* ticks until the interval doubles, unless sockets had to be polled */
#define TICKS_QUIET     8  /* ticks without any activity until the monitor sleeps */

struct monitor {
	struct skynet_runtime *runtime;
	uint64_t tick_ms;
	int ticks;       /* since the interval last changed */
	int quiet_ticks; /* in a row; one tick more than TICKS_QUIET ends the ticking */
};

void
monitor_rouse(struct skynet_runtime *runtime) {
	struct scheduler *scheduler = &runtime->scheduler;
	/* Relaxed: the lock inside timeouts_wake orders what the monitor then looks at. */
	if (!atomic_exchange_explicit(&scheduler->monitor_awake, true, memory_order_relaxed))
		timeouts_wake(&runtime->timeouts);
}

static uint64_t
probe_stalled(struct skynet_node *node, uint32_t handle, uint64_t elapsed_ms) {
	struct skynet_context *context = service_grab(node, handle);
	if (context == NULL)
		return 0;
	atomic_store_explicit(&context->endless, true, memory_order_relaxed);
	uint64_t interrupt_ms = node->stall_interrupt_ns / 1000000;
	bool interrupt = interrupt_ms != 0 && elapsed_ms >= interrupt_ms;
	mutex_acquire(&context->probe_lock);
	if (context->probe != NULL)
		context->probe(context->probe_ud,
			interrupt ? SKYNET_PROBE_INTERRUPT : SKYNET_PROBE_REPORT);
	mutex_release(&context->probe_lock);
	service_drop(context);
	return !interrupt && interrupt_ms > elapsed_ms ? interrupt_ms : 0;
}

static uint64_t
report_stall(const struct stall_report *report, void *ud) {
	struct skynet_node *node = report->owner;
	(void)ud;
	log_line(node, 0,
		"error: A message from [ :%08x ] to [ :%08x ] maybe in an endless loop (version = %d)",
		report->source, report->destination, report->version);
	return probe_stalled(node, report->destination, report->elapsed_ms);
}

/* The socket thread has been running one service since the last tick: polls in its place, without
 * waiting. If the socket thread has returned meanwhile, it holds the lock `poll_role` and there is
 * nothing to do. */
static void
poll_in_place(struct monitor *monitor) {
	struct skynet_runtime *runtime = monitor->runtime;
	if (!mutex_try(&runtime->poll_role))
		return;
	socket_server_poll(runtime->sockets, 0, socket_service_deliver, runtime);
	mutex_release(&runtime->poll_role);
}

static void
tick(struct monitor *monitor) {
	struct skynet_runtime *runtime = monitor->runtime;
	bool stuck = scheduler_poller_stuck(&runtime->scheduler);
	bool active = scheduler_inspect(&runtime->scheduler);
	if (runtime->stall_timeout_ms != 0)
		stall_monitor_check(runtime->stalls, runtime_now_ms(runtime),
			runtime->stall_timeout_ms, report_stall, NULL);
	if (stuck)
		poll_in_place(monitor);
	monitor->quiet_ticks = active ? 0 : monitor->quiet_ticks + 1;
	if (++monitor->ticks >= TICKS_BACK_OFF && monitor->tick_ms < TICK_MAXIMUM_MS && !stuck) {
		monitor->ticks = 0;
		monitor->tick_ms = monitor->tick_ms * 2 < TICK_MAXIMUM_MS ? monitor->tick_ms * 2
									  : TICK_MAXIMUM_MS;
	}
	if (stuck)
		monitor->tick_ms = TICK_MINIMUM_MS;
}

/* The monitor stops ticking in two steps, so that it misses no work: after TICKS_QUIET quiet ticks
 * it clears `monitor_awake`, and only after one more quiet tick it stops. A worker that queued a
 * service before it could see the flag cleared has done so visibly by then; one that queues a
 * service later sees the flag and rouses the monitor. */
static void
wind_down(struct monitor *monitor) {
	struct scheduler *scheduler = &monitor->runtime->scheduler;
	if (monitor->quiet_ticks == TICKS_QUIET)
		atomic_store_explicit(&scheduler->monitor_awake, false, memory_order_seq_cst);
	else if (monitor->quiet_ticks < TICKS_QUIET)
		atomic_store_explicit(&scheduler->monitor_awake, true, memory_order_relaxed);
}

static void
step_stopping_nodes(struct skynet_runtime *runtime) {
	uint64_t now = clock_monotonic_ns(runtime->clock);
	pthread_mutex_lock(&runtime->lock);
	struct skynet_node *node = runtime->nodes;
	pthread_mutex_unlock(&runtime->lock);
	/* Walking needs no lock: nodes are only added at the head of the list, and removed only
	 * after the threads have ended. */
	for (; node != NULL; node = node->next)
		node_stop_step(node, now);
}

void *
monitor_main(void *argument) {
	struct skynet_runtime *runtime = argument;
	struct scheduler *scheduler = &runtime->scheduler;
	struct monitor monitor = {
		.runtime = runtime, .tick_ms = TICK_MINIMUM_MS, .quiet_ticks = TICKS_QUIET + 1};
	uint64_t next_tick_ms = 0;
	current = (struct current){.runtime = runtime, .thread = CURRENT_TIMER};
	thread_be_prompt();
	while (!atomic_load_explicit(&runtime->quit, memory_order_relaxed)) {
		timeouts_expire(runtime);
		bool awake = atomic_load_explicit(&scheduler->monitor_awake, memory_order_relaxed);
		if (awake && monitor.quiet_ticks > TICKS_QUIET) {
			monitor.quiet_ticks = monitor.ticks = 0;
			monitor.tick_ms = TICK_MINIMUM_MS;
			next_tick_ms = runtime_now_ms(runtime) + monitor.tick_ms;
		}
		bool ticking = monitor.quiet_ticks <= TICKS_QUIET;
		if (ticking && runtime_now_ms(runtime) >= next_tick_ms) {
			tick(&monitor);
			wind_down(&monitor);
			next_tick_ms = runtime_now_ms(runtime) + monitor.tick_ms;
		}
		uint64_t limit = ticking ? monitor.tick_ms : UINT64_MAX;
		if (atomic_load_explicit(&runtime->stopping, memory_order_relaxed) != 0) {
			step_stopping_nodes(runtime);
			limit = TICK_MINIMUM_MS;
		}
		timeouts_sleep(runtime, limit);
	}
	return NULL;
}
