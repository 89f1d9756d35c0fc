/* A kernel in one thread for tests of the Lua core: services are Lua states, messages go through
 * one queue, time moves only when there is nothing else to do. Implements what the core uses of
 * skynet.h.
 */
#ifndef FAKE_KERNEL_H
#define FAKE_KERNEL_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "skynet.h"

struct fake_kernel;

/// Gives the kernel that skynet_now and the rest use; there is one at a time.
struct fake_kernel *fake_kernel_create(void);
void fake_kernel_destroy(struct fake_kernel *kernel);

/// Starts a service by running `code` in a fresh state. Returns its handle; 0 when the code raised.
uint32_t fake_service_start(struct fake_kernel *kernel, const char *code);

/// As above, under a local name without dot.
uint32_t fake_service_start_named(struct fake_kernel *kernel, const char *name, const char *code);

/// Removes a service: what is in the queue for it is answered with errors.
void fake_service_kill(struct fake_kernel *kernel, uint32_t handle);

/// The state of a service, NULL when it is dead.
lua_State *fake_service_state(struct fake_kernel *kernel, uint32_t handle);

/// Puts a message into the queue. Copies `data`.
void fake_kernel_post(struct fake_kernel *kernel, uint32_t source, uint32_t destination, int type,
	int session, const void *data, size_t size);

/// Delivers messages, and moves time to the next timer when there is none, until all is quiet.
/// Returns the number of messages delivered.
size_t fake_kernel_run(struct fake_kernel *kernel);

/// As fake_kernel_run, but time stands still.
size_t fake_kernel_settle(struct fake_kernel *kernel);

/// Everything that was logged, lines joined by line feeds; the second call forgets it.
const char *fake_kernel_log(struct fake_kernel *kernel);
void fake_kernel_log_clear(struct fake_kernel *kernel);

/// True when a line of the log contains `text`.
bool fake_kernel_logged(struct fake_kernel *kernel, const char *text);

/// Adds a setting.
void fake_kernel_set(struct fake_kernel *kernel, const char *key, const char *value);

/// The next messages to `handle` find its mailbox full: as with the policies reject and block.
void fake_service_reject(struct fake_kernel *kernel, uint32_t handle, bool on);
void fake_service_congest(struct fake_kernel *kernel, uint32_t handle, bool on);

/// Allocations of the state of `handle` fail beyond `size` bytes; 0: no limit.
void fake_service_limit(struct fake_kernel *kernel, uint32_t handle, size_t size);

/// Timers that are armed, and stop hooks that were answered.
int fake_kernel_timers(struct fake_kernel *kernel);
int fake_kernel_stops(struct fake_kernel *kernel);

/// Sets the counter of sessions of a service.
void fake_service_set_session(struct fake_kernel *kernel, uint32_t handle, int session);

/// Bytes in use by the state of `handle`.
size_t fake_service_memory(struct fake_kernel *kernel, uint32_t handle);

#endif
