#include "kernel/router.h"

#include <string.h>

#include "base/error.h"
#include "kernel/log.h"
#include "kernel/node.h"
#include "kernel/runtime.h"
#include "kernel/service.h"
#include "skynet_handle.h"
#include "skynet_harbor.h"

int
router_push_from(struct skynet_context *sender, struct skynet_node *node, uint32_t handle,
	const struct skynet_message *message) {
	struct skynet_context *target = service_grab(node, handle);
	if (target == NULL)
		return SKYNET_ENOTFOUND;
	int result = service_push_last(target, message);
	if (result >= 0) {
		if ((result & MAILBOX_CONGESTED) != 0 && sender != NULL)
			sender->congested = handle;
		return 0;
	}
	return result == MAILBOX_FULL ? SKYNET_EOVERLOAD : SKYNET_ENOTFOUND;
}

int
router_push(struct skynet_node *node, uint32_t handle, const struct skynet_message *message) {
	return router_push_from(NULL, node, handle, message);
}

bool
router_is_remote(const struct skynet_node *node, uint32_t handle) {
	uint32_t harbor = handle >> HANDLE_REMOTE_SHIFT;
	return harbor != 0 && harbor != (uint32_t)node->harbor;
}

/* Types that carry pointers or commands inside one process. */
static bool
is_internal(int type) {
	return type == PTYPE_SYSTEM || type == PTYPE_HARBOR || type == PTYPE_SOCKET;
}

/* There is no connection to the other node: a sender that waits for an answer gets an error. */
static void
undeliverable(struct skynet_node *node, uint32_t from, const struct skynet_message *message) {
	if (message->session != 0)
		message_bounce(node, from, message, "dead_node");
	else
		message_discard(message);
}

/* Hands a message to the harbor service, which sends it to another process. */
static int
send_by_harbor(struct skynet_node *node, const struct remote_name *name,
	const struct skynet_message *message) {
	int type = message_type(message);
	if (is_internal(type)) {
		log_line(node, message->source,
			"error: cannot send a message of type %d to another node (destination :%08x)",
			type, name->handle);
		message_discard(message);
		return SKYNET_EINVALID;
	}
	/* The node holds a reference to the harbor service until it is destroyed, so the pointer
	 * stays valid for any thread that runs services. */
	struct skynet_context *harbor =
		atomic_load_explicit(&node->harbor_service, memory_order_acquire);
	if (harbor == NULL) {
		undeliverable(node, name->handle, message);
		return 0;
	}
	struct remote_message *remote = skynet_malloc(sizeof *remote);
	remote->destination = *name;
	remote->message = message->data;
	remote->sz = message_size(message);
	remote->type = type;
	struct skynet_message wrapped = {
		.source = message->source,
		.session = message->session,
		.data = remote,
		.sz = sizeof *remote | (size_t)PTYPE_SYSTEM << MESSAGE_TYPE_SHIFT,
	};
	if (service_push(harbor, &wrapped) < 0) {
		skynet_free(remote);
		undeliverable(node, name->handle, message);
	}
	return 0;
}

int
router_send(struct skynet_context *sender, struct skynet_node *node, uint32_t source,
	uint32_t destination, int session, void *data, size_t sz) {
	struct skynet_message message = {
		.source = source, .session = session, .data = data, .sz = sz};
	if (router_is_remote(node, destination)) {
		int result;
		if (runtime_send_to_sibling(node, destination, &message, &result))
			return result;
		struct remote_name name = {.handle = destination};
		return send_by_harbor(node, &name, &message);
	}
	int result = router_push_from(sender, node, destination, &message);
	if (result != 0)
		message_discard(&message);
	return result;
}

int
router_send_name(struct skynet_node *node, uint32_t source, const char *name, int session,
	void *data, size_t sz) {
	struct skynet_message message = {
		.source = source, .session = session, .data = data, .sz = sz};
	struct remote_name destination = {.handle = 0};
	memcpy(destination.name, name, strnlen(name, GLOBALNAME_LENGTH));
	return send_by_harbor(node, &destination, &message);
}

void
router_abandon(struct skynet_node *node, uint32_t source, int session) {
	/* The pointer stays valid, see send_by_harbor. */
	struct skynet_context *harbor =
		atomic_load_explicit(&node->harbor_service, memory_order_acquire);
	struct skynet_message message = {
		.source = source,
		.session = session,
		.sz = (size_t)PTYPE_SYSTEM << MESSAGE_TYPE_SHIFT,
	};
	if (harbor != NULL)
		service_push(harbor, &message);
}
