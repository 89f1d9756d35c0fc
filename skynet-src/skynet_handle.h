/* Handles and local names, for C modules that work below skynet.h. The functions mean the node of
 * the service that the calling thread is running.
 */
#ifndef SKYNET_HANDLE_H
#define SKYNET_HANDLE_H

#include <stdint.h>

#include "skynet.h"

#define HANDLE_MASK         0xffffff /* the part of a handle that counts services */
#define HANDLE_REMOTE_SHIFT 24       /* above it: the harbor id */

/// Handle of `context`. The kernel has registered it before any code of the service runs.
SKYNET_API uint32_t skynet_handle_register(struct skynet_context *context);

/// Takes a service and its names out of the node. Returns 1, or 0 when it is not there.
SKYNET_API int skynet_handle_retire(uint32_t handle);

/// Takes all services out of the node, the log service last.
SKYNET_API void skynet_handle_retireall(void);

/// Gives the context of `handle`, or NULL. End with skynet_context_release.
SKYNET_API struct skynet_context *skynet_handle_grab(uint32_t handle);

/// Handle that has the local name `name` (without its dot), 0 when none.
SKYNET_API uint32_t skynet_handle_findname(const char *name);

/// Binds a local name (without its dot) to `handle`. Returns the stored name, valid until the
/// handle is retired, or NULL when the name is taken.
SKYNET_API const char *skynet_handle_namehandle(uint32_t handle, const char *name);

#endif
