/* Inside of the socket server, shared by its files: socket_server.c (life, poll, requests),
 * socket_wait.c (waiting), socket_open.c (descriptors are made and dialled), socket_read.c (events
 * that come in), socket_send.c (what goes out), socket_guard.c (who is at the other end),
 * socket_option.c (options, statistics). "Poller" is the thread that holds the poll role.
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

#define SOCKET_SCRATCH_SIZE ((size_t)65536) /* a datagram at its largest fits */

/* Of a listener, or of one connection. A connection that needs it no more has none. */
struct socket_guard {
	struct guard_policy *policy;
	struct guard *machine;      /* NULL: listener; not connected; done. Lock of the socket */
	struct guard_buffer early;  /* came before the owner has started the socket; the poller */
	struct socket_address peer; /* of a connection */
	int listener;               /* that has accepted it; 0: dialled */
	int pending;                /* of a listener: connections that are shaking; the poller */
	bool finished;              /* the end has been put on the wire */
	uint8_t extensions;         /* of its deadline; the poller */
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
	int reserve_fd;             /* given up for a moment when descriptors run out; -1: none */
	struct socket_entry *timed; /* sockets with a deadline */
	uint64_t next_deadline_ns;  /* smallest of them, UINT64_MAX: none */
	uint64_t shaking_ns;        /* spent on handshakes so far */
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

/// Sets what the system is asked about the descriptor. Lock held. Returns 0 or -1 with errno.
int socket_set_interest(struct socket_server *server, struct socket_entry *entry, int interest);

/// What a socket wants by its state, `reading` and queue. Lock held.
int socket_update_interest(struct socket_server *server, struct socket_entry *entry);

/// Stops reading. Lock held; any thread.
void socket_pause(struct socket_server *server, struct socket_entry *entry);

/// Closes the descriptor and ends the id. Poller, no lock held.
void socket_destroy(struct socket_server *server, struct socket_entry *entry);

/// ERROR event, unless its owner has closed it, and the end of the socket. Poller, no lock held.
void socket_fail(struct socket_server *server, struct socket_entry *entry, const char *text);

/// Ends the socket, and only then tells CLOSE unless it was there. Poller, no lock held.
void socket_end(struct socket_server *server, struct socket_entry *entry);

/// CLOSE event unless it was there. Poller, no lock held.
void socket_tell_close(struct socket_server *server, struct socket_entry *entry);

/// Looks at `entry` again after `delay_ns`; clear: no more. Poller.
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

/// Dials the next address of the list, reports failure when none is left. Poller.
void socket_dial(struct socket_server *server, struct socket_entry *entry);

/// The connection being made is writable or broken: finishes it or dials on. Poller.
void socket_dialled(struct socket_server *server, struct socket_entry *entry);

/// The connection is made, and its other end known: tells CONNECT, sends what waits. Poller.
void socket_opened(struct socket_server *server, struct socket_entry *entry, const char *text);

/// Puts the options that were asked for into effect. Lock held.
void socket_apply_options(struct socket_entry *entry);

/// Non-blocking and close-on-exec. Returns 0 or -1 with errno.
int socket_prepare_fd(int fd);

/// A socket that is both already. Returns a descriptor or -1 with errno.
int socket_open_fd(int family, int type);

/* ---- socket_linger.c ---- */

/// What remains when the owner has closed the socket and its output is out: a connection that has
/// sent something waits a little for the end of its peer's direction, others go. Tells CLOSE when
/// that was not told. `entry` may be gone afterwards. Poller, no lock held.
void socket_linger(struct socket_server *server, struct socket_entry *entry);

/// Throws away what a lingering socket has got; destroys it at the end. Poller, no lock held.
void socket_linger_readable(struct socket_server *server, struct socket_entry *entry);

/// Destroys all lingering sockets: their descriptors are needed. False when there were none.
/// Poller.
bool socket_linger_cut(struct socket_server *server);

/// Whether the peer's system has all that a lingering socket has sent. Lock held.
bool socket_linger_arrived(const struct socket_entry *entry);

/* ---- socket_read.c ---- */

/// Reads once and delivers. Poller, no lock held.
void socket_readable(struct socket_server *server, struct socket_entry *entry);

/// Error or hang-up on a socket of which nothing else was asked. Poller.
void socket_hung_up(struct socket_server *server, struct socket_entry *entry);

/// Reads once. Returns what recv does, without EINTR.
ssize_t socket_read_bytes(const struct socket_entry *entry, char *block, size_t size);

/// Delivers what was read. Takes `data`. Poller, no lock held.
void socket_deliver(
	struct socket_server *server, struct socket_entry *entry, char *data, size_t size);

/// The peer has ended its direction. Poller, no lock held.
void socket_stream_ended(struct socket_server *server, struct socket_entry *entry);

/// A new entry for an accepted descriptor, with what it has from the listener. Gives it with its
/// lock held.
struct socket_entry *socket_adopt_accepted(struct socket_server *server,
	struct socket_entry *listener, int fd, const struct socket_address *peer);

/* ---- socket_send.c ---- */

/// Writes what is queued until the system is full. Lock held.
void socket_flush(struct socket_server *server, struct socket_entry *entry);

/// Sends what is queued, at the poller's: tells drained queues and errors. No lock held.
void socket_writable(struct socket_server *server, struct socket_entry *entry);

/// Drops what is queued. Lock held.
void socket_clear_queue(struct socket_entry *entry);

/* ---- socket_guard.c ---- */

/// Gives a guard to a socket that listens or dials. Grabs `policy`; NULL: none is needed.
struct socket_guard *socket_guard_create(struct guard_policy *policy);

/// Takes the guard of a socket away. Lock held (or nobody else knows the socket); poller.
void socket_guard_destroy(struct socket_server *server, struct socket_entry *entry);

/// A dialled socket is connected to `peer`. Begins to authenticate. Returns false when there is no
/// need to. Poller, no lock held.
bool socket_guard_dialled(struct socket_server *server, struct socket_entry *entry,
	const struct socket_address *peer);

/// A guarded listener has a connection: it authenticates before anybody is told. Takes `fd`.
void socket_guard_accepted(struct socket_server *server, struct socket_entry *listener, int fd,
	const struct socket_address *peer);

/// What the system is asked about a socket that is shaking. Lock held.
int socket_guard_interest(const struct socket_entry *entry);

/// There is something to read. Poller, no lock held.
void socket_guard_readable(struct socket_server *server, struct socket_entry *entry);

/// The owner has started the socket: delivers what had come before. Poller, no lock held.
void socket_guard_started(struct socket_server *server, struct socket_entry *entry);

/// The handshake has taken too long. Poller, no lock held.
void socket_guard_expired(struct socket_server *server, struct socket_entry *entry);

/// The handshake has failed; the socket ends. Poller, no lock held.
void socket_guard_failed(
	struct socket_server *server, struct socket_entry *entry, const char *reason);

/// Puts queued bytes on the wire of an open guard, when that is empty. Lock held.
void socket_guard_fill(struct socket_entry *entry);

#endif
