/* The way of a message: to a service of this node, of another node in this process, or over the
 * harbor service to another process. Any thread.
 */
#ifndef SKYNET_ROUTER_H
#define SKYNET_ROUTER_H

#include <stdbool.h>
#include <stdint.h>

#include "data/message.h"

struct skynet_context;
struct skynet_node;

/// Pushes to a service of `node`. Takes `message->data` when it returns 0; otherwise the caller
/// still owns it: SKYNET_ENOTFOUND (dead) or SKYNET_EOVERLOAD (full, and its policy is to reject).
/// `sender` (may be NULL) learns that the mailbox is congested.
int router_push(struct skynet_node *node, uint32_t handle, const struct skynet_message *message);
int router_push_from(struct skynet_context *sender, struct skynet_node *node, uint32_t handle,
	const struct skynet_message *message);

/// Sends to a handle, local or remote, on behalf of `source`. Takes `data` always.
/// Returns 0, SKYNET_ENOTFOUND or SKYNET_EOVERLOAD as above, or SKYNET_EINVALID for a message that
/// must not leave the node.
int router_send(struct skynet_context *sender, struct skynet_node *node, uint32_t source,
	uint32_t destination, int session, void *data, size_t sz);

/// Sends to a global name, at most GLOBALNAME_LENGTH bytes of `name` (borrowed), through the harbor
/// service. Takes `data` always; the type is in the top byte of `sz`. Any thread. Returns as
/// router_send.
int router_send_name(struct skynet_node *node, uint32_t source, const char *name, int session,
	void *data, size_t sz);

/// Tells the harbor service that `source` waits no longer for the answer to `session`.
void router_abandon(struct skynet_node *node, uint32_t source, int session);

/// True when `handle` belongs to another node of the harbor network.
bool router_is_remote(const struct skynet_node *node, uint32_t handle);

#endif
