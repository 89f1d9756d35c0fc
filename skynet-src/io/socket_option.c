/* Calls about one socket or all of them, from any thread: life, options, statistics. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io/file_watch.h"
#include "io/socket_core.h"
#include "skynet_malloc.h"

/* ---- life ---- */

void
socket_server_start(struct socket_server *server, struct socket_owner owner, int id) {
	struct socket_entry *entry = socket_table_acquire(&server->table, id);
	if (entry != NULL) {
		entry->starts_pending++;
		mutex_release(&entry->lock);
	}
	/* An id that is not in use any more is told by the poller, in order with other events. */
	struct socket_request *request = socket_request_create(SOCKET_REQUEST_START, id);
	request->owner = owner;
	socket_request_post(server, request);
}

void
socket_server_pause(struct socket_server *server, int id) {
	struct socket_entry *entry = socket_table_acquire(&server->table, id);
	if (entry == NULL)
		return;
	socket_pause(server, entry);
	bool overtakes = entry->starts_pending > 0;
	mutex_release(&entry->lock);
	/* A START that the poller has not handled yet would undo the pause, so another one follows
	 * it. */
	if (overtakes)
		socket_request_post_simple(server, SOCKET_REQUEST_PAUSE, id);
}

void
socket_server_close(struct socket_server *server, int id) {
	socket_request_post_simple(server, SOCKET_REQUEST_CLOSE, id);
}

void
socket_server_shutdown(struct socket_server *server, int id) {
	socket_request_post_simple(server, SOCKET_REQUEST_SHUTDOWN, id);
}

int
socket_server_watch(struct socket_server *server, struct socket_owner owner, const char *path,
	struct skynet_error *error) {
	struct file_watch *watch = file_watch_create(path, error);
	if (watch == NULL)
		return -1;
	struct socket_entry *entry = socket_table_reserve(&server->table);
	int id = socket_entry_id(entry);
	entry->owner = owner;
	entry->fd = file_watch_fd(watch);
	entry->watch = watch;
	entry->kind = SOCKET_KIND_FILE;
	entry->path = skynet_strdup(path);
	socket_entry_set_state(entry, SOCKET_STATE_OPEN);
	mutex_release(&entry->lock);
	socket_request_post_simple(server, SOCKET_REQUEST_OPEN, id);
	return id;
}

/* ---- options ---- */

int
socket_server_nodelay(struct socket_server *server, int id) {
	struct socket_entry *entry = socket_table_acquire(&server->table, id);
	if (entry == NULL)
		return -1;
	entry->nodelay = true;
	socket_apply_options(entry);
	mutex_release(&entry->lock);
	return 0;
}

int
socket_server_keepalive(
	struct socket_server *server, int id, int idle_s, int interval_s, int user_timeout_ms) {
	struct socket_entry *entry = socket_table_acquire(&server->table, id);
	if (entry == NULL)
		return -1;
	if (idle_s > 0)
		entry->idle_s = idle_s;
	if (interval_s > 0)
		entry->interval_s = interval_s;
	if (user_timeout_ms > 0)
		entry->user_timeout_ms = user_timeout_ms;
	socket_apply_options(entry);
	mutex_release(&entry->lock);
	return 0;
}

int
socket_server_limit(
	struct socket_server *server, int id, int64_t limit, enum socket_limit_policy policy) {
	struct socket_entry *entry = socket_table_acquire(&server->table, id);
	if (entry == NULL)
		return -1;
	entry->limit = limit;
	entry->policy = (uint8_t)policy;
	mutex_release(&entry->lock);
	return 0;
}

bool
socket_server_is_exposed(struct socket_server *server, int id) {
	struct socket_address bound;
	struct socket_entry *entry = socket_table_acquire(&server->table, id);
	if (entry == NULL)
		return false;
	int code = socket_address_parse(&bound, entry->name, entry->port);
	mutex_release(&entry->lock);
	return code != SKYNET_OK || !socket_address_is_local(&bound);
}

int
socket_server_port(struct socket_server *server, int id) {
	struct socket_entry *entry = socket_table_acquire(&server->table, id);
	if (entry == NULL)
		return 0;
	int port = entry->port;
	mutex_release(&entry->lock);
	return port;
}

void
socket_server_userobject(
	struct socket_server *server, const struct socket_object_interface *object_interface) {
	/* Release pairs with the acquire in send_buffer. */
	atomic_store_explicit(&server->object_interface, object_interface, memory_order_release);
}

/* ---- all sockets of a node ---- */

static bool
belongs_to(const struct socket_entry *entry, const void *node) {
	return socket_entry_id(entry) != 0 && (node == NULL || entry->owner.node == node);
}

void
socket_server_close_node(struct socket_server *server, void *node) {
	struct socket_entry *entry;
	for (uint32_t i = 0; (entry = socket_table_at(&server->table, i)) != NULL; i++) {
		int id = belongs_to(entry, node) ? socket_entry_id(entry) : 0;
		/* See socket_event_text. */
		if (id != 0)
			atomic_store_explicit(&entry->muted, true, memory_order_relaxed);
		mutex_release(&entry->lock);
		if (id != 0)
			socket_request_post_simple(server, SOCKET_REQUEST_DISCARD, id);
	}
}

static void
close_sockets(struct socket_server *server, const void *node, bool only_listeners) {
	struct socket_entry *entry;
	for (uint32_t i = 0; (entry = socket_table_at(&server->table, i)) != NULL; i++) {
		bool chosen = belongs_to(entry, node) &&
			      (!only_listeners || entry->kind == SOCKET_KIND_LISTENER);
		int id = socket_entry_id(entry);
		mutex_release(&entry->lock);
		if (chosen)
			socket_server_close(server, id);
	}
}

void
socket_server_close_listeners(struct socket_server *server, void *node) {
	close_sockets(server, node, true);
}

void
socket_server_close_sockets(struct socket_server *server, void *node) {
	close_sockets(server, node, false);
}

bool
socket_server_flushed(struct socket_server *server, void *node) {
	struct socket_entry *entry;
	bool flushed = true;
	for (uint32_t i = 0; flushed && (entry = socket_table_at(&server->table, i)) != NULL; i++) {
		bool shaking = socket_entry_state(entry) == SOCKET_STATE_SHAKING;
		bool waits = shaking ? entry->queue.size > 0 : socket_has_output(entry);
		if (socket_entry_state(entry) == SOCKET_STATE_LINGERING)
			waits = !socket_linger_arrived(entry);
		flushed = !belongs_to(entry, node) || !waits;
		mutex_release(&entry->lock);
	}
	return flushed;
}

/* ---- statistics ---- */

struct socket_info *
socket_info_create(struct socket_info *next) {
	struct socket_info *info = skynet_calloc(1, sizeof(*info));
	info->next = next;
	return info;
}

void
socket_info_release(struct socket_info *list) {
	while (list != NULL) {
		struct socket_info *next = list->next;
		skynet_free(list);
		list = next;
	}
}

/* The type of a socket in the list, SOCKET_INFO_UNKNOWN for one that is not listed: one that is not
 * connected or not started yet, or a watch. */
static int
info_type(const struct socket_entry *entry) {
	enum socket_state state = socket_entry_state(entry);
	if (entry->kind == SOCKET_KIND_FILE || state == SOCKET_STATE_OPENING ||
		state == SOCKET_STATE_SHAKING)
		return SOCKET_INFO_UNKNOWN;
	if (entry->kind == SOCKET_KIND_LISTENER)
		return SOCKET_INFO_LISTEN;
	if (state == SOCKET_STATE_WAITING)
		return SOCKET_INFO_UNKNOWN;
	if (entry->closing || state == SOCKET_STATE_HALF_READ || state == SOCKET_STATE_HALF_WRITE)
		return SOCKET_INFO_CLOSING;
	if (entry->kind == SOCKET_KIND_DATAGRAM)
		return SOCKET_INFO_UDP;
	return entry->kind == SOCKET_KIND_BORROWED ? SOCKET_INFO_BIND : SOCKET_INFO_TCP;
}

static void
fill_info(struct socket_info *info, const struct socket_entry *entry) {
	info->id = socket_entry_id(entry);
	info->opaque = entry->owner.handle;
	info->read = atomic_load_explicit(&entry->read_count, memory_order_relaxed);
	info->write = atomic_load_explicit(&entry->write_count, memory_order_relaxed);
	info->rtime = atomic_load_explicit(&entry->read_time_cs, memory_order_relaxed);
	info->wtime = atomic_load_explicit(&entry->write_time_cs, memory_order_relaxed);
	info->wbuffer = (int64_t)entry->queue.size;
	info->reading = (entry->interest & SOCKET_POLL_READ) != 0;
	info->writing = (entry->interest & SOCKET_POLL_WRITE) != 0;
	info->dropped = atomic_load_explicit(&entry->dropped, memory_order_relaxed);
	memcpy(info->name, entry->name, sizeof(info->name));
	size_t length = strlen(info->name);
	if (entry->kind == SOCKET_KIND_LISTENER && !entry->local)
		snprintf(info->name + length, sizeof(info->name) - length, ":%d", entry->port);
}

struct socket_info *
socket_server_info(struct socket_server *server, void *node) {
	struct socket_info *list = NULL;
	struct socket_entry *entry;
	for (uint32_t i = 0; (entry = socket_table_at(&server->table, i)) != NULL; i++) {
		int type = belongs_to(entry, node) ? info_type(entry) : SOCKET_INFO_UNKNOWN;
		if (type != SOCKET_INFO_UNKNOWN) {
			list = socket_info_create(list);
			list->type = type;
			fill_info(list, entry);
		}
		mutex_release(&entry->lock);
	}
	return list;
}
