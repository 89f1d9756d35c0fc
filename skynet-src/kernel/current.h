/* What the calling thread is doing: the runtime it belongs to, its worker and the service it runs.
 * Functions of the public headers that take no context (skynet_now, skynet_current_handle, ...)
 * find their node here. Thread-local; set by the worker, socket, timer and main threads.
 */
#ifndef SKYNET_CURRENT_H
#define SKYNET_CURRENT_H

#include <stdint.h>

struct skynet_context;
struct skynet_node;
struct skynet_runtime;
struct worker;

/* What skynet_current_handle returns on a thread that is not running a service. */
enum current_thread {
	CURRENT_WORKER = 0, /* also of threads that the kernel has not made */
	CURRENT_MAIN = 1,
	CURRENT_SOCKET = 2,
	CURRENT_TIMER = 3,
	CURRENT_MONITOR = 4,
};

struct current {
	struct skynet_runtime *runtime;
	struct skynet_node *node;       /* of `context`, or the node being created; else NULL */
	struct skynet_context *context; /* the service whose turn it is, NULL between turns */
	struct worker *worker;          /* NULL on threads that run no services */
	enum current_thread thread;
};

extern _Thread_local struct current current;

#endif
