/* Creates, stops and destroys a node. Its parts are created in the order in which they need each
 * other, and destroyed in reverse order. A node ends when its last service is gone; the log service
 * goes last, when it has written everything. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "data/env_table.h"
#include "data/handle_table.h"
#include "data/module_table.h"
#include "data/stall_monitor.h"
#include "data/timer_wheel.h"
#include "guard/guard_policy.h"
#include "io/socket_server.h"
#include "kernel/config_key.h"
#include "kernel/current.h"
#include "kernel/log.h"
#include "kernel/node.h"
#include "kernel/node_guard.h"
#include "kernel/router.h"
#include "kernel/runtime.h"
#include "kernel/service.h"
#include "kernel/timeout.h"

/* Past its deadline a node is looked at about once a millisecond. Looks are counted instead of more
 * time, because the whole machine may have stood still when the deadline passed. */
#define LOOKS_LATE   500 /* looks before the stop is given up */
#define LOOKS_HELD   500 /* looks in which no service ends, before the node counts as held */
#define LOOKS_LOGGED 100 /* further looks, for the log to be written */

struct socket_server *
node_sockets(struct skynet_node *node) {
	return node->runtime->sockets;
}

/* ---- birth ---- */

static const char *
setting(const struct skynet_config *config, const char *key) {
	for (int i = 0; i < config->setting_count; i++) {
		if (strcmp(config->settings[i].key, key) == 0)
			return config->settings[i].value;
	}
	return NULL;
}

static struct skynet_node *
create_parts(struct skynet_runtime *runtime, const struct skynet_config *config) {
	struct skynet_node *node = skynet_calloc(1, sizeof *node);
	node->runtime = runtime;
	node->harbor = config->harbor;
	node->profile = config->profile;
	node->mailbox_limit = config->mailbox_limit > 0 ? (uint32_t)config->mailbox_limit : 0;
	node->mailbox_policy = config->mailbox_policy;
	node->socket_buffer_limit = config->socket_buffer_limit;
	node->socket_buffer_policy = config->socket_buffer_policy;
	node->require_auth = config->require_auth;
	node->stall_interrupt_ns = (uint64_t)config->stall_interrupt_ms * 1000000;
	node->shutdown_timeout_ns = (uint64_t)config->shutdown_timeout_ms * 1000000;
	node->settings = env_table_create();
	for (int i = 0; i < config->setting_count; i++) {
		const struct config_key *key = config_key_find(config->settings[i].key);
		if (key == NULL || !key->withheld)
			env_table_set(
				node->settings, config->settings[i].key, config->settings[i].value);
	}
	node->handles = handle_table_create(
		sizeof(struct skynet_context), config->harbor, service_delete, node);
	node->modules =
		module_table_create(config->cpath != NULL ? config->cpath : "./cservice/?.so");
	for (int i = 0; i < config->builtin_count; i++) {
		const struct skynet_builtin *builtin = &config->builtins[i];
		struct module module = {builtin->name, builtin->create, builtin->init,
			builtin->release, builtin->signal};
		module_table_add(node->modules, &module);
	}
	return node;
}

static int
launch_logger(
	struct skynet_node *node, const struct skynet_config *config, struct skynet_error *error) {
	const char *module = config->logservice != NULL ? config->logservice : "logger";
	uint32_t handle = service_launch(node, module, config->logger, error);
	if (handle == 0) {
		/* A log service that fails cannot log why. It may have aborted the node with a
		 * reason. */
		if (node->reason[0] != '\0')
			error_set(error, SKYNET_EINIT, "%s", node->reason);
		error_prefix(error, "Can't launch %s service", module);
		return SKYNET_EINIT;
	}
	handle_table_name(node->handles, "logger", handle);
	atomic_store_explicit(&node->logger, handle, memory_order_release);
	return 0;
}

/* Whoever reads such a file can pose as this node. */
static void
warn_of_files(struct skynet_node *node, const struct skynet_config *config) {
	const struct skynet_setting *exposed = node_guard_exposed(config);
	if (exposed != NULL)
		log_line(node, 0,
			"warning: every user of this machine can read or write %s '%s' (chmod 600)",
			exposed->key, exposed->value);
}

static int
launch_bootstrap(
	struct skynet_node *node, const struct skynet_config *config, struct skynet_error *error) {
	const char *line = config->bootstrap != NULL ? config->bootstrap : "snlua bootstrap";
	char module[256];
	size_t size = strcspn(line, " \t");
	const char *param = line + size + strspn(line + size, " \t");
	if (size >= sizeof module)
		return error_set(error, SKYNET_ECONFIG, "bootstrap '%.64s...' is too long", line);
	memcpy(module, line, size);
	module[size] = '\0';
	node->bootstrap = service_launch(node, module, param, error);
	if (node->bootstrap != 0)
		return 0;
	log_line(node, 0, "Bootstrap error : %s", line);
	error_prefix(error, "Bootstrap error : %s", line);
	return SKYNET_EINIT;
}

/* Ends a node whose start has failed: its services run until they have ended, so that what they
 * logged is written. */
static void
run_down(struct skynet_node *node) {
	struct skynet_runtime *runtime = node->runtime;
	node_abort(node, 1, NULL);
	if (runtime->started) {
		pthread_mutex_lock(&runtime->lock);
		while (atomic_load_explicit(&node->state, memory_order_acquire) < NODE_HELD)
			pthread_cond_wait(&runtime->node_ended, &runtime->lock);
		pthread_mutex_unlock(&runtime->lock);
	} else {
		struct worker *worker =
			&runtime->scheduler.workers[runtime->scheduler.worker_count];
		struct skynet_context *context;
		while ((context = scheduler_next(&runtime->scheduler, worker)) != NULL)
			service_run(context, 0, runtime_now_ns(runtime));
	}
}

struct skynet_node *
skynet_node_create(struct skynet_runtime *runtime, const struct skynet_config *config,
	struct skynet_error *error) {
	struct skynet_node *node = create_parts(runtime, config);
	struct skynet_node *outer = current.node;
	current.node = node;
	uint64_t stall_ms = (uint64_t)(config->stall_timeout_ms > 0 ? config->stall_timeout_ms : 0);
	if (stall_ms != 0 &&
		(runtime->stall_timeout_ms == 0 || stall_ms < runtime->stall_timeout_ms))
		runtime->stall_timeout_ms = stall_ms;
	const char *master = setting(config, "master");
	if (master == NULL)
		master = setting(config, "standalone");
	int result = node_guard_create(config, &node->guard, error);
	if (result == 0)
		result = runtime_add_node(runtime, node, master, error);
	if (result != 0) {
		node_destroy(node);
		current.node = outer;
		return NULL;
	}
	result = launch_logger(node, config, error);
	if (result == 0) {
		warn_of_files(node, config);
		result = launch_bootstrap(node, config, error);
	}
	current.node = outer;
	if (result == 0)
		return node;
	run_down(node);
	return NULL;
}

void
node_destroy(struct skynet_node *node) {
	struct skynet_context *harbor =
		atomic_load_explicit(&node->harbor_service, memory_order_relaxed);
	runtime_leave_network(node);
	if (harbor != NULL)
		service_drop(harbor);
	socket_server_close_node(node->runtime->sockets, node);
	timer_wheel_cancel_owner(node->runtime->timeouts.wheel, node);
	assert(shared_payload_usage(&node->payloads, NULL) == 0);
	guard_policy_drop(node->guard);
	module_table_destroy(node->modules);
	handle_table_destroy(node->handles);
	env_table_destroy(node->settings);
	skynet_free(node->stop_handles);
	skynet_free(node);
}

/* ---- death ---- */

static void
set_exit(struct skynet_node *node, int exit_code, const char *reason) {
	if (exit_code == 0)
		return;
	int expected = 0;
	/* The first failure counts. Its reason is read only after the node has ended, so it can be
	 * written without a lock. */
	if (atomic_compare_exchange_strong_explicit(&node->exit_code, &expected, exit_code,
		    memory_order_relaxed, memory_order_relaxed) &&
		reason != NULL)
		snprintf(node->reason, sizeof node->reason, "%s", reason);
}

/* Moves the node to a later state. Of several threads that try, one gets true. */
static bool
advance(struct skynet_node *node, enum node_state state) {
	int now = atomic_load_explicit(&node->state, memory_order_relaxed);
	while (now < (int)state) {
		if (atomic_compare_exchange_weak_explicit(&node->state, &now, (int)state,
			    memory_order_release, memory_order_relaxed)) {
			runtime_node_advanced(node, now, (int)state);
			return true;
		}
	}
	return false;
}

static void
end_logger_if_last(struct skynet_node *node) {
	uint32_t logger = atomic_load_explicit(&node->logger, memory_order_relaxed);
	struct skynet_context *context = service_grab(node, logger);
	if (context == NULL)
		return;
	if (atomic_load_explicit(&node->service_count, memory_order_acquire) == 1)
		service_schedule(context);
	service_drop(context);
}

bool
node_logger_may_end(struct skynet_node *node, uint32_t handle) {
	return atomic_load_explicit(&node->state, memory_order_relaxed) >= NODE_ABORTING &&
	       handle == atomic_load_explicit(&node->logger, memory_order_relaxed) &&
	       atomic_load_explicit(&node->service_count, memory_order_acquire) == 1;
}

void
node_service_ended(struct skynet_node *node) {
	/* Pairs with itself: the thread that counts down to 0 sees what the others did before. */
	int left = atomic_fetch_sub_explicit(&node->service_count, 1, memory_order_acq_rel) - 1;
	if (left == 0)
		runtime_node_ended(node);
	else if (left == 1 &&
		 atomic_load_explicit(&node->state, memory_order_relaxed) >= NODE_ABORTING)
		end_logger_if_last(node);
}

void
node_abort(struct skynet_node *node, int exit_code, const char *reason) {
	set_exit(node, exit_code, reason);
	if (advance(node, NODE_ABORTING))
		timeouts_wake(&node->runtime->timeouts);
	uint32_t logger = atomic_load_explicit(&node->logger, memory_order_relaxed);
	size_t count;
	bool found = true;
	/* Services may start others until they have ended: repeat until a pass finds none. */
	while (found) {
		found = false;
		uint32_t *handles = handle_table_list(node->handles, &count);
		/* No service is to receive, and to log, an error because another one ended before
		 * it. So all are silenced before any is retired, newer ones first: they wait for
		 * older ones more often than the other way round. */
		for (size_t i = count; handles != NULL && i-- > 0;) {
			if (handles[i] != logger)
				service_silence(node, handles[i]);
		}
		for (size_t i = 0; handles != NULL && i < count; i++) {
			if (handles[i] != logger)
				found |= service_retire(node, handles[i]);
		}
		skynet_free(handles);
	}
	end_logger_if_last(node);
}

void
node_abort_by(struct skynet_context *context, int exit_code, const char *reason) {
	struct skynet_node *node = context->node;
	bool stopping = atomic_load_explicit(&node->state, memory_order_relaxed) != NODE_RUNNING ||
			/* The nodes of a process are told one after the other. This one may have
			   lost a node that was told before it. */
			atomic_load_explicit(&node->runtime->stop_asked, memory_order_relaxed);
	if (!stopping || service_handle(context) != node->bootstrap)
		node_abort(node, exit_code, reason);
}

void
node_stop(struct skynet_node *node, int exit_code) {
	set_exit(node, exit_code, NULL);
	if (!advance(node, NODE_STOPPING))
		return;
	timeouts_wake(&node->runtime->timeouts);
}

void
node_hangup(struct skynet_node *node) {
	static const char *const listeners[] = {"logger", "clusterd"};
	for (size_t i = 0; i < sizeof listeners / sizeof *listeners; i++) {
		struct skynet_message message = {.sz = (size_t)PTYPE_SYSTEM << MESSAGE_TYPE_SHIFT};
		uint32_t handle = handle_table_find_name(node->handles, listeners[i]);
		if (handle != 0)
			router_push(node, handle, &message);
	}
}

void
skynet_node_reload(struct skynet_node *node, const char *path, const char *const *overrides,
	int override_count) {
	struct skynet_config config;
	struct skynet_error error = {0};
	int result = skynet_config_load(&config, path, overrides, override_count, &error);
	if (result == SKYNET_OK) {
		result = node_guard_renew(&config, node->guard, &error);
		if (result == SKYNET_OK)
			warn_of_files(node, &config);
		skynet_config_clear(&config);
	}
	if (result != SKYNET_OK)
		log_line(node, 0, "error: %s: new connections go on with what was read before",
			error.text);
	else if (node->guard != NULL)
		log_line(node, 0,
			"secrets, certificates and auth_allow have been read again: new "
			"connections use them");
}

/* ---- the end, step by step ---- */

static void
set_deadline(struct skynet_node *node, uint64_t now_ns) {
	node->stop_deadline_ns = now_ns + node->shutdown_timeout_ns + 1;
}

static void
begin_stop(struct skynet_node *node, uint64_t now_ns) {
	size_t count;
	log_line(node, 0, "Stop: closing listeners, running stop hooks");
	set_deadline(node, now_ns);
	socket_server_close_listeners(node->runtime->sockets, node);
	uint32_t *handles = handle_table_list(node->handles, &count);
	node->stop_handles = handles;
	node->stop_count = 0;
	for (size_t i = 0; handles != NULL && i < count; i++) {
		struct skynet_context *context = service_grab(node, handles[i]);
		if (context == NULL)
			continue;
		if (atomic_load_explicit(&context->wants_stop_hook, memory_order_relaxed))
			handles[node->stop_count++] = handles[i];
		service_drop(context);
	}
}

static bool
is_alive(struct skynet_node *node, uint32_t handle) {
	struct skynet_context *context = service_grab(node, handle);
	if (context == NULL)
		return false;
	service_drop(context);
	return true;
}

/* Tells the next service to run its stop hooks. Returns false when all have been told. */
static bool
tell_next(struct skynet_node *node) {
	while (node->stop_count > 0) {
		uint32_t handle = node->stop_handles[--node->stop_count];
		struct skynet_message message = {
			.session = 1, .sz = (size_t)PTYPE_SYSTEM << MESSAGE_TYPE_SHIFT};
		node->stop_current = handle;
		if (router_push(node, handle, &message) == 0)
			return true;
	}
	node->stop_current = 0;
	return false;
}

static void
give_up(struct skynet_node *node) {
	char reason[128], name[64];
	if (node->stop_current == 0) {
		node_abort(node, 1, "shutdown timeout: sockets were not flushed in time");
		return;
	}
	if (!handle_table_name_of(node->handles, node->stop_current, name, sizeof name))
		name[0] = '\0';
	snprintf(reason, sizeof reason,
		"shutdown timeout: service :%08x%s%s did not end its stop hook", node->stop_current,
		name[0] != '\0' ? " ." : "", name);
	log_line(node, 0, "error: %s", reason);
	node_abort(node, 1, reason);
}

static void
step_hooks(struct skynet_node *node, uint64_t now_ns) {
	if (node->stop_deadline_ns == 0)
		begin_stop(node, now_ns);
	else if (node->stop_current != 0 && is_alive(node, node->stop_current) &&
		 /* Acquire pairs with the release store in skynet_stop_done. */
		 atomic_load_explicit(&node->stop_done, memory_order_acquire) != node->stop_current)
		return;
	if (!tell_next(node))
		advance(node, NODE_FLUSHING);
}

/* Logs which service keeps the node from ending, and makes it the reason of the failure. */
static void
name_holder(struct skynet_node *node) {
	char reason[128];
	uint32_t holder;
	if (stall_monitor_find(node->runtime->stalls, node, &holder))
		snprintf(reason, sizeof reason,
			"shutdown timeout: service :%08x does not return from a message", holder);
	else
		snprintf(reason, sizeof reason, "shutdown timeout: %d services do not end",
			node->stop_left);
	log_line(node, 0, "error: %s", reason);
	set_exit(node, 1, reason);
}

/* Waits for retired services to end. A service that does not return from its message cannot be
 * ended; past the deadline, when no service has ended in LOOKS_HELD looks, the node counts as held.
 */
static void
watch_end(struct skynet_node *node, uint64_t now_ns) {
	int32_t left = atomic_load_explicit(&node->service_count, memory_order_relaxed);
	if (node->stop_deadline_ns == 0)
		set_deadline(node, now_ns);
	if (now_ns < node->stop_deadline_ns)
		return;
	if (left != node->stop_left) {
		node->stop_left = left;
		node->stop_looks = 0;
	} else if (++node->stop_looks == LOOKS_HELD)
		name_holder(node);
	else if (node->stop_looks == LOOKS_HELD + LOOKS_LOGGED)
		runtime_node_held(node);
}

/* Whether stop hooks, or sockets with something to send, have had their time. */
static bool
is_late(struct skynet_node *node, uint64_t now_ns) {
	if (node->stop_deadline_ns == 0 || now_ns < node->stop_deadline_ns)
		return false;
	return ++node->stop_looks > LOOKS_LATE;
}

bool
node_stop_step(struct skynet_node *node, uint64_t now_ns) {
	int state = atomic_load_explicit(&node->state, memory_order_relaxed);
	if (state == NODE_RUNNING || state >= NODE_HELD)
		return false;
	if (state == NODE_ABORTING)
		watch_end(node, now_ns);
	else if (is_late(node, now_ns))
		give_up(node);
	else if (state == NODE_STOPPING)
		step_hooks(node, now_ns);
	else if (socket_server_flushed(node->runtime->sockets, node))
		node_abort(node, 0, NULL);
	return atomic_load_explicit(&node->state, memory_order_relaxed) != state;
}

const char *
skynet_node_reason(struct skynet_node *node) {
	return node->reason;
}

bool
skynet_node_booting(struct skynet_node *node) {
	/* Acquire pairs with the release in advance: a thread that sees that the node is ending
	 * also sees its exit code. */
	if (atomic_load_explicit(&node->state, memory_order_acquire) != NODE_RUNNING)
		return false;
	struct skynet_context *bootstrap = service_grab(node, node->bootstrap);
	if (bootstrap == NULL)
		return false;
	service_drop(bootstrap);
	return true;
}

int
skynet_node_exit_code(struct skynet_node *node) {
	return atomic_load_explicit(&node->exit_code, memory_order_relaxed);
}

struct skynet_context *
skynet_node_context(struct skynet_node *node, uint32_t handle) {
	return service_grab(node, handle);
}
