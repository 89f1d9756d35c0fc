/* One message for many services of a node: what the multicast service uses. */
#ifndef SKYNET_MULTICAST_H
#define SKYNET_MULTICAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "skynet.h"

struct skynet_multicast_message {
	uint32_t source; /* who published it; 0: the calling service */
	int session;     /* the channel */
	const void *payload;
	size_t size;
	int request; /* session of a request of `source` that can be answered late; 0: none */
};

struct skynet_multicast_result {
	size_t left;    /* receivers that are alive; the first ones of the list now */
	size_t refused; /* of them, those whose mailbox was full and did not take the message */
	bool held;      /* the request of the publisher is answered when there is room again */
};

/// Sends a message (borrowed) as PTYPE_MULTICAST to `count` services of this node, with one copy
/// for all of them. A receiver that is dead is taken out of `handles`, the others keep their order.
/// A receiver over its limit that asks senders to wait (SKYNET_MAILBOX_BLOCK) gets the message, and
/// `message->request` is answered, without values, when the fullest of them has room; without a
/// request nobody can wait, and such a receiver refuses the message as one that rejects does.
SKYNET_API struct skynet_multicast_result skynet_multicast(struct skynet_context *context,
	const struct skynet_multicast_message *message, uint32_t *handles, size_t count);

/// Messages of skynet_multicast that some mailbox of this node still holds or some service handles,
/// and their bytes. `bytes` may be NULL. Any thread.
SKYNET_API size_t skynet_multicast_usage(struct skynet_context *context, size_t *bytes);

/// Promises that the callback of this service never keeps a message of type PTYPE_MULTICAST, so
/// that it can be shown the bytes that it shares with others. Otherwise it gets a copy of its own.
/// Ends with the next skynet_callback. Only from init or the callback itself.
SKYNET_API void skynet_multicast_accept(struct skynet_context *context);

#endif
