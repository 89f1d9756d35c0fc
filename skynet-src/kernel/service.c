#include "kernel/service.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "data/module_table.h"
#include "data/shared_payload.h"
#include "data/stall_monitor.h"
#include "kernel/current.h"
#include "kernel/log.h"
#include "kernel/message_trace.h"
#include "kernel/node.h"
#include "kernel/router.h"
#include "kernel/runtime.h"
#include "skynet_harbor.h"
#include "skynet_socket.h"

#define TURN_MAXIMUM       256    /* messages in one turn */
#define TURN_AIM_NS        200000 /* intended length of a turn when many messages wait */
#define OVERLOAD_THRESHOLD 1024
#define FIRST_TURN_NS      20000 /* assumed cost of a turn of a new service */

uint32_t
service_handle(const struct skynet_context *context) {
	return handle_object_handle(&context->object);
}

struct skynet_node *
service_node(const struct skynet_context *context) {
	return context->node;
}

struct skynet_context *
service_grab(struct skynet_node *node, uint32_t handle) {
	return (struct skynet_context *)handle_table_grab(node->handles, handle);
}

void
service_drop(struct skynet_context *context) {
	handle_table_drop(context->node->handles, &context->object);
}

/* ---- birth ---- */

static void
report_launch(
	struct skynet_node *node, const struct skynet_error *reason, struct skynet_error *error) {
	if (error != NULL)
		*error = *reason;
	else
		log_line(node, 0, "error: %s", reason->text);
}

static struct skynet_context *
context_create(struct skynet_node *node, const struct module *module) {
	struct skynet_context *context = (struct skynet_context *)handle_table_alloc(node->handles);
	context->node = node;
	context->module = module;
	context->turn_limit = 1;
	context->turn_cost = context->turn_short = FIRST_TURN_NS;
	context->overload = OVERLOAD_THRESHOLD;
	mutex_init(&context->probe_lock, LOCK_RANK_LEAF);
	mailbox_init(&context->mailbox);
	if (node->mailbox_limit != 0)
		mailbox_bound(&context->mailbox, node->mailbox_limit,
			(enum mailbox_policy)node->mailbox_policy);
	atomic_fetch_add_explicit(&node->service_count, 1, memory_order_relaxed);
	return context;
}

uint32_t
service_launch(
	struct skynet_node *node, const char *name, const char *param, struct skynet_error *error) {
	struct skynet_error reason;
	const struct module *module = module_table_find(node->modules, name, &reason);
	if (module == NULL) {
		report_launch(node, &reason, error);
		return 0;
	}
	void *instance = module_create(module);
	if (instance == NULL) {
		error_set(&reason, SKYNET_EINIT, "cannot create an instance of '%s'", name);
		report_launch(node, &reason, error);
		return 0;
	}
	struct skynet_context *context = context_create(node, module);
	context->instance = instance;
	uint32_t handle = handle_table_register(node->handles, &context->object);
	if (handle == 0) {
		error_set(&reason, SKYNET_EOVERLOAD, "cannot start '%s': all handles are in use",
			name);
		report_launch(node, &reason, error);
		service_drop(context);
		return 0;
	}
	/* Until init has returned the mailbox counts as scheduled: no thread runs the service. */
	if (module_init(module, instance, context, param) != 0) {
		log_line(node, handle, "error: launch %s FAILED", name);
		error_set(error, SKYNET_EINIT, "cannot start '%s': its init failed", name);
		service_retire(node, handle);
		service_drop(context);
		return 0;
	}
	log_line(node, handle, "LAUNCH %s %s", name, param != NULL ? param : "");
	if (mailbox_finish(&context->mailbox))
		service_drop(context);
	else
		scheduler_push(&node->runtime->scheduler, context);
	return handle;
}

/* ---- death ---- */

void
service_silence(struct skynet_node *node, uint32_t handle) {
	struct skynet_context *context = service_grab(node, handle);
	if (context == NULL)
		return;
	atomic_store_explicit(&context->retired, true, memory_order_relaxed);
	mailbox_close(&context->mailbox);
	service_drop(context);
}

bool
service_retire(struct skynet_node *node, uint32_t handle) {
	service_silence(node, handle);
	return handle_table_retire(node->handles, handle);
}

bool
service_kill(struct skynet_node *node, uint32_t killer, uint32_t handle) {
	if (killer == 0 || killer == handle)
		log_line(node, handle, "KILL self");
	else
		log_line(node, killer, "KILL :%0x", handle);
	uint32_t monitor = atomic_load_explicit(&node->monitor, memory_order_relaxed);
	if (monitor != 0 && monitor != handle) {
		struct skynet_message message = {
			.source = handle, .sz = (size_t)PTYPE_CLIENT << MESSAGE_TYPE_SHIFT};
		router_push(node, monitor, &message);
	}
	return service_retire(node, handle);
}

static void
free_data(const struct skynet_message *message) {
	if (message_is_shared(message))
		shared_payload_drop(message->data, 1);
	else
		skynet_free(message->data);
}

void
message_discard(const struct skynet_message *message) {
	/* Socket events have source 0, and only the kernel sends those. Their buffer is a block of
	 * its own. */
	if (message_type(message) == PTYPE_SOCKET && message->source == 0 &&
		message_size(message) >= sizeof(struct skynet_socket_message)) {
		struct skynet_socket_message *event = message->data;
		skynet_free(event->buffer);
	}
	free_data(message);
}

void
message_bounce(struct skynet_node *node, uint32_t from, const struct skynet_message *message,
	const char *reason) {
	int type = message_type(message);
	uint32_t source = message->source;
	/* A reply or error gets no answer: its session belongs to the service that it was sent to,
	 * and might be that of another call of the sender. */
	if (source != 0 && source != from && type != PTYPE_RESPONSE && type != PTYPE_ERROR &&
		type != PTYPE_MULTICAST)
		router_send(NULL, node, from, source, message->session, skynet_strdup(reason),
			strlen(reason) | (size_t)PTYPE_ERROR << MESSAGE_TYPE_SHIFT);
	message_discard(message);
}

/* Answers a message that the harbor service has not sent to the other node before its own end. */
static void
bounce_remote(struct skynet_context *context, const struct skynet_message *message) {
	struct remote_message *remote = message->data;
	struct skynet_message inner = {
		.source = message->source,
		.session = message->session,
		.data = (void *)(uintptr_t)remote->message,
		.sz = remote->sz | (size_t)remote->type << MESSAGE_TYPE_SHIFT,
	};
	message_bounce(context->node, remote->destination.handle, &inner, "dead_node");
	skynet_free(remote);
}

static void
drain(struct skynet_context *context, uint32_t handle) {
	bool is_harbor = context ==
			 atomic_load_explicit(&context->node->harbor_service, memory_order_relaxed);
	struct skynet_message message;
	while (mailbox_pop(&context->mailbox, &message)) {
		if (is_harbor && message_type(&message) == PTYPE_SYSTEM &&
			message_size(&message) == sizeof(struct remote_message))
			bounce_remote(context, &message);
		else
			message_bounce(context->node, handle, &message, "dead_service");
	}
}

static void
notify_waiters(struct skynet_context *context) {
	struct mailbox_waiter *waiters;
	uint32_t count = mailbox_take_waiters(&context->mailbox, &waiters);
	if (count == 0)
		return;
	for (uint32_t i = 0; i < count; i++) {
		struct skynet_message message = {.session = waiters[i].session,
			.sz = (size_t)PTYPE_RESPONSE << MESSAGE_TYPE_SHIFT};
		router_push(context->node, waiters[i].handle, &message);
	}
	skynet_free(waiters);
}

void
service_delete(struct handle_object *object, void *ud) {
	struct skynet_context *context = (struct skynet_context *)object;
	struct skynet_node *node = context->node;
	(void)ud;
	/* The release function may send messages: they are to have this service as their source. */
	struct skynet_context *outer = current.context;
	struct skynet_node *outer_node = current.node;
	current.context = context;
	current.node = node;
	mailbox_close(&context->mailbox);
	if (context->instance != NULL)
		module_release(context->module, context->instance);
	skynet_probe_set(context, NULL, NULL);
	drain(context, service_handle(context));
	notify_waiters(context);
	message_trace_destroy(context);
	mailbox_fini(&context->mailbox);
	mutex_fini(&context->probe_lock);
	current.context = outer;
	current.node = outer_node;
	if (!atomic_load_explicit(&context->reserved, memory_order_relaxed))
		node_service_ended(node);
}

/* ---- life ---- */

/* Answers a message that was removed from the mailbox to make room for another one. */
static void
bounce_dropped(struct skynet_context *context, const struct skynet_message *dropped) {
	/* An error with session 0 would tell the sender that this service is dead. */
	if (dropped->session != 0)
		message_bounce(context->node, service_handle(context), dropped, "overloaded");
	else
		message_discard(dropped);
}

/* What is left to do after a push that may have removed a message. Returns what service_push does.
 */
static int
after_push(struct skynet_context *context, int result, const struct skynet_message *dropped) {
	if (result <= 0)
		return result;
	if ((result & MAILBOX_DROPPED) != 0)
		bounce_dropped(context, dropped);
	return result & ~MAILBOX_SCHEDULE;
}

int
service_push(struct skynet_context *context, const struct skynet_message *message) {
	struct skynet_message dropped;
	int result = mailbox_push(&context->mailbox, message, &dropped);
	if (result > 0 && (result & MAILBOX_SCHEDULE) != 0) {
		handle_table_hold(&context->object);
		scheduler_push(&context->node->runtime->scheduler, context);
	}
	return after_push(context, result, &dropped);
}

int
service_push_last(struct skynet_context *context, const struct skynet_message *message) {
	struct skynet_message dropped;
	int result = mailbox_push(&context->mailbox, message, &dropped);
	if (result == MAILBOX_SCHEDULE) {
		/* The run queue takes the reference. */
		scheduler_push(&context->node->runtime->scheduler, context);
		return 0;
	}
	if (result > 0 && (result & MAILBOX_SCHEDULE) != 0) {
		handle_table_hold(&context->object);
		scheduler_push(&context->node->runtime->scheduler, context);
	}
	result = after_push(context, result, &dropped);
	service_drop(context);
	return result;
}

void
service_push_replies(
	struct skynet_context *context, const struct skynet_message *messages, uint32_t count) {
	if (mailbox_push_replies(&context->mailbox, messages, count) == MAILBOX_SCHEDULE) {
		handle_table_hold(&context->object);
		scheduler_push(&context->node->runtime->scheduler, context);
	}
}

void
service_schedule(struct skynet_context *context) {
	if (mailbox_schedule(&context->mailbox)) {
		handle_table_hold(&context->object);
		scheduler_push(&context->node->runtime->scheduler, context);
	}
}

/* Adds to a counter that only this thread writes. */
static void
count_up(_Atomic(uint64_t) *counter, uint64_t amount) {
	uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
	atomic_store_explicit(counter, value + amount, memory_order_relaxed);
}

/* A message for a service without a callback. A sender that waits for an answer gets an error. */
static void
refuse(struct skynet_context *context, const struct skynet_message *message) {
	if (message->session != 0)
		message_bounce(context->node, service_handle(context), message,
			"remote: the service takes no messages");
	else
		message_discard(message);
}

/* Replaces the shared payload of a message by a copy of its own. */
static void
make_own(struct skynet_message *message) {
	size_t size = message_size(message);
	char *copy = skynet_malloc(size + 1);
	memcpy(copy, message->data, size + 1);
	shared_payload_drop(message->data, 1);
	message->data = copy;
	message->sz &= ~MESSAGE_SHARED;
}

static void
dispatch(struct skynet_context *context, struct skynet_message *message) {
	count_up(&context->message_count, 1);
	if (atomic_load_explicit(&context->trace, memory_order_relaxed) != NULL)
		message_trace_write(context, message);
	if (context->callback == NULL) {
		refuse(context, message);
		return;
	}
	if (message_is_shared(message) && !context->shares)
		make_own(message);
	int keep = context->callback(context, context->callback_ud, message_type(message),
		message->session, message->source, message->data, message_size(message));
	if (!keep)
		free_data(message);
}

static void
warn_overload(struct skynet_context *context) {
	uint64_t length = mailbox_length(&context->mailbox);
	if (length <= context->overload) {
		if (length == 0)
			context->overload = OVERLOAD_THRESHOLD;
		return;
	}
	while (length > context->overload)
		context->overload *= 2;
	log_line(context->node, service_handle(context),
		"error: May overload, message queue length = %llu", (unsigned long long)length);
}

/* Runs messages until the mailbox is empty, the limit is reached, the service has enough for now or
 * is dead. */
static uint32_t
run_messages(struct skynet_context *context, uint32_t limit) {
	struct stall_slot *stall = current.worker != NULL ? current.worker->stall : NULL;
	uint32_t handle = service_handle(context), count = 0;
	struct skynet_message message;
	context->turn_ends = false;
	while (count < limit && !context->turn_ends &&
		!atomic_load_explicit(&context->retired, memory_order_relaxed) &&
		mailbox_pop(&context->mailbox, &message)) {
		if (stall != NULL)
			stall_slot_enter(stall, context->node, message.source, handle);
		dispatch(context, &message);
		count++;
	}
	if (stall != NULL)
		stall_slot_leave(stall);
	return count;
}

/* Adapts how many messages the service may handle in its next turn: the cheaper they were lately,
 * the more. */
static void
adapt_turn(struct skynet_context *context, uint64_t elapsed_ns, uint32_t count) {
	if (count == 0)
		return;
	/* Most messages are so cheap that TURN_MAXIMUM of them fit, and no division is needed. */
	uint64_t fitting = TURN_MAXIMUM;
	if (elapsed_ns > (uint64_t)count * (TURN_AIM_NS / TURN_MAXIMUM)) {
		fitting = TURN_AIM_NS * (uint64_t)count / elapsed_ns + 1;
		if (fitting > TURN_MAXIMUM)
			fitting = TURN_MAXIMUM;
	}
	/* Half way to what would fit now, so that one odd message does not decide. */
	context->turn_limit = (uint32_t)((context->turn_limit + fitting + 1) / 2);
	context->turn_cost += ((int64_t)elapsed_ns - (int64_t)context->turn_cost) / 8;
	int64_t longer = (int64_t)elapsed_ns - (int64_t)context->turn_short;
	context->turn_short += longer / (longer < 0 ? 2 : 32);
}

static void
finish_turn(struct skynet_context *context) {
	struct skynet_node *node = context->node;
	if (mailbox_finish(&context->mailbox)) {
		if (node_logger_may_end(node, service_handle(context)))
			service_retire(node, service_handle(context));
		service_drop(context);
	} else if (atomic_load_explicit(&context->retired, memory_order_relaxed)) {
		service_drop(context);
	} else {
		scheduler_push(&node->runtime->scheduler, context);
	}
}

uint64_t
service_run(struct skynet_context *context, uint32_t limit, uint64_t now_ns) {
	struct skynet_node *node = context->node;
	current.context = context;
	current.node = node;
	atomic_store_explicit(&context->turn_start_ns, now_ns, memory_order_relaxed);
	uint32_t count = run_messages(context, limit != 0 ? limit : context->turn_limit);
	uint64_t end_ns = runtime_now_ns(node->runtime);
	if (node->profile)
		count_up(&context->cpu_ns, end_ns - now_ns);
	atomic_store_explicit(&context->turn_start_ns, 0, memory_order_relaxed);
	adapt_turn(context, end_ns - now_ns, count);
	if (count >= TURN_MAXIMUM / 2)
		warn_overload(context);
	notify_waiters(context);
	finish_turn(context);
	current.context = NULL;
	current.node = NULL;
	return end_ns;
}
