/* Internal parts of the socket server, shared by its files: socket_server.c (creation, polling,
 * requests), socket_wait.c (waiting), socket_open.c (listening and connecting), socket_read.c
 * (reading and accepting), socket_send.c (sending), socket_linger.c (the end of a closed socket),
 * socket_guard.c (authentication), socket_option.c (options, statistics). "Poller" is the thread
 * that is in socket_server_poll.
 */
#ifndef SKYNET_SOCKET_CORE_H
#define SKYNET_SOCKET_CORE_H

#include "guard/guard.h"
#include "io/poll_spin.h"
#include "io/resolver.h"
#include "io/socket_poll.h"
#include "io/socket_request.h"
#include "io/socket_server.h"
#include "io/socket_table.h"

#define SOCKET_SCRATCH_SIZE ((size_t)65536) /* room for the largest datagram */

/* Authentication on a listener or on one connection. It is freed when a connection needs it no
 * more.
 */
struct socket_guard {
	struct guard_policy *policy;
	struct guard *machine; /* the handshake; NULL: listener, not connected, or done. Lock of the
				  socket */
	struct guard_buffer
		early; /* bytes received before the owner has started the socket; the poller */
	struct socket_address peer; /* of a connection */
	int listener;       /* id of the listener that accepted it; 0: connected from here */
	bool known;         /* its address has authenticated before, or may do without */
	int pending;        /* of a listener: connections that are shaking; the poller */
	bool finished;      /* the end of the stream has been written to the wire buffer */
	uint8_t extensions; /* how often its deadline was extended; the poller */
	uint64_t shaken_ns; /* shaking_ns of the server when the deadline was set; the poller */
};

struct socket_server {
	struct socket_poll poll;
	struct socket_table table;
	struct socket_request_queue requests;
	struct resolver *resolver;
	struct resolver_config resolver_config;
	const struct clock *clock;
	struct clock system_clock;
	uint64_t start_ns;
	int64_t buffer_limit;
	uint8_t buffer_policy;
	uint64_t linger_ns;
	_Atomic(const struct socket_object_interface *) object_interface;

	atomic_bool sleeping; /* the poller blocks, or is about to: wake it */
	atomic_bool woken;    /* the next poll shall not block */

	/* The poller alone. */
	socket_event_fn deliver;
	void *deliver_ud;
	int delivered;
	struct poll_spin spin;
	int reserve_fd; /* closed when descriptors run out, to accept and refuse; -1: none */
	struct socket_entry *timed; /* sockets with a deadline */
	uint64_t next_deadline_ns;  /* smallest of them, UINT64_MAX: none */
	uint64_t shaking_ns;        /* time spent on handshakes so far */
	char *spare;                /* a block of spare_size bytes for the next large read */
	size_t spare_size;
	char *scratch;
};

/* ---- socket_wait.c ---- */

/// Waits for at most `timeout_ms` (-1: no limit), or until a request comes or the poller is woken.
/// Stores up to `capacity` events and returns their number. Poller.
int socket_wait(struct socket_server *server, struct socket_poll_event *events, int capacity,
	int timeout_ms);

/* ---- socket_server.c ---- */

/// Centiseconds since the server was created. Any thread.
uint64_t socket_now_cs(const struct socket_server *server);

/// Hands a request to the poller and wakes it. Takes `request`. Any thread.
void socket_request_post(struct socket_server *server, struct socket_request *request);

/// As above, with a request that has nothing but an id.
void socket_request_post_simple(
	struct socket_server *server, enum socket_request_type type, int id);

/// Delivers an event of `entry` that has text (may be NULL) and no data. Poller, no lock held.
void socket_event_text(struct socket_server *server, const struct socket_entry *entry, int type,
	int ud, const char *text);
void socket_event_send(struct socket_server *server, const struct socket_event *event);

/// Sets what to wait for on the descriptor. Lock held. Returns 0, or -1 with errno.
int socket_set_interest(struct socket_server *server, struct socket_entry *entry, int interest);

/// Sets what to wait for by the state, `reading` and the queue of the socket. Lock held. Returns as
/// socket_set_interest.
int socket_update_interest(struct socket_server *server, struct socket_entry *entry);

/// Stops reading. Lock held; any thread.
void socket_pause(struct socket_server *server, struct socket_entry *entry);

/// Closes the descriptor and ends the id. Poller, no lock held.
void socket_destroy(struct socket_server *server, struct socket_entry *entry);

/// Destroys a socket that has failed, after an ERROR event unless its owner has closed it. Poller,
/// no lock held.
void socket_fail(struct socket_server *server, struct socket_entry *entry, const char *text);

/// Destroys the socket, and then delivers CLOSE unless that was done before. Poller, no lock held.
void socket_end(struct socket_server *server, struct socket_entry *entry);

/// Delivers CLOSE unless that was done before. Poller, no lock held.
void socket_tell_close(struct socket_server *server, struct socket_entry *entry);

/// Sets the deadline of `entry`, at which the poller looks at it again, to `delay_ns` from now; or
/// removes it. Poller.
void socket_set_deadline(
	struct socket_server *server, struct socket_entry *entry, uint64_t delay_ns);
void socket_clear_deadline(struct socket_server *server, struct socket_entry *entry);

/// True when something waits to be sent. Lock held.
static inline bool
socket_has_output(const struct socket_entry *entry) {
	if (entry->queue.size > 0)
		return true;
	return entry->guard != NULL && entry->guard->machine != NULL &&
	       guard_buffer_size(&entry->guard->machine->wire) > 0;
}

static inline int
socket_entry_id(const struct socket_entry *entry) {
	/* The id of an entry that the caller holds does not change. */
	return atomic_load_explicit(&entry->id, memory_order_relaxed);
}

static inline enum socket_state
socket_entry_state(const struct socket_entry *entry) {
	return (enum socket_state)atomic_load_explicit(&entry->state, memory_order_relaxed);
}

static inline void
socket_entry_set_state(struct socket_entry *entry, enum socket_state state) {
	atomic_store_explicit(&entry->state, (uint8_t)state, memory_order_relaxed);
}

static inline bool
socket_is_stream(const struct socket_entry *entry) {
	return entry->kind == SOCKET_KIND_STREAM || entry->kind == SOCKET_KIND_BORROWED;
}

/* ---- socket_open.c ---- */

/// Begins to connect to the next address of the list; fails when none is left. Poller.
void socket_dial(struct socket_server *server, struct socket_entry *entry);

/// Called when connecting has succeeded or failed: goes on with the connection, or with the next
/// address. Poller.
void socket_dialled(struct socket_server *server, struct socket_entry *entry);

/// Called when the connection is there and the peer has authenticated, if it must: delivers CONNECT
/// and sends what is queued. Poller.
void socket_opened(struct socket_server *server, struct socket_entry *entry, const char *text);

/// Sets the options of the descriptor that were asked for before it was connected. Lock held.
void socket_apply_options(struct socket_entry *entry);

/// Makes a descriptor non-blocking and close-on-exec. Returns 0, or -1 with errno.
int socket_prepare_fd(int fd);

/// Opens a socket that is non-blocking and close-on-exec. Returns a descriptor, or -1 with errno.
int socket_open_fd(int family, int type);

/* ---- socket_linger.c ---- */

/// Called when the owner has closed the socket and everything has been sent. A connection that has
/// sent something lingers: it waits for a while until the peer has ended its direction, because
/// closing earlier could make the peer lose bytes. Others are destroyed. Delivers CLOSE unless that
/// was done before. `entry` may be destroyed on return. Poller, no lock held.
void socket_linger(struct socket_server *server, struct socket_entry *entry);

/// Discards what a lingering socket receives, and destroys it when the peer has ended its
/// direction. Poller, no lock held.
void socket_linger_readable(struct socket_server *server, struct socket_entry *entry);

/// Destroys all lingering sockets, because their descriptors are needed. Returns false when there
/// were none. Poller.
bool socket_linger_cut(struct socket_server *server);

/// Whether the system of the peer has acknowledged all that a lingering socket has sent. Lock held.
bool socket_linger_arrived(const struct socket_entry *entry);

/* ---- socket_read.c ---- */

/// Called when a socket is readable: reads once and delivers the bytes. Poller, no lock held.
void socket_readable(struct socket_server *server, struct socket_entry *entry);

/// Called on an error or hang-up of a socket that waits for nothing else. Poller.
void socket_hung_up(struct socket_server *server, struct socket_entry *entry);

/// Reads once, again after EINTR. Returns as recv.
ssize_t socket_read_bytes(const struct socket_entry *entry, char *block, size_t size);

/// Delivers bytes that were read. Takes `data`. Poller, no lock held.
void socket_deliver(
	struct socket_server *server, struct socket_entry *entry, char *data, size_t size);

/// Called when the peer has ended its direction of a stream. Poller, no lock held.
void socket_stream_ended(struct socket_server *server, struct socket_entry *entry);

/// Gives a new entry for an accepted descriptor, with its lock held. It has the owner, the options
/// and the limits of the listener.
struct socket_entry *socket_adopt_accepted(struct socket_server *server,
	struct socket_entry *listener, int fd, const struct socket_address *peer);

/* ---- socket_send.c ---- */

/// Writes what is queued until the system accepts no more. Lock held.
void socket_flush(struct socket_server *server, struct socket_entry *entry);

/// Called when a socket is writable: writes what is queued, and delivers errors and the WARNING
/// that the queue is empty. Poller, no lock held.
void socket_writable(struct socket_server *server, struct socket_entry *entry);

/// Discards what is queued. Lock held.
void socket_clear_queue(struct socket_entry *entry);

/* ---- socket_guard.c ---- */

/// Gives the guard for a socket that listens or connects; NULL when `policy` is NULL. Grabs
/// `policy`.
struct socket_guard *socket_guard_create(struct guard_policy *policy);

/// Frees the guard of a socket. Lock held, or no other thread knows the socket. Poller.
void socket_guard_destroy(struct socket_server *server, struct socket_entry *entry);

/// Called when a socket has connected to `peer`: begins to authenticate. Returns false when that is
/// not needed. Poller, no lock held.
bool socket_guard_dialled(struct socket_server *server, struct socket_entry *entry,
	const struct socket_address *peer);

/// Called when a guarded listener has accepted a connection, which is to authenticate before ACCEPT
/// is delivered. Takes `fd`. Poller.
void socket_guard_accepted(struct socket_server *server, struct socket_entry *listener, int fd,
	const struct socket_address *peer);

/// What to wait for on a socket during the handshake. Lock held.
int socket_guard_interest(const struct socket_entry *entry);

/// Called when a guarded socket is readable. Poller, no lock held.
void socket_guard_readable(struct socket_server *server, struct socket_entry *entry);

/// Called when the owner has started the socket: delivers what was received before. Poller, no lock
/// held.
void socket_guard_started(struct socket_server *server, struct socket_entry *entry);

/// Called at the deadline of a handshake. Poller, no lock held.
void socket_guard_expired(struct socket_server *server, struct socket_entry *entry);

/// Called when a handshake has failed: reports it and destroys the socket. Poller, no lock held.
void socket_guard_failed(
	struct socket_server *server, struct socket_entry *entry, const char *reason);

/// Puts queued bytes, as the guard frames or encrypts them, into its wire buffer when that is
/// empty. The guard is open. Lock held.
void socket_guard_fill(struct socket_entry *entry);

#endif
