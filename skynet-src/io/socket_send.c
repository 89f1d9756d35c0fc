/* What goes out. A send writes to the descriptor at once, in the calling thread, while nothing is
 * queued. What does not leave then is queued, and leaves when the system has room or when the turn
 * of the sending service ends.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io/socket_core.h"

#define VECTORS_MAX    64
#define WARNING_SIZE   ((size_t)1 << 20) /* first threshold of a growing queue */
#define BATCH_SIZE_MAX ((size_t)65536)   /* queued in a turn before it leaves early */

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

/* ---- writing ---- */

static ssize_t
write_vectors(const struct socket_entry *entry, struct iovec *vectors, int count) {
	ssize_t n;
	struct msghdr message = {.msg_iov = vectors, .msg_iovlen = (size_t)count};
	do {
		if (entry->kind == SOCKET_KIND_BORROWED)
			n = writev(entry->fd, vectors, count);
		else if (count == 1)
			n = send(entry->fd, vectors[0].iov_base, vectors[0].iov_len, MSG_NOSIGNAL);
		else
			n = sendmsg(entry->fd, &message, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n;
}

static void
count_written(struct socket_server *server, struct socket_entry *entry, size_t size) {
	uint64_t before = atomic_load_explicit(&entry->write_count, memory_order_relaxed);
	atomic_store_explicit(&entry->write_count, before + size, memory_order_relaxed);
	atomic_store_explicit(&entry->write_time_cs, socket_now_cs(server), memory_order_relaxed);
}

static void
count_queued(struct socket_entry *entry) {
	atomic_store_explicit(&entry->queued, entry->queue.size, memory_order_relaxed);
}

/* True when bytes go through the guard of the socket first, which puts what really leaves into its
 * `wire`. */
static bool
is_guarded(const struct socket_entry *entry) {
	return entry->guard != NULL && entry->guard->machine != NULL;
}

void
socket_clear_queue(struct socket_entry *entry) {
	send_queue_clear(&entry->queue);
	if (is_guarded(entry))
		guard_buffer_fini(&entry->guard->machine->wire);
	count_queued(entry);
}

/* As socket_flush, for a socket with a guard. */
static void
flush_guarded(struct socket_server *server, struct socket_entry *entry) {
	struct guard_buffer *wire = &entry->guard->machine->wire;
	bool more = true;
	while (more && entry->write_error == 0) {
		if (guard_buffer_size(wire) == 0)
			socket_guard_fill(entry);
		size_t size = guard_buffer_size(wire);
		if (size == 0)
			break;
		struct iovec vector = {.iov_base = wire->data + wire->begin, .iov_len = size};
		ssize_t n = write_vectors(entry, &vector, 1);
		if (n < 0) {
			if (errno != EAGAIN && errno != EWOULDBLOCK)
				entry->write_error = errno;
			break;
		}
		count_written(server, entry, (size_t)n);
		guard_buffer_consume(wire, (size_t)n);
		more = (size_t)n == size;
	}
	count_queued(entry);
}

/* An error is only noted in `write_error`: the poller tells it, in order with other events. */
void
socket_flush(struct socket_server *server, struct socket_entry *entry) {
	struct iovec vectors[VECTORS_MAX];
	bool more = true;
	if (is_guarded(entry)) {
		flush_guarded(server, entry);
		return;
	}
	while (more && entry->queue.size > 0 && entry->write_error == 0) {
		int count = send_queue_gather(&entry->queue, vectors, VECTORS_MAX);
		size_t offered = 0;
		for (int i = 0; i < count; i++)
			offered += vectors[i].iov_len;
		ssize_t n = write_vectors(entry, vectors, count);
		if (n < 0) {
			if (errno != EAGAIN && errno != EWOULDBLOCK)
				entry->write_error = errno;
			break;
		}
		count_written(server, entry, (size_t)n);
		send_queue_consume(&entry->queue, (size_t)n);
		more = (size_t)n == offered;
	}
	count_queued(entry);
}

/* Returns false when the system has no room for the datagram. One that cannot be sent for another
 * reason is counted and forgotten. */
static bool
send_datagram(struct socket_server *server, struct socket_entry *entry, const struct iovec *vector,
	const void *address, size_t address_size) {
	struct socket_address to = {.size = 0};
	if (address != NULL && address_size > 0)
		socket_address_unpack(&to, address);
	ssize_t n;
	do
		n = sendto(entry->fd, vector->iov_base, vector->iov_len, MSG_NOSIGNAL,
			to.size > 0 ? &to.u.any : NULL, to.size);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		count_written(server, entry, (size_t)n);
	else if (errno == EAGAIN || errno == EWOULDBLOCK)
		return false;
	else
		atomic_fetch_add_explicit(&entry->dropped, 1, memory_order_relaxed);
	return true;
}

static void
flush_datagrams(struct socket_server *server, struct socket_entry *entry) {
	struct iovec vector;
	const void *address;
	size_t address_size;
	while (send_queue_first(&entry->queue, &vector, &address, &address_size) &&
		send_datagram(server, entry, &vector, address, address_size))
		send_queue_drop_first(&entry->queue);
	count_queued(entry);
}

/* ---- the poller's side ---- */

/* Nothing can be written any more. Unless the socket is closed or its peer has ended, it is read
 * until that happens. */
static void
write_failed(struct socket_server *server, struct socket_entry *entry, int failed) {
	bool over = entry->closing || socket_entry_state(entry) == SOCKET_STATE_HALF_READ;
	if (over) {
		socket_fail(server, entry, strerror(failed));
		return;
	}
	mutex_acquire(&entry->lock);
	entry->write_error = 0;
	socket_clear_queue(entry);
	socket_entry_set_state(entry, SOCKET_STATE_HALF_WRITE);
	socket_update_interest(server, entry);
	mutex_release(&entry->lock);
	socket_event_text(server, entry, SOCKET_EVENT_ERROR, 0, strerror(failed));
}

void
socket_writable(struct socket_server *server, struct socket_entry *entry) {
	mutex_acquire(&entry->lock);
	if (entry->kind == SOCKET_KIND_DATAGRAM)
		flush_datagrams(server, entry);
	else
		socket_flush(server, entry);
	bool drained = !socket_has_output(entry);
	bool relieved = drained && (entry->warning > 0 || entry->wants_room);
	int failed = entry->write_error;
	bool shaking = socket_entry_state(entry) == SOCKET_STATE_SHAKING;
	if (drained && !shaking) {
		entry->warning = 0;
		entry->wants_room = false;
	}
	if (failed == 0)
		socket_update_interest(server, entry);
	mutex_release(&entry->lock);
	if (failed && shaking)
		socket_guard_failed(server, entry, strerror(failed));
	else if (failed)
		write_failed(server, entry, failed);
	if (failed || shaking)
		return;
	if (drained && entry->closing) {
		socket_linger(server, entry);
		return;
	}
	if (relieved)
		socket_event_text(server, entry, SOCKET_EVENT_WARNING, 0, NULL);
}

/* ---- the sender's side ---- */

static void
post_warning(struct socket_server *server, struct socket_entry *entry, size_t size) {
	struct socket_request *request =
		socket_request_create(SOCKET_REQUEST_WARNING, socket_entry_id(entry));
	request->size = size;
	socket_request_post(server, request);
}

/* Tells the owner when the queue has passed the next threshold. Lock held. */
static void
check_threshold(struct socket_server *server, struct socket_entry *entry) {
	size_t next = entry->warning == 0 ? WARNING_SIZE : entry->warning * 2;
	if (entry->queue.size < next)
		return;
	while (next <= entry->queue.size / 2)
		next *= 2;
	entry->warning = next;
	post_warning(server, entry, entry->queue.size);
}

/* True when `size` more bytes may be queued. Lock held. */
static bool
has_room(struct socket_server *server, struct socket_entry *entry, size_t size) {
	if (entry->limit <= 0 || entry->queue.size == 0)
		return true;
	size_t limit = (size_t)entry->limit;
	if (size <= limit && entry->queue.size <= limit - size)
		return true;
	atomic_fetch_add_explicit(&entry->dropped, 1, memory_order_relaxed);
	if (entry->policy == SOCKET_LIMIT_CLOSE)
		socket_request_post_simple(server, SOCKET_REQUEST_OVERFLOW, socket_entry_id(entry));
	return false;
}

/* Writes what the system takes of `bytes`. Returns how much that was. Lock held. */
static size_t
write_direct(
	struct socket_server *server, struct socket_entry *entry, const struct send_bytes *bytes) {
	struct iovec vector = {.iov_base = (void *)(size_t)bytes->data, .iov_len = bytes->size};
	ssize_t n = write_vectors(entry, &vector, 1);
	if (n > 0) {
		count_written(server, entry, (size_t)n);
		return (size_t)n;
	}
	/* The poller tells the error: it finds this one, or meets it again. */
	if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		entry->write_error = errno;
	return 0;
}

/* Notes that this turn writes to the socket. Returns its place in the batch, -1 when that is full.
 * Sets `*known` to whether the turn has written to it before. */
static int
batch_place(struct socket_batch *batch, int id, bool *known) {
	*known = false;
	for (int i = batch->count - 1; i >= 0; i--) {
		if (batch->ids[i] == id) {
			*known = true;
			return i;
		}
	}
	if (batch->count == SOCKET_BATCH_SIZE)
		return -1;
	batch->ids[batch->count] = id;
	return batch->count++;
}

/* Leaves what is queued to the end of the turn, so that all leaves together. Returns false when
 * there is so much that it should leave now. Lock held. */
static bool
hold_back(struct socket_batch *batch, const struct socket_entry *entry, int place) {
	if (entry->queue.size >= BATCH_SIZE_MAX)
		return false;
	if (atomic_load_explicit(&batch->waiting[place], memory_order_relaxed) == 0) {
		/* Read by socket_server_flush_stuck, which only needs the value. */
		atomic_store_explicit(
			&batch->waiting[place], batch->ids[place], memory_order_relaxed);
		batch->pending++;
	}
	return true;
}

/* Puts bytes on their way: written, held back or queued. Lock held. Takes `bytes`. */
static int
send_stream(struct socket_server *server, struct socket_batch *batch, struct socket_entry *entry,
	struct send_bytes *bytes, bool low) {
	enum socket_state state = socket_entry_state(entry);
	bool ready = state == SOCKET_STATE_OPEN || state == SOCKET_STATE_HALF_READ;
	size_t before = entry->queue.size, offset = 0;
	int place = -1;
	bool again = false;
	if (ready && batch != NULL)
		place = batch_place(batch, socket_entry_id(entry), &again);
	if (!has_room(server, entry, bytes->size))
		return -1;
	bool now = ready && before == 0 && !again && entry->write_error == 0;
	if (now && !is_guarded(entry))
		offset = write_direct(server, entry, bytes);
	if (offset == bytes->size)
		return 0;
	/* Of a message that is partly written the rest must leave before anything else. */
	send_queue_push(&entry->queue, bytes, offset, low && offset == 0);
	count_queued(entry);
	if (now && is_guarded(entry))
		socket_flush(server, entry);
	/* Not the first send of this turn: held back, unless the poller waits for room already and
	 * will write all that is queued. */
	if (ready && again && entry->write_error == 0 && !(entry->interest & SOCKET_POLL_WRITE)) {
		if (hold_back(batch, entry, place))
			return 0;
		socket_flush(server, entry);
	}
	if (socket_has_output(entry) || entry->write_error != 0) {
		check_threshold(server, entry);
		if (state != SOCKET_STATE_OPENING && state != SOCKET_STATE_WAITING)
			socket_update_interest(server, entry);
	}
	return 0;
}

/* Lock held. Takes `bytes`. */
static int
send_one_datagram(struct socket_server *server, struct socket_entry *entry,
	struct send_bytes *bytes, const void *address) {
	size_t address_size = address != NULL ? (size_t)socket_address_blob_size(address) : 0;
	struct iovec vector = {.iov_base = (void *)(size_t)bytes->data, .iov_len = bytes->size};
	if (address != NULL && address_size != entry->family)
		return -1;
	if (entry->queue.size == 0 && send_datagram(server, entry, &vector, address, address_size))
		return 0;
	if (!has_room(server, entry, bytes->size))
		return -1;
	send_queue_push_datagram(&entry->queue, bytes, address, address_size);
	count_queued(entry);
	check_threshold(server, entry);
	socket_update_interest(server, entry);
	return 0;
}

static int
send_locked(struct socket_server *server, struct socket_batch *batch, struct socket_entry *entry,
	struct send_bytes *bytes, bool low) {
	enum socket_state state = socket_entry_state(entry);
	if (entry->closing)
		return -1;
	if (entry->kind == SOCKET_KIND_DATAGRAM)
		return send_one_datagram(server, entry, bytes, NULL);
	if (!socket_is_stream(entry) || state == SOCKET_STATE_HALF_WRITE)
		return -1;
	/* No service has started the socket: the bytes are dropped, as in the reference. When a
	 * START is on its way to the poller, they are queued and leave after it. */
	if ((state == SOCKET_STATE_WAITING && entry->starts_pending == 0) || bytes->size == 0)
		return 0;
	return send_stream(server, batch, entry, bytes, low);
}

static int
send_buffer(struct socket_server *server, struct socket_batch *batch,
	const struct socket_sendbuffer *buffer, bool low) {
	struct send_bytes bytes;
	/* Acquire pairs with the release in socket_server_userobject. */
	send_bytes_init(&bytes, buffer,
		atomic_load_explicit(&server->object_interface, memory_order_acquire));
	int result = -1;
	struct socket_entry *entry = socket_table_acquire(&server->table, buffer->id);
	if (entry != NULL) {
		result = send_locked(server, batch, entry, &bytes, low);
		mutex_release(&entry->lock);
	}
	send_bytes_fini(&bytes);
	return result;
}

int
socket_server_send(struct socket_server *server, struct socket_batch *batch,
	const struct socket_sendbuffer *buffer) {
	return send_buffer(server, batch, buffer, false);
}

int
socket_server_send_low(struct socket_server *server, struct socket_batch *batch,
	const struct socket_sendbuffer *buffer) {
	return send_buffer(server, batch, buffer, true);
}

/* As write_pieces, for a socket with a guard that has nothing left to write. Takes all of it, or so
 * much that the system has something to do until the caller offers more. Lock held. */
static int64_t
write_guarded(struct socket_server *server, struct socket_entry *entry, const struct iovec *pieces,
	int count, size_t offered) {
	struct guard *machine = entry->guard->machine;
	size_t taken = 0, offset = 0;
	int i = 0;
	/* One part after the other, as long as the system takes all that it is given. */
	while (i < count && !socket_has_output(entry) && entry->write_error == 0) {
		while (i < count && guard_buffer_size(&machine->wire) < BATCH_SIZE_MAX) {
			size_t left = pieces[i].iov_len - offset;
			size_t part = left < BATCH_SIZE_MAX ? left : BATCH_SIZE_MAX;
			guard_send(machine, (const char *)pieces[i].iov_base + offset, part);
			taken += part;
			offset = part < left ? offset + part : 0;
			i += part == left;
		}
		socket_flush(server, entry);
	}
	entry->wants_room = taken < offered;
	if (entry->wants_room || socket_has_output(entry) || entry->write_error != 0)
		socket_update_interest(server, entry);
	return (int64_t)taken;
}

/* Writes what the system takes of `pieces`, without queueing the rest. Lock held. */
static int64_t
write_pieces(struct socket_server *server, struct socket_entry *entry, const struct iovec *pieces,
	int count) {
	enum socket_state state = socket_entry_state(entry);
	bool ready = state == SOCKET_STATE_OPEN || state == SOCKET_STATE_HALF_READ;
	size_t offered = 0;
	ssize_t n = 0;
	if (entry->closing || !socket_is_stream(entry) || state == SOCKET_STATE_HALF_WRITE)
		return -1;
	for (int i = 0; i < count; i++)
		offered += pieces[i].iov_len;
	if (ready && !socket_has_output(entry) && entry->write_error == 0) {
		if (is_guarded(entry))
			return write_guarded(server, entry, pieces, count, offered);
		/* The vectors are only read. */
		n = write_vectors(entry, (struct iovec *)(size_t)pieces, count);
		if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
			entry->write_error = errno;
	}
	if (n > 0)
		count_written(server, entry, (size_t)n);
	else
		n = 0;
	if ((size_t)n < offered) {
		entry->wants_room = true;
		if (state != SOCKET_STATE_OPENING)
			socket_update_interest(server, entry);
	}
	return n;
}

int64_t
socket_server_write(struct socket_server *server, int id, const struct iovec *pieces, int count) {
	struct socket_entry *entry = socket_table_acquire(&server->table, id);
	if (entry == NULL)
		return -1;
	int64_t result = write_pieces(server, entry, pieces, count);
	mutex_release(&entry->lock);
	return result;
}

int
socket_server_udp_send(
	struct socket_server *server, const void *address, const struct socket_sendbuffer *buffer) {
	struct send_bytes bytes;
	/* See send_buffer. */
	send_bytes_init(&bytes, buffer,
		atomic_load_explicit(&server->object_interface, memory_order_acquire));
	int result = -1;
	struct socket_entry *entry = socket_table_acquire(&server->table, buffer->id);
	if (entry != NULL) {
		if (entry->kind == SOCKET_KIND_DATAGRAM && !entry->closing)
			result = send_one_datagram(server, entry, &bytes, address);
		mutex_release(&entry->lock);
	}
	send_bytes_fini(&bytes);
	return result;
}

/* ---- the end of a turn ---- */

static void
flush_id(struct socket_server *server, int id) {
	struct socket_entry *entry = socket_table_acquire(&server->table, id);
	if (entry == NULL)
		return;
	/* When the socket is closing, or the poller waits for room already, the poller writes the
	 * rest. */
	if (entry->queue.size > 0 && !entry->closing && !(entry->interest & SOCKET_POLL_WRITE) &&
		socket_is_stream(entry)) {
		socket_flush(server, entry);
		if (socket_has_output(entry) || entry->write_error != 0) {
			check_threshold(server, entry);
			socket_update_interest(server, entry);
		}
	}
	mutex_release(&entry->lock);
}

void
socket_server_flush_thread(struct socket_server *server, struct socket_batch *batch) {
	for (int i = 0; batch->pending > 0 && i < batch->count; i++) {
		int id = atomic_load_explicit(&batch->waiting[i], memory_order_relaxed);
		if (id == 0)
			continue;
		atomic_store_explicit(&batch->waiting[i], 0, memory_order_relaxed);
		batch->pending--;
		flush_id(server, id);
	}
	batch->count = 0;
}

void
socket_server_flush_stuck(struct socket_server *server, const struct socket_batch *batch) {
	for (int i = 0; i < SOCKET_BATCH_SIZE; i++) {
		/* Relaxed order is enough: the bytes themselves are guarded by the lock of the
		 * socket. */
		int id = atomic_load_explicit(&batch->waiting[i], memory_order_relaxed);
		if (id != 0)
			flush_id(server, id);
	}
}
