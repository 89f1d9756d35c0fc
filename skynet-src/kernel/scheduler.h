/* Decides which thread runs which service, and when.
 *
 * Each worker has a run queue. A service that gets its first message goes to the queue of the
 * worker that sent it. The socket thread is one more worker, which polls sockets when it has
 * nothing to run. All other threads put services into a shared queue. A worker without work steals
 * from others. Waking a thread takes as long as running dozens of small services, so a sleeping
 * worker is woken only when the services in a queue are expected to wait longer than that. The
 * estimate may be wrong: services that wait behind an unexpectedly long turn are found by the
 * monitor (monitor.h).
 */
#ifndef SKYNET_SCHEDULER_H
#define SKYNET_SCHEDULER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "data/run_queue.h"
#include "data/sleeper.h"
#include "data/stall_monitor.h"
#include "io/socket_server.h"

struct skynet_context;
struct skynet_runtime;

struct worker {
	struct skynet_runtime *runtime;
	int index; /* place in scheduler->workers */
	pthread_t thread;
	bool started;
	struct run_queue queue;
	struct sleeper sleeper;
	struct socket_batch batch; /* owner: data of this turn, written to sockets at its end */
	uint32_t searches;         /* owner: since it last looked at the shared queue first */
	struct clock_reader clock; /* owner */

	/* What it is doing. Written by the owner, read by the monitor. */
	_Atomic(uint64_t) turn;   /* counts starts and ends of turns: odd during a turn */
	struct stall_slot *stall; /* which message it is running */
	uint64_t seen_turn;       /* monitor: value of `turn` at the last tick */
};

struct scheduler {
	struct skynet_runtime *runtime;
	struct worker *workers; /* `worker_count` workers, then the socket thread */
	int worker_count;
	struct run_queue shared;
	atomic_int idle; /* workers that sleep and have not been woken */
	atomic_bool quit;
	atomic_bool monitor_awake; /* the monitor ticks, or is to begin */
};

/// Prepares `worker_count` (0 or more) workers, and one for the socket thread. Returns 0 or
/// SKYNET_ESYSTEM. End with scheduler_fini.
int scheduler_init(struct scheduler *scheduler, struct skynet_runtime *runtime, int worker_count,
	struct skynet_error *error);
void scheduler_fini(struct scheduler *scheduler);

/// Start and join the worker threads (not the socket thread). scheduler_start returns 0 or
/// SKYNET_ESYSTEM, with no thread running.
int scheduler_start(struct scheduler *scheduler, struct skynet_error *error);
void scheduler_stop(struct scheduler *scheduler);

/// Puts a service into a run queue. Takes one reference to it. Any thread.
void scheduler_push(struct scheduler *scheduler, struct skynet_context *context);

/// Takes the next service for `worker` to run, with its reference: from its own queue, the shared
/// one, or another worker's. NULL when all are empty. The worker's own thread.
struct skynet_context *scheduler_next(struct scheduler *scheduler, struct worker *worker);

/// Runs one turn of `context` on `worker`, and then writes what it has sent to sockets. Takes the
/// reference. `now_ns` is the time at the start; returns the time at the end of the turn.
uint64_t scheduler_run(struct worker *worker, struct skynet_context *context, uint64_t now_ns);

/// Socket thread: runs services of its own queue until it is empty or `budget_ns` is used up.
/// Returns true when the queue is not empty.
bool scheduler_run_some(struct worker *worker, uint64_t budget_ns);

/// One tick of the monitor: wakes a worker for each queue whose owner has not come to it since the
/// last tick. Returns false when no service has run since then and none is running or waiting.
bool scheduler_inspect(struct scheduler *scheduler);

/// True when the socket thread has been in the same turn since the last tick.
bool scheduler_poller_stuck(struct scheduler *scheduler);

/// Wakes one sleeping worker, if there is any.
void scheduler_wake(struct scheduler *scheduler);

/// Drops the references of all services still in the queues. The threads must have ended.
void scheduler_drain(struct scheduler *scheduler);

#endif
