/* One message for many services: the functions of skynet_multicast.h. */
#include "skynet_multicast.h"

#include "base/error.h"
#include "data/message.h"
#include "data/shared_payload.h"
#include "kernel/log.h"
#include "kernel/node.h"
#include "kernel/router.h"
#include "kernel/service.h"

size_t
skynet_multicast(struct skynet_context *context, uint32_t source, int session, uint32_t *handles,
	size_t count, const void *payload, size_t size) {
	if (count == 0)
		return 0;
	if (size > MESSAGE_SIZE_MASK) {
		log_line(context->node, service_handle(context),
			"error: the message for %zu services is too large (%zu bytes)", count,
			size);
		return count;
	}
	/* One more, so that a receiver that is fast does not free what the next ones are to get. */
	void *data = shared_payload_create(payload, size, count + 1);
	struct skynet_message message = {
		.source = source != 0 ? source : service_handle(context),
		.session = session,
		.data = data,
		.sz = size | MESSAGE_SHARED | (size_t)PTYPE_MULTICAST << MESSAGE_TYPE_SHIFT,
	};
	size_t left = 0, unused = 1;
	for (size_t i = 0; i < count; i++) {
		uint32_t handle = handles[i];
		int result = router_push(context->node, handle, &message);
		if (result != 0)
			unused++;
		if (result != SKYNET_ENOTFOUND)
			handles[left++] = handle;
	}
	shared_payload_drop(data, unused);
	return left;
}

void
skynet_multicast_accept(struct skynet_context *context) {
	context->shares = true;
}
