/* What a send is given: one buffer, and how it is owned. Source compatible with the reference. */
#ifndef SKYNET_SOCKET_BUFFER_H
#define SKYNET_SOCKET_BUFFER_H

#include <stddef.h>

#define SOCKET_BUFFER_MEMORY     0 /* from skynet_malloc; taken, also when the send fails */
#define SOCKET_BUFFER_OBJECT     1 /* a user object; taken, ended by the registered interface */
#define SOCKET_BUFFER_RAWPOINTER 2 /* borrowed; copied when it cannot be sent at once */

struct socket_sendbuffer {
	int id;
	int type;
	const void *buffer;
	size_t sz; /* not used for SOCKET_BUFFER_OBJECT */
};

/* How the bytes of a user object are reached. All three may be called from any thread. */
struct socket_object_interface {
	const void *(*buffer)(const void *object);
	size_t (*size)(const void *object);
	void (*free)(void *object);
};

#endif
