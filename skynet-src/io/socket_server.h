/* All sockets of a process: ids, events, send queues. Knows no services: an owner is an opaque
 * value that comes back with each event.
 *
 * One thread at a time holds the poll role and calls socket_server_poll; it alone reads, accepts,
 * closes descriptors and delivers events. Everything else may be called from any thread: sends
 * write to the descriptor directly while nothing is queued, the rest travels to the poller as
 * requests. No lock is held while an event is delivered, so a handler may call anything here but
 * socket_server_poll and socket_server_destroy.
 */
#ifndef SKYNET_SOCKET_SERVER_H
#define SKYNET_SOCKET_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "base/error.h"
#include "socket_buffer.h"
#include "socket_info.h"

struct socket_server;
struct addrinfo;
struct guard_policy;

/* Compared by value. Events of an owner whose node is NULL are not delivered. */
struct socket_owner {
	void *node;
	uint32_t handle;
};

/* The numbers are those of SKYNET_SOCKET_TYPE_. */
enum socket_event_type {
	SOCKET_EVENT_DATA = 1,    /* data, size */
	SOCKET_EVENT_CONNECT = 2, /* text; ud: port of a fresh listener */
	SOCKET_EVENT_CLOSE = 3,
	SOCKET_EVENT_ACCEPT = 4,  /* text: peer; ud: new id */
	SOCKET_EVENT_ERROR = 5,   /* text */
	SOCKET_EVENT_UDP = 6,     /* data, size, udp_address */
	SOCKET_EVENT_WARNING = 7, /* ud: KiB queued, 0: drained */
	SOCKET_EVENT_FILE = 8,    /* text: path */
	SOCKET_EVENT_REPORT = 9,  /* text for the log, about a listener */
};

struct socket_event {
	int type;
	int id;
	int ud; /* size for DATA and UDP */
	struct socket_owner owner;
	char *data; /* DATA and UDP: given, skynet_free. Others: `size` bytes of text, borrowed */
	size_t size;
	const void *udp_address; /* inside `data`, behind the datagram */
	int udp_address_size;    /* 7 or 19; 0 unless UDP */
};

/// Receives one event. Takes `event->data` of DATA and UDP. Called by the holder of the poll role.
typedef void (*socket_event_fn)(void *ud, const struct socket_event *event);

enum socket_limit_policy {
	SOCKET_LIMIT_REJECT, /* send returns -1 and is counted */
	SOCKET_LIMIT_CLOSE,  /* the connection is closed with ERROR "send buffer limit" */
};

/* Zeroed is a valid config. */
struct socket_server_config {
	const struct clock *clock; /* NULL: the system's. Borrowed until destroy */
	int64_t buffer_limit;      /* bytes queued per socket, 0: no limit */
	enum socket_limit_policy buffer_policy;
	int linger_ms; /* a closed socket whose peer takes nothing is given up; 0: 60 s */
	/* Name resolution, for tests; NULL: getaddrinfo and freeaddrinfo. */
	int (*resolve)(const char *host, const char *port, const struct addrinfo *hints,
		struct addrinfo **result);
	void (*resolve_free)(struct addrinfo *result);
};

/* Sockets that one thread has written to during its turn. The first frame of a turn leaves at once;
 * the later ones to the same socket are gathered and leave together when the turn ends.
 * A plain value, zero-initialised, one per worker; only that worker touches it. */
#define SOCKET_BATCH_SIZE 16

struct socket_batch {
	int count;                               /* of ids; owner */
	int pending;                             /* entries of waiting that are not 0; owner */
	int ids[SOCKET_BATCH_SIZE];              /* owner */
	_Atomic(int) waiting[SOCKET_BATCH_SIZE]; /* ids with frames that wait for the flush */
};

/// Raises the soft descriptor limit to the hard one and opens what is needed to poll.
/// `config` may be NULL; borrowed. Gives the server (socket_server_destroy), or NULL with `error`.
struct socket_server *socket_server_create(
	const struct socket_server_config *config, struct skynet_error *error);

/// Closes every socket without an event. No other thread may be inside any function of `server`.
void socket_server_destroy(struct socket_server *server);

/// Handles requests, waits once for at most `timeout_ms` (-1: no limit) and delivers all events.
/// Only the holder of the poll role. Returns the number of events delivered.
int socket_server_poll(
	struct socket_server *server, int timeout_ms, socket_event_fn deliver, void *ud);

/// Lets further polls look for events for up to `limit_ns` before they sleep, where that pays; 0:
/// not. Only the holder of the poll role. The clock must move by itself.
void socket_server_spin(struct socket_server *server, uint64_t limit_ns);

/// Makes a blocked poll return, or the next one not block. Any thread. Costs a system call only
/// when the poller is blocked.
void socket_server_wake(struct socket_server *server);

/// As skynet_socket_listen. `error` may be NULL. Returns an id or -1. Resolves names in the caller.
int socket_server_listen(struct socket_server *server, struct socket_owner owner, const char *host,
	int port, int backlog, struct skynet_error *error);

/* How a listener of a node differs from others. */
struct socket_listen_options {
	int backlog;
	struct guard_policy
		*policy; /* who connects must authenticate; NULL: anybody may. Grabbed */
	bool local_only; /* an address that other machines reach is an error */
};

/// As socket_server_listen. With a policy, ACCEPT is told only after the other end has
/// authenticated; those that do not are told by REPORT, at a limited rate.
int socket_server_listen_with(struct socket_server *server, struct socket_owner owner,
	const char *host, int port, const struct socket_listen_options *options,
	struct skynet_error *error);

/// True when other machines may reach what `id` listens on.
bool socket_server_is_exposed(struct socket_server *server, int id);

/// Returns an id. The outcome is a CONNECT or ERROR event; names are resolved on a thread of its
/// own.
int socket_server_connect(
	struct socket_server *server, struct socket_owner owner, const char *host, int port);

/// As above; CONNECT comes only after both ends have authenticated as `policy` (grabbed) says.
int socket_server_connect_with(struct socket_server *server, struct socket_owner owner,
	const char *host, int port, struct guard_policy *policy);

/// Returns an id. The outcome is a CONNECT ("binding") or ERROR event. Borrows `fd` until closed.
int socket_server_bind(struct socket_server *server, struct socket_owner owner, int fd);

/// Starts, resumes or transfers `id` to `owner`, who gets CONNECT, or ERROR when it cannot be.
void socket_server_start(struct socket_server *server, struct socket_owner owner, int id);

/// Stops reading: at most the read that is going on is still delivered, until started again.
void socket_server_pause(struct socket_server *server, int id);

/// Sends CLOSE at once and closes when all that is queued has left.
void socket_server_close(struct socket_server *server, int id);

/// Drops what is queued and closes.
void socket_server_shutdown(struct socket_server *server, int id);

/// TCP_NODELAY. Remembered until there is a connection. Returns 0, or -1 for a dead id.
int socket_server_nodelay(struct socket_server *server, int id);

/// Keep-alive probes and TCP_USER_TIMEOUT; 0 leaves one as is. Remembered. Returns 0 or -1.
int socket_server_keepalive(
	struct socket_server *server, int id, int idle_s, int interval_s, int user_timeout_ms);

/// The shortest round trip that the system has measured on a TCP connection, 0 when it has none.
uint64_t socket_server_round_trip(struct socket_server *server, int id);

/// Limit of the send queue; the first send on an empty queue is always accepted. Returns 0 or -1.
int socket_server_limit(
	struct socket_server *server, int id, int64_t limit, enum socket_limit_policy policy);

/// Sends with high or low priority; the buffer is treated as socket_buffer.h says. `batch` is that
/// of the calling thread, or NULL: then everything leaves at once. Returns 0, or -1 when the id is
/// dead, closing, broken for writing or at its limit.
int socket_server_send(struct socket_server *server, struct socket_batch *batch,
	const struct socket_sendbuffer *buffer);
int socket_server_send_low(struct socket_server *server, struct socket_batch *batch,
	const struct socket_sendbuffer *buffer);

/// Writes at once what the system takes of `count` pieces (borrowed, at most 64), nothing while
/// bytes are queued. Returns how many bytes; when not all, WARNING with 0 follows as soon as it
/// takes more, or ERROR. -1: the id is dead, closing or broken for writing.
int64_t socket_server_write(
	struct socket_server *server, int id, const struct iovec *pieces, int count);

/// Sends what `batch` holds back. The worker calls it at the end of each turn.
void socket_server_flush_thread(struct socket_server *server, struct socket_batch *batch);

/// Sends what the batch of another thread holds back, whose turn takes long. Any thread.
void socket_server_flush_stuck(struct socket_server *server, const struct socket_batch *batch);

/// As skynet_socket_udp. Returns an id or -1. Resolves names in the caller.
int socket_server_udp(struct socket_server *server, struct socket_owner owner, const char *host,
	int port, struct skynet_error *error);
int socket_server_udp_listen(struct socket_server *server, struct socket_owner owner,
	const char *host, int port, struct skynet_error *error);
int socket_server_udp_dial(struct socket_server *server, struct socket_owner owner,
	const char *host, int port, struct skynet_error *error);

/// Sets the default peer. Returns 0 or -1 with `error` (may be NULL).
int socket_server_udp_connect(struct socket_server *server, int id, const char *host, int port,
	struct skynet_error *error);

/// Sends a datagram to a binary address, 7 or 19 bytes by its first byte. Returns 0, or -1 for a
/// dead id or an address that is not of this socket's family.
int socket_server_udp_send(
	struct socket_server *server, const void *address, const struct socket_sendbuffer *buffer);

/// Watches a file. Returns an id or -1 with `error`.
int socket_server_watch(struct socket_server *server, struct socket_owner owner, const char *path,
	struct skynet_error *error);

/// Port that `id` is bound to, 0 when unknown.
int socket_server_port(struct socket_server *server, int id);

/// Registers how user objects are read and ended. Before the first of them is sent.
void socket_server_userobject(
	struct socket_server *server, const struct socket_object_interface *object_interface);

/// Closes all sockets of `node` and drops what they have queued, without events: an event handler
/// that is running may still see one, later polls do not.
void socket_server_close_node(struct socket_server *server, void *node);

/// Graceful stop, step one: closes the listeners of `node`. Their owners get CLOSE.
void socket_server_close_listeners(struct socket_server *server, void *node);

/// Closes all sockets of `node`, which send what they have queued first. Any thread.
void socket_server_close_sockets(struct socket_server *server, void *node);

/// True when no socket of `node` has anything queued.
bool socket_server_flushed(struct socket_server *server, void *node);

/// Sockets of `node` (NULL: all). Gives the list: socket_info_release.
struct socket_info *socket_server_info(struct socket_server *server, void *node);

#endif
