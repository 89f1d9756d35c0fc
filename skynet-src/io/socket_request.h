/* What other threads ask of the poller: a tagged struct, and a lock-free queue that many push to
 * and the poller empties at one stroke. Requests of one thread keep their order.
 */
#ifndef SKYNET_SOCKET_REQUEST_H
#define SKYNET_SOCKET_REQUEST_H

#include <stdatomic.h>
#include <stdbool.h>

#include "io/resolver.h"
#include "io/socket_server.h"

enum socket_request_type {
	SOCKET_REQUEST_CONNECT, /* addresses or text: dial, or report why not */
	SOCKET_REQUEST_LISTEN,  /* tell that the listener is there */
	SOCKET_REQUEST_BIND,    /* begin to read a descriptor of the system */
	SOCKET_REQUEST_OPEN,    /* begin to read a datagram socket or a file watch */
	SOCKET_REQUEST_START,   /* owner */
	SOCKET_REQUEST_PAUSE,
	SOCKET_REQUEST_CLOSE,
	SOCKET_REQUEST_SHUTDOWN,
	SOCKET_REQUEST_DISCARD,  /* as shutdown, but nobody is told */
	SOCKET_REQUEST_WARNING,  /* size: bytes queued */
	SOCKET_REQUEST_OVERFLOW, /* the send buffer is full and the policy is to close */
};

struct socket_request {
	struct socket_request *next;
	enum socket_request_type type;
	int id;
	struct socket_owner owner;
	size_t size;
	struct address_list *addresses; /* owned */
	char *text;                     /* owned */
};

struct socket_request_queue {
	struct socket_request *_Atomic newest;
};

/// Gives a request with the rest zeroed: socket_request_destroy.
struct socket_request *socket_request_create(enum socket_request_type type, int id);
void socket_request_destroy(struct socket_request *request);

/// Takes `request`. Any thread.
void socket_request_push(struct socket_request_queue *queue, struct socket_request *request);

/// Gives all requests, oldest first. The poller.
struct socket_request *socket_request_take(struct socket_request_queue *queue);

/// True when nothing waits. The poller, before it sleeps.
bool socket_request_empty(const struct socket_request_queue *queue);

#endif
