/* One message for many services: the functions of skynet_multicast.h. */
#include "skynet_multicast.h"

#include "data/message.h"
#include "data/shared_payload.h"
#include "kernel/log.h"
#include "kernel/node.h"
#include "kernel/service.h"

/* One publication on its way to its receivers. */
struct delivery {
	struct skynet_context *context;
	struct skynet_message message;
	int request;
	uint32_t fullest; /* receiver furthest over its limit that asks senders to wait; 0: none */
	uint64_t excess;  /* by how many messages it is over */
};

enum outcome {
	OUTCOME_TAKEN,
	OUTCOME_REFUSED,
	OUTCOME_DEAD,
};

/* Whether a mailbox asks senders to wait and has reached its limit. */
static bool
is_congested(struct skynet_context *target, uint64_t *excess) {
	struct mailbox *mailbox = &target->mailbox;
	/* Relaxed: the limit may change at any time anyway. */
	uint32_t limit = atomic_load_explicit(&mailbox->limit, memory_order_relaxed);
	if (limit == 0 ||
		atomic_load_explicit(&mailbox->policy, memory_order_relaxed) != MAILBOX_BLOCK)
		return false;
	size_t length = mailbox_length(mailbox);
	*excess = length >= limit ? length - limit : 0;
	return length >= limit;
}

static enum outcome
push(struct delivery *delivery, struct skynet_context *target, uint32_t handle) {
	uint64_t excess = 0;
	if (delivery->request <= 0 && is_congested(target, &excess)) {
		atomic_fetch_add_explicit(&target->mailbox.rejected, 1, memory_order_relaxed);
		return OUTCOME_REFUSED;
	}
	int result = service_push(target, &delivery->message);
	if (result < 0)
		return result == MAILBOX_FULL ? OUTCOME_REFUSED : OUTCOME_DEAD;
	if ((result & MAILBOX_CONGESTED) == 0)
		return OUTCOME_TAKEN;
	is_congested(target, &excess);
	if (delivery->fullest == 0 || excess > delivery->excess) {
		delivery->fullest = handle;
		delivery->excess = excess;
	}
	return OUTCOME_TAKEN;
}

static enum outcome
deliver(struct delivery *delivery, uint32_t handle) {
	struct skynet_context *target = service_grab(delivery->context->node, handle);
	if (target == NULL)
		return OUTCOME_DEAD;
	enum outcome outcome = push(delivery, target, handle);
	service_drop(target);
	return outcome;
}

/* Makes the publisher wait: the mailbox of the fullest receiver answers its request when it has
 * room. Returns false, and nobody waits, when it has room by now. */
static bool
hold_publisher(const struct delivery *delivery) {
	struct skynet_context *target = service_grab(delivery->context->node, delivery->fullest);
	if (target == NULL)
		return false;
	bool held = mailbox_wait(&target->mailbox, delivery->message.source, delivery->request);
	service_drop(target);
	return held;
}

struct skynet_multicast_result
skynet_multicast(struct skynet_context *context, const struct skynet_multicast_message *message,
	uint32_t *handles, size_t count) {
	struct skynet_multicast_result result = {0};
	if (count == 0)
		return result;
	if (message->size > MESSAGE_SIZE_MASK) {
		log_line(context->node, service_handle(context),
			"error: the message for %zu services is too large (%zu bytes)", count,
			message->size);
		result.left = result.refused = count;
		return result;
	}
	/* One reference more than receivers, kept to the end: the first receivers may be done with
	 * the payload before the last ones get it. */
	void *data = shared_payload_create(
		&context->node->payloads, message->payload, message->size, count + 1);
	struct delivery delivery = {
		.context = context,
		.message =
			{
				.source = message->source != 0 ? message->source
							       : service_handle(context),
				.session = message->session,
				.data = data,
				.sz = message->size | MESSAGE_SHARED |
				      (size_t)PTYPE_MULTICAST << MESSAGE_TYPE_SHIFT,
			},
		.request = message->request,
	};
	size_t unused = 1;
	for (size_t i = 0; i < count; i++) {
		uint32_t handle = handles[i];
		enum outcome outcome = deliver(&delivery, handle);
		if (outcome != OUTCOME_TAKEN)
			unused++;
		if (outcome == OUTCOME_REFUSED)
			result.refused++;
		if (outcome != OUTCOME_DEAD)
			handles[result.left++] = handle;
	}
	shared_payload_drop(data, unused);
	result.held = delivery.fullest != 0 && hold_publisher(&delivery);
	return result;
}

size_t
skynet_multicast_usage(struct skynet_context *context, size_t *bytes) {
	return shared_payload_usage(&context->node->payloads, bytes);
}

void
skynet_multicast_accept(struct skynet_context *context) {
	context->shares = true;
}
