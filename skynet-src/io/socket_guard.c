/* Guards of sockets: a connection that needs one is `shaking` between being made and being told to
 * anybody. The poller feeds its guard; senders go through it under the lock of the socket. A guard
 * with nothing left to do is taken away, and the socket is then as any other.
 *
 * What strangers can cost is bounded: a listener has so many shaking connections at most, each of
 * them ends at a deadline, and an address that has failed often is turned away unread. Where there
 * are too many, strangers go before those whose address is known.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io/socket_core.h"
#include "skynet_malloc.h"

#define FILL_SIZE    ((size_t)65536) /* put on the wire at once */
#define FILL_VECTORS 64
#define REPORT_SIZE  512

/* A deadline that passes while the poller is busy with other handshakes for more than this part of
 * the time is moved, so often. */
#define BUSY_PART      8
#define EXTENSIONS_MAX 4

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

/* ---- life ---- */

struct socket_guard *
socket_guard_create(struct guard_policy *policy) {
	if (policy == NULL)
		return NULL;
	struct socket_guard *guard = skynet_calloc(1, sizeof(*guard));
	guard->policy = guard_policy_grab(policy);
	return guard;
}

/* The listener that has accepted a connection, NULL when it is gone. */
static struct socket_entry *
listener_of(struct socket_server *server, const struct socket_entry *entry) {
	struct socket_entry *listener = socket_table_find(&server->table, entry->guard->listener);
	return listener != NULL && listener->guard != NULL ? listener : NULL;
}

/* The connection no longer counts among those of its listener that have not authenticated yet. */
static void
leave_listener(struct socket_server *server, struct socket_entry *entry) {
	struct socket_entry *listener = listener_of(server, entry);
	if (entry->guard->listener != 0 && listener != NULL)
		listener->guard->pending--;
	entry->guard->listener = 0;
}

void
socket_guard_destroy(struct socket_server *server, struct socket_entry *entry) {
	struct socket_guard *guard = entry->guard;
	leave_listener(server, entry);
	guard_destroy(guard->machine);
	guard_buffer_fini(&guard->early);
	guard_policy_drop(guard->policy);
	skynet_free(guard);
	entry->guard = NULL;
}

static void
count(_Atomic(uint64_t) *counter) {
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* ---- what is told about strangers ---- */

static void
report(struct socket_server *server, struct socket_entry *listener, const char *peer,
	const char *reason) {
	char text[REPORT_SIZE], more[64] = "", port[16] = "";
	uint64_t silent;
	atomic_fetch_add_explicit(&listener->dropped, 1, memory_order_relaxed);
	if (!guard_policy_may_report(
		    listener->guard->policy, clock_monotonic_ns(server->clock), &silent))
		return;
	if (silent > 0)
		snprintf(more, sizeof(more), " (and %llu that were not told)",
			(unsigned long long)silent);
	if (!listener->local)
		snprintf(port, sizeof(port), ":%d", listener->port);
	snprintf(text, sizeof(text), "refused a connection of %s to %s%s: %s%s", peer,
		listener->name, port, reason, more);
	socket_event_text(server, listener, SOCKET_EVENT_REPORT, 0, text);
}

/* Ends a connection that was shaking. `blamed`: that counts against its address. */
static void
give_up(struct socket_server *server, struct socket_entry *entry, const char *reason, bool blamed) {
	struct socket_guard *guard = entry->guard;
	char text[GUARD_REASON_SIZE], peer[SOCKET_ADDRESS_TEXT_SIZE];
	snprintf(text, sizeof(text), "%s", reason);
	if (guard->listener == 0) {
		count(&guard->policy->counters.dial_failed);
		socket_fail(server, entry, text);
		return;
	}
	struct socket_entry *listener = listener_of(server, entry);
	count(&guard->policy->counters.failed);
	if (blamed)
		guard_limit_note(&guard->policy->limit, &guard->peer,
			clock_monotonic_ns(server->clock), false);
	memcpy(peer, entry->name, sizeof(peer));
	/* No service has heard of the connection, so none needs an event. */
	socket_destroy(server, entry);
	if (listener != NULL)
		report(server, listener, peer, text);
}

void
socket_guard_failed(struct socket_server *server, struct socket_entry *entry, const char *reason) {
	give_up(server, entry, reason, true);
}

/* ---- the handshake ---- */

int
socket_guard_interest(const struct socket_entry *entry) {
	bool output = guard_buffer_size(&entry->guard->machine->wire) > 0;
	return SOCKET_POLL_READ | (output || entry->write_error != 0 ? SOCKET_POLL_WRITE : 0);
}

/* Adds the time that this step of a handshake took to the total: other handshakes, which had to
 * wait meanwhile, get it back. */
static void
note_shaking(struct socket_server *server, uint64_t begin_ns) {
	server->shaking_ns += clock_monotonic_ns(server->clock) - begin_ns;
}

static void
set_deadline(struct socket_server *server, struct socket_entry *entry, uint64_t delay_ns) {
	entry->guard->shaken_ns = server->shaking_ns;
	socket_set_deadline(server, entry, delay_ns);
}

/* Gives a handshake more time when other handshakes have taken much of it, but only so often.
 * Returns whether it did. */
static bool
extend(struct socket_server *server, struct socket_entry *entry) {
	struct socket_guard *guard = entry->guard;
	uint64_t timeout_ns = guard->policy->timeout_ns;
	uint64_t busy_ns = server->shaking_ns - guard->shaken_ns;
	if (busy_ns < timeout_ns / BUSY_PART || guard->extensions == EXTENSIONS_MAX)
		return false;
	guard->extensions++;
	set_deadline(server, entry, busy_ns < timeout_ns ? busy_ns : timeout_ns);
	return true;
}

/* Begins the handshake: from now on bytes of the connection go through `machine`. Lock held.
 * Returns 0 or an errno. */
static int
begin(struct socket_server *server, struct socket_entry *entry, const struct socket_address *peer,
	struct guard *machine) {
	entry->guard->machine = machine;
	entry->guard->peer = *peer;
	socket_entry_set_state(entry, SOCKET_STATE_SHAKING);
	socket_flush(server, entry);
	return socket_update_interest(server, entry) < 0 ? errno : 0;
}

bool
socket_guard_dialled(struct socket_server *server, struct socket_entry *entry,
	const struct socket_address *peer) {
	struct guard_policy *policy = entry->guard->policy;
	if (guard_policy_allows(policy, peer, true)) {
		count(&policy->counters.allowed);
		mutex_acquire(&entry->lock);
		socket_guard_destroy(server, entry);
		mutex_release(&entry->lock);
		return false;
	}
	uint64_t begin_ns = clock_monotonic_ns(server->clock);
	mutex_acquire(&entry->lock);
	int failed = begin(server, entry, peer, guard_create(policy, GUARD_DIALLER, false));
	/* OpenSSL may have failed at once. */
	bool broken = entry->guard->machine->state == GUARD_FAILED;
	mutex_release(&entry->lock);
	note_shaking(server, begin_ns);
	if (broken)
		socket_guard_failed(server, entry, entry->guard->machine->reason);
	else if (failed != 0)
		socket_guard_failed(server, entry, strerror(failed));
	else
		set_deadline(server, entry, policy->timeout_ns);
	return true;
}

/* True when `a` is to go rather than `b`: strangers first, then the older one. */
static bool
goes_before(const struct socket_entry *a, const struct socket_entry *b) {
	if (b == NULL)
		return true;
	if (a->guard->known != b->guard->known)
		return b->guard->known;
	return a->deadline_ns < b->deadline_ns;
}

/* Ends one connection because there are too many: one of the same source, so that who floods pushes
 * out its own; else any. Only the former is the fault of that source. */
static void
make_room(struct socket_server *server, int listener, const struct socket_address *peer) {
	struct socket_entry *other = NULL, *same = NULL;
	for (struct socket_entry *entry = server->timed; entry != NULL; entry = entry->next_timed) {
		if (entry->guard == NULL || entry->guard->listener != listener)
			continue;
		if (goes_before(entry, other))
			other = entry;
		if (guard_limit_same(&entry->guard->peer, peer) && goes_before(entry, same))
			same = entry;
	}
	struct socket_entry *victim = same != NULL ? same : other;
	if (victim != NULL)
		give_up(server, victim, "newer connections needed its place", victim == same);
}

/* The address by which a peer is judged. The peer of a Unix socket has none: the path of the
 * listener stands for it. */
static struct socket_address
name_peer(const struct socket_entry *listener, const struct socket_address *peer) {
	struct socket_address address;
	if (listener->local && socket_address_parse(&address, listener->name, 0) == SKYNET_OK)
		return address;
	return *peer;
}

static void
turn_away(struct socket_server *server, struct socket_entry *listener, int fd,
	const struct socket_address *peer) {
	unsigned char refusal[GUARD_REFUSAL_SIZE];
	char text[SOCKET_ADDRESS_TEXT_SIZE];
	guard_refusal_write(refusal, GUARD_REFUSED_LIMIT);
	/* It does not matter if this fails: the peer also sees the connection end. */
	if (send(fd, refusal, sizeof(refusal), MSG_NOSIGNAL) < 0)
		errno = 0;
	close(fd);
	count(&listener->guard->policy->counters.refused);
	socket_address_print(peer, text, sizeof(text));
	report(server, listener, text, "too many failed attempts from its address");
}

void
socket_guard_accepted(struct socket_server *server, struct socket_entry *listener, int fd,
	const struct socket_address *peer) {
	struct guard_policy *policy = listener->guard->policy;
	struct socket_address named = name_peer(listener, peer);
	bool lenient = guard_policy_allows(policy, &named, false);
	if (!lenient &&
		!guard_limit_admits(&policy->limit, &named, clock_monotonic_ns(server->clock))) {
		turn_away(server, listener, fd, &named);
		return;
	}
	if (listener->guard->pending >= policy->pending_max)
		make_room(server, socket_entry_id(listener), &named);
	struct socket_entry *entry = socket_adopt_accepted(server, listener, fd, peer);
	entry->guard = socket_guard_create(policy);
	entry->guard->listener = socket_entry_id(listener);
	entry->guard->known = lenient || guard_limit_trusts(&policy->limit, &named);
	listener->guard->pending++;
	int failed = begin(server, entry, &named, guard_create(policy, GUARD_LISTENER, lenient));
	mutex_release(&entry->lock);
	if (failed != 0)
		socket_guard_failed(server, entry, strerror(failed));
	else
		set_deadline(server, entry, policy->timeout_ns);
}

/* ---- the end of the handshake ---- */

/* Frees the machine if it only passes bytes through and has nothing left to send, and the guard
 * with it when that has nothing left to deliver either. */
static void
drop_machine(struct socket_server *server, struct socket_entry *entry) {
	mutex_acquire(&entry->lock);
	struct socket_guard *guard = entry->guard;
	if (guard->machine != NULL && guard->machine->transparent &&
		guard_buffer_size(&guard->machine->wire) == 0) {
		guard_destroy(guard->machine);
		guard->machine = NULL;
	}
	if (guard->machine == NULL && guard_buffer_size(&guard->early) == 0)
		socket_guard_destroy(server, entry);
	mutex_release(&entry->lock);
}

/* A dialled connection has authenticated. */
static void
open_dialled(struct socket_server *server, struct socket_entry *entry) {
	char text[SOCKET_ADDRESS_TEXT_SIZE];
	int id = socket_entry_id(entry);
	count(&entry->guard->policy->counters.dialled);
	socket_address_print_host(&entry->guard->peer, text, sizeof(text));
	socket_clear_deadline(server, entry);
	if (entry->closing) {
		entry->written_seen =
			atomic_load_explicit(&entry->write_count, memory_order_relaxed);
		socket_set_deadline(server, entry, server->linger_ns);
	}
	drop_machine(server, entry);
	socket_opened(server, entry, text);
	if (socket_table_find(&server->table, id) == entry && entry->guard != NULL &&
		!entry->closing)
		socket_guard_started(server, entry);
}

/* An accepted connection has authenticated: now the owner of the listener hears of it. */
static void
open_accepted(struct socket_server *server, struct socket_entry *entry) {
	struct socket_guard *guard = entry->guard;
	struct socket_entry *listener = listener_of(server, entry);
	if (listener == NULL) {
		socket_destroy(server, entry);
		return;
	}
	if (guard->machine->greeted) {
		count(&guard->policy->counters.accepted);
		guard_limit_note(&guard->policy->limit, &guard->peer,
			clock_monotonic_ns(server->clock), true);
	} else
		count(&guard->policy->counters.allowed);
	leave_listener(server, entry);
	socket_clear_deadline(server, entry);
	drop_machine(server, entry);
	mutex_acquire(&entry->lock);
	socket_entry_set_state(entry, SOCKET_STATE_WAITING);
	int failed = socket_update_interest(server, entry) < 0 ? errno : 0;
	mutex_release(&entry->lock);
	if (failed) {
		socket_event_text(server, listener, SOCKET_EVENT_ERROR, 0, strerror(failed));
		socket_destroy(server, entry);
		return;
	}
	socket_event_text(
		server, listener, SOCKET_EVENT_ACCEPT, socket_entry_id(entry), entry->name);
}

/* Acts on the state of a connection that was shaking: goes on, opens or closes it. Takes what is in
 * `plain`. */
static void
settle(struct socket_server *server, struct socket_entry *entry, enum guard_state state,
	struct guard_buffer *plain, const char *reason) {
	if (state == GUARD_FAILED)
		socket_guard_failed(server, entry, reason);
	if (state != GUARD_OPEN) {
		guard_buffer_fini(plain);
		return;
	}
	entry->guard->early = *plain;
	if (entry->guard->listener == 0)
		open_dialled(server, entry);
	else
		open_accepted(server, entry);
}

void
socket_guard_expired(struct socket_server *server, struct socket_entry *entry) {
	struct guard_buffer plain = {.data = NULL};
	char reason[GUARD_REASON_SIZE];
	if (extend(server, entry))
		return;
	mutex_acquire(&entry->lock);
	struct guard *machine = entry->guard->machine;
	enum guard_state state = guard_expire(machine, &plain);
	memcpy(reason, machine->reason, sizeof(reason));
	mutex_release(&entry->lock);
	settle(server, entry, state, &plain, reason);
}

void
socket_guard_started(struct socket_server *server, struct socket_entry *entry) {
	size_t size;
	if (entry->kind == SOCKET_KIND_LISTENER)
		return;
	char *data = guard_buffer_take(&entry->guard->early, &size);
	drop_machine(server, entry);
	if (data != NULL)
		socket_deliver(server, entry, data, size);
}

/* ---- bytes ---- */

void
socket_guard_fill(struct socket_entry *entry) {
	struct iovec vectors[FILL_VECTORS];
	struct socket_guard *guard = entry->guard;
	size_t filled = 0;
	if (socket_entry_state(entry) == SOCKET_STATE_SHAKING)
		return;
	int vector_count = send_queue_gather(&entry->queue, vectors, FILL_VECTORS);
	for (int i = 0; i < vector_count && filled < FILL_SIZE; i++) {
		size_t left = FILL_SIZE - filled;
		size_t part = vectors[i].iov_len < left ? vectors[i].iov_len : left;
		guard_send(guard->machine, vectors[i].iov_base, part);
		filled += part;
	}
	send_queue_consume(&entry->queue, filled);
	if (entry->closing && entry->queue.size == 0 && !guard->finished) {
		guard->finished = true;
		guard_finish(guard->machine);
	}
	if (guard->machine->state == GUARD_FAILED)
		entry->write_error = EPROTO;
}

/* Handles a read that gave nothing: no more for now, the end, or an error. */
static void
read_ended(struct socket_server *server, struct socket_entry *entry, ssize_t n) {
	bool shaking = socket_entry_state(entry) == SOCKET_STATE_SHAKING;
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	if (n < 0 && shaking)
		socket_guard_failed(server, entry, strerror(errno));
	else if (n < 0)
		socket_fail(server, entry, strerror(errno));
	else if (shaking) {
		guard_end(entry->guard->machine);
		socket_guard_failed(server, entry, entry->guard->machine->reason);
	} else
		socket_stream_ended(server, entry);
}

void
socket_guard_readable(struct socket_server *server, struct socket_entry *entry) {
	struct guard_buffer plain = {.data = NULL};
	char reason[GUARD_REASON_SIZE];
	enum socket_state before = socket_entry_state(entry);
	/* Relaxed order: see stream_ready. */
	if (before != SOCKET_STATE_SHAKING &&
		!atomic_load_explicit(&entry->reading, memory_order_relaxed))
		return;
	ssize_t n = socket_read_bytes(entry, server->scratch, SOCKET_SCRATCH_SIZE);
	if (n <= 0) {
		read_ended(server, entry, n);
		return;
	}
	uint64_t begin_ns = before == SOCKET_STATE_SHAKING ? clock_monotonic_ns(server->clock) : 0;
	mutex_acquire(&entry->lock);
	struct guard *machine = entry->guard->machine;
	enum guard_state state = guard_receive(machine, server->scratch, (size_t)n, &plain);
	bool ended = machine->ended;
	/* The handshake, or TLS itself, may have put an answer into `wire`. */
	if (before != SOCKET_STATE_HALF_WRITE && guard_buffer_size(&machine->wire) > 0) {
		socket_flush(server, entry);
		socket_update_interest(server, entry);
	}
	memcpy(reason, machine->reason, sizeof(reason));
	mutex_release(&entry->lock);
	if (before == SOCKET_STATE_SHAKING) {
		note_shaking(server, begin_ns);
		settle(server, entry, state, &plain, reason);
		return;
	}
	size_t size;
	char *data = guard_buffer_take(&plain, &size);
	if (data != NULL)
		socket_deliver(server, entry, data, size);
	guard_buffer_fini(&plain);
	if (state == GUARD_FAILED)
		socket_fail(server, entry, reason);
	else if (ended)
		socket_stream_ended(server, entry);
}
