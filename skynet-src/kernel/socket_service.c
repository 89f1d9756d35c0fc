#include "kernel/socket_service.h"

#include <stdio.h>
#include <string.h>

#include "data/message.h"
#include "guard/guard_policy.h"
#include "kernel/current.h"
#include "kernel/log.h"
#include "kernel/node.h"
#include "kernel/router.h"
#include "kernel/runtime.h"
#include "kernel/service.h"
#include "skynet.h"
#include "skynet_socket.h"

_Static_assert((int)SOCKET_EVENT_UDP == SKYNET_SOCKET_TYPE_UDP, "events are message types");
_Static_assert((int)SOCKET_EVENT_FILE == SKYNET_SOCKET_TYPE_FILE, "events are message types");

/* ---- events ---- */

/* The service that owns the socket has died. No other service uses the socket, so it is closed;
 * data that the owner has sent is still written. Not after an error or a warning: it may be about a
 * socket that now belongs to another service. */
static void
abandon(const struct socket_event *event) {
	struct socket_server *server = node_sockets(event->owner.node);
	if (event->type == SOCKET_EVENT_ACCEPT)
		socket_server_close(server, event->ud);
	if (event->type != SOCKET_EVENT_ERROR && event->type != SOCKET_EVENT_WARNING)
		socket_server_close(server, event->id);
}

void
socket_service_deliver(void *ud, const struct socket_event *event) {
	(void)ud;
	if (event->type == SOCKET_EVENT_REPORT) {
		log_line(event->owner.node, event->owner.handle, "%.*s", (int)event->size,
			event->data);
		return;
	}
	bool has_block = event->type == SOCKET_EVENT_DATA || event->type == SOCKET_EVENT_UDP;
	size_t text_size = has_block ? 0 : event->size;
	struct skynet_socket_message *content = skynet_malloc(sizeof(*content) + text_size);
	content->type = event->type;
	content->id = event->id;
	content->ud = event->ud;
	content->buffer = has_block ? event->data : NULL;
	if (text_size > 0)
		memcpy(content + 1, event->data, text_size);
	struct skynet_message message = {
		.data = content,
		.sz = (sizeof(*content) + text_size) | (size_t)PTYPE_SOCKET << MESSAGE_TYPE_SHIFT,
	};
	if (router_push(event->owner.node, event->owner.handle, &message) == SKYNET_OK)
		return;
	if (has_block)
		skynet_free(event->data);
	skynet_free(content);
	abandon(event);
}

/* ---- calls ---- */

static struct socket_server *
server_of(struct skynet_context *context) {
	return node_sockets(service_node(context));
}

static struct socket_owner
owner_of(struct skynet_context *context) {
	struct socket_owner owner = {
		.node = service_node(context), .handle = service_handle(context)};
	return owner;
}

/* Data that a service sends in one turn is written to a socket together, at the end of the turn.
 * NULL on threads that run no services: they write at once. */
static struct socket_batch *
current_batch(void) {
	return current.worker != NULL ? &current.worker->batch : NULL;
}

/* Gives a new socket the limit for queued bytes that the config of the node sets. Returns `id`. */
static int
limited(struct skynet_context *context, int id, enum skynet_socket_policy policy) {
	struct skynet_node *node = service_node(context);
	if (id > 0 && node->socket_buffer_limit > 0)
		skynet_socket_limit(context, id, node->socket_buffer_limit, policy);
	return id;
}

/* As limited, for a stream or a listener, with the policy of the config. */
static int
configured(struct skynet_context *context, int id) {
	return limited(context, id,
		(enum skynet_socket_policy)service_node(context)->socket_buffer_policy);
}

/* Logs why a socket was not opened, because the caller only gets -1. Returns `id`. */
static int
reported(struct skynet_context *context, int id, const struct skynet_error *error) {
	if (id < 0)
		skynet_error(context, "socket-server error: %s", error->text);
	return id;
}

/* As reported and limited, for a UDP socket. At the limit datagrams are refused, whatever the
 * policy of the config: they may get lost anyway, so there is no reason to close the socket. */
static int
reported_udp(struct skynet_context *context, int id, const struct skynet_error *error) {
	return limited(context, reported(context, id, error), SKYNET_SOCKET_REJECT);
}

int
skynet_socket_listen(struct skynet_context *context, const char *host, int port, int backlog) {
	struct skynet_error error = {0};
	int id = socket_server_listen(
		server_of(context), owner_of(context), host, port, backlog, &error);
	return configured(context, reported(context, id, &error));
}

int
skynet_socket_listen_guarded(struct skynet_context *context, const char *host, int port,
	int backlog, char *reason, size_t reason_size) {
	struct skynet_error error = {0};
	struct skynet_node *node = service_node(context);
	struct socket_server *server = node_sockets(node);
	struct socket_listen_options options = {
		.backlog = backlog,
		.policy = node->guard,
		.local_only = node->require_auth && node->guard == NULL,
	};
	int id = socket_server_listen_with(server, owner_of(context), host, port, &options, &error);
	if (error.code == SKYNET_EPERMISSION)
		error_prefix(&error, "require_auth is set without auth_secret or tls_cert");
	if (id < 0)
		snprintf(reason, reason_size, "%s", error.text);
	if (id >= 0 && node->guard == NULL && socket_server_is_exposed(server, id))
		skynet_error(context,
			"warning: listening on '%s' port %d without authentication: whoever reaches "
			"it may run code here. Set auth_secret or tls_cert",
			host != NULL ? host : "", port);
	return configured(context, id);
}

int
skynet_socket_connect_guarded(struct skynet_context *context, const char *host, int port) {
	int id = socket_server_connect_with(
		server_of(context), owner_of(context), host, port, service_node(context)->guard);
	return configured(context, id);
}

void
skynet_socket_guards(struct skynet_context *context, struct skynet_socket_guards *guards) {
	struct guard_policy *policy = service_node(context)->guard;
	*guards = (struct skynet_socket_guards){.kind = "none"};
	if (policy == NULL)
		return;
	struct guard_counters *counters = &policy->counters;
	guards->kind = policy->kind == GUARD_KIND_TLS ? "tls" : "secret";
	guards->accepted = atomic_load_explicit(&counters->accepted, memory_order_relaxed);
	guards->failed = atomic_load_explicit(&counters->failed, memory_order_relaxed);
	guards->refused = atomic_load_explicit(&counters->refused, memory_order_relaxed);
	guards->dialled = atomic_load_explicit(&counters->dialled, memory_order_relaxed);
	guards->dial_failed = atomic_load_explicit(&counters->dial_failed, memory_order_relaxed);
	guards->allowed = atomic_load_explicit(&counters->allowed, memory_order_relaxed);
}

bool
skynet_socket_demands(struct skynet_context *context, struct skynet_socket_greeting *greeting,
	const void *bytes, size_t size, char *reason, size_t reason_size) {
	size_t room = sizeof greeting->bytes - greeting->count;
	size_t part = size < room ? size : room;
	if (part == 0)
		return false;
	memcpy(greeting->bytes + greeting->count, bytes, part);
	greeting->count = (unsigned char)(greeting->count + part);
	const char *setting = guard_hello_setting(greeting->bytes, greeting->count);
	if (setting == NULL)
		return false;
	snprintf(reason, reason_size, "the other side has %s, this node %s", setting,
		service_node(context)->guard == NULL
			? "has neither auth_secret nor tls_cert"
			: "does without, as its auth_allow or that of the other side says");
	return true;
}

int
skynet_socket_connect(struct skynet_context *context, const char *host, int port) {
	int id = socket_server_connect(server_of(context), owner_of(context), host, port);
	return configured(context, id);
}

int
skynet_socket_bind(struct skynet_context *context, int fd) {
	return configured(context, socket_server_bind(server_of(context), owner_of(context), fd));
}

void
skynet_socket_start(struct skynet_context *context, int id) {
	socket_server_start(server_of(context), owner_of(context), id);
}

void
skynet_socket_pause(struct skynet_context *context, int id) {
	socket_server_pause(server_of(context), id);
}

void
skynet_socket_close(struct skynet_context *context, int id) {
	socket_server_close(server_of(context), id);
}

void
skynet_socket_shutdown(struct skynet_context *context, int id) {
	socket_server_shutdown(server_of(context), id);
}

void
skynet_socket_nodelay(struct skynet_context *context, int id) {
	socket_server_nodelay(server_of(context), id);
}

int
skynet_socket_sendbuffer(struct skynet_context *context, struct socket_sendbuffer *buffer) {
	return socket_server_send(server_of(context), current_batch(), buffer);
}

int
skynet_socket_sendbuffer_lowpriority(
	struct skynet_context *context, struct socket_sendbuffer *buffer) {
	return socket_server_send_low(server_of(context), current_batch(), buffer);
}

int64_t
skynet_socket_write(struct skynet_context *context, int id, const struct iovec *pieces, int count) {
	return socket_server_write(server_of(context), id, pieces, count);
}

int
skynet_socket_udp(struct skynet_context *context, const char *address, int port) {
	struct skynet_error error = {0};
	int id = socket_server_udp(server_of(context), owner_of(context), address, port, &error);
	return reported_udp(context, id, &error);
}

int
skynet_socket_udp_dial(struct skynet_context *context, const char *address, int port) {
	struct skynet_error error = {0};
	int id = socket_server_udp_dial(
		server_of(context), owner_of(context), address, port, &error);
	return reported_udp(context, id, &error);
}

int
skynet_socket_udp_listen(struct skynet_context *context, const char *address, int port) {
	struct skynet_error error = {0};
	int id = socket_server_udp_listen(
		server_of(context), owner_of(context), address, port, &error);
	return reported_udp(context, id, &error);
}

int
skynet_socket_udp_connect(struct skynet_context *context, int id, const char *address, int port) {
	struct skynet_error error = {0};
	int result = socket_server_udp_connect(server_of(context), id, address, port, &error);
	if (result < 0)
		skynet_error(context, "socket-server error: %s", error.text);
	return result;
}

int
skynet_socket_udp_sendbuffer(
	struct skynet_context *context, const char *address, struct socket_sendbuffer *buffer) {
	return socket_server_udp_send(server_of(context), address, buffer);
}

const char *
skynet_socket_udp_address(struct skynet_socket_message *message, int *address_size) {
	if (message->type != SKYNET_SOCKET_TYPE_UDP || message->buffer == NULL)
		return NULL;
	/* Written by the socket server, so its first byte can be trusted. */
	const char *address = message->buffer + message->ud;
	*address_size = address[0] == 1 ? 7 : 19;
	return address;
}

struct socket_info *
skynet_socket_info(void) {
	if (current.runtime == NULL)
		return NULL;
	return socket_server_info(current.runtime->sockets, current.node);
}

int
skynet_socket_limit(
	struct skynet_context *context, int id, int64_t limit, enum skynet_socket_policy policy) {
	return socket_server_limit(server_of(context), id, limit,
		policy == SKYNET_SOCKET_CLOSE ? SOCKET_LIMIT_CLOSE : SOCKET_LIMIT_REJECT);
}

int
skynet_socket_keepalive(
	struct skynet_context *context, int id, int idle_s, int interval_s, int user_timeout_ms) {
	return socket_server_keepalive(server_of(context), id, idle_s, interval_s, user_timeout_ms);
}

uint64_t
skynet_socket_round_trip(struct skynet_context *context, int id) {
	return socket_server_round_trip(server_of(context), id);
}

int
skynet_socket_watch(struct skynet_context *context, const char *path) {
	struct skynet_error error = {0};
	int id = socket_server_watch(server_of(context), owner_of(context), path, &error);
	return reported(context, id, &error);
}

void
skynet_socket_userobject(
	struct skynet_context *context, const struct socket_object_interface *object_interface) {
	socket_server_userobject(server_of(context), object_interface);
}
