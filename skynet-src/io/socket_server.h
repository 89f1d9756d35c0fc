/* All sockets of a process: ids, events, send queues. It knows no services: the owner of a socket
 * is an opaque value that is returned with each event.
 *
 * One thread at a time, the poller, calls socket_server_poll; only that thread reads, accepts,
 * closes descriptors and delivers events. All other functions may be called from any thread. A send
 * writes to the descriptor directly while nothing is queued on the socket; other calls are passed
 * to the poller as requests. No lock is held while an event is delivered, so a handler may call
 * anything here but socket_server_poll and socket_server_destroy.
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
	SOCKET_EVENT_CONNECT = 2, /* text; ud: port, for a new listener */
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
	char *data; /* DATA, UDP: given, end with skynet_free. Others: `size` bytes of text,
		       borrowed */
	size_t size;
	const void *udp_address; /* inside `data`, behind the datagram */
	int udp_address_size;    /* 7 or 19; 0 unless UDP */
};

/// Receives one event. Takes `event->data` of DATA and UDP. Called on the thread that polls.
typedef void (*socket_event_fn)(void *ud, const struct socket_event *event);

enum socket_limit_policy {
	SOCKET_LIMIT_REJECT, /* send returns -1 and is counted */
	SOCKET_LIMIT_CLOSE,  /* the connection is closed with ERROR "send buffer limit" */
};

/* All zeros is a valid config. */
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

/* The sockets to which one worker has sent during a turn. The first send to a socket in a turn is
 * written at once; later ones are queued and written together when the turn ends. Initialised with
 * zeros. Only its worker uses it, but for socket_server_flush_stuck. */
#define SOCKET_BATCH_SIZE 16

struct socket_batch {
	int count;                               /* entries of `ids` in use; owner */
	int pending;                             /* entries of `waiting` that are not 0; owner */
	int ids[SOCKET_BATCH_SIZE];              /* owner */
	_Atomic(int) waiting[SOCKET_BATCH_SIZE]; /* ids with data that waits for the flush, or 0 */
};

/// Raises the soft limit of descriptors to the hard one, and opens the poller of the system.
/// `config` may be NULL; borrowed. Gives the server (socket_server_destroy), or NULL with `error`.
struct socket_server *socket_server_create(
	const struct socket_server_config *config, struct skynet_error *error);

/// Closes every socket without an event. No other thread may be inside any function of `server`.
void socket_server_destroy(struct socket_server *server);

/// Handles requests, waits once for at most `timeout_ms` (-1: no limit) and delivers all events.
/// One thread at a time. Returns the number of events delivered.
int socket_server_poll(
	struct socket_server *server, int timeout_ms, socket_event_fn deliver, void *ud);

/// Lets later polls check for events without sleeping for up to `limit_ns`, when that is likely to
/// pay (poll_spin.h); 0: never. Only the poller. The clock must move by itself.
void socket_server_spin(struct socket_server *server, uint64_t limit_ns);

/// Makes a blocked poll return, or the next one not block. Any thread. Costs a system call only
/// when the poller is blocked.
void socket_server_wake(struct socket_server *server);

/// As skynet_socket_listen. `error` may be NULL. Returns an id or -1. Resolves names in the caller.
int socket_server_listen(struct socket_server *server, struct socket_owner owner, const char *host,
	int port, int backlog, struct skynet_error *error);

/* Further options of a listener. */
struct socket_listen_options {
	int backlog;
	struct guard_policy *policy; /* how peers must authenticate; NULL: not at all. Grabbed */
	bool local_only;             /* refuse an address that other machines can reach */
};

/// As socket_server_listen. With a policy, ACCEPT comes only after the peer has authenticated;
/// peers that fail to are reported by REPORT events, at a limited rate.
int socket_server_listen_with(struct socket_server *server, struct socket_owner owner,
	const char *host, int port, const struct socket_listen_options *options,
	struct skynet_error *error);

/// True when other machines may be able to connect to the listener `id`.
bool socket_server_is_exposed(struct socket_server *server, int id);

/// Begins to connect and returns an id. A CONNECT or ERROR event tells the outcome. Names are
/// resolved on another thread.
int socket_server_connect(
	struct socket_server *server, struct socket_owner owner, const char *host, int port);

/// As socket_server_connect; CONNECT comes only after both ends have authenticated to each other by
/// `policy` (grabbed).
int socket_server_connect_with(struct socket_server *server, struct socket_owner owner,
	const char *host, int port, struct guard_policy *policy);

/// Makes a socket of the descriptor `fd` and returns its id. A CONNECT (text "binding") or ERROR
/// event tells the outcome. Borrows `fd` until the socket is closed.
int socket_server_bind(struct socket_server *server, struct socket_owner owner, int fd);

/// Makes `owner` the owner of `id` and begins, or begins again, to read. The owner gets CONNECT, or
/// ERROR when that fails.
void socket_server_start(struct socket_server *server, struct socket_owner owner, int id);

/// Stops reading until socket_server_start is called. A read that is under way is still delivered.
void socket_server_pause(struct socket_server *server, int id);

/// Sends CLOSE at once and closes when all that is queued has left.
void socket_server_close(struct socket_server *server, int id);

/// Discards what is queued and closes the socket.
void socket_server_shutdown(struct socket_server *server, int id);

/// Sets TCP_NODELAY, as soon as there is a connection. Returns 0, or -1 for a dead id.
int socket_server_nodelay(struct socket_server *server, int id);

/// Sets keep-alive probes and TCP_USER_TIMEOUT, as soon as there is a connection; 0 leaves a value
/// unchanged. Returns 0, or -1 for a dead id.
int socket_server_keepalive(
	struct socket_server *server, int id, int idle_s, int interval_s, int user_timeout_ms);

/// The shortest round trip that the system has measured on a TCP connection, 0 when it has none.
uint64_t socket_server_round_trip(struct socket_server *server, int id);

/// Limits the send queue to `limit` bytes; a send on an empty queue is accepted whatever its size.
/// Returns 0, or -1 for a dead id.
int socket_server_limit(
	struct socket_server *server, int id, int64_t limit, enum socket_limit_policy policy);

/// Sends with high or low priority. socket_buffer.h says whether the buffer is taken or borrowed.
/// `batch` is the one of the calling worker, or NULL to write at once. Returns 0, or -1 when the id
/// is dead or closing, writing has failed before, or the send queue is at its limit.
int socket_server_send(struct socket_server *server, struct socket_batch *batch,
	const struct socket_sendbuffer *buffer);
int socket_server_send_low(struct socket_server *server, struct socket_batch *batch,
	const struct socket_sendbuffer *buffer);

/// Writes as much of `count` pieces (borrowed, at most 64) as the system accepts at once; nothing
/// while other bytes are queued. Returns the number of bytes written. If that is not all, a WARNING
/// event with ud 0 comes when the system accepts more, or ERROR. Returns -1 when the id is dead or
/// closing, or writing has failed before.
int64_t socket_server_write(
	struct socket_server *server, int id, const struct iovec *pieces, int count);

/// Writes what the sends of this turn have queued. The owner of `batch` calls it when a turn ends.
void socket_server_flush_thread(struct socket_server *server, struct socket_batch *batch);

/// Writes what another thread has queued in a turn that takes long. Any thread.
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

/// Registers the functions that read and free user objects. To be called before the first user
/// object is sent.
void socket_server_userobject(
	struct socket_server *server, const struct socket_object_interface *object_interface);

/// Closes all sockets of `node` and discards what they have queued, without events: one may still
/// be delivered by a poll that is under way, none by later polls.
void socket_server_close_node(struct socket_server *server, void *node);

/// Closes the listeners of `node`: the first step of an orderly stop. Their owners get CLOSE.
void socket_server_close_listeners(struct socket_server *server, void *node);

/// Closes all sockets of `node` after they have sent what is queued. Any thread.
void socket_server_close_sockets(struct socket_server *server, void *node);

/// True when no socket of `node` has anything queued.
bool socket_server_flushed(struct socket_server *server, void *node);

/// Gives the list of sockets of `node` (NULL: all). End with socket_info_release.
struct socket_info *socket_server_info(struct socket_server *server, void *node);

#endif
