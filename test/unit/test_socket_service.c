/* Socket events as messages, and the calls of skynet_socket.h, without the rest of the kernel. */
#include "socket_fixture.h"

#include <stdarg.h>

#include "data/message.h"
#include "kernel/current.h"
#include "kernel/log.h"
#include "kernel/node.h"
#include "kernel/router.h"
#include "kernel/runtime.h"
#include "kernel/service.h"
#include "kernel/socket_service.h"
#include "skynet_socket.h"

/* ---- a kernel of one service ---- */

#define HANDLE 0x1000010u

_Thread_local struct current current;

struct kernel {
	struct fixture fixture; /* its server only */
	struct skynet_node node;
	struct skynet_runtime runtime;
	struct worker worker;
	struct skynet_message messages[64];
	int count;
	bool dead;
	char log[256];
};

static struct kernel *kernel;
/* Never looked into. */
static char context_place;
#define CONTEXT ((struct skynet_context *)(void *)&context_place)

struct skynet_node *
service_node(const struct skynet_context *context) {
	assert_ptr_equal(context, CONTEXT);
	return &kernel->node;
}

uint32_t
service_handle(const struct skynet_context *context) {
	assert_ptr_equal(context, CONTEXT);
	return HANDLE;
}

struct socket_server *
node_sockets(struct skynet_node *node) {
	assert_ptr_equal(node, &kernel->node);
	return kernel->fixture.server;
}

int
router_push(struct skynet_node *node, uint32_t handle, const struct skynet_message *message) {
	assert_ptr_equal(node, &kernel->node);
	assert_int_equal(handle, HANDLE);
	if (kernel->dead)
		return SKYNET_ENOTFOUND;
	assert_true(kernel->count < 64);
	kernel->messages[kernel->count++] = *message;
	return SKYNET_OK;
}

void
skynet_error(struct skynet_context *context, const char *format, ...) {
	va_list arguments;
	assert_ptr_equal(context, CONTEXT);
	va_start(arguments, format);
	vsnprintf(kernel->log, sizeof(kernel->log), format, arguments);
	va_end(arguments);
}

void
log_line(struct skynet_node *node, uint32_t source, const char *format, ...) {
	va_list arguments;
	assert_ptr_equal(node, &kernel->node);
	assert_int_equal(source, HANDLE);
	va_start(arguments, format);
	vsnprintf(kernel->log, sizeof(kernel->log), format, arguments);
	va_end(arguments);
}

static int
setup_kernel(void **state) {
	kernel = calloc(1, sizeof(*kernel));
	kernel->fixture.server = socket_server_create(NULL, NULL);
	kernel->runtime.sockets = kernel->fixture.server;
	kernel->node.runtime = &kernel->runtime;
	kernel->node.socket_buffer_limit = 1 << 20;
	current = (struct current){
		.runtime = &kernel->runtime, .node = &kernel->node, .worker = &kernel->worker};
	*state = kernel;
	return 0;
}

static void
free_message(const struct skynet_message *message) {
	struct skynet_socket_message *content = message->data;
	skynet_free(content->buffer);
	skynet_free(content);
}

static int
teardown_kernel(void **state) {
	(void)state;
	for (int i = 0; i < kernel->count; i++)
		free_message(&kernel->messages[i]);
	socket_server_destroy(kernel->fixture.server);
	free(kernel);
	return 0;
}

static void
poll_kernel(int timeout_ms) {
	socket_server_poll(kernel->fixture.server, timeout_ms, socket_service_deliver, NULL);
}

/* Waits for a message of that type about `id` and takes it; checks what holds for all of them. */
static struct skynet_message
await(int type, int id) {
	uint64_t deadline = test_now_ms() + DEADLINE_MS;
	for (;;) {
		for (int i = 0; i < kernel->count; i++) {
			struct skynet_message message = kernel->messages[i];
			struct skynet_socket_message *content = message.data;
			assert_int_equal(message_type(&message), PTYPE_SOCKET);
			assert_int_equal(message.source, 0);
			assert_int_equal(message.session, 0);
			assert_true(message_size(&message) >= sizeof(*content));
			if (content->type != type || content->id != id)
				continue;
			kernel->count--;
			memmove(&kernel->messages[i], &kernel->messages[i + 1],
				(size_t)(kernel->count - i) * sizeof(message));
			return message;
		}
		assert_true(test_now_ms() < deadline);
		poll_kernel(50);
	}
}

/* As await, for a message with text. Returns its ud. */
static int
await_text(int type, int id, const char *text) {
	struct skynet_message message = await(type, id);
	struct skynet_socket_message *content = message.data;
	int ud = content->ud;
	assert_null(content->buffer);
	if (text != NULL) {
		assert_int_equal(message_size(&message) - sizeof(*content), strlen(text));
		assert_memory_equal(content + 1, text, strlen(text));
	}
	free_message(&message);
	return ud;
}

static int
listen_and_start(int *port) {
	int id = skynet_socket_listen(CONTEXT, "127.0.0.1", 0, 8);
	assert_true(id > 0);
	*port = await_text(SKYNET_SOCKET_TYPE_CONNECT, id, "127.0.0.1");
	skynet_socket_start(CONTEXT, id);
	await_text(SKYNET_SOCKET_TYPE_CONNECT, id, "start");
	return id;
}

static int
accept_and_start(int listener) {
	int id = await_text(SKYNET_SOCKET_TYPE_ACCEPT, listener, NULL);
	skynet_socket_start(CONTEXT, id);
	await_text(SKYNET_SOCKET_TYPE_CONNECT, id, "start");
	return id;
}

/* ---- cases ---- */

static void
events_are_messages_with_text_or_a_buffer(void **state) {
	(void)state;
	int port, listener = listen_and_start(&port);
	int client = skynet_socket_connect(CONTEXT, "127.0.0.1", port);
	await_text(SKYNET_SOCKET_TYPE_CONNECT, client, "127.0.0.1");
	int id = accept_and_start(listener);
	skynet_socket_nodelay(CONTEXT, id);
	assert_int_equal(skynet_socket_send(CONTEXT, client, skynet_strdup("hello"), 5), 0);
	struct skynet_message message = await(SKYNET_SOCKET_TYPE_DATA, id);
	struct skynet_socket_message *content = message.data;
	assert_int_equal(message_size(&message), sizeof(*content));
	assert_int_equal(content->ud, 5);
	assert_memory_equal(content->buffer, "hello", 5);
	int unset = 77;
	assert_null(skynet_socket_udp_address(content, &unset));
	assert_int_equal(unset, 77);
	free_message(&message);
	skynet_socket_close(CONTEXT, client);
	await_text(SKYNET_SOCKET_TYPE_CLOSE, client, "");
	await_text(SKYNET_SOCKET_TYPE_CLOSE, id, "");
	skynet_socket_start(CONTEXT, client);
	await_text(SKYNET_SOCKET_TYPE_ERROR, client, "invalid socket");
}

static void
datagrams_carry_their_address(void **state) {
	(void)state;
	int server = skynet_socket_udp_listen(CONTEXT, "127.0.0.1", 0);
	int port = socket_server_port(kernel->fixture.server, server);
	int client = skynet_socket_udp(CONTEXT, NULL, 0);
	assert_int_equal(skynet_socket_udp_connect(CONTEXT, client, "127.0.0.1", port), 0);
	assert_int_equal(skynet_socket_send(CONTEXT, client, skynet_strdup("ask"), 3), 0);
	struct skynet_message message = await(SKYNET_SOCKET_TYPE_UDP, server);
	struct skynet_socket_message *content = message.data;
	int size = 0;
	const char *address = skynet_socket_udp_address(content, &size);
	assert_int_equal(size, 7);
	assert_ptr_equal(address, content->buffer + 3);
	assert_int_equal(
		skynet_socket_udp_send(CONTEXT, server, address, skynet_strdup("ok"), 2), 0);
	free_message(&message);
	message = await(SKYNET_SOCKET_TYPE_UDP, client);
	free_message(&message);
	int dialled = skynet_socket_udp_dial(CONTEXT, "127.0.0.1", port);
	assert_true(dialled > 0);
}

static void
frames_of_a_worker_are_held_back_until_its_turn_ends(void **state) {
	(void)state;
	int port, listener = listen_and_start(&port);
	int peer = peer_dial(port), id = accept_and_start(listener);
	for (int i = 0; i < 3; i++)
		assert_int_equal(skynet_socket_send(CONTEXT, id, skynet_strdup("x"), 1), 0);
	assert_int_equal(kernel->worker.batch.pending, 1);
	socket_server_flush_thread(kernel->fixture.server, &kernel->worker.batch);
	current.worker = NULL; /* a thread that runs no services */
	assert_int_equal(skynet_socket_send_lowpriority(CONTEXT, id, skynet_strdup("y"), 1), 0);
	char got[5] = "";
	assert_int_equal(recv(peer, got, 4, MSG_WAITALL), 4);
	assert_string_equal(got, "xxxy");
	close(peer);
}

static void
the_limit_of_the_node_holds(void **state) {
	(void)state;
	int port, listener = listen_and_start(&port);
	int peer = peer_dial(port), id = accept_and_start(listener);
	current.worker = NULL;
	const int size = 1 << 20;
	int sent = 0;
	while (skynet_socket_send(CONTEXT, id, skynet_calloc(1, (size_t)size), size) == 0)
		assert_true(++sent < 1000);
	assert_int_equal(skynet_socket_limit(CONTEXT, id, 0, SKYNET_SOCKET_REJECT), 0);
	assert_int_equal(skynet_socket_send(CONTEXT, id, skynet_calloc(1, (size_t)size), size), 0);
	close(peer);
}

static void
the_policy_of_the_node_closes_a_connection_whose_peer_never_reads(void **state) {
	(void)state;
	kernel->node.socket_buffer_policy = SKYNET_SOCKET_CLOSE;
	int port, listener = listen_and_start(&port);
	int peer = peer_dial(port), id = accept_and_start(listener);
	current.worker = NULL;
	const int size = 1 << 18;
	int sent = 0;
	while (skynet_socket_send(CONTEXT, id, skynet_calloc(1, (size_t)size), size) == 0)
		assert_true(++sent < 1000);
	struct skynet_message message = await(SKYNET_SOCKET_TYPE_ERROR, id);
	const char *text = (const char *)((struct skynet_socket_message *)message.data + 1);
	size_t length = message_size(&message) - sizeof(struct skynet_socket_message);
	assert_int_equal(length, strlen("send buffer limit"));
	assert_memory_equal(text, "send buffer limit", length);
	free_message(&message);
	assert_int_equal(skynet_socket_send(CONTEXT, id, skynet_calloc(1, 1), 1), -1);
	close(peer);
}

static void
a_socket_of_a_dead_service_is_closed_after_what_it_has_sent(void **state) {
	(void)state;
	int port, listener = listen_and_start(&port);
	int peer = peer_dial(port), id = accept_and_start(listener);
	current.worker = NULL;
	const int size = 8 << 20;
	assert_int_equal(skynet_socket_limit(CONTEXT, id, 0, SKYNET_SOCKET_REJECT), 0);
	assert_int_equal(skynet_socket_send(CONTEXT, id, skynet_calloc(1, (size_t)size), size), 0);
	kernel->dead = true;
	peer_write(peer, "anybody there");
	static char block[65536];
	long total = 0;
	for (uint64_t until = test_now_ms() + DEADLINE_MS;;) {
		ssize_t n = recv(peer, block, sizeof(block), MSG_DONTWAIT);
		if (n == 0)
			break;
		total += n > 0 ? n : 0;
		poll_kernel(1);
		assert_true(test_now_ms() < until);
	}
	assert_int_equal(total, size);
	/* The next one that knocks is closed, and the listener with it. */
	int late = peer_dial(port);
	while (recv(late, block, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN)
		poll_kernel(1);
	poll_kernel(0);
	assert_int_equal(socket_server_port(kernel->fixture.server, listener), 0);
	close(late);
	close(peer);
}

static void
failures_are_minus_one_with_a_line_in_the_log(void **state) {
	(void)state;
	assert_int_equal(skynet_socket_listen(CONTEXT, "1.2.3.4:5", 0, 1), -1);
	assert_non_null(strstr(kernel->log, "1.2.3.4:5"));
	assert_int_equal(skynet_socket_udp(CONTEXT, "a b", 1), -1);
	assert_int_equal(skynet_socket_udp_listen(CONTEXT, "a b", 1), -1);
	assert_int_equal(skynet_socket_udp_dial(CONTEXT, "a b", 1), -1);
	assert_int_equal(skynet_socket_udp_connect(CONTEXT, 1, "a b", 1), -1);
	assert_int_equal(skynet_socket_watch(CONTEXT, "/no/such/folder/file"), -1);
	assert_non_null(strstr(kernel->log, "/no/such/folder/file"));
	assert_int_equal(skynet_socket_keepalive(CONTEXT, 12345, 1, 1, 1), -1);
	assert_int_equal(skynet_socket_send(CONTEXT, 1, skynet_strdup("x"), 1), -1);
	skynet_socket_shutdown(CONTEXT, 12345);
	skynet_socket_pause(CONTEXT, 12345);
	int id = skynet_socket_bind(CONTEXT, 9999);
	await_text(SKYNET_SOCKET_TYPE_ERROR, id, "Bad file descriptor");
}

static void
info_lists_the_sockets_of_the_node(void **state) {
	(void)state;
	int port, listener = listen_and_start(&port), other_node;
	struct socket_owner other = {.node = &other_node, .handle = 1};
	socket_server_listen(kernel->fixture.server, other, "127.0.0.1", 0, 1, NULL);
	struct socket_info *list = skynet_socket_info();
	assert_non_null(list);
	assert_null(list->next);
	assert_int_equal(list->id, listener);
	assert_int_equal(list->type, SOCKET_INFO_LISTEN);
	assert_int_equal(list->opaque, HANDLE);
	socket_info_release(list);
	current.runtime = NULL;
	assert_null(skynet_socket_info());
}

static void
a_report_is_logged_and_no_message(void **state) {
	(void)state;
	struct socket_event event = {
		.type = SOCKET_EVENT_REPORT,
		.id = 1,
		.owner = {.node = &kernel->node, .handle = HANDLE},
		.data = (char[]){"a stranger"},
		.size = 10,
	};
	socket_service_deliver(NULL, &event);
	assert_string_equal(kernel->log, "a stranger");
	assert_int_equal(kernel->count, 0);
}

static void
a_node_that_requires_authentication_does_not_listen_without(void **state) {
	(void)state;
	char reason[256] = "";
	kernel->node.require_auth = true;
	assert_int_equal(
		skynet_socket_listen_guarded(CONTEXT, "0.0.0.0", 0, 1, reason, sizeof(reason)), -1);
	assert_non_null(strstr(reason, "require_auth is set without"));
	assert_true(skynet_socket_listen_guarded(
			    CONTEXT, "127.0.0.1", 0, 1, reason, sizeof(reason)) > 0);
	assert_string_equal(kernel->log, "");
	kernel->node.require_auth = false;
	assert_true(
		skynet_socket_listen_guarded(CONTEXT, "0.0.0.0", 0, 1, reason, sizeof(reason)) > 0);
	assert_non_null(strstr(kernel->log, "without authentication"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_kernel, teardown_kernel)

int
main(void) {
	const struct CMUnitTest tests[] = {
		CASE(a_report_is_logged_and_no_message),
		CASE(a_node_that_requires_authentication_does_not_listen_without),
		CASE(events_are_messages_with_text_or_a_buffer),
		CASE(datagrams_carry_their_address),
		CASE(frames_of_a_worker_are_held_back_until_its_turn_ends),
		CASE(the_limit_of_the_node_holds),
		CASE(the_policy_of_the_node_closes_a_connection_whose_peer_never_reads),
		CASE(a_socket_of_a_dead_service_is_closed_after_what_it_has_sent),
		CASE(failures_are_minus_one_with_a_line_in_the_log),
		CASE(info_lists_the_sockets_of_the_node),
	};
	return cmocka_run_group_tests_name("socket_service", tests, NULL, NULL);
}
