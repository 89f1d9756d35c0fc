/* The functions of the public headers that take no context: they mean the node of the service that
 * the calling thread is running (see current.h). For C modules written against the reference. */
#include <string.h>

#include "base/clock.h"
#include "data/env_table.h"
#include "kernel/current.h"
#include "kernel/log.h"
#include "kernel/node.h"
#include "kernel/router.h"
#include "kernel/runtime.h"
#include "kernel/service.h"
#include "kernel/timeout.h"
#include "skynet_env.h"
#include "skynet_handle.h"
#include "skynet_harbor.h"
#include "skynet_mq.h"
#include "skynet_server.h"
#include "skynet_timer.h"

/* ---- skynet_server.h ---- */

uint32_t
skynet_context_new(const char *module, const char *param) {
	return current.node != NULL ? service_launch(current.node, module, param, NULL) : 0;
}

void
skynet_context_grab(struct skynet_context *context) {
	handle_table_hold(&context->object);
}

void
skynet_context_reserve(struct skynet_context *context) {
	handle_table_hold(&context->object);
	/* From now on the node may end although this service has not. */
	if (!atomic_exchange_explicit(&context->reserved, true, memory_order_relaxed))
		node_service_ended(context->node);
}

struct skynet_context *
skynet_context_release(struct skynet_context *context) {
	uint32_t handle = service_handle(context);
	struct skynet_node *node = context->node;
	service_drop(context);
	struct skynet_context *alive = service_grab(node, handle);
	if (alive != NULL)
		service_drop(alive);
	return alive;
}

int
skynet_context_push(uint32_t handle, struct skynet_message *message) {
	if (current.node == NULL)
		return -1;
	return router_push(current.node, handle, message) == 0 ? 0 : -1;
}

void
skynet_context_send(struct skynet_context *context, void *data, size_t size, uint32_t source,
	int type, int session) {
	struct skynet_message message = {
		.source = source,
		.session = session,
		.data = data,
		.sz = size | (size_t)(type & 0xff) << MESSAGE_TYPE_SHIFT,
	};
	if (service_push(context, &message) < 0)
		message_discard(&message);
}

void
skynet_context_endless(uint32_t handle) {
	struct skynet_context *context =
		current.node != NULL ? service_grab(current.node, handle) : NULL;
	if (context == NULL)
		return;
	atomic_store_explicit(&context->endless, true, memory_order_relaxed);
	service_drop(context);
}

int
skynet_context_total(void) {
	return current.node != NULL
		       ? atomic_load_explicit(&current.node->service_count, memory_order_relaxed)
		       : 0;
}

/* ---- skynet_handle.h ---- */

uint32_t
skynet_handle_register(struct skynet_context *context) {
	return service_handle(context);
}

int
skynet_handle_retire(uint32_t handle) {
	return current.node != NULL && service_retire(current.node, handle);
}

void
skynet_handle_retireall(void) {
	if (current.node != NULL)
		node_abort(current.node, 0, NULL);
}

struct skynet_context *
skynet_handle_grab(uint32_t handle) {
	return current.node != NULL ? service_grab(current.node, handle) : NULL;
}

uint32_t
skynet_handle_findname(const char *name) {
	return current.node != NULL ? handle_table_find_name(current.node->handles, name) : 0;
}

const char *
skynet_handle_namehandle(uint32_t handle, const char *name) {
	return current.node != NULL ? handle_table_name(current.node->handles, name, handle) : NULL;
}

/* ---- skynet_env.h ---- */

const char *
skynet_getenv(const char *key) {
	return current.node != NULL ? env_table_get(current.node->settings, key) : NULL;
}

void
skynet_setenv(const char *key, const char *value) {
	if (current.node != NULL && !env_table_set(current.node->settings, key, value))
		log_line(current.node, skynet_current_handle(),
			"error: the setting '%s' exists and keeps its value", key);
}

/* ---- skynet_timer.h ---- */

int
skynet_timeout(uint32_t handle, int delay_cs, int session) {
	if (current.node == NULL)
		return -1;
	timeout_start(current.node, handle, (int64_t)delay_cs * 10, session);
	return session;
}

uint32_t
skynet_starttime(void) {
	return current.runtime != NULL ? (uint32_t)(current.runtime->start_wall_ns / 1000000000)
				       : 0;
}

uint64_t
skynet_thread_time(void) {
	return clock_thread_cpu_ns() / 1000;
}

/* ---- skynet_harbor.h ---- */

void
skynet_harbor_start(struct skynet_context *context) {
	struct skynet_node *node = context->node;
	struct skynet_context *none = NULL;
	/* Release pairs with the acquire load in router.c. */
	if (atomic_compare_exchange_strong_explicit(&node->harbor_service, &none, context,
		    memory_order_release, memory_order_relaxed))
		skynet_context_reserve(context);
}

void
skynet_harbor_abandon(struct skynet_context *context, uint32_t handle, int session) {
	struct skynet_node *node = context->node;
	if (handle == 0 || router_is_remote(node, handle))
		router_abandon(node, service_handle(context), session);
}

bool
skynet_harbor_join(struct skynet_context *context, int id) {
	return id > 0 && id < REMOTE_MAX && runtime_join_sibling(context->node, id);
}

void
skynet_harbor_exit(void) {
	/* The reference is dropped when the node is destroyed, because other threads may still be
	 * using the pointer; until then the service just gets no messages. */
	if (current.node == NULL)
		return;
	struct skynet_context *harbor =
		atomic_load_explicit(&current.node->harbor_service, memory_order_acquire);
	if (harbor != NULL)
		service_retire(current.node, service_handle(harbor));
}
