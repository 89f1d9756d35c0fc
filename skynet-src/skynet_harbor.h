/* What the harbor service, which carries messages to other nodes, and the kernel share.
 *
 * The kernel hands a message for another node to the harbor service of the sending node as
 * PTYPE_SYSTEM with the source and session of the original; its data is a `struct remote_message`.
 * Without data: the source waits no longer for an answer to the session.
 *
 * Nodes of one network in one process need no harbor service for their messages. As PTYPE_HARBOR
 * from handle 0 the kernel tells it "J <id>" (that node of the process has joined this one, see
 * skynet_harbor_join) and "G <id>" (that node of the process has ended).
 */
#ifndef SKYNET_HARBOR_H
#define SKYNET_HARBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "skynet.h"

#define GLOBALNAME_LENGTH 16  /* bytes of a global name, filled up with NULs */
#define REMOTE_MAX        256 /* harbor ids */

/* Where a message goes: `handle`, or the service that has `name` when it is 0. */
struct remote_name {
	char name[GLOBALNAME_LENGTH];
	uint32_t handle;
};

struct remote_message {
	struct remote_name destination;
	const void *message; /* owned by whoever has the struct; skynet_malloc */
	size_t sz;           /* bytes at message, without type */
	int type;
};

/// Makes `context` the harbor service of its node. It is kept alive until the node ends, or until
/// skynet_harbor_exit. Once per node, from the service's init.
SKYNET_API void skynet_harbor_start(struct skynet_context *context);

/// Says that `context` waits no longer for the answer to a request that it has sent to `handle`; 0:
/// to a global name. Nothing happens when that is no service of another node.
SKYNET_API void skynet_harbor_abandon(struct skynet_context *context, uint32_t handle, int session);

/// Tells the harbor service of node `id`, when that runs in this process and in the same network,
/// that the node of `context` has joined it. Returns false when it does not.
SKYNET_API bool skynet_harbor_join(struct skynet_context *context, int id);

/// Ends what skynet_harbor_start began for the node of the calling thread. Any thread.
SKYNET_API void skynet_harbor_exit(void);

#endif
