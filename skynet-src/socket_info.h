/* Statistics of the sockets of a node, as a list. Source compatible with the reference. */
#ifndef SKYNET_SOCKET_INFO_H
#define SKYNET_SOCKET_INFO_H

#include <stdint.h>

#include "skynet.h"

#define SOCKET_INFO_UNKNOWN 0
#define SOCKET_INFO_LISTEN  1
#define SOCKET_INFO_TCP     2 /* Unix-domain streams too */
#define SOCKET_INFO_UDP     3
#define SOCKET_INFO_BIND    4
#define SOCKET_INFO_CLOSING 5

struct socket_info {
	int id;
	int type;
	uint64_t opaque;  /* handle of the owner */
	uint64_t read;    /* bytes; connections accepted for a listener */
	uint64_t write;   /* bytes */
	uint64_t rtime;   /* centiseconds since start at the last read (accept) */
	uint64_t wtime;   /* centiseconds since start at the last write */
	int64_t wbuffer;  /* bytes queued */
	uint8_t reading;  /* asks for input */
	uint8_t writing;  /* waits until it can write */
	char name[128];   /* peer, or what a listener is bound to; "" when unknown */
	uint64_t dropped; /* sends refused at the buffer limit, and datagrams that could not be sent
			   */
	struct socket_info *next;
};

/// Puts a zeroed element in front of `next`, which may be NULL. Gives it: socket_info_release.
SKYNET_API struct socket_info *socket_info_create(struct socket_info *next);

/// Frees a whole list. NULL is allowed.
SKYNET_API void socket_info_release(struct socket_info *list);

#endif
