/* What a process has once: threads, clock, timers, sockets, shared objects, and the list of nodes.
 *
 * Threads: the workers, the socket thread (polls, and runs services as the last worker) and the
 * timer thread (sleeps until the next expiry; while there is activity it also ticks as the
 * monitor). They exist only between start and destroy; with zero workers none does, and
 * skynet_runtime_step does one thing at a time.
 */
#ifndef SKYNET_RUNTIME_H
#define SKYNET_RUNTIME_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/lock.h"
#include "data/message.h"
#include "kernel/current.h"
#include "kernel/scheduler.h"
#include "skynet_node.h"

struct shared_table;
struct socket_server;
struct stall_monitor;
struct timer_wheel;

/* Nodes of one harbor network that live in this process find each other here. */
struct harbor_network {
	struct harbor_network *next;
	char *master; /* address of the master: what the network is known by */
	struct skynet_node *_Atomic nodes[256];
};

struct timeouts {
	struct spin_lock lock;
	struct timer_wheel *wheel;  /* lock */
	uint64_t sleeping_until_ms; /* lock: the timer thread wakes by itself then */

	pthread_mutex_t sleep_lock;
	pthread_cond_t wake;
	bool woken; /* sleep_lock */
};

struct skynet_runtime {
	struct clock system_clock;
	struct clock *clock;
	uint64_t start_ns; /* monotonic */
	uint64_t start_wall_ns;
	struct scheduler scheduler;
	struct timeouts timeouts;
	struct stall_monitor *stalls;
	struct socket_server *sockets;
	struct shared_table *shared;

	struct mutex poll_role; /* held by the thread that polls */
	uint64_t spin_ns;       /* the longest for which it looks before it sleeps */
	int processors;
	pthread_t socket_thread, timer_thread;
	bool started;
	atomic_bool quit;

	pthread_mutex_t lock; /* list of nodes and their end */
	pthread_cond_t node_ended;
	struct skynet_node *nodes;       /* lock; newest first */
	struct harbor_network *networks; /* lock */
	atomic_int stopping;       /* nodes that are ending: the timer thread ticks for them */
	atomic_bool stop_asked;    /* of all nodes */
	uint64_t stall_timeout_ms; /* smallest of the nodes'; 0: none */
};

/// The monotonic time; a worker reads it by its own view of the clock.
static inline uint64_t
runtime_now_ns(const struct skynet_runtime *runtime) {
	struct worker *worker = current.worker;
	if (worker != NULL && worker->runtime == runtime)
		return clock_reader_ns(&worker->clock);
	return clock_monotonic_ns(runtime->clock);
}

/// Milliseconds since the runtime was created, the time of the timer wheel.
static inline uint64_t
runtime_now_ms(const struct skynet_runtime *runtime) {
	return (runtime_now_ns(runtime) - runtime->start_ns) / 1000000;
}

/// Centiseconds, as skynet_now.
uint64_t runtime_now_cs(const struct skynet_runtime *runtime);

/// Delivers to a node of the same harbor network in this process. Returns false when `destination`
/// is not there; otherwise takes `message->data` and stores what router_send returns in `*result`.
bool runtime_send_to_sibling(struct skynet_node *from, uint32_t destination,
	const struct skynet_message *message, int *result);

/// Puts a node into the list and, when its harbor id is not 0, into its network (`master` names
/// it). Returns SKYNET_EEXIST when another node of the process has the id there.
int runtime_add_node(struct skynet_runtime *runtime, struct skynet_node *node, const char *master,
	struct skynet_error *error);

/// Tells the harbor service of node `id` of the same network in this process that `from` has joined
/// it. Returns false when it is not there. Any thread.
bool runtime_join_sibling(struct skynet_node *from, int id);

/// Takes a node that is about to be destroyed away from those that send to it in this process.
void runtime_leave_network(struct skynet_node *node);

/// Called with each change of a node's state but the last. Any thread.
void runtime_node_advanced(struct skynet_node *node, int from, int to);

/// Called by a node that a service keeps from ending: who waits for the nodes waits no longer for
/// this one. Timer thread.
void runtime_node_held(struct skynet_node *node);

/// Called once by a node whose last service is gone. Any thread.
void runtime_node_ended(struct skynet_node *node);

#endif
