/* Contexts of services, for C modules that work below skynet.h. Functions without a context mean
 * the node of the service that the calling thread is running.
 */
#ifndef SKYNET_SERVER_H
#define SKYNET_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "skynet.h" /* skynet_context_handle, skynet_context_newsession */

struct skynet_message;

/// Starts a C service; borrows `module` and `param` (may be NULL). Returns its handle, 0 on
/// failure.
SKYNET_API uint32_t skynet_context_new(const char *module, const char *param);

/// Takes one more reference. The caller has one already, or runs the service.
SKYNET_API void skynet_context_grab(struct skynet_context *context);

/// As skynet_context_grab, and the node does not wait for this service to end.
SKYNET_API void skynet_context_reserve(struct skynet_context *context);

/// Drops one reference. Any thread. Returns `context`, or NULL when that was the last one.
SKYNET_API struct skynet_context *skynet_context_release(struct skynet_context *context);

/// Puts `message` into the mailbox of `handle`, a service of this node. Any thread. Takes
/// `message->data` when it returns 0; returns -1 and takes nothing when there is no such service.
SKYNET_API int skynet_context_push(uint32_t handle, struct skynet_message *message);

/// Puts a message into the mailbox of `context`. Takes `data` (skynet_malloc). Any thread.
SKYNET_API void skynet_context_send(struct skynet_context *context, void *data, size_t size,
	uint32_t source, int type, int session);

/// Flags `handle` as endless: see SKYNET_STAT_ENDLESS.
SKYNET_API void skynet_context_endless(uint32_t handle);

/// Number of services of the node that are alive.
SKYNET_API int skynet_context_total(void);

#endif
