#include "kernel/scheduler.h"

#include <string.h>

#include "base/clock.h"
#include "kernel/current.h"
#include "kernel/monitor.h"
#include "kernel/node.h"
#include "kernel/runtime.h"
#include "kernel/service.h"

/* Typical time from waking a thread until it runs. */
#define HANDOVER_NS 50000
/* A service whose turns take longer on average is kept away from the socket thread, and a worker is
 * woken at once for services that would wait behind it. */
#define LONG_TURN_NS 1000000
/* When a service is queued, the first bytes that `callback_ud` points to (for a Lua service its
 * struct lua_service) are prefetched into the cache. */
#define CACHE_LINE     64
#define PREFETCH_LINES 6
/* After so many turns a worker takes from the shared queue first, although it has work of its own:
 * else services in the shared queue could wait for ever. */
#define SHARED_INTERVAL 61

/* Ends the first `count` workers and the shared queue, and frees the array. */
static void
free_workers(struct scheduler *scheduler, int count) {
	for (int i = 0; i < count; i++) {
		run_queue_fini(&scheduler->workers[i].queue);
		sleeper_fini(&scheduler->workers[i].sleeper);
	}
	run_queue_fini(&scheduler->shared);
	skynet_free(scheduler->workers);
	scheduler->workers = NULL;
}

int
scheduler_init(struct scheduler *scheduler, struct skynet_runtime *runtime, int worker_count,
	struct skynet_error *error) {
	memset(scheduler, 0, sizeof *scheduler);
	scheduler->runtime = runtime;
	scheduler->worker_count = worker_count;
	run_queue_init(&scheduler->shared);
	int total = worker_count + 1;
	scheduler->workers = skynet_aligned_alloc(
		64, (sizeof(struct worker) * (size_t)total + 63) & ~(size_t)63);
	memset(scheduler->workers, 0, sizeof(struct worker) * (size_t)total);
	for (int i = 0; i < total; i++) {
		scheduler->workers[i].runtime = runtime;
		scheduler->workers[i].index = i;
		clock_reader_init(&scheduler->workers[i].clock, runtime->clock);
		scheduler->workers[i].stall = stall_monitor_slot(runtime->stalls, i);
		run_queue_init(&scheduler->workers[i].queue);
		int failed = sleeper_init(&scheduler->workers[i].sleeper);
		if (failed != 0) {
			free_workers(scheduler, i);
			return error_set_errno(error, SKYNET_ESYSTEM, failed,
				"cannot create the condition of worker %d", i);
		}
	}
	return 0;
}

void
scheduler_fini(struct scheduler *scheduler) {
	if (scheduler->workers == NULL)
		return;
	free_workers(scheduler, scheduler->worker_count + 1);
}

void
scheduler_wake(struct scheduler *scheduler) {
	/* Pairs with the fence in sleep_until_work: either we see the sleeper or it sees the work.
	 */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&scheduler->idle, memory_order_relaxed) == 0)
		return;
	/* Always the first that sleeps, so that while there is little work the same few workers
	 * run, and are likely to have been awake lately. */
	for (int i = 0; i < scheduler->worker_count; i++) {
		if (sleeper_wake(&scheduler->workers[i].sleeper)) {
			atomic_fetch_sub_explicit(&scheduler->idle, 1, memory_order_relaxed);
			return;
		}
	}
}

static bool
has_work(struct scheduler *scheduler) {
	if (run_queue_count(&scheduler->shared) != 0)
		return true;
	for (int i = 0; i <= scheduler->worker_count; i++) {
		if (run_queue_count(&scheduler->workers[i].queue) != 0)
			return true;
	}
	return false;
}

/* A service has to wait for the end of a turn, or sockets for a service. In case that takes long,
 * the monitor must be awake to notice. */
static void
rouse_monitor(struct scheduler *scheduler) {
	if (!atomic_load_explicit(&scheduler->monitor_awake, memory_order_relaxed))
		monitor_rouse(scheduler->runtime);
}

/* Estimates how long a service waits that was just put into the queue of this worker: `ahead`, the
 * cost of the turns before it in the queue, plus what is left of the turn of `running`. That is
 * guessed from the cost of the shorter turns of `running` (turns that send a message to another
 * service are mostly short). A turn that is somewhat overdue is taken to be about to end. */
static uint64_t
expected_wait(struct worker *worker, const struct skynet_context *running, uint64_t ahead) {
	if (running == NULL || ahead > HANDOVER_NS)
		return ahead;
	uint64_t cost = running->turn_short;
	uint64_t start = atomic_load_explicit(&running->turn_start_ns, memory_order_relaxed);
	uint64_t elapsed = clock_reader_ns(&worker->clock) - start;
	if (elapsed < cost)
		return ahead + cost - elapsed;
	return elapsed < cost * 4 ? ahead : ahead + cost;
}

void
scheduler_push(struct scheduler *scheduler, struct skynet_context *context) {
	struct worker *worker = current.worker;
	if (worker == NULL || worker->runtime != scheduler->runtime) {
		run_queue_push(&scheduler->shared, context);
		scheduler_wake(scheduler);
		return;
	}
	/* Read now: once the service is in a queue, another worker may be running it. */
	uint64_t cost = context->turn_cost;
	/* A long turn on the socket thread would keep the sockets waiting. */
	if (worker->index == scheduler->worker_count && cost > LONG_TURN_NS) {
		run_queue_push(&scheduler->shared, context);
		scheduler_wake(scheduler);
		return;
	}
	/* The service that is running, unless it is the one being queued, at the end of its turn.
	 */
	const struct skynet_context *running = current.context != context ? current.context : NULL;
	/* It will probably run on this processor soon, whose cache may not have its data. */
	uintptr_t head = (uintptr_t)context->callback_ud;
	for (uintptr_t i = 0; i < PREFETCH_LINES; i++)
		__builtin_prefetch((const void *)(head + i * CACHE_LINE));
	uint64_t count = run_queue_push_own(&worker->queue, context);
	bool behind_long = running != NULL && running->turn_cost > LONG_TURN_NS;
	if (behind_long ||
		(count * cost > HANDOVER_NS &&
			expected_wait(worker, running, (count - 1) * cost) > HANDOVER_NS))
		scheduler_wake(scheduler);
	rouse_monitor(scheduler);
}

struct skynet_context *
scheduler_next(struct scheduler *scheduler, struct worker *worker) {
	struct skynet_context *found;
	if (++worker->searches >= SHARED_INTERVAL) {
		worker->searches = 0;
		found = run_queue_pop(&scheduler->shared);
		if (found != NULL)
			return found;
	}
	found = run_queue_pop(&worker->queue);
	if (found != NULL)
		return found;
	found = run_queue_pop(&scheduler->shared);
	if (found != NULL)
		return found;
	int total = scheduler->worker_count + 1;
	for (int i = 1; i < total; i++) {
		struct worker *victim = &scheduler->workers[(worker->index + i) % total];
		found = run_queue_steal(&victim->queue, &worker->queue);
		if (found != NULL)
			return found;
	}
	return NULL;
}

uint64_t
scheduler_run(struct worker *worker, struct skynet_context *context, uint64_t now_ns) {
	uint64_t turn = atomic_load_explicit(&worker->turn, memory_order_relaxed);
	atomic_store_explicit(&worker->turn, turn + 1, memory_order_relaxed);
	/* Let another worker steal what would wait behind a long turn. */
	if (context->turn_cost > LONG_TURN_NS && run_queue_count(&worker->queue) != 0)
		scheduler_wake(&worker->runtime->scheduler);
	uint64_t end_ns = service_run(context, 0, now_ns);
	if (worker->batch.count != 0)
		socket_server_flush_thread(worker->runtime->sockets, &worker->batch);
	atomic_store_explicit(&worker->turn, turn + 2, memory_order_relaxed);
	return end_ns;
}

bool
scheduler_run_some(struct worker *worker, uint64_t budget_ns) {
	struct scheduler *scheduler = &worker->runtime->scheduler;
	uint64_t start = clock_reader_ns(&worker->clock), now = start;
	struct skynet_context *context = run_queue_pop(&worker->queue);
	if (context == NULL)
		return false;
	rouse_monitor(scheduler);
	do {
		now = scheduler_run(worker, context, now);
		if (now - start >= budget_ns)
			return run_queue_count(&worker->queue) != 0;
		context = run_queue_pop(&worker->queue);
	} while (context != NULL);
	return false;
}

/* Sleeps until scheduler_wake or scheduler_stop wakes this worker; not at all when there is work
 * already. */
static void
sleep_until_work(struct scheduler *scheduler, struct worker *worker) {
	atomic_fetch_add_explicit(&scheduler->idle, 1, memory_order_relaxed);
	sleeper_announce(&worker->sleeper);
	/* Pairs with the fences in scheduler_wake and scheduler_stop. */
	atomic_thread_fence(memory_order_seq_cst);
	bool stay =
		has_work(scheduler) || atomic_load_explicit(&scheduler->quit, memory_order_relaxed);
	if (stay && sleeper_retract(&worker->sleeper))
		atomic_fetch_sub_explicit(&scheduler->idle, 1, memory_order_relaxed);
	else
		sleeper_wait(&worker->sleeper);
}

static void *
worker_main(void *argument) {
	struct worker *worker = argument;
	struct scheduler *scheduler = &worker->runtime->scheduler;
	current = (struct current){
		.runtime = worker->runtime, .worker = worker, .thread = CURRENT_WORKER};
	uint64_t now = clock_reader_ns(&worker->clock);
	while (!atomic_load_explicit(&scheduler->quit, memory_order_relaxed)) {
		struct skynet_context *context = scheduler_next(scheduler, worker);
		if (context != NULL) {
			now = scheduler_run(worker, context, now);
			continue;
		}
		sleep_until_work(scheduler, worker);
		now = clock_reader_ns(&worker->clock);
	}
	return NULL;
}

int
scheduler_start(struct scheduler *scheduler, struct skynet_error *error) {
	for (int i = 0; i < scheduler->worker_count; i++) {
		struct worker *worker = &scheduler->workers[i];
		int failed = pthread_create(&worker->thread, NULL, worker_main, worker);
		if (failed != 0) {
			scheduler_stop(scheduler);
			return error_set_errno(
				error, SKYNET_ESYSTEM, failed, "cannot create worker thread %d", i);
		}
		worker->started = true;
	}
	return 0;
}

void
scheduler_stop(struct scheduler *scheduler) {
	atomic_store_explicit(&scheduler->quit, true, memory_order_relaxed);
	/* Pairs with the fence in sleep_until_work. */
	atomic_thread_fence(memory_order_seq_cst);
	for (int i = 0; i < scheduler->worker_count; i++) {
		if (sleeper_wake(&scheduler->workers[i].sleeper))
			atomic_fetch_sub_explicit(&scheduler->idle, 1, memory_order_relaxed);
	}
	for (int i = 0; i < scheduler->worker_count; i++) {
		if (scheduler->workers[i].started)
			pthread_join(scheduler->workers[i].thread, NULL);
		scheduler->workers[i].started = false;
	}
}

void
scheduler_drain(struct scheduler *scheduler) {
	struct worker *worker = &scheduler->workers[scheduler->worker_count];
	struct skynet_context *context;
	while ((context = scheduler_next(scheduler, worker)) != NULL)
		service_drop(context);
}

bool
scheduler_poller_stuck(struct scheduler *scheduler) {
	struct worker *worker = &scheduler->workers[scheduler->worker_count];
	uint64_t turn = atomic_load_explicit(&worker->turn, memory_order_relaxed);
	return turn % 2 == 1 && turn == worker->seen_turn;
}

/* Wakes a sleeping worker when services wait in the queue of `worker`, which has begun and ended no
 * turn since the last tick. Returns true when it has run something since then, or is running, or
 * has something to run. */
static bool
inspect_worker(struct scheduler *scheduler, struct worker *worker) {
	uint64_t turn = atomic_load_explicit(&worker->turn, memory_order_relaxed);
	bool active = turn != worker->seen_turn || turn % 2 == 1;
	bool stuck = turn == worker->seen_turn && turn % 2 == 1;
	if (run_queue_count(&worker->queue) != 0) {
		active = true;
		if (turn == worker->seen_turn)
			scheduler_wake(scheduler);
	}
	if (stuck)
		socket_server_flush_stuck(scheduler->runtime->sockets, &worker->batch);
	worker->seen_turn = turn;
	return active;
}

bool
scheduler_inspect(struct scheduler *scheduler) {
	bool active = false;
	if (run_queue_count(&scheduler->shared) != 0) {
		active = true;
		scheduler_wake(scheduler);
	}
	for (int i = 0; i <= scheduler->worker_count; i++)
		active |= inspect_worker(scheduler, &scheduler->workers[i]);
	return active;
}
