/* What a C service or a Lua C module sees of the kernel: messages, names, timers, log, statistics.
 * Source compatible with services written for cloudwu/skynet.
 *
 * Every function may be called from any thread unless it says otherwise. `context` is the calling
 * service; it tells the node, of which a process may host several. Comments on parameters say:
 *
 *     takes       the callee owns it from the call on, also when the call fails
 *     borrows     the callee only looks at it, until it returns
 *     gives       the caller owns the result, and ends it with the function that is named
 */
#ifndef SKYNET_H
#define SKYNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "skynet_malloc.h"

#if defined(__GNUC__)
#define SKYNET_API                  __attribute__((visibility("default")))
#define SKYNET_PRINTF(index, first) __attribute__((format(printf, index, first)))
#else
#define SKYNET_API
#define SKYNET_PRINTF(index, first)
#endif

/* Message types. 13..255 are free for users. */
#define PTYPE_TEXT           0
#define PTYPE_RESPONSE       1
#define PTYPE_MULTICAST      2
#define PTYPE_CLIENT         3
#define PTYPE_SYSTEM         4
#define PTYPE_HARBOR         5
#define PTYPE_SOCKET         6
#define PTYPE_ERROR          7
#define PTYPE_RESERVED_QUEUE 8
#define PTYPE_RESERVED_DEBUG 9
#define PTYPE_RESERVED_LUA   10
#define PTYPE_RESERVED_SNAX  11
#define PTYPE_RESERVED_TRACE 12

/* Flags that are or-ed to the type given to skynet_send. */
#define PTYPE_TAG_DONTCOPY     0x10000 /* the kernel takes the buffer instead of copying it */
#define PTYPE_TAG_ALLOCSESSION 0x20000 /* allocate a session; the session argument must be 0 */

struct skynet_context;

/// Writes one line to the log service of the node, formatted as by printf, any length.
/// The format "%*s" with (int size, const char *text) logs exactly `size` bytes, NULs included.
/// `context` NULL: the source of the line is 0 and the node is that of the calling thread.
SKYNET_API void skynet_error(struct skynet_context *context, const char *format, ...)
	SKYNET_PRINTF(2, 3);

/// Runs a text command (see docs/commands.md). Borrows both strings; `param` may be NULL.
/// Returns NULL or text that stays valid until the next command of this context.
SKYNET_API const char *skynet_command(
	struct skynet_context *context, const char *command, const char *param);

/// Resolves ":hex" or ".name" on this node. Returns 0 when unknown; logs for any other form.
SKYNET_API uint32_t skynet_queryname(struct skynet_context *context, const char *name);

enum skynet_send_failure {
	SKYNET_SEND_NOBODY = -1, /* nobody has the local handle or name */
	SKYNET_SEND_TOO_LARGE = -2,
	SKYNET_SEND_FULL = -3, /* the mailbox of the destination, whose policy is to reject */
};

/// Sends `size` bytes at `message` to `destination`. `source` 0 means the calling service.
/// Without PTYPE_TAG_DONTCOPY borrows `message` and copies it (a NUL is put behind the copy), with
/// it takes `message`, which must come from skynet_malloc. Destination 0 with a NULL message sends
/// nothing and returns the session, allocated if asked for. Returns the session (0 or more), or an
/// enum skynet_send_failure.
SKYNET_API int skynet_send(struct skynet_context *context, uint32_t source, uint32_t destination,
	int type, int session, void *message, size_t size);

/// As skynet_send, to ":hex", ".name" or a global name (at most 15 bytes).
SKYNET_API int skynet_sendname(struct skynet_context *context, uint32_t source,
	const char *destination, int type, int session, void *message, size_t size);

/// True (1) when `handle` belongs to another node of the harbor network; stores its harbor id.
SKYNET_API int skynet_isremote(struct skynet_context *context, uint32_t handle, int *harbor);

/// What a service does with a message. Runs on one thread at a time.
/// Return 0: the kernel frees `message`. Return non-zero: the service owns it now (skynet_free).
typedef int (*skynet_cb)(struct skynet_context *context, void *ud, int type, int session,
	uint32_t source, const void *message, size_t size);

/// Installs the callback, effective from the next message on. Only from init or the callback
/// itself.
SKYNET_API void skynet_callback(struct skynet_context *context, void *ud, skynet_cb callback);

/// True when `callback` is what is installed now. Only from init or the callback itself.
SKYNET_API bool skynet_callback_is(struct skynet_context *context, skynet_cb callback);

/// The service whose message this thread is dispatching; 0xffffffff and below on other threads.
SKYNET_API uint32_t skynet_current_handle(void);

/// Centiseconds since the process started (plus the fraction of its start second). Never goes back.
SKYNET_API uint64_t skynet_now(void);

/// Prints the memory of the current service to stderr (for use in a debugger).
SKYNET_API void skynet_debug_memory(const char *info);

/* ---- Beyond the reference: the same services without text ---- */

/// Handle of a context. Never fails.
SKYNET_API uint32_t skynet_context_handle(struct skynet_context *context);

/// Allocates a session number, 1..2^31-1. Only from the service's own turn.
SKYNET_API int skynet_context_newsession(struct skynet_context *context);

/// Arranges that `context` gets PTYPE_RESPONSE, source 0, no data, with `session` after `delay_ms`.
/// 0 or less: it is put into the mailbox at once. Returns an id for skynet_timer_cancel, 0 if sent.
SKYNET_API uint64_t skynet_timer_start(
	struct skynet_context *context, int64_t delay_ms, int session);

/// Cancels a timer. Returns false when it has fired (its message may still be in the mailbox).
SKYNET_API bool skynet_timer_cancel(struct skynet_context *context, uint64_t timer);

/// Name without its dot to handle on this node, 0 when unknown. Borrows `name`.
SKYNET_API uint32_t skynet_name_find(struct skynet_context *context, const char *name);

/// Value of a setting of this node, NULL when absent. Valid as long as the node.
SKYNET_API const char *skynet_setting_get(struct skynet_context *context, const char *key);

/// The number in a setting of this node, 0 or more; `fallback` when it is absent or anything else.
SKYNET_API int64_t skynet_setting_number(
	struct skynet_context *context, const char *key, int64_t fallback);

/// Adds a setting. Returns false when the key exists already (settings are write-once).
SKYNET_API bool skynet_setting_set(
	struct skynet_context *context, const char *key, const char *value);

/// Seconds since the epoch when the process started.
SKYNET_API uint32_t skynet_context_starttime(struct skynet_context *context);

/// Monotonic nanoseconds from the clock of the runtime.
SKYNET_API uint64_t skynet_clock_ns(struct skynet_context *context);

enum skynet_stat {
	SKYNET_STAT_MAILBOX, /* messages waiting, without the current one */
	SKYNET_STAT_ENDLESS, /* 1 when flagged by the stall monitor since last asked; reading resets
			      */
	SKYNET_STAT_CPU_NS,  /* time spent in the callback; 0 with profile off */
	SKYNET_STAT_TIME_NS, /* time spent in the current turn */
	SKYNET_STAT_MESSAGE, /* messages dispatched so far */
	SKYNET_STAT_LIMIT,   /* mailbox limit, 0 = none */
	SKYNET_STAT_REJECTED, /* messages refused because the mailbox was full */
	SKYNET_STAT_DROPPED,  /* old messages dropped because the mailbox was full */
	SKYNET_STAT_BLOCKED,  /* times a sender was asked to wait because the mailbox was full */
	SKYNET_STAT_MEMORY,   /* bytes accounted by skynet_account_add */
};

/// One counter of the calling service, or of `handle` on this node. Returns 0 for a dead service.
SKYNET_API int64_t skynet_stat_get(
	struct skynet_context *context, uint32_t handle, enum skynet_stat stat);

enum skynet_mailbox_policy {
	SKYNET_MAILBOX_BLOCK,  /* accept, but tell the sender to wait: see skynet_mailbox_wait */
	SKYNET_MAILBOX_REJECT, /* refuse with SKYNET_SEND_FULL, but never a reply */
	SKYNET_MAILBOX_DROP,   /* drop the oldest waiting one-way message, or request (answered with
				  an error); never a reply, error, socket or system message */
};

/// Ends the turn of the calling service after the current message: services that wait for the same
/// worker by now come first. In a later turn it gets PTYPE_RESPONSE, source 0, no data, with
/// `session`. Its own turn.
SKYNET_API void skynet_turn_end(struct skynet_context *context, int session);

/// Bounds the mailbox of the calling service to `limit` messages; 0 removes the bound.
SKYNET_API void skynet_mailbox_limit(
	struct skynet_context *context, size_t limit, enum skynet_mailbox_policy policy);

/// Makes the mailbox of the calling service count as full, whatever waits in it, until told
/// otherwise: for a service whose work waits elsewhere.
SKYNET_API void skynet_mailbox_full(struct skynet_context *context, bool full);

/// The local service whose mailbox was found at its limit, with policy SKYNET_MAILBOX_BLOCK, by a
/// send of this context since the last call; 0 when there was none. The message itself was
/// accepted.
SKYNET_API uint32_t skynet_send_congested(struct skynet_context *context);

/// Asks for PTYPE_RESPONSE, source 0, no data, with `session` once `handle` has room again or is
/// dead. Returns false, and sends nothing, when there is room already.
SKYNET_API bool skynet_mailbox_wait(struct skynet_context *context, uint32_t handle, int session);

/// An object that a process has once, made by `create(ud)` at the first call with this `key` and
/// ended by `destroy` with the runtime. Borrows `key`. Thread safe; `create` runs under a lock.
SKYNET_API void *skynet_shared_object(struct skynet_context *context, const char *key,
	void *(*create)(void *ud), void *ud, void (*destroy)(void *object));

/// Marks where a Lua service is: a function that the stall monitor calls, from its own thread, to
/// write a description of what the service is doing (its Lua stack) or to interrupt it. NULL
/// removes. The service must remove it before its state goes away.
enum skynet_probe { SKYNET_PROBE_REPORT, SKYNET_PROBE_INTERRUPT };
typedef void (*skynet_probe_fn)(void *ud, enum skynet_probe what);
SKYNET_API void skynet_probe_set(struct skynet_context *context, skynet_probe_fn probe, void *ud);

/// Adds `delta` to the bytes accounted to this service besides its messages (its Lua heap).
SKYNET_API void skynet_account_add(struct skynet_context *context, ptrdiff_t delta);

/// Asks for a stop hook (`on` true) or gives it up. While the node stops in order, the services
/// that asked are sent PTYPE_SYSTEM, source 0, session > 0, no data, newest service first, one at a
/// time; each answers with skynet_stop_done (or dies) within `shutdown_timeout`.
SKYNET_API void skynet_stop_hook(struct skynet_context *context, bool on);
SKYNET_API void skynet_stop_done(struct skynet_context *context);

/// Ends the node in order, as SIGTERM does: listeners close, stop hooks run, buffers are flushed.
/// Returns at once.
SKYNET_API void skynet_node_stop(struct skynet_context *context, int exit_code);

/// Ends the node now: every service is retired, the log service last. `reason` (borrowed, may be
/// NULL) is printed on stderr by the executable when `exit_code` is not 0. Returns at once.
SKYNET_API void skynet_node_abort(
	struct skynet_context *context, int exit_code, const char *reason);

/// Starts a C service: module and the rest of the line as its parameter. Returns its handle or 0.
SKYNET_API uint32_t skynet_context_launch(
	struct skynet_context *context, const char *module, const char *param);

/// Kills a service of this node (0: the caller itself). Returns false when there is none.
SKYNET_API bool skynet_context_kill(struct skynet_context *context, uint32_t handle);

/// True once the service was killed: the message that it handles is its last. Only from its own
/// turn.
SKYNET_API bool skynet_context_is_dead(struct skynet_context *context);

#endif
