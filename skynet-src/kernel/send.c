/* Sending for services: skynet_send and skynet_sendname. */
#include <string.h>

#include "base/error.h"
#include "kernel/log.h"
#include "kernel/node.h"
#include "kernel/parse.h"
#include "kernel/router.h"
#include "kernel/service.h"
#include "skynet_harbor.h"

int
skynet_context_newsession(struct skynet_context *context) {
	/* After 2^31-1 comes 1: 0 means that no answer is wanted. */
	context->session = context->session == INT32_MAX ? 1 : context->session + 1;
	return context->session;
}

/* Turns the arguments of a send into a buffer that the kernel owns, the size with the type in its
 * top byte, and the session. Returns false when the message is too large; it is freed then. */
static bool
prepare(struct skynet_context *context, int type, int *session, void **data, size_t *size) {
	if (*size > MESSAGE_SIZE_MASK) {
		log_line(context->node, service_handle(context),
			"error: the message of type %d is too large (%zu bytes)", type & 0xff,
			*size);
		if ((type & PTYPE_TAG_DONTCOPY) != 0)
			skynet_free(*data);
		return false;
	}
	if ((type & PTYPE_TAG_ALLOCSESSION) != 0)
		*session = skynet_context_newsession(context);
	if ((type & PTYPE_TAG_DONTCOPY) == 0 && *data != NULL) {
		char *copy = skynet_malloc(*size + 1);
		memcpy(copy, *data, *size);
		copy[*size] = '\0';
		*data = copy;
	}
	*size |= (size_t)(type & 0xff) << MESSAGE_TYPE_SHIFT;
	return true;
}

static int
send_result(int result, int session) {
	if (result == 0)
		return session > 0 ? session : 0;
	return result == SKYNET_EOVERLOAD ? SKYNET_SEND_FULL : SKYNET_SEND_NOBODY;
}

int
skynet_send(struct skynet_context *context, uint32_t source, uint32_t destination, int type,
	int session, void *message, size_t size) {
	if (destination == 0 && message == NULL) {
		if ((type & PTYPE_TAG_ALLOCSESSION) != 0)
			return skynet_context_newsession(context);
		return session;
	}
	if (!prepare(context, type, &session, &message, &size))
		return SKYNET_SEND_TOO_LARGE;
	if (source == 0)
		source = service_handle(context);
	if (destination == 0) {
		log_line(context->node, service_handle(context),
			"error: Destination address can't be 0");
		skynet_free(message);
		return SKYNET_SEND_NOBODY;
	}
	return send_result(
		router_send(context, context->node, source, destination, session, message, size),
		session);
}

int
skynet_sendname(struct skynet_context *context, uint32_t source, const char *destination, int type,
	int session, void *message, size_t size) {
	uint32_t handle = 0;
	if (destination[0] == ':')
		parse_handle(destination, &handle);
	else if (destination[0] == '.')
		handle = handle_table_find_name(context->node->handles, destination + 1);
	if (destination[0] == ':' || destination[0] == '.') {
		if (handle != 0)
			return skynet_send(context, source, handle, type, session, message, size);
		if ((type & PTYPE_TAG_DONTCOPY) != 0)
			skynet_free(message);
		return SKYNET_SEND_NOBODY;
	}
	if (!prepare(context, type, &session, &message, &size))
		return SKYNET_SEND_TOO_LARGE;
	if (source == 0)
		source = service_handle(context);
	return send_result(
		router_send_name(context->node, source, destination, session, message, size),
		session);
}

void
skynet_turn_end(struct skynet_context *context, int session) {
	struct skynet_message message = {
		.session = session,
		.sz = (size_t)PTYPE_RESPONSE << MESSAGE_TYPE_SHIFT,
	};
	context->turn_ends = true;
	service_push(context, &message);
}

uint32_t
skynet_send_congested(struct skynet_context *context) {
	uint32_t handle = context->congested;
	context->congested = 0;
	return handle;
}

bool
skynet_mailbox_wait(struct skynet_context *context, uint32_t handle, int session) {
	struct skynet_context *target = service_grab(context->node, handle);
	if (target == NULL)
		return false;
	bool waits = mailbox_wait(&target->mailbox, service_handle(context), session);
	service_drop(target);
	return waits;
}

void
skynet_mailbox_full(struct skynet_context *context, bool full) {
	mailbox_set_full(&context->mailbox, full);
}

void
skynet_mailbox_limit(
	struct skynet_context *context, size_t limit, enum skynet_mailbox_policy policy) {
	mailbox_bound(&context->mailbox, limit > UINT32_MAX ? UINT32_MAX : (uint32_t)limit,
		(enum mailbox_policy)policy);
}
