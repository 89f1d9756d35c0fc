/* Routes a message by its destination: to a service of this node, to another node in this process,
 * or to the harbor service, which sends it to another process. Any thread.
 */
#ifndef SKYNET_ROUTER_H
#define SKYNET_ROUTER_H

#include <stdbool.h>
#include <stdint.h>

#include "data/message.h"

struct skynet_context;
struct skynet_node;

/// Pushes a message into the mailbox of a service of `node`. Returns 0 and takes `message->data`,
/// or leaves it to the caller: SKYNET_ENOTFOUND when the service is dead, SKYNET_EOVERLOAD when its
/// mailbox is full and refuses messages. router_push_from notes in `sender` (may be NULL) that the
/// mailbox is congested, see skynet_send_congested.
int router_push(struct skynet_node *node, uint32_t handle, const struct skynet_message *message);
int router_push_from(struct skynet_context *sender, struct skynet_node *node, uint32_t handle,
	const struct skynet_message *message);

/// Sends to a handle, local or remote, with `source` as the sender. Takes `data` in any case. The
/// type of the message is in the top byte of `sz`. `sender` (may be NULL) as in router_push_from.
/// Returns 0, SKYNET_ENOTFOUND or SKYNET_EOVERLOAD as above, or SKYNET_EINVALID for a message that
/// must not leave the node.
int router_send(struct skynet_context *sender, struct skynet_node *node, uint32_t source,
	uint32_t destination, int session, void *data, size_t sz);

/// Sends to a global name, at most GLOBALNAME_LENGTH bytes of `name` (borrowed), through the harbor
/// service. Takes `data` in any case; the type is in the top byte of `sz`. Returns as router_send.
int router_send_name(struct skynet_node *node, uint32_t source, const char *name, int session,
	void *data, size_t sz);

/// Tells the harbor service that `source` no longer waits for the answer to `session`.
void router_abandon(struct skynet_node *node, uint32_t source, int session);

/// True when `handle` belongs to another node of the harbor network.
bool router_is_remote(const struct skynet_node *node, uint32_t handle);

#endif
