/* The calls of skynet.h that are not about sending: names, settings, statistics, life of services.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "data/env_table.h"
#include "data/shared_table.h"
#include "kernel/current.h"
#include "kernel/log.h"
#include "kernel/node.h"
#include "kernel/parse.h"
#include "kernel/runtime.h"
#include "kernel/service.h"
#include "kernel/timeout.h"

uint32_t
skynet_context_handle(struct skynet_context *context) {
	return service_handle(context);
}

void
skynet_callback(struct skynet_context *context, void *ud, skynet_cb callback) {
	context->callback = callback;
	context->callback_ud = ud;
	context->shares = false;
}

bool
skynet_callback_is(struct skynet_context *context, skynet_cb callback) {
	return context->callback == callback;
}

/* ---- names and settings ---- */

uint32_t
skynet_name_find(struct skynet_context *context, const char *name) {
	return handle_table_find_name(context->node->handles, name);
}

uint32_t
skynet_queryname(struct skynet_context *context, const char *name) {
	uint32_t handle;
	if (name[0] == ':')
		return parse_handle(name, &handle) ? handle : 0;
	if (name[0] == '.')
		return skynet_name_find(context, name + 1);
	log_line(context->node, service_handle(context),
		"error: Don't support query global name %s", name);
	return 0;
}

int
skynet_isremote(struct skynet_context *context, uint32_t handle, int *harbor) {
	int id = (int)(handle >> HANDLE_REMOTE_SHIFT);
	if (harbor != NULL)
		*harbor = id;
	return id != 0 && id != context->node->harbor;
}

const char *
skynet_setting_get(struct skynet_context *context, const char *key) {
	return env_table_get(context->node->settings, key);
}

int64_t
skynet_setting_number(struct skynet_context *context, const char *key, int64_t fallback) {
	const char *text = skynet_setting_get(context, key);
	int64_t value;
	return text != NULL && parse_whole(text, &value) && value >= 0 ? value : fallback;
}

bool
skynet_setting_set(struct skynet_context *context, const char *key, const char *value) {
	return env_table_set(context->node->settings, key, value);
}

/* ---- time ---- */

uint64_t
skynet_now(void) {
	return current.runtime != NULL ? runtime_now_cs(current.runtime) : 0;
}

uint32_t
skynet_context_starttime(struct skynet_context *context) {
	return (uint32_t)(context->node->runtime->start_wall_ns / 1000000000);
}

uint64_t
skynet_clock_ns(struct skynet_context *context) {
	return clock_monotonic_ns(context->node->runtime->clock);
}

/* ---- life ---- */

uint32_t
skynet_current_handle(void) {
	if (current.context != NULL)
		return service_handle(current.context);
	return (uint32_t) - (int)current.thread;
}

uint32_t
skynet_context_launch(struct skynet_context *context, const char *module, const char *param) {
	return service_launch(context->node, module, param, NULL);
}

bool
skynet_context_kill(struct skynet_context *context, uint32_t handle) {
	uint32_t self = service_handle(context);
	return service_kill(context->node, self, handle != 0 ? handle : self);
}

bool
skynet_context_is_dead(struct skynet_context *context) {
	/* Relaxed: another thread that retires the service does not rely on when this is seen. */
	return atomic_load_explicit(&context->retired, memory_order_relaxed);
}

void
skynet_stop_hook(struct skynet_context *context, bool on) {
	atomic_store_explicit(&context->wants_stop_hook, on, memory_order_relaxed);
}

void
skynet_stop_done(struct skynet_context *context) {
	/* Release pairs with the acquire load in node_life.c. */
	atomic_store_explicit(
		&context->node->stop_done, service_handle(context), memory_order_release);
	timeouts_wake(&context->node->runtime->timeouts);
}

void
skynet_node_stop(struct skynet_context *context, int exit_code) {
	node_stop(context->node, exit_code);
}

void
skynet_node_abort(struct skynet_context *context, int exit_code, const char *reason) {
	node_abort_by(context, exit_code, reason);
}

void *
skynet_shared_object(struct skynet_context *context, const char *key, void *(*create)(void *ud),
	void *ud, void (*destroy)(void *object)) {
	return shared_table_get(context->node->runtime->shared, key, create, ud, destroy);
}

void
skynet_probe_set(struct skynet_context *context, skynet_probe_fn probe, void *ud) {
	mutex_acquire(&context->probe_lock);
	context->probe = probe;
	context->probe_ud = ud;
	mutex_release(&context->probe_lock);
}

/* ---- statistics ---- */

static int64_t
turn_time(struct skynet_context *context) {
	uint64_t start = atomic_load_explicit(&context->turn_start_ns, memory_order_relaxed);
	if (start == 0)
		return 0;
	/* Clocks of two threads differ a little: here the turn may seem to begin in the future. */
	int64_t elapsed = (int64_t)(runtime_now_ns(context->node->runtime) - start);
	return elapsed > 0 ? elapsed : 0;
}

/* cpu_ns grows at the end of each turn only, so the time of the current turn is added. */
static int64_t
cpu_time(struct skynet_context *context) {
	uint64_t total = atomic_load_explicit(&context->cpu_ns, memory_order_relaxed);
	return (int64_t)total + (context->node->profile ? turn_time(context) : 0);
}

static int64_t
stat_of(struct skynet_context *context, enum skynet_stat stat) {
	struct mailbox *mailbox = &context->mailbox;
	switch (stat) {
	case SKYNET_STAT_MAILBOX:
		return (int64_t)mailbox_length(mailbox);
	case SKYNET_STAT_ENDLESS:
		return atomic_exchange_explicit(&context->endless, false, memory_order_relaxed);
	case SKYNET_STAT_CPU_NS:
		return cpu_time(context);
	case SKYNET_STAT_TIME_NS:
		return turn_time(context);
	case SKYNET_STAT_MESSAGE:
		return (int64_t)atomic_load_explicit(&context->message_count, memory_order_relaxed);
	case SKYNET_STAT_LIMIT:
		return atomic_load_explicit(&mailbox->limit, memory_order_relaxed);
	case SKYNET_STAT_REJECTED:
		return (int64_t)atomic_load_explicit(&mailbox->rejected, memory_order_relaxed);
	case SKYNET_STAT_DROPPED:
		return (int64_t)atomic_load_explicit(&mailbox->dropped, memory_order_relaxed);
	case SKYNET_STAT_BLOCKED:
		return (int64_t)atomic_load_explicit(&mailbox->blocked, memory_order_relaxed);
	case SKYNET_STAT_MEMORY:
		return atomic_load_explicit(&context->memory, memory_order_relaxed);
	}
	return 0;
}

int64_t
skynet_stat_get(struct skynet_context *context, uint32_t handle, enum skynet_stat stat) {
	if (handle == 0 || handle == service_handle(context))
		return stat_of(context, stat);
	struct skynet_context *other = service_grab(context->node, handle);
	if (other == NULL)
		return 0;
	int64_t value = stat_of(other, stat);
	service_drop(other);
	return value;
}

void
skynet_account_add(struct skynet_context *context, ptrdiff_t delta) {
	/* Relaxed: a statistic, which orders nothing. */
	atomic_fetch_add_explicit(&context->memory, delta, memory_order_relaxed);
}

void
skynet_debug_memory(const char *info) {
	int64_t bytes = current.context != NULL ? stat_of(current.context, SKYNET_STAT_MEMORY) : 0;
	fprintf(stderr, "[:%08x] %s %lld\n", skynet_current_handle(), info, (long long)bytes);
}
