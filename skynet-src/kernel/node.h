/* A node: everything that two nodes of one process do not share, with one opaque pointer for each
 * part. node_life.c creates and destroys it. Fields without another comment are set before the
 * first service exists and do not change.
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
	NODE_STOPPING, /* the stop hooks of services run */
	NODE_FLUSHING, /* the hooks are done, sockets send what is queued */
	NODE_ABORTING, /* services have been told to end (retired) */
	NODE_HELD,     /* a service does not return: only the end of the process ends it */
	NODE_ENDED,    /* no service left */
};

struct skynet_node {
	struct skynet_runtime *runtime;
	struct skynet_node *next;       /* in the list of the runtime; under its lock */
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
	_Atomic(uint32_t) monitor; /* handle of the service told of each exit; 0: none */
	struct skynet_context
		*_Atomic harbor_service;        /* carries messages to other nodes; one reference */
	_Atomic(int32_t) service_count;         /* contexts that exist, but for reserved ones */
	struct shared_payload_account payloads; /* shared messages that are not freed yet */
	atomic_int state;                       /* enum node_state */
	atomic_int exit_code;
	/* Why it failed; written once, by whoever sets exit_code first. */
	char reason[SKYNET_ERROR_TEXT_SIZE];

	/* Stopping the node. Only the timer thread uses these, but for the atomics. */
	uint64_t stop_deadline_ns;   /* of the whole stop; 0: it has not begun */
	uint32_t *stop_handles;      /* services that have a stop hook, oldest first */
	uint32_t stop_count;         /* how many of them have not been told yet */
	uint32_t stop_current;       /* handle whose hook is running; 0: none */
	_Atomic(uint32_t) stop_done; /* handle whose hook has ended last */
	int32_t stop_left;           /* past the deadline: service_count at the last look */
	int stop_looks;              /* past the deadline: looks since it passed or that changed */
};

/// The sockets of the process.
struct socket_server *node_sockets(struct skynet_node *node);

/// Ends the node without running stop hooks. Of several failures (exit code not 0),
/// the first one decides exit code and reason. Borrows `reason`, which may be NULL. A service that
/// does not return from its message delays the end by `shutdown_timeout` at most. Any thread.
void node_abort(struct skynet_node *node, int exit_code, const char *reason);

/// node_abort on behalf of the service `context`. No effect when that is the first service of a
/// node that is being stopped: its boot was cut short by the stop and has not failed, so the stop
/// goes on in order. Any thread.
void node_abort_by(struct skynet_context *context, int exit_code, const char *reason);

/// Begins an orderly stop: stop hooks run and sockets are flushed before services end. Any thread.
void node_stop(struct skynet_node *node, int exit_code);

/// What SIGHUP asks for: the log service reopens its file, and services that watch a file of node
/// names read it again. Any thread.
void node_hangup(struct skynet_node *node);

/// Does the next step of a stop, if it is due. Called repeatedly by the timer thread (or by the
/// thread that steps the runtime) while the node is ending. Returns true when the node has come to
/// a later state.
bool node_stop_step(struct skynet_node *node, uint64_t now_ns);

/// Called once for each service when its context has been released. Any thread.
void node_service_ended(struct skynet_node *node);

/// True when `handle` is the log service and the other services have ended: it has written
/// everything and may end as the last one.
bool node_logger_may_end(struct skynet_node *node, uint32_t handle);

/// Frees a node whose services have all ended. The threads of the runtime must have ended.
void node_destroy(struct skynet_node *node);

#endif
