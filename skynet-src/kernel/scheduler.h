/* Which thread runs which service, when.
 *
 * Each worker has a run queue; a service that gets its first message goes to the queue of the
 * worker that sent it. The socket thread is one more worker, which looks for sockets instead of
 * sleeping. Other threads put services into a shared queue. A worker without work steals. Waking a
 * thread costs as much as running dozens of small services, so a sleeping worker is woken only when
 * what waits in a queue would take longer than that; work that is stranded behind a turn that turns
 * out to be long is found by the monitor, which ticks while there is activity and sleeps with the
 * node.
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
	int index; /* the last one is the socket thread's */
	pthread_t thread;
	bool started;
	struct run_queue queue;
	struct sleeper sleeper;
	struct socket_batch batch; /* owner: frames of this turn that leave together */
	uint32_t searches;         /* owner: turns since it last looked at the shared queue */
	struct clock_reader clock; /* owner */

	/* What it is doing, for the monitor. Written by the owner. */
	_Atomic(uint64_t) turn;   /* odd while in a turn; counts up at its start and end */
	struct stall_slot *stall; /* the message it runs */
	uint64_t seen_turn;       /* monitor: at the last tick */
};

struct scheduler {
	struct skynet_runtime *runtime;
	struct worker *workers; /* `worker_count` threads and then the socket thread */
	int worker_count;
	struct run_queue shared;
	atomic_int idle; /* workers that sleep and have not been told to wake */
	atomic_bool quit;
	atomic_bool monitor_awake; /* the monitor ticks */
};

/// Prepares `worker_count` (0 or more) workers and the socket thread's.
int scheduler_init(struct scheduler *scheduler, struct skynet_runtime *runtime, int worker_count,
	struct skynet_error *error);
void scheduler_fini(struct scheduler *scheduler);

/// Starts and joins the worker threads (not the socket thread).
int scheduler_start(struct scheduler *scheduler, struct skynet_error *error);
void scheduler_stop(struct scheduler *scheduler);

/// Puts a service into a run queue, with one reference that the queue takes. Any thread.
void scheduler_push(struct scheduler *scheduler, struct skynet_context *context);

/// Finds work for `worker`: its own, shared, stolen. NULL when there is none anywhere.
struct skynet_context *scheduler_next(struct scheduler *scheduler, struct worker *worker);

/// Runs one turn of `context` on `worker`. Returns when it ended (ns).
uint64_t scheduler_run(struct worker *worker, struct skynet_context *context, uint64_t now_ns);

/// Socket thread: runs services until there are none left for it or `budget_ns` is used up.
/// Returns true when it has more to run.
bool scheduler_run_some(struct worker *worker, uint64_t budget_ns);

/// One tick of the monitor: wakes workers for stranded work.
/// Returns false when nothing has happened since the last tick and nothing is running.
bool scheduler_inspect(struct scheduler *scheduler);

/// True when the socket thread has been in one turn since the last tick.
bool scheduler_poller_stuck(struct scheduler *scheduler);

/// Wakes one sleeping worker, if there is any.
void scheduler_wake(struct scheduler *scheduler);

/// Drops whatever is still in the queues. Threads have ended.
void scheduler_drain(struct scheduler *scheduler);

#endif
