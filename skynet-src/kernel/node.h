/* A node: one opaque pointer per part. Everything that two nodes of a process do not share hangs
 * here. Created and destroyed by node_life.c; the fields are set before the first service exists
 * and stay.
 */
#ifndef SKYNET_KERNEL_NODE_H
#define SKYNET_KERNEL_NODE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "data/shared_payload.h"
#include "skynet_node.h"

struct env_table;
struct guard_policy;
struct harbor_network;
struct handle_table;
struct module_table;
struct socket_server;

enum node_state {
	NODE_RUNNING,
	NODE_STOPPING, /* stop hooks run */
	NODE_FLUSHING, /* hooks are done, sockets are being flushed */
	NODE_ABORTING, /* services are being retired */
	NODE_HELD,     /* one of them does not return: only the end of the process is left */
	NODE_ENDED,    /* no service left */
};

struct skynet_node {
	struct skynet_runtime *runtime;
	struct skynet_node *next;       /* list of the runtime, under its lock */
	int harbor;                     /* 0..255 */
	struct harbor_network *network; /* nodes of this process in the same network, or NULL */
	bool profile;
	uint32_t mailbox_limit; /* of every service unless it sets its own; 0: none */
	int mailbox_policy;
	int64_t socket_buffer_limit; /* bytes queued per socket; 0: none */
	int socket_buffer_policy;    /* enum skynet_socket_policy */
	struct guard_policy *guard;  /* how other nodes authenticate; NULL: they need not */
	bool require_auth;
	uint64_t stall_interrupt_ns; /* 0: never */
	uint64_t shutdown_timeout_ns;
	struct env_table *settings;
	struct handle_table *handles;
	struct module_table *modules;
	_Atomic(uint32_t) logger;  /* handle of the log service */
	uint32_t bootstrap;        /* handle of the first service; set before the threads run it */
	_Atomic(uint32_t) monitor; /* handle told when services exit, 0: none */
	struct skynet_context
		*_Atomic harbor_service;        /* carries messages to other nodes; one reference */
	_Atomic(int32_t) service_count;         /* live contexts, without reserved ones */
	struct shared_payload_account payloads; /* messages for many services that are alive */
	atomic_int state;                       /* enum node_state */
	atomic_int exit_code;
	char reason[256]; /* why it failed; written once, by whoever sets exit_code first */

	/* The end; timer thread only, but for the atomics. */
	uint64_t stop_deadline_ns;   /* of the whole, 0: not begun */
	uint32_t *stop_handles;      /* services that asked for a hook, oldest first */
	uint32_t stop_count;         /* those that are still to be told */
	uint32_t stop_current;       /* handle that runs its hook now, 0: none */
	_Atomic(uint32_t) stop_done; /* handle that has answered */
	int32_t stop_left; /* past the deadline: services that were left at the last look */
	int stop_looks;    /* and looks since one of them ended */
};

/// The sockets of the process.
struct socket_server *node_sockets(struct skynet_node *node);

/// Ends the node now; the first exit code and reason count. Borrows `reason`, NULL for none. A
/// service that does not return holds it for `shutdown_timeout` at most. Any thread.
void node_abort(struct skynet_node *node, int exit_code, const char *reason);

/// The same at the wish of the service `context`, but for the first service of a node that is being
/// stopped: its boot has not failed, and the stop goes on in order. Any thread.
void node_abort_by(struct skynet_context *context, int exit_code, const char *reason);

/// Begins to end the node in order. Any thread.
void node_stop(struct skynet_node *node, int exit_code);

/// SIGHUP: the log service reopens its file, whoever watches names re-reads them. Any thread.
void node_hangup(struct skynet_node *node);

/// Goes on with the end of a node. Timer thread (or the stepping thread) while it is ending.
/// Returns true when the node has come to a later state.
bool node_stop_step(struct skynet_node *node, uint64_t now_ns);

/// Called with every service that is gone for good. Any thread.
void node_service_ended(struct skynet_node *node);

/// The log service has nothing left to write and may go, as the last one.
bool node_logger_may_end(struct skynet_node *node, uint32_t handle);

/// Frees a node whose services are all gone; threads have ended.
void node_destroy(struct skynet_node *node);

#endif
