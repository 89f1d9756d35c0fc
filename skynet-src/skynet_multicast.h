/* One message for many services of a node: what the multicast service uses. */
#ifndef SKYNET_MULTICAST_H
#define SKYNET_MULTICAST_H

#include <stddef.h>
#include <stdint.h>

#include "skynet.h"

/// Sends `size` bytes at `payload` (borrowed) as PTYPE_MULTICAST to `count` services of this node,
/// with one copy for all of them. A receiver that is dead is taken out of `handles`, the others
/// keep their order; one whose full mailbox rejects the message stays, without getting it. Returns
/// how many are left. `source` 0 means the calling service.
SKYNET_API size_t skynet_multicast(struct skynet_context *context, uint32_t source, int session,
	uint32_t *handles, size_t count, const void *payload, size_t size);

/// Promises that the callback of this service never keeps a message of type PTYPE_MULTICAST, so
/// that it can be shown the bytes that it shares with others. Otherwise it gets a copy of its own.
/// Ends with the next skynet_callback. Only from init or the callback itself.
SKYNET_API void skynet_multicast_accept(struct skynet_context *context);

#endif
