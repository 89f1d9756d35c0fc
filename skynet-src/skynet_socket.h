/* Sockets for services. Source compatible with services written for cloudwu/skynet.
 *
 * Any thread. Every call names a service; what happens to a socket is told to the service that owns
 * it as messages of type PTYPE_SOCKET, source 0, session 0, data `struct skynet_socket_message`.
 * An address is a host and a port. The host may be an IPv4 or IPv6 address (with or without
 * brackets), a name, or `unix:/path` and (Linux) `unix:@name`, for which the port is not used.
 */
#ifndef SKYNET_SOCKET_H
#define SKYNET_SOCKET_H

#include <sys/uio.h>

#include "skynet.h"
#include "socket_buffer.h"
#include "socket_info.h"

#define SKYNET_SOCKET_TYPE_DATA    1 /* ud: byte count; buffer: bytes, receiver frees them */
#define SKYNET_SOCKET_TYPE_CONNECT 2 /* ud: port of a fresh listener; text: see docs */
#define SKYNET_SOCKET_TYPE_CLOSE   3
#define SKYNET_SOCKET_TYPE_ACCEPT  4 /* ud: new id, silent until started; text: "ip:port" */
#define SKYNET_SOCKET_TYPE_ERROR   5 /* text: why */
#define SKYNET_SOCKET_TYPE_UDP     6 /* as DATA; the sender's address follows the bytes */
#define SKYNET_SOCKET_TYPE_WARNING 7 /* ud: KiB queued for sending, 0: all of it left */
#define SKYNET_SOCKET_TYPE_FILE    8 /* a watched file has changed; text: its path */

struct skynet_socket_message {
	int type;
	int id;
	int ud;
	char *buffer; /* NULL: text follows the struct, message size - sizeof(struct) bytes */
};

/// Binds and listens at once, but accepts only after skynet_socket_start. Port 0: any; it is told
/// by CONNECT. "::" listens on IPv4 as well. Returns an id, or -1 when it cannot be had.
SKYNET_API int skynet_socket_listen(
	struct skynet_context *context, const char *host, int port, int backlog);

/// Starts a connection. Returns an id; the outcome is CONNECT or ERROR, also for a bad address.
SKYNET_API int skynet_socket_connect(struct skynet_context *context, const char *host, int port);

/// Reads and writes a descriptor of the operating system, which stays open when the id is closed.
/// Returns an id; the outcome is CONNECT or ERROR.
SKYNET_API int skynet_socket_bind(struct skynet_context *context, int fd);

/// Makes `id` accept or read, and the caller its owner. Answered by CONNECT or ERROR.
SKYNET_API void skynet_socket_start(struct skynet_context *context, int id);

/// Stops reading at once (what is in mailboxes already still arrives); start resumes.
SKYNET_API void skynet_socket_pause(struct skynet_context *context, int id);

/// Closes after all that is queued has been sent. CLOSE comes at once. A dead id is ignored.
SKYNET_API void skynet_socket_close(struct skynet_context *context, int id);

/// Closes at once and drops what is queued.
SKYNET_API void skynet_socket_shutdown(struct skynet_context *context, int id);

/// Switches Nagle's algorithm off. Also while the connection is being made.
SKYNET_API void skynet_socket_nodelay(struct skynet_context *context, int id);

/// Sends. What becomes of the buffer: see socket_buffer.h. Returns 0, or -1 when the id is dead, is
/// closing, has had a write error, or when its send buffer is full.
SKYNET_API int skynet_socket_sendbuffer(
	struct skynet_context *context, struct socket_sendbuffer *buffer);

/// As skynet_socket_sendbuffer, but behind all that was sent with high priority.
SKYNET_API int skynet_socket_sendbuffer_lowpriority(
	struct skynet_context *context, struct socket_sendbuffer *buffer);

/// A datagram socket. `address` NULL and port 0: IPv4, not bound. Returns an id or -1.
SKYNET_API int skynet_socket_udp(struct skynet_context *context, const char *address, int port);

/// A datagram socket with a default peer, of the family of that peer. Returns an id or -1.
SKYNET_API int skynet_socket_udp_dial(
	struct skynet_context *context, const char *address, int port);

/// A datagram socket bound to an address. Returns an id or -1.
SKYNET_API int skynet_socket_udp_listen(
	struct skynet_context *context, const char *address, int port);

/// Sets the default peer. Returns 0, or -1 for a bad address or a dead id.
SKYNET_API int skynet_socket_udp_connect(
	struct skynet_context *context, int id, const char *address, int port);

/// Sends a datagram to the binary `address` of skynet_socket_udp_address. Returns 0 or -1.
SKYNET_API int skynet_socket_udp_sendbuffer(
	struct skynet_context *context, const char *address, struct socket_sendbuffer *buffer);

/// The sender's address in a UDP message: 7 bytes (IPv4) or 19 (IPv6), in `message->buffer`.
/// NULL for other types.
SKYNET_API const char *skynet_socket_udp_address(
	struct skynet_socket_message *message, int *address_size);

/// Sockets of the node of the calling service (of all nodes on other threads). Gives the list:
/// socket_info_release.
SKYNET_API struct socket_info *skynet_socket_info(void);

/* ---- Beyond the reference ---- */

enum skynet_socket_policy {
	SKYNET_SOCKET_REJECT, /* a send past the limit returns -1 and is counted */
	SKYNET_SOCKET_CLOSE,  /* the connection is closed, with ERROR "send buffer limit" */
};

/// Bounds what may be queued on `id` to `limit` bytes; 0 removes the bound. The first send on an
/// empty queue is always accepted. Returns 0, or -1 for a dead id.
SKYNET_API int skynet_socket_limit(
	struct skynet_context *context, int id, int64_t limit, enum skynet_socket_policy policy);

/// Writes at once what the system takes of `count` pieces (borrowed, at most 64), nothing while
/// bytes are queued; the rest stays with the caller. Returns how many bytes; when not all of them,
/// WARNING with ud 0 follows as soon as the system takes more, or ERROR. -1: the id is dead, is
/// closing, or has had a write error.
SKYNET_API int64_t skynet_socket_write(
	struct skynet_context *context, int id, const struct iovec *pieces, int count);

/// Finds a dead peer: probes after `idle_s` of silence each `interval_s`, gives up on data that was
/// not acknowledged for `user_timeout_ms`. 0: leave as is. Returns 0, or -1 for a dead id.
SKYNET_API int skynet_socket_keepalive(
	struct skynet_context *context, int id, int idle_s, int interval_s, int user_timeout_ms);

/// The shortest round trip that the system has measured lately on a TCP connection, in nanoseconds.
/// 0: not known, as with other sockets and systems but Linux.
SKYNET_API uint64_t skynet_socket_round_trip(struct skynet_context *context, int id);

/// Tells with FILE when the file at `path` is written, replaced, made or removed. Returns an id,
/// ended by skynet_socket_close, or -1 when its folder cannot be watched.
SKYNET_API int skynet_socket_watch(struct skynet_context *context, const char *path);

/// As skynet_socket_listen, for other nodes: when the config of this node has a secret or a
/// certificate, ACCEPT is told only of those that have authenticated. Without, an address that
/// other machines reach gets a warning in the log, or is refused with the setting require_auth.
/// Returns an id, or -1 with the reason as text in `reason`, which has `reason_size` bytes.
SKYNET_API int skynet_socket_listen_guarded(struct skynet_context *context, const char *host,
	int port, int backlog, char *reason, size_t reason_size);

/// As skynet_socket_connect, to another node: CONNECT means that both have authenticated.
SKYNET_API int skynet_socket_connect_guarded(
	struct skynet_context *context, const char *host, int port);

/* What has become of connections between nodes. */
struct skynet_socket_guards {
	const char *kind;  /* "secret", "tls" or "none"; static */
	uint64_t accepted; /* came in and authenticated */
	uint64_t failed;   /* came in and did not */
	uint64_t refused;  /* turned away, their address had failed too often */
	uint64_t dialled;  /* went out and authenticated */
	uint64_t dial_failed;
	uint64_t allowed; /* let in or dialled without: setting auth_allow */
};

/// Fills `guards` for the node of the calling service.
SKYNET_API void skynet_socket_guards(
	struct skynet_context *context, struct skynet_socket_guards *guards);

/* The first bytes of a connection that needs no authentication here. Zero it before use. */
struct skynet_socket_greeting {
	unsigned char bytes[9];
	unsigned char count;
};

/// Looks at what has come on such a connection, `size` bytes in order (borrowed). Returns true once
/// the other end turns out to be a node that authenticates, with both ends' settings as text in
/// `reason`: the connection is good for nothing then.
SKYNET_API bool skynet_socket_demands(struct skynet_context *context,
	struct skynet_socket_greeting *greeting, const void *bytes, size_t size, char *reason,
	size_t reason_size);

/// Registers how SOCKET_BUFFER_OBJECT is read and ended, once per process. Borrows until its end.
SKYNET_API void skynet_socket_userobject(
	struct skynet_context *context, const struct socket_object_interface *object_interface);

/* ---- Short forms: `sz` below 0 means a user object, else memory that is taken ---- */

static inline struct socket_sendbuffer
skynet_socket_buffer(int id, const void *buffer, int sz) {
	struct socket_sendbuffer result = {
		.id = id,
		.type = sz < 0 ? SOCKET_BUFFER_OBJECT : SOCKET_BUFFER_MEMORY,
		.buffer = buffer,
		.sz = sz < 0 ? 0 : (size_t)sz,
	};
	return result;
}

static inline int
skynet_socket_send(struct skynet_context *context, int id, const void *buffer, int sz) {
	struct socket_sendbuffer item = skynet_socket_buffer(id, buffer, sz);
	return skynet_socket_sendbuffer(context, &item);
}

static inline int
skynet_socket_send_lowpriority(struct skynet_context *context, int id, const void *buffer, int sz) {
	struct socket_sendbuffer item = skynet_socket_buffer(id, buffer, sz);
	return skynet_socket_sendbuffer_lowpriority(context, &item);
}

static inline int
skynet_socket_udp_send(
	struct skynet_context *context, int id, const char *address, const void *buffer, int sz) {
	struct socket_sendbuffer item = skynet_socket_buffer(id, buffer, sz);
	return skynet_socket_udp_sendbuffer(context, address, &item);
}

#endif
