/* What a process has once: threads, clock, timers, sockets, shared objects, and the list of nodes.
 *
 * Threads: the workers; the socket thread, which polls sockets and runs services as the last
 * worker; and the timer thread, which sleeps until the next timer expires, and is also the monitor
 * (monitor.h). They exist from start to destroy. With zero workers there are no threads, and each
 * call of skynet_runtime_step does one piece of work.
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

/* The nodes of this process that are in the same harbor network, by harbor id. They hand messages
 * to each other without sockets. */
struct harbor_network {
	struct harbor_network *next;
	char *master; /* address of the master, which identifies the network */
	struct skynet_node *_Atomic nodes[256];
};

struct timeouts {
	struct spin_lock lock;
	struct timer_wheel *wheel; /* lock */
	uint64_t
		sleeping_until_ms; /* lock; until then the timer thread sleeps if nobody wakes it */

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

	struct mutex poll_role; /* held by the thread that is polling sockets */
	uint64_t spin_ns;       /* how long it polls without sleeping, at most */
	int processors;
	pthread_t socket_thread, timer_thread;
	bool started;
	atomic_bool quit;

	pthread_mutex_t lock; /* guards the list of nodes and their ending */
	pthread_cond_t node_ended;
	struct skynet_node *nodes;       /* lock; newest first */
	struct harbor_network *networks; /* lock */
	atomic_int stopping;             /* number of nodes that are ending, see node_stop_step */
	atomic_bool stop_asked;          /* all nodes have been told to stop, or are about to be */
	uint64_t stall_timeout_ms;       /* smallest of the nodes'; 0: none */
};

/// The monotonic time. A worker reads its own clock_reader, which is cheaper.
static inline uint64_t
runtime_now_ns(const struct skynet_runtime *runtime) {
	struct worker *worker = current.worker;
	if (worker != NULL && worker->runtime == runtime)
		return clock_reader_ns(&worker->clock);
	return clock_monotonic_ns(runtime->clock);
}

/// Milliseconds since the runtime was created: the time that the timer wheel uses.
static inline uint64_t
runtime_now_ms(const struct skynet_runtime *runtime) {
	return (runtime_now_ns(runtime) - runtime->start_ns) / 1000000;
}

/// What skynet_now returns: centiseconds since the beginning of the wall-clock second in which the
/// runtime was created.
uint64_t runtime_now_cs(const struct skynet_runtime *runtime);

/// Delivers a message to another node of this process in the harbor network of `from`. Returns
/// false when the node of `destination` is not one of these; otherwise takes `message->data` and
/// stores in
/// `*result` what router_send is to return.
bool runtime_send_to_sibling(struct skynet_node *from, uint32_t destination,
	const struct skynet_message *message, int *result);

/// Adds a node to the list and, when its harbor id is not 0, to the network whose master has the
/// address `master`. Returns 0, or SKYNET_EEXIST when another node of the process has the same id
/// in that network.
int runtime_add_node(struct skynet_runtime *runtime, struct skynet_node *node, const char *master,
	struct skynet_error *error);

/// Tells the harbor service of node `id` that `from` has joined their network. Returns false when
/// no node of this process has that id in the network of `from`. Any thread.
bool runtime_join_sibling(struct skynet_node *from, int id);

/// Removes a node that is about to be destroyed from its network: others of this process no longer
/// deliver to it in memory.
void runtime_leave_network(struct skynet_node *node);

/// Called after each change of a node's state but the last one. Any thread.
void runtime_node_advanced(struct skynet_node *node, int from, int to);

/// Called by a node that cannot end because a service does not return: skynet_runtime_wait no
/// longer waits for this node. Timer thread.
void runtime_node_held(struct skynet_node *node);

/// Called once by a node whose last service has ended. Any thread.
void runtime_node_ended(struct skynet_node *node);

#endif
