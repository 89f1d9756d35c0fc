#include "kernel/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/thread.h"
#include "data/shared_table.h"
#include "data/stall_monitor.h"
#include "io/socket_server.h"
#include "kernel/current.h"
#include "kernel/monitor.h"
#include "kernel/node.h"
#include "kernel/router.h"
#include "kernel/service.h"
#include "kernel/socket_service.h"
#include "kernel/timeout.h"
#include "skynet_handle.h"
#include "skynet_harbor.h"

/* How long the socket thread runs services before it looks at the sockets again. */
#define SERVICE_BUDGET_NS 100000

_Thread_local struct current current;

uint64_t
runtime_now_cs(const struct skynet_runtime *runtime) {
	/* Counts from the beginning of the second in which the runtime started: skynet.starttime()
	 * has no fraction, and starttime + now / 100 is to be the wall time. */
	uint64_t fraction_ns = runtime->start_wall_ns % 1000000000;
	return (clock_monotonic_ns(runtime->clock) - runtime->start_ns + fraction_ns) / 10000000;
}

static int
create_parts(struct skynet_runtime *runtime, int workers, struct skynet_error *error) {
	int result = timeouts_init(&runtime->timeouts, error);
	if (result != 0)
		return result;
	runtime->stalls = stall_monitor_create(workers + 1);
	runtime->shared = shared_table_create();
	result = scheduler_init(&runtime->scheduler, runtime, workers, error);
	if (result != 0)
		return result;
	struct socket_server_config sockets = {.clock = runtime->clock};
	runtime->sockets = socket_server_create(&sockets, error);
	return runtime->sockets != NULL ? 0 : SKYNET_ESYSTEM;
}

static void
destroy_parts(struct skynet_runtime *runtime) {
	if (runtime->sockets != NULL)
		socket_server_destroy(runtime->sockets);
	scheduler_fini(&runtime->scheduler);
	if (runtime->shared != NULL)
		shared_table_destroy(runtime->shared);
	if (runtime->stalls != NULL)
		stall_monitor_destroy(runtime->stalls);
	timeouts_fini(&runtime->timeouts);
}

struct skynet_runtime *
skynet_runtime_create(const struct skynet_runtime_config *config, struct skynet_error *error) {
	if (config->workers < 0 || config->workers > 1024) {
		error_set(error, SKYNET_EINVALID, "invalid number of workers '%d': 0 to 1024",
			config->workers);
		return NULL;
	}
	struct skynet_runtime *runtime = skynet_calloc(1, sizeof *runtime);
	clock_init_system(&runtime->system_clock);
	runtime->clock = config->clock != NULL ? config->clock : &runtime->system_clock;
	runtime->start_ns = clock_monotonic_ns(runtime->clock);
	runtime->start_wall_ns = clock_wall_ns(runtime->clock);
	runtime->spin_ns =
		(uint64_t)(config->socket_spin_us > 0 ? config->socket_spin_us : 0) * 1000;
	runtime->processors = thread_processor_count();
	mutex_init(&runtime->poll_role, LOCK_RANK_POLL);
	pthread_mutex_init(&runtime->lock, NULL);
	pthread_cond_init(&runtime->node_ended, NULL);
	if (create_parts(runtime, config->workers, error) != 0) {
		skynet_runtime_destroy(runtime);
		return NULL;
	}
	current.runtime = runtime;
	current.thread = CURRENT_MAIN;
	return runtime;
}

/* ---- threads ---- */

/* True when fewer workers are running than there are processors, so that one is left for this
 * thread. */
static bool
processor_to_spare(struct skynet_runtime *runtime) {
	struct scheduler *scheduler = &runtime->scheduler;
	int busy = scheduler->worker_count -
		   atomic_load_explicit(&scheduler->idle, memory_order_relaxed);
	return runtime->processors > 1 && busy < runtime->processors;
}

static void
poll_sockets(struct skynet_runtime *runtime, int wait_ms) {
	mutex_acquire(&runtime->poll_role);
	socket_server_spin(runtime->sockets, processor_to_spare(runtime) ? runtime->spin_ns : 0);
	socket_server_poll(runtime->sockets, wait_ms, socket_service_deliver, runtime);
	mutex_release(&runtime->poll_role);
}

static void *
socket_main(void *argument) {
	struct skynet_runtime *runtime = argument;
	struct worker *worker = &runtime->scheduler.workers[runtime->scheduler.worker_count];
	current = (struct current){.runtime = runtime, .worker = worker, .thread = CURRENT_SOCKET};
	bool more = false;
	thread_be_prompt();
	while (!atomic_load_explicit(&runtime->quit, memory_order_relaxed)) {
		poll_sockets(runtime, more ? 0 : -1);
		more = scheduler_run_some(worker, SERVICE_BUDGET_NS);
	}
	return NULL;
}

static int
start_thread(pthread_t *thread, void *(*entry)(void *), struct skynet_runtime *runtime,
	const char *what, struct skynet_error *error) {
	int failed = pthread_create(thread, NULL, entry, runtime);
	if (failed != 0)
		return error_set_errno(
			error, SKYNET_ESYSTEM, failed, "cannot create the %s thread", what);
	return 0;
}

static void
stop_thread(struct skynet_runtime *runtime, pthread_t thread) {
	atomic_store_explicit(&runtime->quit, true, memory_order_relaxed);
	socket_server_wake(runtime->sockets);
	timeouts_wake(&runtime->timeouts);
	pthread_join(thread, NULL);
}

int
skynet_runtime_start(struct skynet_runtime *runtime, struct skynet_error *error) {
	if (runtime->scheduler.worker_count == 0 || runtime->started)
		return 0;
	int result = start_thread(&runtime->timer_thread, monitor_main, runtime, "timer", error);
	if (result != 0)
		return result;
	result = start_thread(&runtime->socket_thread, socket_main, runtime, "socket", error);
	if (result != 0) {
		stop_thread(runtime, runtime->timer_thread);
		return result;
	}
	result = scheduler_start(&runtime->scheduler, error);
	if (result != 0) {
		stop_thread(runtime, runtime->socket_thread);
		stop_thread(runtime, runtime->timer_thread);
		return result;
	}
	runtime->started = true;
	return 0;
}

static void
stop_threads(struct skynet_runtime *runtime) {
	if (!runtime->started)
		return;
	scheduler_stop(&runtime->scheduler);
	stop_thread(runtime, runtime->socket_thread);
	stop_thread(runtime, runtime->timer_thread);
	runtime->started = false;
}

/* ---- nodes ---- */

static struct harbor_network *
find_network(struct skynet_runtime *runtime, const char *master) {
	struct harbor_network *network = runtime->networks;
	while (network != NULL && strcmp(network->master, master) != 0)
		network = network->next;
	if (network == NULL) {
		network = skynet_calloc(1, sizeof *network);
		network->master = skynet_strdup(master);
		network->next = runtime->networks;
		runtime->networks = network;
	}
	return network;
}

int
runtime_add_node(struct skynet_runtime *runtime, struct skynet_node *node, const char *master,
	struct skynet_error *error) {
	int result = 0;
	pthread_mutex_lock(&runtime->lock);
	if (node->harbor != 0 && master != NULL) {
		node->network = find_network(runtime, master);
		struct skynet_node *other = atomic_load_explicit(
			&node->network->nodes[node->harbor], memory_order_relaxed);
		if (other != NULL &&
			atomic_load_explicit(&other->state, memory_order_relaxed) != NODE_ENDED)
			result = error_set(error, SKYNET_EEXIST,
				"harbor id '%d' is taken by another node of this process",
				node->harbor);
		else
			/* Release pairs with the acquire load in runtime_send_to_sibling. */
			atomic_store_explicit(
				&node->network->nodes[node->harbor], node, memory_order_release);
	}
	if (result == 0) {
		node->next = runtime->nodes;
		runtime->nodes = node;
	}
	pthread_mutex_unlock(&runtime->lock);
	return result;
}

/* The node of the same network in this process that has the id, or NULL. */
static struct skynet_node *
find_sibling(const struct skynet_node *of, uint32_t id) {
	if (of->network == NULL)
		return NULL;
	struct skynet_node *node =
		atomic_load_explicit(&of->network->nodes[id], memory_order_acquire);
	/* After a node has ended, another process may run a node with its id. */
	if (node == NULL || atomic_load_explicit(&node->state, memory_order_acquire) == NODE_ENDED)
		return NULL;
	return node;
}

bool
runtime_send_to_sibling(struct skynet_node *from, uint32_t destination,
	const struct skynet_message *message, int *result) {
	struct skynet_node *node = find_sibling(from, destination >> HANDLE_REMOTE_SHIFT);
	if (node == NULL)
		return false;
	*result = router_push(node, destination, message);
	if (*result == SKYNET_EOVERLOAD && message->session == 0)
		message_discard(message);
	else if (*result != 0)
		message_bounce(from, destination, message,
			*result == SKYNET_EOVERLOAD ? "overloaded" : "dead_service");
	*result = 0;
	return true;
}

/* Sends the harbor service of a node, if it has one, the event `letter` of node `id`: J for joined,
 * G for gone. */
static void
tell_harbor(struct skynet_node *node, char letter, int id) {
	char text[16];
	int size = snprintf(text, sizeof text, "%c %d", letter, id);
	/* Acquire pairs with the exchange in skynet_harbor_start. The pointer stays valid, see
	 * send_by_harbor in router.c. */
	struct skynet_context *harbor =
		atomic_load_explicit(&node->harbor_service, memory_order_acquire);
	if (harbor == NULL)
		return;
	struct skynet_message message = {
		.data = skynet_malloc((size_t)size),
		.sz = (size_t)size | (size_t)PTYPE_HARBOR << MESSAGE_TYPE_SHIFT,
	};
	memcpy(message.data, text, (size_t)size);
	if (service_push(harbor, &message) < 0)
		message_discard(&message);
}

bool
runtime_join_sibling(struct skynet_node *from, int id) {
	struct skynet_node *node = find_sibling(from, (uint32_t)id);
	if (node == NULL || node == from)
		return false;
	tell_harbor(node, 'J', from->harbor);
	return true;
}

void
runtime_leave_network(struct skynet_node *node) {
	struct skynet_node *self = node;
	if (node->network != NULL)
		/* Relaxed: find_sibling ignores a node that has ended, whether it is still in the
		 * array or not. */
		atomic_compare_exchange_strong_explicit(&node->network->nodes[node->harbor], &self,
			NULL, memory_order_relaxed, memory_order_relaxed);
}

/* True between the beginning of a node's end and its last state. */
static bool
is_ending(int state) {
	return state > NODE_RUNNING && state < NODE_HELD;
}

void
runtime_node_advanced(struct skynet_node *node, int from, int to) {
	int change = is_ending(to) - is_ending(from);
	if (change != 0)
		atomic_fetch_add_explicit(&node->runtime->stopping, change, memory_order_relaxed);
}

void
runtime_node_held(struct skynet_node *node) {
	struct skynet_runtime *runtime = node->runtime;
	int state = NODE_ABORTING;
	pthread_mutex_lock(&runtime->lock);
	/* Release pairs with the acquire load in exit_code_of_nodes: the reason is there. */
	if (atomic_compare_exchange_strong_explicit(
		    &node->state, &state, NODE_HELD, memory_order_release, memory_order_relaxed)) {
		runtime_node_advanced(node, NODE_ABORTING, NODE_HELD);
		pthread_cond_broadcast(&runtime->node_ended);
	}
	pthread_mutex_unlock(&runtime->lock);
}

void
runtime_node_ended(struct skynet_node *node) {
	struct skynet_runtime *runtime = node->runtime;
	pthread_mutex_lock(&runtime->lock);
	int before = atomic_exchange_explicit(&node->state, NODE_ENDED, memory_order_acq_rel);
	runtime_node_advanced(node, before, NODE_ENDED);
	pthread_cond_broadcast(&runtime->node_ended);
	pthread_mutex_unlock(&runtime->lock);
	for (uint32_t id = 1; node->network != NULL && id < REMOTE_MAX; id++) {
		struct skynet_node *sibling = find_sibling(node, id);
		if (sibling != NULL)
			tell_harbor(sibling, 'G', node->harbor);
	}
	/* The process may go on with other nodes, while peers of this one wait for its connections
	 * to close. */
	socket_server_close_sockets(runtime->sockets, node);
}

/* With the lock held: the largest exit code of all nodes, -1 while one is running. A held node
 * counts as ended. Stores in `failed` whether a node has ended with an exit code other than 0. */
static int
exit_code_of_nodes(struct skynet_runtime *runtime, bool *failed) {
	int code = 0;
	bool running = false;
	for (struct skynet_node *node = runtime->nodes; node != NULL; node = node->next) {
		if (atomic_load_explicit(&node->state, memory_order_acquire) < NODE_HELD) {
			running = true;
			continue;
		}
		int own = atomic_load_explicit(&node->exit_code, memory_order_relaxed);
		if (own > code)
			code = own;
	}
	*failed = code != 0;
	return running ? -1 : code;
}

int
skynet_runtime_wait(struct skynet_runtime *runtime) {
	bool failed, told = false;
	pthread_mutex_lock(&runtime->lock);
	int code = exit_code_of_nodes(runtime, &failed);
	while (code < 0 && runtime->started) {
		if (failed && !told) {
			told = true;
			pthread_mutex_unlock(&runtime->lock);
			skynet_runtime_stop(runtime, true);
			pthread_mutex_lock(&runtime->lock);
		} else {
			pthread_cond_wait(&runtime->node_ended, &runtime->lock);
		}
		code = exit_code_of_nodes(runtime, &failed);
	}
	pthread_mutex_unlock(&runtime->lock);
	return code < 0 ? 0 : code;
}

bool
skynet_runtime_held(struct skynet_runtime *runtime) {
	bool held = false;
	pthread_mutex_lock(&runtime->lock);
	for (struct skynet_node *node = runtime->nodes; node != NULL; node = node->next)
		held = held ||
		       atomic_load_explicit(&node->state, memory_order_relaxed) == NODE_HELD;
	pthread_mutex_unlock(&runtime->lock);
	return held;
}

static struct skynet_node *
first_node(struct skynet_runtime *runtime) {
	pthread_mutex_lock(&runtime->lock);
	struct skynet_node *node = runtime->nodes;
	pthread_mutex_unlock(&runtime->lock);
	return node;
}

void
skynet_runtime_stop(struct skynet_runtime *runtime, bool graceful) {
	atomic_store_explicit(&runtime->stop_asked, true, memory_order_relaxed);
	for (struct skynet_node *node = first_node(runtime); node != NULL; node = node->next) {
		if (graceful)
			node_stop(node, 0);
		else
			node_abort(node, 0, NULL);
	}
}

void
skynet_runtime_hangup(struct skynet_runtime *runtime) {
	for (struct skynet_node *node = first_node(runtime); node != NULL; node = node->next)
		node_hangup(node);
}

/* Ends all nodes when no thread runs any more: services that are still in a run queue are released
 * here. */
static void
end_nodes(struct skynet_runtime *runtime) {
	for (struct skynet_node *node = runtime->nodes; node != NULL; node = node->next)
		node_abort(node, 0, NULL);
	scheduler_drain(&runtime->scheduler);
	for (struct skynet_node *node = runtime->nodes; node != NULL; node = node->next)
		service_retire(node, atomic_load_explicit(&node->logger, memory_order_relaxed));
	while (runtime->nodes != NULL) {
		struct skynet_node *node = runtime->nodes;
		runtime->nodes = node->next;
		node_destroy(node);
	}
	while (runtime->networks != NULL) {
		struct harbor_network *network = runtime->networks;
		runtime->networks = network->next;
		skynet_free(network->master);
		skynet_free(network);
	}
}

void
skynet_runtime_destroy(struct skynet_runtime *runtime) {
	stop_threads(runtime);
	if (runtime->sockets != NULL)
		end_nodes(runtime);
	destroy_parts(runtime);
	pthread_cond_destroy(&runtime->node_ended);
	pthread_mutex_destroy(&runtime->lock);
	mutex_fini(&runtime->poll_role);
	skynet_free(runtime);
	current = (struct current){.runtime = NULL};
}

bool
skynet_runtime_step(struct skynet_runtime *runtime, int wait_ms) {
	struct worker *worker = &runtime->scheduler.workers[runtime->scheduler.worker_count];
	size_t done = timeouts_expire(runtime);
	for (struct skynet_node *node = runtime->nodes; node != NULL; node = node->next)
		done += node_stop_step(node, clock_monotonic_ns(runtime->clock));
	bool ready = run_queue_count(&worker->queue) != 0 ||
		     run_queue_count(&runtime->scheduler.shared) != 0;
	mutex_acquire(&runtime->poll_role);
	done += (size_t)socket_server_poll(
		runtime->sockets, ready ? 0 : wait_ms, socket_service_deliver, runtime);
	mutex_release(&runtime->poll_role);
	struct skynet_context *context = scheduler_next(&runtime->scheduler, worker);
	if (context != NULL) {
		current.worker = worker;
		service_run(context, 1, runtime_now_ns(runtime));
		socket_server_flush_thread(runtime->sockets, &worker->batch);
		current.worker = NULL;
		done++;
	}
	return done != 0;
}
