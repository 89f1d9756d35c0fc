/* What an embedder sees: a runtime (threads, clock, sockets, once per process) and nodes in it.
 * skynet-main.c is the stock embedder; test/ has others. All calls from the thread that created the
 * runtime, unless said otherwise.
 */
#ifndef SKYNET_NODE_H
#define SKYNET_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "skynet.h"

struct skynet_runtime;
struct skynet_node;
struct clock;

struct skynet_runtime_config {
	int workers;         /* worker threads, 1..1024; 0: no threads at all, step by hand */
	int socket_spin_us;  /* microseconds, 0: none. Look for socket events so long before
				sleeping, where that pays */
	struct clock *clock; /* NULL: the system's. Borrowed until skynet_runtime_destroy */
};

/* A C service that is linked into the executable instead of being found in `cpath`. */
struct skynet_builtin {
	const char *name;
	void *(*create)(void);
	int (*init)(void *instance, struct skynet_context *context, const char *param);
	void (*release)(void *instance);
	void (*signal)(void *instance, int signal);
};

/* One setting. Keys are unique. */
struct skynet_setting {
	char *key;
	char *value;
	char *origin; /* "default", "command line" or "file:line"; NULL when unknown */
};

/* A node's config: settings as text, and those that the kernel itself needs, parsed and checked. */
struct skynet_config {
	struct skynet_setting *settings;
	int setting_count;
	int thread;        /* workers wanted, 1..1024 */
	int harbor;        /* 0..255 */
	bool profile;      /* CPU accounting */
	const char *cpath; /* the following point into settings; NULL when absent */
	const char *bootstrap;
	const char *logger;
	const char *logservice;
	const char *logpath;
	const char *daemon;
	int shutdown_timeout_ms;     /* 10000 */
	int64_t mailbox_limit;       /* 0: none */
	int mailbox_policy;          /* enum skynet_mailbox_policy */
	int stall_timeout_ms;        /* 5000: report a callback that takes longer */
	int stall_interrupt_ms;      /* 0: never interrupt it */
	int64_t socket_buffer_limit; /* 268435456: bytes queued per socket, 0: none */
	int socket_buffer_policy;    /* enum skynet_socket_policy, 1: close */
	int socket_spin_us;          /* 100: see struct skynet_runtime_config */
	bool require_auth;           /* never listen for nodes unguarded where others reach it */
	int auth_timeout_ms;         /* 5000: for a handshake between nodes */
	/* For embedders; borrowed until skynet_node_create returns. */
	const struct skynet_builtin *builtins;
	int builtin_count;
};

/// Loads and checks a config file (docs/config.md); `overrides` are "key=value" texts that win over
/// the file. `config` is filled on success; end it with skynet_config_clear. Prints nothing.
/// Returns 0, or SKYNET_ECONFIG with a text that names file, key and reason.
int skynet_config_load(struct skynet_config *config, const char *path, const char *const *overrides,
	int override_count, struct skynet_error *error);

/// Frees what skynet_config_load has put into `config`, which is empty then: once more does no
/// harm. Nodes that were created from it have copies.
void skynet_config_clear(struct skynet_config *config);

/// Looks at what the settings point to: secrets, certificates, addresses that need them. The same
/// is done by skynet_node_create. Returns 0, or SKYNET_ECONFIG with a text that names the place.
int skynet_config_verify(const struct skynet_config *config, struct skynet_error *error);

/// Gives a runtime without threads running yet, or NULL with `error`. End with
/// skynet_runtime_destroy.
struct skynet_runtime *skynet_runtime_create(
	const struct skynet_runtime_config *config, struct skynet_error *error);

/// Starts the threads. No effect with zero workers. Returns 0 or SKYNET_ESYSTEM.
int skynet_runtime_start(struct skynet_runtime *runtime, struct skynet_error *error);

/// Creates a node, its log service and its bootstrap service. Borrows `config` (it is copied). May
/// be called while the runtime runs. Returns NULL with `error` when a part cannot be had.
struct skynet_node *skynet_node_create(struct skynet_runtime *runtime,
	const struct skynet_config *config, struct skynet_error *error);

/// Waits until every node has ended or is held (see below); returns the largest exit code. With
/// zero workers returns at once.
int skynet_runtime_wait(struct skynet_runtime *runtime);

/// True when a service has kept its node from ending for longer than `shutdown_timeout`: it does
/// not return from a message, and its thread cannot be joined. What is left is to end the process.
/// Any thread.
bool skynet_runtime_held(struct skynet_runtime *runtime);

/// Stops threads, destroys nodes and everything else. Waits for services that are in a message: not
/// for a runtime that is held. Nothing may use the runtime afterwards.
void skynet_runtime_destroy(struct skynet_runtime *runtime);

/// Zero workers only: fires due timers, polls sockets for at most `wait_ms`, runs at most one
/// message. Returns true when it did any of these.
bool skynet_runtime_step(struct skynet_runtime *runtime, int wait_ms);

/// Any thread, and safe in no signal handler: ends all nodes in order (`graceful`) or at once.
void skynet_runtime_stop(struct skynet_runtime *runtime, bool graceful);

/// Any thread: every node's log service reopens its file, every cluster re-reads its names.
void skynet_runtime_hangup(struct skynet_runtime *runtime);

/// Any thread, reads files: loads the config of a node again (as skynet_config_load does) for
/// what connections that other nodes make from now on authenticate with; nothing else of it
/// counts. The log says so, or what is wrong: then nothing has changed.
void skynet_node_reload(struct skynet_node *node, const char *path, const char *const *overrides,
	int override_count);

/// Why a node ended, "" when in order: text for stderr, valid until the runtime is destroyed.
const char *skynet_node_reason(struct skynet_node *node);

/// The exit status that `node` asks for, 0 while nothing has failed. Any thread.
int skynet_node_exit_code(struct skynet_node *node);

/// True while `node` is not ending and its bootstrap service lives: the stock one leaves when the
/// boot is over. Any thread.
bool skynet_node_booting(struct skynet_node *node);

/// The context of a service of `node`, for tests: grabbed, give it back with
/// skynet_context_release.
struct skynet_context *skynet_node_context(struct skynet_node *node, uint32_t handle);

#endif
