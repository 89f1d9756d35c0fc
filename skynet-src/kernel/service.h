/* A service: a handle, a mailbox and a callback, and how one message is run.
 *
 * Contexts live in the handle table's pool: their memory is reused but never returned, so that a
 * handle resolves without a lock. Whoever holds a reference may push messages. A service in a run
 * queue, or in its turn, is held by one reference that belongs to the queue or the turn. When the
 * last reference is dropped, on whichever thread that is, the instance is released and the mailbox
 * answered with errors.
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
	struct handle_object object; /* first: the handle table finds it by address */
	struct skynet_node *node;
	struct mailbox mailbox;

	/* The service's own turn (and init). */
	skynet_cb callback;
	void *callback_ud;
	bool shares;         /* see skynet_multicast_accept */
	int session;         /* last one allocated */
	uint32_t congested;  /* see skynet_send_congested */
	char result[32];     /* of text commands */
	bool turn_ends;      /* after the current message, see skynet_turn_end */
	uint32_t turn_limit; /* messages for the next turn, from what they cost lately */
	uint64_t turn_cost;  /* ns, moving average; read by who schedules the service too */
	uint64_t turn_short; /* ns, what its shorter turns take */
	uint64_t overload;   /* mailbox length to warn at */

	/* Written by init and release. */
	const struct module *module;
	void *instance;

	/* Read by any thread. */
	atomic_bool retired; /* its handle is gone; ends the turn */
	atomic_bool endless; /* flagged by the stall monitor */
	atomic_bool wants_stop_hook;
	atomic_bool reserved; /* does not keep its node alive */
	_Atomic(uint64_t) cpu_ns;
	_Atomic(uint64_t) turn_start_ns; /* 0 outside of a turn */
	_Atomic(uint64_t) message_count;
	_Atomic(int64_t) memory; /* skynet_account_add */
	struct message_trace *_Atomic trace;

	/* The probe is called by the monitor thread; its lock keeps it alive meanwhile. */
	struct mutex probe_lock;
	skynet_probe_fn probe;
	void *probe_ud;
};

/// Creates a service: instance, handle, init. Borrows the strings; `param` may be NULL.
/// Returns its handle, or 0 (the reason is in the log, or in `error` when that is not NULL).
uint32_t service_launch(struct skynet_node *node, const char *module, const char *param,
	struct skynet_error *error);

/// A reference to a live service of the node, NULL when there is none. Drop it with service_drop.
struct skynet_context *service_grab(struct skynet_node *node, uint32_t handle);
void service_drop(struct skynet_context *context);

/// The handle of a service, and the node that it belongs to. Any thread; needs a reference.
uint32_t service_handle(const struct skynet_context *context);
struct skynet_node *service_node(const struct skynet_context *context);

/// The service gets no more messages, also none of those that wait. It is to be retired after that.
/// Any thread.
void service_silence(struct skynet_node *node, uint32_t handle);

/// Takes the handle and the names away: sends to it fail, and it ends with its turn.
/// Returns false when there is no such service. Any thread.
bool service_retire(struct skynet_node *node, uint32_t handle);

/// As EXIT and KILL do: logs it with `killer` (0: the service itself) as source, tells the monitor,
/// retires the service. Any thread.
bool service_kill(struct skynet_node *node, uint32_t killer, uint32_t handle);

/// Puts a message into the mailbox and the service into a run queue if need be. Needs a reference.
/// Takes `message->data` when the result is 0 or more (flags of enum mailbox_result without
/// MAILBOX_SCHEDULE), leaves it to the caller for MAILBOX_FULL and MAILBOX_CLOSED.
int service_push(struct skynet_context *context, const struct skynet_message *message);

/// The same, and drops the reference.
int service_push_last(struct skynet_context *context, const struct skynet_message *message);

/// The same for several replies without data. What is sent to a dead service is dropped.
void service_push_replies(
	struct skynet_context *context, const struct skynet_message *messages, uint32_t count);

/// Makes an idle service run even with an empty mailbox.
void service_schedule(struct skynet_context *context);

/// Runs one turn, at most `limit` messages (0: as many as are due), and puts the service back into
/// a run queue when there is more. Ends the reference that came with the run queue entry. `now_ns`
/// is when the turn starts (runtime_now_ns); returns when it ended.
uint64_t service_run(struct skynet_context *context, uint32_t limit, uint64_t now_ns);

/// Answers the sender of a message that is not delivered (if it waits for an answer), and frees it.
/// Borrows `reason`: a kind word ("dead_service", "dead_node", "overloaded", "remote"), or one with
/// ": text" behind it. Session 0 says that `from` is dead.
void message_bounce(struct skynet_node *node, uint32_t from, const struct skynet_message *message,
	const char *reason);

/// Frees a message that nobody takes, inner buffers of socket and harbor messages included.
void message_discard(const struct skynet_message *message);

/// Handle-table callback: the last reference is gone.
void service_delete(struct handle_object *object, void *ud);

#endif
