/* What the calling thread is doing: the runtime it belongs to, its worker and the service it runs.
 * The functions of the public headers that take no context (skynet_now, skynet_current_handle, ...)
 * find their node here. Each thread sees only its own; set by worker, socket, timer and main
 * thread.
 */
#ifndef SKYNET_CURRENT_H
#define SKYNET_CURRENT_H

#include <stdint.h>

struct skynet_context;
struct skynet_node;
struct skynet_runtime;
struct worker;

/* Handles that skynet_current_handle answers outside of a service. */
enum current_thread {
	CURRENT_WORKER = 0, /* and threads that the kernel does not know */
	CURRENT_MAIN = 1,
	CURRENT_SOCKET = 2,
	CURRENT_TIMER = 3,
	CURRENT_MONITOR = 4,
};

struct current {
	struct skynet_runtime *runtime;
	struct skynet_node *node;       /* of `context`, or the one being created; NULL otherwise */
	struct skynet_context *context; /* the service whose turn it is, NULL between turns */
	struct worker *worker;          /* NULL on threads that run no services */
	enum current_thread thread;
};

extern _Thread_local struct current current;

#endif
