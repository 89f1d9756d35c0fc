/* A service: a handle, a mailbox and a callback; and the turn, in which a thread runs some of its
 * messages.
 *
 * Contexts live in the pool of the handle table: their memory is reused but not freed while the
 * node exists, so that a handle can be looked up without a lock. Any thread that has a reference
 * may push messages. A run queue has one reference to each service in it, which passes to the turn.
 * When the last reference is dropped, the dropping thread releases the instance and answers the
 * messages that are left in the mailbox with errors.
 */
#ifndef SKYNET_SERVICE_H
#define SKYNET_SERVICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "data/handle_table.h"
#include "data/mailbox.h"
#include "skynet.h"

struct message_trace;
struct skynet_error;
struct module;
struct skynet_node;

struct skynet_context {
	struct handle_object object; /* first member: the handle table casts it to the context */
	struct skynet_node *node;
	struct mailbox mailbox;

	/* Used only by the thread that is running the service, or its init. */
	skynet_cb callback;
	void *callback_ud;
	bool shares;         /* takes shared payloads, see skynet_multicast_accept */
	int session;         /* the last one handed out */
	uint32_t congested;  /* handle of a full mailbox, see skynet_send_congested */
	char result[32];     /* text that skynet_command returned */
	bool turn_ends;      /* after the current message, see skynet_turn_end */
	uint32_t turn_limit; /* messages for the next turn, by their recent cost */
	uint64_t turn_cost;  /* ns, moving average; the scheduler reads it too */
	uint64_t turn_short; /* ns, average that leans to the shorter turns */
	uint64_t overload;   /* mailbox length at which to warn next */

	/* Written when the service is created. */
	const struct module *module;
	void *instance;

	/* Read by any thread. */
	atomic_bool retired; /* it is to end: no more messages are run */
	atomic_bool endless; /* set when a message was reported as stalled */
	atomic_bool wants_stop_hook;
	atomic_bool reserved; /* its node may end without it */
	_Atomic(uint64_t) cpu_ns;
	_Atomic(uint64_t) turn_start_ns; /* 0 outside of a turn */
	_Atomic(uint64_t) message_count;
	_Atomic(int64_t) memory; /* skynet_account_add */
	struct message_trace *_Atomic trace;

	/* Function that the monitor calls for a stalled service. The lock is held during the call,
	 * so that the service does not free what the probe uses. */
	struct mutex probe_lock;
	skynet_probe_fn probe;
	void *probe_ud;
};

/// Creates a service: makes an instance of the module, gives it a handle and runs its init. Borrows
/// the strings; `param` may be NULL. Returns its handle, or 0 with the reason in `error`, or in the
/// log when `error` is NULL.
uint32_t service_launch(struct skynet_node *node, const char *module, const char *param,
	struct skynet_error *error);

/// Gives a reference to a live service of the node, or NULL. End with service_drop. Any thread.
struct skynet_context *service_grab(struct skynet_node *node, uint32_t handle);
void service_drop(struct skynet_context *context);

/// The handle of a service, and the node that it belongs to. Any thread; needs a reference.
uint32_t service_handle(const struct skynet_context *context);
struct skynet_node *service_node(const struct skynet_context *context);

/// Makes a service run no more messages, not even those that wait already; the one that is running
/// goes on to its end. service_retire is to follow. Any thread.
void service_silence(struct skynet_node *node, uint32_t handle);

/// Removes the handle and the names of a service: sends to it fail from now on, and the service
/// ends when the message that is running has ended. Returns false when there is no such service.
/// Any thread.
bool service_retire(struct skynet_node *node, uint32_t handle);

/// What the commands EXIT and KILL do: logs that `killer` (0: the service itself) ends the service,
/// tells the service that watches exits (node->monitor), and retires the service. Returns as
/// service_retire. Any thread.
bool service_kill(struct skynet_node *node, uint32_t killer, uint32_t handle);

/// Puts a message into the mailbox, and the service into a run queue when it was idle. The caller
/// has a reference. Takes `message->data` when the result is 0 or more (flags of enum
/// mailbox_result without MAILBOX_SCHEDULE); leaves it to the caller for MAILBOX_FULL and
/// MAILBOX_CLOSED. Any thread.
int service_push(struct skynet_context *context, const struct skynet_message *message);

/// As service_push; takes the caller's reference in any case.
int service_push_last(struct skynet_context *context, const struct skynet_message *message);

/// As service_push for several replies without data, which no mailbox limit applies to. They are
/// dropped when the service is dead.
void service_push_replies(
	struct skynet_context *context, const struct skynet_message *messages, uint32_t count);

/// Puts an idle service into a run queue although its mailbox is empty. Any thread.
void service_schedule(struct skynet_context *context);

/// Runs one turn: at most `limit` messages (0: as many as context->turn_limit says). Takes the
/// reference that was in the run queue, and puts the service back into a run queue when messages
/// are left. `now_ns` is the time at the start (runtime_now_ns); returns the time at the end.
uint64_t service_run(struct skynet_context *context, uint32_t limit, uint64_t now_ns);

/// Frees a message that is not delivered, after sending an error with its session from `from` to
/// its sender; no error for replies, errors, multicasts and messages of the kernel. Borrows
/// `reason`: a kind ("dead_service", "dead_node", "overloaded", "remote"), or a kind with ": text"
/// behind it. An error with session 0 tells the sender that `from` is dead. Any thread.
void message_bounce(struct skynet_node *node, uint32_t from, const struct skynet_message *message,
	const char *reason);

/// Frees a message that is not delivered, and the buffer of a socket event with it.
void message_discard(const struct skynet_message *message);

/// Callback of the handle table: ends a service whose last reference was dropped.
void service_delete(struct handle_object *object, void *ud);

#endif
