#include "io/socket_server.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io/file_watch.h"
#include "io/socket_core.h"
#include "skynet_malloc.h"

#define POLL_EVENTS       256
#define LINGER_DEFAULT_MS 60000
#define NS_PER_MS         1000000u
#define NS_PER_CS         10000000u

/* ---- life ---- */

/* Raises the soft limit of open descriptors to the hard one: descriptors that are not used cost
 * nothing. Where the system refuses, the limit stays as it is. */
static void
raise_descriptor_limit(void) {
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
		return;
#ifdef __APPLE__
	limit.rlim_cur = limit.rlim_max < OPEN_MAX ? limit.rlim_max : OPEN_MAX;
#else
	limit.rlim_cur = limit.rlim_max;
#endif
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* A thread of the resolver has looked up a name: the poller gets the result as a request. */
static void
name_resolved(void *ud, int id, struct address_list *list, const char *text) {
	struct socket_request *request = socket_request_create(SOCKET_REQUEST_CONNECT, id);
	request->addresses = list;
	if (list == NULL)
		request->text = skynet_strdup(text);
	socket_request_post(ud, request);
}

static void
configure(struct socket_server *server, const struct socket_server_config *config) {
	clock_init_system(&server->system_clock);
	server->clock = config->clock != NULL ? config->clock : &server->system_clock;
	server->start_ns = clock_monotonic_ns(server->clock);
	server->buffer_limit = config->buffer_limit;
	server->buffer_policy = (uint8_t)config->buffer_policy;
	int linger_ms = config->linger_ms > 0 ? config->linger_ms : LINGER_DEFAULT_MS;
	server->linger_ns = (uint64_t)linger_ms * NS_PER_MS;
	server->resolver_config = (struct resolver_config){
		.resolve = config->resolve != NULL ? config->resolve : getaddrinfo,
		.resolve_free = config->resolve_free != NULL ? config->resolve_free : freeaddrinfo,
		.done = name_resolved,
		.ud = server,
	};
}

struct socket_server *
socket_server_create(const struct socket_server_config *config, struct skynet_error *error) {
	static const struct socket_server_config nothing;
	struct socket_server *server = skynet_calloc(1, sizeof(*server));
	if (socket_poll_open(&server->poll, error) != SKYNET_OK) {
		skynet_free(server);
		return NULL;
	}
	server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (server->reserve_fd < 0) {
		error_set_errno(error, SKYNET_ESYSTEM, errno, "cannot open '/dev/null'");
		socket_poll_close(&server->poll);
		skynet_free(server);
		return NULL;
	}
	raise_descriptor_limit();
	socket_table_init(&server->table);
	configure(server, config != NULL ? config : &nothing);
	server->resolver = resolver_create(&server->resolver_config);
	server->next_deadline_ns = UINT64_MAX;
	server->scratch = skynet_malloc(SOCKET_SCRATCH_SIZE);
	return server;
}

static void
drop_requests(struct socket_server *server) {
	struct socket_request *request = socket_request_take(&server->requests);
	while (request != NULL) {
		struct socket_request *next = request->next;
		socket_request_destroy(request);
		request = next;
	}
}

void
socket_server_destroy(struct socket_server *server) {
	struct socket_entry *entry;
	resolver_destroy(server->resolver);
	drop_requests(server);
	for (uint32_t i = 0; (entry = socket_table_at(&server->table, i)) != NULL; i++) {
		mutex_release(&entry->lock);
		if (socket_entry_id(entry) != 0)
			socket_destroy(server, entry);
	}
	socket_table_fini(&server->table);
	socket_poll_close(&server->poll);
	if (server->reserve_fd >= 0)
		close(server->reserve_fd);
	skynet_free(server->spare);
	skynet_free(server->scratch);
	skynet_free(server);
}

uint64_t
socket_now_cs(const struct socket_server *server) {
	return (clock_monotonic_ns(server->clock) - server->start_ns) / NS_PER_CS;
}

/* ---- waking ---- */

static void
wake_sleeper(struct socket_server *server) {
	/* Sequentially consistent: either this sees that the poller sleeps, or the poller, which
	 * says so first and looks for work then, sees what the caller has stored before. */
	if (!atomic_load_explicit(&server->sleeping, memory_order_seq_cst))
		return;
	if (atomic_exchange_explicit(&server->sleeping, false, memory_order_relaxed))
		socket_poll_wake(&server->poll);
}

void
socket_server_wake(struct socket_server *server) {
	/* See wake_sleeper. Also release, for what the caller has done before: pairs with the
	 * exchange in socket_server_poll. */
	atomic_store_explicit(&server->woken, true, memory_order_seq_cst);
	wake_sleeper(server);
}

void
socket_request_post(struct socket_server *server, struct socket_request *request) {
	socket_request_push(&server->requests, request);
	wake_sleeper(server);
}

void
socket_request_post_simple(struct socket_server *server, enum socket_request_type type, int id) {
	socket_request_post(server, socket_request_create(type, id));
}

/* ---- events ---- */

void
socket_event_send(struct socket_server *server, const struct socket_event *event) {
	server->delivered++;
	server->deliver(server->deliver_ud, event);
}

void
socket_event_text(struct socket_server *server, const struct socket_entry *entry, int type, int ud,
	const char *text) {
	/* Another thread may mute the socket at any moment. No other data depends on the flag, so
	 * relaxed order is enough. */
	if (atomic_load_explicit(&entry->muted, memory_order_relaxed) || entry->owner.node == NULL)
		return;
	struct socket_event event = {
		.type = type,
		.id = socket_entry_id(entry),
		.ud = ud,
		.owner = entry->owner,
		.data = (char *)(size_t)text,
		.size = text != NULL ? strlen(text) : 0,
	};
	socket_event_send(server, &event);
}

void
socket_tell_close(struct socket_server *server, struct socket_entry *entry) {
	if (entry->close_told)
		return;
	entry->close_told = true;
	socket_event_text(server, entry, SOCKET_EVENT_CLOSE, 0, NULL);
}

/* ---- sockets ---- */

int
socket_set_interest(struct socket_server *server, struct socket_entry *entry, int interest) {
	if (interest == entry->interest)
		return 0;
	int result = socket_poll_set(
		&server->poll, entry->fd, socket_entry_id(entry), entry->interest, interest);
	if (result == 0)
		entry->interest = interest;
	return result;
}

int
socket_update_interest(struct socket_server *server, struct socket_entry *entry) {
	int interest = 0;
	enum socket_state state = socket_entry_state(entry);
	bool may_read = state == SOCKET_STATE_OPEN || state == SOCKET_STATE_HALF_WRITE;
	if (entry->fd < 0)
		return 0;
	if (state == SOCKET_STATE_OPENING)
		return socket_set_interest(server, entry, SOCKET_POLL_WRITE);
	if (state == SOCKET_STATE_SHAKING)
		return socket_set_interest(server, entry, socket_guard_interest(entry));
	if (state == SOCKET_STATE_LINGERING)
		return socket_set_interest(server, entry, SOCKET_POLL_READ);
	if (may_read && atomic_load_explicit(&entry->reading, memory_order_relaxed))
		interest |= SOCKET_POLL_READ;
	if (socket_has_output(entry) || entry->write_error != 0 || entry->wants_room)
		interest |= SOCKET_POLL_WRITE;
	bool idle = state == SOCKET_STATE_WAITING || state == SOCKET_STATE_HALF_READ;
	if (interest == 0 && idle && entry->kind == SOCKET_KIND_STREAM && !entry->hung_up)
		interest = SOCKET_POLL_HANGUP;
	return socket_set_interest(server, entry, interest);
}

void
socket_clear_deadline(struct socket_server *server, struct socket_entry *entry) {
	struct socket_entry **link = &server->timed;
	if (entry->deadline_ns == 0)
		return;
	while (*link != entry)
		link = &(*link)->next_timed;
	*link = entry->next_timed;
	entry->deadline_ns = 0;
}

void
socket_set_deadline(struct socket_server *server, struct socket_entry *entry, uint64_t delay_ns) {
	if (entry->deadline_ns == 0) {
		entry->next_timed = server->timed;
		server->timed = entry;
	}
	entry->deadline_ns = clock_monotonic_ns(server->clock) + delay_ns;
	if (entry->deadline_ns < server->next_deadline_ns)
		server->next_deadline_ns = entry->deadline_ns;
}

void
socket_destroy(struct socket_server *server, struct socket_entry *entry) {
	socket_clear_deadline(server, entry);
	mutex_acquire(&entry->lock);
	/* The file goes while the socket still listens: somebody who finds the socket closed may
	 * put a listener at the same path, whose file must stay. */
	if (entry->kind == SOCKET_KIND_LISTENER && entry->path != NULL)
		unlink(entry->path);
	if (entry->fd >= 0) {
		if (entry->kind == SOCKET_KIND_BORROWED)
			socket_set_interest(server, entry, 0);
		else if (entry->watch != NULL)
			file_watch_destroy(entry->watch);
		else
			close(entry->fd);
		entry->fd = -1;
	}
	skynet_free(entry->path);
	skynet_free(entry->addresses);
	socket_clear_queue(entry);
	if (entry->guard != NULL)
		socket_guard_destroy(server, entry);
	socket_table_release(&server->table, entry);
}

void
socket_fail(struct socket_server *server, struct socket_entry *entry, const char *text) {
	if (!entry->closing)
		socket_event_text(server, entry, SOCKET_EVENT_ERROR, 0, text);
	socket_destroy(server, entry);
}

void
socket_end(struct socket_server *server, struct socket_entry *entry) {
	/* Whoever gets CLOSE may listen on the same address at once: the descriptor goes first. */
	struct socket_event event = {
		.type = SOCKET_EVENT_CLOSE,
		.id = socket_entry_id(entry),
		.owner = entry->owner,
	};
	/* Another thread may mute the socket at any moment. No other data depends on the flag, so
	 * relaxed order is enough. */
	bool silent = entry->close_told || entry->owner.node == NULL ||
		      atomic_load_explicit(&entry->muted, memory_order_relaxed);
	socket_destroy(server, entry);
	if (!silent)
		socket_event_send(server, &event);
}

/* ---- deadlines ---- */

/* What a deadline means depends on the socket. A handshake that takes too long ends. A listener
 * that had no descriptors left accepts again. A closed socket is given up if nothing of its output
 * has left since the last deadline. */
static void
deadline_passed(struct socket_server *server, struct socket_entry *entry) {
	socket_clear_deadline(server, entry);
	if (socket_entry_state(entry) == SOCKET_STATE_SHAKING) {
		socket_guard_expired(server, entry);
		return;
	}
	if (entry->kind == SOCKET_KIND_LISTENER) {
		mutex_acquire(&entry->lock);
		socket_update_interest(server, entry);
		mutex_release(&entry->lock);
		return;
	}
	uint64_t written = atomic_load_explicit(&entry->write_count, memory_order_relaxed);
	if (written == entry->written_seen) {
		socket_destroy(server, entry);
		return;
	}
	entry->written_seen = written;
	socket_set_deadline(server, entry, server->linger_ns);
}

static void
run_deadlines(struct socket_server *server) {
	if (server->next_deadline_ns == UINT64_MAX)
		return;
	uint64_t now = clock_monotonic_ns(server->clock);
	if (now < server->next_deadline_ns)
		return;
	struct socket_entry *entry = server->timed;
	while (entry != NULL) {
		struct socket_entry *next = entry->next_timed;
		if (entry->deadline_ns <= now)
			deadline_passed(server, entry);
		entry = next;
	}
	server->next_deadline_ns = UINT64_MAX;
	for (entry = server->timed; entry != NULL; entry = entry->next_timed)
		if (entry->deadline_ns < server->next_deadline_ns)
			server->next_deadline_ns = entry->deadline_ns;
}

static int
limit_timeout(const struct socket_server *server, int timeout_ms) {
	if (server->next_deadline_ns == UINT64_MAX || timeout_ms == 0)
		return timeout_ms;
	uint64_t now = clock_monotonic_ns(server->clock);
	if (server->next_deadline_ns <= now)
		return 0;
	uint64_t left = (server->next_deadline_ns - now) / NS_PER_MS + 1;
	if (timeout_ms >= 0 && (uint64_t)timeout_ms < left)
		return timeout_ms;
	return left > INT_MAX ? INT_MAX : (int)left;
}

/* ---- requests ---- */

static void
request_connect(
	struct socket_server *server, struct socket_entry *entry, struct socket_request *request) {
	if (request->addresses == NULL) {
		socket_fail(
			server, entry, request->text != NULL ? request->text : "invalid address");
		return;
	}
	mutex_acquire(&entry->lock);
	entry->addresses = request->addresses;
	mutex_release(&entry->lock);
	request->addresses = NULL;
	socket_dial(server, entry);
}

/* Datagram sockets, watches and borrowed descriptors are read at once, without a START. */
static void
request_open(
	struct socket_server *server, struct socket_entry *entry, struct socket_request *request) {
	mutex_acquire(&entry->lock);
	socket_entry_set_state(entry, SOCKET_STATE_OPEN);
	atomic_store_explicit(&entry->reading, true, memory_order_relaxed);
	int failed = socket_update_interest(server, entry) < 0 ? errno : 0;
	mutex_release(&entry->lock);
	if (failed)
		socket_fail(server, entry, strerror(failed));
	else if (request->type == SOCKET_REQUEST_BIND)
		socket_event_text(server, entry, SOCKET_EVENT_CONNECT, 0, "binding");
}

/* Tells the service that has asked for START why the socket cannot be started. */
static void
refuse_start(struct socket_server *server, const struct socket_request *request, const char *text) {
	struct socket_event event = {
		.type = SOCKET_EVENT_ERROR,
		.id = request->id,
		.owner = request->owner,
		.data = (char *)(size_t)text,
		.size = strlen(text),
	};
	socket_event_send(server, &event);
}

static void
request_start(
	struct socket_server *server, struct socket_entry *entry, struct socket_request *request) {
	enum socket_state state = socket_entry_state(entry);
	const char *text = state == SOCKET_STATE_WAITING ? "start" : "transfer";
	mutex_acquire(&entry->lock);
	if (entry->starts_pending > 0)
		entry->starts_pending--;
	if (entry->closing || state == SOCKET_STATE_HALF_READ) {
		mutex_release(&entry->lock);
		bool gone = state == SOCKET_STATE_LINGERING;
		refuse_start(server, request, gone ? "invalid socket" : "socket closed");
		return;
	}
	entry->owner = request->owner;
	atomic_store_explicit(&entry->muted, false, memory_order_relaxed);
	int failed = 0;
	bool opening = state == SOCKET_STATE_OPENING || state == SOCKET_STATE_SHAKING;
	if (!opening) {
		if (state == SOCKET_STATE_WAITING)
			socket_entry_set_state(entry, SOCKET_STATE_OPEN);
		atomic_store_explicit(&entry->reading, true, memory_order_relaxed);
		if (socket_update_interest(server, entry) < 0)
			failed = errno;
	}
	mutex_release(&entry->lock);
	if (failed)
		socket_fail(server, entry, strerror(failed));
	else if (!opening) { /* otherwise CONNECT follows when the connection is made */
		socket_event_text(server, entry, SOCKET_EVENT_CONNECT, 0, text);
		if (entry->guard != NULL)
			socket_guard_started(server, entry);
	}
}

static void
request_close(struct socket_server *server, struct socket_entry *entry) {
	mutex_acquire(&entry->lock);
	entry->closing = true;
	enum socket_state state = socket_entry_state(entry);
	bool opening = state == SOCKET_STATE_OPENING || state == SOCKET_STATE_SHAKING;
	if (entry->guard != NULL &&
		!opening) /* the guard also tells the peer that no more will come */
		socket_flush(server, entry);
	bool output = opening ? entry->queue.size > 0 : socket_has_output(entry);
	bool waits = output && entry->write_error == 0;
	if (waits) {
		atomic_store_explicit(&entry->reading, false, memory_order_relaxed);
		if (!opening)
			socket_entry_set_state(entry, SOCKET_STATE_HALF_READ);
		if (socket_update_interest(server, entry) < 0)
			waits = false;
	}
	mutex_release(&entry->lock);
	if (!waits) {
		socket_linger(server, entry);
		return;
	}
	socket_tell_close(server, entry);
	entry->written_seen = atomic_load_explicit(&entry->write_count, memory_order_relaxed);
	if (state != SOCKET_STATE_SHAKING) /* a handshake has a deadline of its own */
		socket_set_deadline(server, entry, server->linger_ns);
}

void
socket_pause(struct socket_server *server, struct socket_entry *entry) {
	/* The poller looks at the flag before it reads. */
	atomic_store_explicit(&entry->reading, false, memory_order_relaxed);
	if (socket_entry_state(entry) != SOCKET_STATE_OPENING)
		socket_update_interest(server, entry);
}

static void
request_warning(struct socket_server *server, struct socket_entry *entry,
	const struct socket_request *request) {
	size_t kib = request->size / 1024 + (request->size % 1024 != 0);
	socket_event_text(
		server, entry, SOCKET_EVENT_WARNING, kib > INT_MAX ? INT_MAX : (int)kib, NULL);
}

/* The socket of a request is gone. Only who asks for START is waiting to hear that. */
static void
request_missed(struct socket_server *server, const struct socket_request *request) {
	if (request->type == SOCKET_REQUEST_START && request->owner.node != NULL)
		refuse_start(server, request, "invalid socket");
}

static void
run_request(struct socket_server *server, struct socket_request *request) {
	/* An entry is locked until the thread that makes it has filled it in. The id of a request
	 * may be a guess, so this waits until that is done. */
	struct socket_entry *entry = socket_table_acquire(&server->table, request->id);
	if (entry == NULL) {
		request_missed(server, request);
		return;
	}
	mutex_release(&entry->lock);
	switch (request->type) {
	case SOCKET_REQUEST_CONNECT:
		request_connect(server, entry, request);
		break;
	case SOCKET_REQUEST_LISTEN:
		socket_event_text(server, entry, SOCKET_EVENT_CONNECT, entry->port, entry->name);
		break;
	case SOCKET_REQUEST_BIND:
	case SOCKET_REQUEST_OPEN:
		request_open(server, entry, request);
		break;
	case SOCKET_REQUEST_START:
		request_start(server, entry, request);
		break;
	case SOCKET_REQUEST_PAUSE:
		mutex_acquire(&entry->lock);
		socket_pause(server, entry);
		mutex_release(&entry->lock);
		break;
	case SOCKET_REQUEST_CLOSE:
		if (!entry->closing)
			request_close(server, entry);
		break;
	case SOCKET_REQUEST_SHUTDOWN:
		socket_end(server, entry);
		break;
	case SOCKET_REQUEST_DISCARD:
		socket_destroy(server, entry);
		break;
	case SOCKET_REQUEST_WARNING:
		request_warning(server, entry, request);
		break;
	case SOCKET_REQUEST_OVERFLOW:
		socket_fail(server, entry, "send buffer limit");
		break;
	}
}

static void
run_requests(struct socket_server *server) {
	struct socket_request *request = socket_request_take(&server->requests);
	while (request != NULL) {
		struct socket_request *next = request->next;
		run_request(server, request);
		socket_request_destroy(request);
		request = next;
	}
}

/* ---- the loop ---- */

static void
handle_ready(struct socket_server *server, const struct socket_poll_event *event) {
	struct socket_entry *entry = socket_table_find(&server->table, event->id);
	int ready = event->ready;
	if (entry == NULL)
		return; /* an event before this one, of the same round, has closed it */
	if (socket_entry_state(entry) == SOCKET_STATE_OPENING) {
		socket_dialled(server, entry);
		return;
	}
	if (ready & SOCKET_POLL_HANGUP) {
		/* The next call on the socket returns the error: a read or a write, whichever was
		 * waited for. */
		mutex_acquire(&entry->lock);
		int interest = entry->interest & (SOCKET_POLL_READ | SOCKET_POLL_WRITE);
		mutex_release(&entry->lock);
		if (interest == 0) {
			socket_hung_up(server, entry);
			return;
		}
		ready |= interest;
	}
	if (ready & SOCKET_POLL_READ)
		socket_readable(server, entry);
	if ((ready & SOCKET_POLL_WRITE) && socket_table_find(&server->table, event->id) == entry)
		socket_writable(server, entry);
}

int
socket_server_poll(
	struct socket_server *server, int timeout_ms, socket_event_fn deliver, void *ud) {
	struct socket_poll_event events[POLL_EVENTS];
	server->deliver = deliver;
	server->deliver_ud = ud;
	server->delivered = 0;
	run_requests(server);
	run_deadlines(server);
	timeout_ms = server->delivered > 0 ? 0 : limit_timeout(server, timeout_ms);
	int count = socket_wait(server, events, POLL_EVENTS, timeout_ms);
	for (int i = 0; i < count; i++)
		handle_ready(server, &events[i]);
	run_requests(server);
	return server->delivered;
}
