/* What comes in: connections, bytes, datagrams, file changes, ends and errors. The poller only.
 *
 * Small reads go through a scratch block into one of their exact size. A stream that fills the
 * scratch is read straight into blocks of up to READ_SIZE_MAX, which become the messages.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "io/file_watch.h"
#include "io/socket_core.h"
#include "skynet_malloc.h"

#define READ_SIZE_MAX  ((size_t)327680)
#define GIVE_AWAY_SIZE (SOCKET_SCRATCH_SIZE / 2)
#define ACCEPT_ROUND   64                     /* connections taken before others have their turn */
#define SHED_ROUND     256                    /* connections refused at once */
#define SHED_PAUSE_NS  ((uint64_t)50000000)   /* then the listener rests */
#define SHED_TELL_NS   ((uint64_t)1000000000) /* its owner hears of it that often at most */

/* ---- connections ---- */

static int
accept_fd(int listener, struct socket_address *peer) {
	peer->size = sizeof(peer->u);
	memset(&peer->u, 0, sizeof(peer->u));
#ifdef SOCK_NONBLOCK
	return accept4(listener, &peer->u.any, &peer->size, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
	int fd = accept(listener, &peer->u.any, &peer->size);
	if (fd >= 0 && socket_prepare_fd(fd) < 0) {
		int failed = errno;
		close(fd);
		errno = failed;
		return -1;
	}
	return fd;
#endif
}

struct socket_entry *
socket_adopt_accepted(struct socket_server *server, struct socket_entry *listener, int fd,
	const struct socket_address *peer) {
	mutex_acquire(&listener->lock);
	bool nodelay = listener->nodelay;
	int idle_s = listener->idle_s, interval_s = listener->interval_s;
	int user_timeout_ms = listener->user_timeout_ms;
	int64_t limit = listener->limit;
	uint8_t policy = listener->policy;
	mutex_release(&listener->lock);

	struct socket_entry *entry = socket_table_reserve(&server->table);
	entry->owner = listener->owner;
	entry->fd = fd;
	entry->local = listener->local;
	entry->limit = limit;
	entry->policy = policy;
	entry->nodelay = nodelay;
	entry->idle_s = idle_s;
	entry->interval_s = interval_s;
	entry->user_timeout_ms = user_timeout_ms;
	if (listener->local) /* clients are nameless */
		memcpy(entry->name, listener->name, sizeof(entry->name));
	else
		socket_address_print(peer, entry->name, sizeof(entry->name));
	socket_apply_options(entry);
	atomic_fetch_add_explicit(&listener->read_count, 1, memory_order_relaxed);
	atomic_store_explicit(&listener->read_time_cs, socket_now_cs(server), memory_order_relaxed);
	return entry;
}

static void
accepted(struct socket_server *server, struct socket_entry *listener, int fd,
	const struct socket_address *peer) {
	struct socket_entry *entry = socket_adopt_accepted(server, listener, fd, peer);
	int id = socket_entry_id(entry);
	socket_entry_set_state(entry, SOCKET_STATE_WAITING);
	int failed = socket_update_interest(server, entry) < 0 ? errno : 0;
	mutex_release(&entry->lock);
	if (failed) {
		socket_event_text(server, listener, SOCKET_EVENT_ERROR, 0, strerror(failed));
		socket_destroy(server, entry);
		return;
	}
	socket_event_text(server, listener, SOCKET_EVENT_ACCEPT, id, entry->name);
}

/* Tells the owner of a listener that there are no descriptors. It logs each event, so this is told
 * at most once in SHED_TELL_NS. */
static void
tell_shedding(struct socket_server *server, struct socket_entry *listener, int failed) {
	uint64_t now = clock_monotonic_ns(server->clock);
	if (listener->shed_told_ns != 0 && now - listener->shed_told_ns < SHED_TELL_NS)
		return;
	listener->shed_told_ns = now;
	socket_event_text(server, listener, SOCKET_EVENT_ERROR, 0, strerror(failed));
}

/* No descriptors are left. The reserve is closed, which leaves one: with it waiting connections are
 * accepted and closed, one after the other, so that clients learn at once that they are refused and
 * the listener does not stay readable. Then the listener rests a little. */
static void
shed(struct socket_server *server, struct socket_entry *listener, int failed) {
	struct socket_address peer;
	int shed_count = 0;
	bool empty = false;
	while (server->reserve_fd >= 0 && shed_count < SHED_ROUND && !empty) {
		close(server->reserve_fd);
		int fd = accept_fd(listener->fd, &peer);
		empty = fd < 0;
		if (fd >= 0) {
			close(fd);
			shed_count++;
		}
		server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	if (server->reserve_fd < 0)
		server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	atomic_fetch_add_explicit(&listener->dropped, (uint64_t)shed_count, memory_order_relaxed);
	mutex_acquire(&listener->lock);
	socket_set_interest(server, listener, 0);
	mutex_release(&listener->lock);
	socket_set_deadline(server, listener, SHED_PAUSE_NS);
	tell_shedding(server, listener, failed);
}

static void
accept_ready(struct socket_server *server, struct socket_entry *listener) {
	struct socket_address peer;
	for (int i = 0; i < ACCEPT_ROUND; i++) {
		int fd = accept_fd(listener->fd, &peer);
		if (fd >= 0) {
			if (listener->guard != NULL)
				socket_guard_accepted(server, listener, fd, &peer);
			else
				accepted(server, listener, fd, &peer);
			continue;
		}
		switch (errno) {
		case EMFILE:
		case ENFILE:
		case ENOBUFS:
		case ENOMEM:
			if (socket_linger_cut(server))
				continue;
			shed(server, listener, errno);
			return;
		case EINTR:
		case ECONNABORTED:
		case EPROTO:
			continue; /* that client has gone; there may be others */
		default:
			return;
		}
	}
}

/* ---- streams ---- */

ssize_t
socket_read_bytes(const struct socket_entry *entry, char *block, size_t size) {
	ssize_t n;
	do {
		if (entry->kind == SOCKET_KIND_BORROWED)
			n = read(entry->fd, block, size);
		else
			n = recv(entry->fd, block, size, 0);
	} while (n < 0 && errno == EINTR);
	return n;
}

static char *
exact_copy(const char *data, size_t size) {
	char *block = skynet_malloc(size);
	memcpy(block, data, size);
	return block;
}

/* Reads into the scratch block and copies. A read that fills it makes the next one large. */
static ssize_t
read_small(struct socket_server *server, struct socket_entry *entry, char **data) {
	ssize_t n = socket_read_bytes(entry, server->scratch, SOCKET_SCRATCH_SIZE);
	if (n <= 0)
		return n;
	*data = exact_copy(server->scratch, (size_t)n);
	if ((size_t)n == SOCKET_SCRATCH_SIZE)
		entry->read_size = SOCKET_SCRATCH_SIZE * 2;
	return n;
}

/* Chooses the size of the next read after one of `n` bytes. It shrinks slowly, because a small read
 * may have come between large ones. */
static void
adapt_read_size(struct socket_entry *entry, size_t n, bool filled) {
	size_t size = entry->read_size;
	if (filled)
		size = size * 2 < READ_SIZE_MAX ? size * 2 : READ_SIZE_MAX;
	else if (n < size / 4)
		size -= size / 32;
	entry->read_size = size > SOCKET_SCRATCH_SIZE ? size : 0;
}

/* Reads into a large block, which becomes the message after it was cut to what has come. When
 * little has come that is copied, and the block is kept for next time. */
static ssize_t
read_large(struct socket_server *server, struct socket_entry *entry, char **data) {
	if (server->spare_size < entry->read_size) {
		skynet_free(server->spare);
		server->spare = skynet_malloc(entry->read_size);
		server->spare_size = entry->read_size;
	}
	ssize_t n = socket_read_bytes(entry, server->spare, server->spare_size);
	if (n <= 0)
		return n;
	adapt_read_size(entry, (size_t)n, (size_t)n == server->spare_size);
	if ((size_t)n < GIVE_AWAY_SIZE) {
		*data = exact_copy(server->spare, (size_t)n);
		return n;
	}
	*data = server->spare;
	if ((size_t)n < server->spare_size)
		*data = skynet_realloc(server->spare, (size_t)n);
	server->spare = NULL;
	server->spare_size = 0;
	return n;
}

void
socket_stream_ended(struct socket_server *server, struct socket_entry *entry) {
	bool over = socket_entry_state(entry) == SOCKET_STATE_HALF_WRITE;
	entry->ended = true;
	if (!over) {
		mutex_acquire(&entry->lock);
		socket_entry_set_state(entry, SOCKET_STATE_HALF_READ);
		atomic_store_explicit(&entry->reading, false, memory_order_relaxed);
		socket_update_interest(server, entry);
		mutex_release(&entry->lock);
	}
	if (over)
		socket_end(server, entry);
	else
		socket_tell_close(server, entry);
}

static void
count_read(struct socket_server *server, struct socket_entry *entry, size_t size) {
	uint64_t before = atomic_load_explicit(&entry->read_count, memory_order_relaxed);
	atomic_store_explicit(&entry->read_count, before + size, memory_order_relaxed);
	atomic_store_explicit(&entry->read_time_cs, socket_now_cs(server), memory_order_relaxed);
}

static void
deliver_data(struct socket_server *server, struct socket_entry *entry, struct socket_event *event) {
	count_read(server, entry, (size_t)event->ud);
	event->id = socket_entry_id(entry);
	event->owner = entry->owner;
	event->size = (size_t)event->ud;
	/* Another thread may mute the socket at any moment. No other data depends on the flag, so
	 * relaxed order is enough. */
	if (atomic_load_explicit(&entry->muted, memory_order_relaxed) || event->owner.node == NULL)
		skynet_free(event->data);
	else
		socket_event_send(server, event);
}

void
socket_deliver(struct socket_server *server, struct socket_entry *entry, char *data, size_t size) {
	struct socket_event event = {.type = SOCKET_EVENT_DATA, .ud = (int)size, .data = data};
	deliver_data(server, entry, &event);
}

static void
stream_ready(struct socket_server *server, struct socket_entry *entry) {
	char *data = NULL;
	if (socket_entry_state(entry) == SOCKET_STATE_LINGERING) {
		socket_linger_readable(server, entry);
		return;
	}
	if (entry->guard != NULL) {
		socket_guard_readable(server, entry);
		return;
	}
	/* Relaxed order is enough, because no other data depends on the flag. A pause that comes a
	 * moment later takes effect at the next read. */
	if (!atomic_load_explicit(&entry->reading, memory_order_relaxed))
		return;
	ssize_t n = entry->read_size == 0 ? read_small(server, entry, &data)
					  : read_large(server, entry, &data);
	if (n > 0)
		socket_deliver(server, entry, data, (size_t)n);
	else if (n == 0)
		socket_stream_ended(server, entry);
	else if (errno != EAGAIN && errno != EWOULDBLOCK)
		socket_fail(server, entry, strerror(errno));
}

/* ---- datagrams ---- */

static void
datagram_ready(struct socket_server *server, struct socket_entry *entry) {
	struct socket_address from;
	from.size = sizeof(from.u);
	memset(&from.u, 0, sizeof(from.u));
	if (!atomic_load_explicit(&entry->reading, memory_order_relaxed))
		return; /* for the order see stream_ready */
	/* A service may be giving the socket another peer. */
	mutex_acquire(&entry->lock);
	ssize_t n = recvfrom(
		entry->fd, server->scratch, SOCKET_SCRATCH_SIZE, 0, &from.u.any, &from.size);
	mutex_release(&entry->lock);
	/* An error is about a datagram that was sent earlier. The socket itself still works. */
	if (n < 0)
		return;
	char blob[SOCKET_ADDRESS_BLOB_SIZE];
	int blob_size = socket_address_pack(&from, blob);
	if (blob_size == 0)
		return;
	char *data = skynet_malloc((size_t)n + (size_t)blob_size);
	memcpy(data, server->scratch, (size_t)n);
	memcpy(data + n, blob, (size_t)blob_size);
	struct socket_event event = {
		.type = SOCKET_EVENT_UDP,
		.ud = (int)n,
		.data = data,
		.udp_address = data + n,
		.udp_address_size = blob_size,
	};
	deliver_data(server, entry, &event);
}

/* ---- all ---- */

static void
file_ready(struct socket_server *server, struct socket_entry *entry) {
	if (file_watch_changed(entry->watch))
		socket_event_text(server, entry, SOCKET_EVENT_FILE, 0, entry->path);
}

void
socket_readable(struct socket_server *server, struct socket_entry *entry) {
	switch (entry->kind) {
	case SOCKET_KIND_LISTENER:
		accept_ready(server, entry);
		break;
	case SOCKET_KIND_DATAGRAM:
		datagram_ready(server, entry);
		break;
	case SOCKET_KIND_FILE:
		file_ready(server, entry);
		break;
	default:
		stream_ready(server, entry);
		break;
	}
}

void
socket_hung_up(struct socket_server *server, struct socket_entry *entry) {
	int failed = 0;
	socklen_t size = sizeof(failed);
	enum socket_state state = socket_entry_state(entry);
	bool idle = state == SOCKET_STATE_WAITING || state == SOCKET_STATE_HALF_READ;
	if (idle && getsockopt(entry->fd, SOL_SOCKET, SO_ERROR, &failed, &size) == 0 &&
		failed != 0) {
		socket_fail(server, entry, strerror(failed));
		return;
	}
	mutex_acquire(&entry->lock);
	entry->hung_up = true;
	socket_set_interest(server, entry, 0);
	mutex_release(&entry->lock);
}
