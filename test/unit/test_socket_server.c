/* Life of stream sockets: listen, accept, connect, read, pause, close. */
#include "socket_fixture.h"

#include <netdb.h>
#include <pthread.h>
#include <sys/un.h>

static void
a_listener_tells_its_port_and_accepts_after_start(void **state) {
	struct fixture *f = *state;
	int id = socket_server_listen(f->server, f->owner, "127.0.0.1", 0, 32, NULL);
	assert_true(id > 0);
	int port = EXPECT(f, CONNECT, id, "127.0.0.1");
	assert_int_equal(port, socket_server_port(f->server, id));
	int peer = peer_dial(port);
	settle(f);
	assert_null(take_event(f, SOCKET_EVENT_ACCEPT, id));
	socket_server_start(f->server, f->owner, id);
	EXPECT(f, CONNECT, id, "start");
	struct recorded *item = expect_event(f, SOCKET_EVENT_ACCEPT, id, __FILE__, __LINE__);
	assert_true(item->event.ud > id);
	assert_int_equal(strncmp(item->event.data, "127.0.0.1:", 10), 0);
	recorded_free(item);
	close(peer);
}

static void
bytes_are_read_only_after_start(void **state) {
	struct fixture *f = *state;
	int port, listener = start_listener(f, &port);
	int peer = peer_dial(port);
	int id = EXPECT(f, ACCEPT, listener, NULL);
	peer_write(peer, "early");
	settle(f);
	assert_int_equal(f->data_total, 0);
	assert_int_equal(send_text(f, id, "dropped"), 0);
	socket_server_start(f->server, f->owner, id);
	EXPECT(f, CONNECT, id, "start");
	EXPECT(f, DATA, id, "early");
	assert_int_equal(send_text(f, id, "kept"), 0);
	peer_expect(f, peer, "kept");
	close(peer);
}

static void
a_connection_is_made_and_named(void **state) {
	struct fixture *f = *state;
	int port, listener = peer_listen(&port);
	int id = socket_server_connect(f->server, f->owner, "127.0.0.1", port);
	assert_int_equal(socket_server_nodelay(f->server, id), 0);
	assert_int_equal(socket_server_keepalive(f->server, id, 10, 5, 30000), 0);
	assert_int_equal(send_text(f, id, "before"), 0);
	EXPECT(f, CONNECT, id, "127.0.0.1");
	int peer = accept(listener, NULL, NULL);
	peer_expect(f, peer, "before");
	peer_write(peer, "answer");
	EXPECT(f, DATA, id, "answer");
	char name[64];
	snprintf(name, sizeof(name), "127.0.0.1:%d", port);
	struct socket_info info = info_of(f, id);
	assert_string_equal(info.name, name);
	assert_int_equal(info.type, SOCKET_INFO_TCP);
	assert_int_equal(info.read, 6);
	assert_int_equal(info.write, 6);
	assert_int_equal(info.reading, 1);
	assert_int_equal(info.opaque, f->owner.handle);
	close(peer);
	close(listener);
}

static void
a_refused_connection_is_an_error_event(void **state) {
	struct fixture *f = *state;
	int port, listener = peer_listen(&port);
	close(listener);
	int id = socket_server_connect(f->server, f->owner, "127.0.0.1", port);
	assert_true(id > 0);
	EXPECT(f, ERROR, id, "Connection refused");
	assert_int_equal(send_text(f, id, "x"), -1);
	assert_int_equal(socket_server_nodelay(f->server, id), -1);
}

static void
a_bad_address_is_an_error_event_too(void **state) {
	struct fixture *f = *state;
	static const char *const hosts[] = {"1.2.3.4:5", "[::1", "[]", "a b", "\x01",
		"::1::", "unix:", "unix:@", "@", "a/b", "%", "[1.2.3.4]"};
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		int id = socket_server_connect(f->server, f->owner, hosts[i], 80);
		assert_true(id > 0);
		EXPECT(f, ERROR, id, "invalid address");
		assert_int_equal(
			socket_server_listen(f->server, f->owner, hosts[i], 80, 1, NULL), -1);
	}
	char longest[400];
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	int id = socket_server_connect(f->server, f->owner, longest, 80);
	EXPECT(f, ERROR, id, "invalid address");
	id = socket_server_connect(f->server, f->owner, "127.0.0.1", 70000);
	EXPECT(f, ERROR, id, "invalid address");
	id = socket_server_connect(f->server, f->owner, "127.0.0.1", -1);
	EXPECT(f, ERROR, id, "invalid address");
}

static void
a_port_in_use_cannot_be_listened_on(void **state) {
	struct fixture *f = *state;
	struct skynet_error error = {0};
	int port;
	start_listener(f, &port);
	assert_int_equal(
		socket_server_listen(f->server, f->owner, "127.0.0.1", port, 32, &error), -1);
	assert_int_equal(error.code, SKYNET_ESYSTEM);
	assert_non_null(strstr(error.text, "127.0.0.1"));
}

/* ---- resolution ---- */

static pthread_mutex_t slow_lock = PTHREAD_MUTEX_INITIALIZER;

/* "slow" waits for the lock, "two" has a dead and a live address, all others fail. */
static int
fake_resolve(const char *host, const char *port, const struct addrinfo *hints,
	struct addrinfo **result) {
	struct addrinfo hint = *hints;
	struct addrinfo *dead = NULL;
	hint.ai_flags = AI_NUMERICHOST;
	if (strcmp(host, "slow") == 0) {
		pthread_mutex_lock(&slow_lock);
		pthread_mutex_unlock(&slow_lock);
		return getaddrinfo("127.0.0.1", port, &hint, result);
	}
	if (strcmp(host, "two") != 0)
		return EAI_NONAME;
	if (getaddrinfo("127.0.0.2", "1", &hint, &dead) != 0)
		return EAI_FAIL;
	if (getaddrinfo("127.0.0.1", port, &hint, &dead->ai_next) != 0)
		return EAI_FAIL;
	*result = dead;
	return 0;
}

static void
fake_resolve_free(struct addrinfo *result) {
	while (result != NULL) {
		struct addrinfo *next = result->ai_next;
		result->ai_next = NULL;
		freeaddrinfo(result);
		result = next;
	}
}

static int
setup_resolver(void **state) {
	static const struct socket_server_config config = {
		.resolve = fake_resolve, .resolve_free = fake_resolve_free};
	return fixture_create(state, &config);
}

static void
a_slow_name_holds_up_nobody(void **state) {
	struct fixture *f = *state;
	int port, listener = peer_listen(&port);
	pthread_mutex_lock(&slow_lock);
	int slow = socket_server_connect(f->server, f->owner, "slow", port);
	int dropped = socket_server_connect(f->server, f->owner, "slow", port);
	int fast = socket_server_connect(f->server, f->owner, "127.0.0.1", port);
	socket_server_close(f->server, dropped);
	EXPECT(f, CONNECT, fast, NULL);
	EXPECT(f, CLOSE, dropped, NULL);
	assert_null(take_event(f, SOCKET_EVENT_CONNECT, slow));
	pthread_mutex_unlock(&slow_lock);
	EXPECT(f, CONNECT, slow, "127.0.0.1");
	assert_null(take_event(f, SOCKET_EVENT_CONNECT, dropped));
	close(listener);
}

static void
an_unknown_name_is_an_error_event(void **state) {
	struct fixture *f = *state;
	int id = socket_server_connect(f->server, f->owner, "nowhere", 80);
	EXPECT(f, ERROR, id, gai_strerror(EAI_NONAME));
	struct skynet_error error;
	assert_int_equal(socket_server_listen(f->server, f->owner, "nowhere", 0, 1, &error), -1);
	assert_non_null(strstr(error.text, "cannot bind 'nowhere' port 0"));
	assert_non_null(strstr(error.text, gai_strerror(EAI_NONAME)));
}

static void
the_next_address_is_tried_when_one_refuses(void **state) {
	struct fixture *f = *state;
	int port, listener = peer_listen(&port);
	int id = socket_server_connect(f->server, f->owner, "two", port);
	EXPECT(f, CONNECT, id, "127.0.0.1");
	close(listener);
}

/* ---- ends ---- */

static void
an_end_is_told_once_and_writes_still_arrive(void **state) {
	struct fixture *f = *state;
	int peer, id = make_pair(f, &peer);
	shutdown(peer, SHUT_WR);
	EXPECT(f, CLOSE, id, NULL);
	settle(f);
	assert_int_equal(send_text(f, id, "late"), 0);
	peer_expect(f, peer, "late");
	socket_server_start(f->server, f->owner, id);
	EXPECT(f, ERROR, id, "socket closed");
	socket_server_close(f->server, id);
	assert_int_equal(peer_drain(f, peer), 0);
	settle(f);
	assert_null(take_event(f, SOCKET_EVENT_CLOSE, id));
	assert_int_equal(send_text(f, id, "dead"), -1);
	close(peer);
	assert_int_equal(count_descriptors(), f->descriptors);
}

static void
close_sends_what_is_queued(void **state) {
	struct fixture *f = *state;
	int peer, id = make_pair(f, &peer);
	const size_t size = 10 << 20;
	assert_int_equal(send_block(f, id, size, 'x'), 0);
	socket_server_close(f->server, id);
	EXPECT(f, CLOSE, id, NULL);
	assert_int_equal(info_of(f, id).type, SOCKET_INFO_CLOSING);
	assert_false(socket_server_flushed(f->server, f->owner.node));
	assert_int_equal(send_text(f, id, "too late"), -1);
	socket_server_start(f->server, f->owner, id);
	EXPECT(f, ERROR, id, "socket closed");
	assert_int_equal(peer_drain(f, peer), (long)size);
	POLL_UNTIL(f, socket_server_flushed(f->server, f->owner.node));
	close(peer);
	POLL_UNTIL(f, count_descriptors() == f->descriptors);
	socket_server_start(f->server, f->owner, id);
	EXPECT(f, ERROR, id, "invalid socket");
	assert_null(take_event(f, SOCKET_EVENT_CLOSE, id));
}

/* What is unread here must not make the system reset the connection. */
static void
a_close_with_unread_input_sends_what_is_queued(void **state) {
	struct fixture *f = *state;
	int peer, id = make_pair(f, &peer);
	const size_t size = 10 << 20;
	socket_server_pause(f->server, id);
	settle(f);
	peer_write(peer, "unread");
	assert_int_equal(send_block(f, id, size, 'x'), 0);
	socket_server_close(f->server, id);
	EXPECT(f, CLOSE, id, NULL);
	settle(f);
	peer_write(peer, "and more");
	assert_int_equal(peer_drain(f, peer), (long)size);
	assert_null(take_event(f, SOCKET_EVENT_DATA, id));
	close(peer);
	POLL_UNTIL(f, count_descriptors() == f->descriptors);
}

static void
a_close_with_unread_input_sends_what_the_system_has(void **state) {
	struct fixture *f = *state;
	int peer, id = make_pair(f, &peer);
	socket_server_pause(f->server, id);
	settle(f);
	peer_write(peer, "unread");
	assert_int_equal(send_text(f, id, "last words"), 0);
	socket_server_close(f->server, id);
	EXPECT(f, CLOSE, id, NULL);
	assert_int_equal(info_of(f, id).type, SOCKET_INFO_CLOSING);
	peer_expect(f, peer, "last words");
	assert_int_equal(peer_drain(f, peer), 0);
	assert_int_equal(send_text(f, id, "dead"), -1);
	close(peer);
	POLL_UNTIL(f, count_descriptors() == f->descriptors);
}

static void
shutdown_drops_what_is_queued(void **state) {
	struct fixture *f = *state;
	int peer, id = make_pair(f, &peer);
	const size_t size = 32 << 20;
	assert_int_equal(send_block(f, id, size, 'x'), 0);
	socket_server_shutdown(f->server, id);
	EXPECT(f, CLOSE, id, NULL);
	assert_true(peer_drain(f, peer) < (long)size);
	close(peer);
	assert_int_equal(count_descriptors(), f->descriptors);
}

static void
a_reset_is_an_error_event(void **state) {
	struct fixture *f = *state;
	int peer, id = make_pair(f, &peer);
	peer_reset(peer);
	EXPECT(f, ERROR, id, "Connection reset by peer");
	settle(f);
	assert_null(take_event(f, SOCKET_EVENT_CLOSE, id));
	assert_int_equal(send_text(f, id, "x"), -1);
}

static void
a_write_error_after_the_end_is_an_error_event(void **state) {
	struct fixture *f = *state;
	int peer, id = make_pair(f, &peer);
	close(peer);
	EXPECT(f, CLOSE, id, NULL);
	/* The first one provokes the reset that the second one meets. */
	POLL_UNTIL(f, (send_text(f, id, "x"), take_event(f, SOCKET_EVENT_CLOSE, id) == NULL) &&
			      (f->first != NULL && f->first->event.type == SOCKET_EVENT_ERROR));
	assert_int_equal(f->first->event.id, id);
	assert_int_equal(send_text(f, id, "x"), -1);
}

static void
a_connection_that_was_closed_before_start_can_still_be_read(void **state) {
	struct fixture *f = *state;
	int port, listener = start_listener(f, &port);
	int peer = peer_dial(port);
	peer_write(peer, "bye");
	close(peer);
	int id = EXPECT(f, ACCEPT, listener, NULL);
	settle(f);
	socket_server_start(f->server, f->owner, id);
	EXPECT(f, CONNECT, id, "start");
	EXPECT(f, DATA, id, "bye");
	EXPECT(f, CLOSE, id, NULL);
}

static void
a_connection_that_was_reset_before_start_fails(void **state) {
	struct fixture *f = *state;
	int port, listener = start_listener(f, &port);
	int peer = peer_dial(port);
	int id = EXPECT(f, ACCEPT, listener, NULL);
	peer_reset(peer);
	settle(f);
	socket_server_start(f->server, f->owner, id);
	EXPECT(f, ERROR, id, NULL);
}

static void
what_is_sent_before_the_start_is_dropped_and_what_is_sent_behind_it_is_kept(void **state) {
	struct fixture *f = *state;
	int port, listener = start_listener(f, &port);
	int peer = peer_dial(port);
	int id = EXPECT(f, ACCEPT, listener, NULL);
	assert_int_equal(send_text(f, id, "early"), 0);
	socket_server_start(f->server, f->owner, id);
	/* no poll between them: the poller has yet to learn of the start */
	assert_int_equal(send_text(f, id, "first "), 0);
	assert_int_equal(send_text(f, id, "second "), 0);
	EXPECT(f, CONNECT, id, "start");
	assert_int_equal(send_text(f, id, "third"), 0);
	peer_expect(f, peer, "first second third");
	assert_int_equal(info_of(f, id).writing, 0);
	close(peer);
}

static void
a_close_behind_a_start_sends_what_is_between_them(void **state) {
	struct fixture *f = *state;
	int port, listener = start_listener(f, &port);
	int peer = peer_dial(port);
	int id = EXPECT(f, ACCEPT, listener, NULL);
	socket_server_start(f->server, f->owner, id);
	assert_int_equal(send_block(f, id, 300000, 'x'), 0);
	socket_server_close(f->server, id);
	assert_int_equal(peer_drain(f, peer), 300000);
	close(peer);
}

static void
dead_ids_are_told_to_start_and_ignored_otherwise(void **state) {
	struct fixture *f = *state;
	static const int ids[] = {-1, 0, 1, 77, 0x7fffffff, -0x7fffffff};
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		socket_server_close(f->server, ids[i]);
		socket_server_shutdown(f->server, ids[i]);
		socket_server_pause(f->server, ids[i]);
		assert_int_equal(socket_server_nodelay(f->server, ids[i]), -1);
		assert_int_equal(socket_server_keepalive(f->server, ids[i], 1, 1, 1), -1);
		assert_int_equal(
			socket_server_limit(f->server, ids[i], 1, SOCKET_LIMIT_REJECT), -1);
		assert_int_equal(socket_server_port(f->server, ids[i]), 0);
		assert_int_equal(send_text(f, ids[i], "x"), -1);
		settle(f);
		assert_null(f->first);
		socket_server_start(f->server, f->owner, ids[i]);
		EXPECT(f, ERROR, ids[i], "invalid socket");
	}
}

static void
start_moves_a_socket_to_another_owner(void **state) {
	struct fixture *f = *state;
	struct socket_owner other = {.node = &f->node, .handle = 2};
	int peer, id = make_pair(f, &peer);
	socket_server_start(f->server, other, id);
	struct recorded *item = expect_event(f, SOCKET_EVENT_CONNECT, id, __FILE__, __LINE__);
	assert_string_equal(item->event.data, "transfer");
	assert_int_equal(item->event.owner.handle, 2);
	recorded_free(item);
	peer_write(peer, "x");
	item = expect_event(f, SOCKET_EVENT_DATA, id, __FILE__, __LINE__);
	assert_int_equal(item->event.owner.handle, 2);
	recorded_free(item);
	close(peer);
}

static void
pause_stops_reading_until_start(void **state) {
	struct fixture *f = *state;
	int peer, id = make_pair(f, &peer);
	socket_server_start(f->server, f->owner, id);
	socket_server_pause(f->server, id); /* overtakes nothing */
	settle(f);
	EXPECT(f, CONNECT, id, "transfer");
	peer_write(peer, "held");
	poll_once(f, 20);
	assert_int_equal(f->data_total, 0);
	assert_int_equal(info_of(f, id).reading, 0);
	socket_server_start(f->server, f->owner, id);
	EXPECT(f, CONNECT, id, "transfer");
	EXPECT(f, DATA, id, "held");
	close(peer);
}

static void
large_data_arrives_whole_and_in_order(void **state) {
	struct fixture *f = *state;
	int peer, id = make_pair(f, &peer);
	const size_t size = 8 << 20;
	uint32_t *sent = malloc(size);
	char *got = malloc(size);
	for (size_t i = 0; i < size / 4; i++)
		sent[i] = (uint32_t)i;
	fcntl(peer, F_SETFL, O_NONBLOCK);
	size_t out = 0, in = 0, biggest = 0;
	while (in < size) {
		ssize_t n = out < size ? send(peer, (char *)sent + out, size - out, 0) : 0;
		if (n > 0)
			out += (size_t)n;
		poll_once(f, 0);
		for (struct recorded *item;
			(item = take_event(f, SOCKET_EVENT_DATA, id)) != NULL;) {
			memcpy(got + in, item->event.data, item->event.size);
			in += item->event.size;
			if (item->event.size > biggest)
				biggest = item->event.size;
			recorded_free(item);
		}
	}
	assert_memory_equal(sent, got, size);
	assert_true(biggest > 65536);
	free(sent);
	free(got);
	close(peer);
}

/* ---- other families ---- */

static void
ipv6_is_listened_on_for_both_families(void **state) {
	struct fixture *f = *state;
	int id = socket_server_listen(f->server, f->owner, "::", 0, 32, NULL);
	int port = EXPECT(f, CONNECT, id, "::");
	socket_server_start(f->server, f->owner, id);
	int peer = peer_dial(port);
	struct recorded *item = expect_event(f, SOCKET_EVENT_ACCEPT, id, __FILE__, __LINE__);
	assert_int_equal(strncmp(item->event.data, "127.0.0.1:", 10), 0);
	recorded_free(item);
	int client = socket_server_connect(f->server, f->owner, "[::1]", port);
	EXPECT(f, CONNECT, client, "::1");
	item = expect_event(f, SOCKET_EVENT_ACCEPT, id, __FILE__, __LINE__);
	assert_int_equal(strncmp(item->event.data, "::1:", 4), 0);
	recorded_free(item);
	close(peer);
}

static void
a_unix_socket_works_like_any_other(void **state) {
	struct fixture *f = *state;
	char folder[] = "/tmp/skynet-test-XXXXXX";
	assert_non_null(mkdtemp(folder));
	char host[64];
	snprintf(host, sizeof(host), "unix:%s/socket", folder);
	int listener = socket_server_listen(f->server, f->owner, host, 0, 32, NULL);
	assert_true(listener > 0);
	EXPECT(f, CONNECT, listener, host);
	socket_server_start(f->server, f->owner, listener);
	int client = socket_server_connect(f->server, f->owner, host, 0);
	EXPECT(f, CONNECT, client, host);
	int id = EXPECT(f, ACCEPT, listener, host);
	socket_server_start(f->server, f->owner, id);
	assert_int_equal(socket_server_nodelay(f->server, id), 0);
	assert_int_equal(send_text(f, client, "ping"), 0);
	EXPECT(f, DATA, id, "ping");
	assert_int_equal(send_text(f, id, "pong"), 0);
	EXPECT(f, DATA, client, "pong");
	/* A second server there is refused, and does not take the file away. */
	assert_int_equal(socket_server_listen(f->server, f->owner, host, 0, 32, NULL), -1);
	int probe = EXPECT(f, ACCEPT, listener, host); /* how it looked for a live one */
	socket_server_close(f->server, probe);
	EXPECT(f, CLOSE, probe, NULL);
	socket_server_close(f->server, client);
	EXPECT(f, CLOSE, id, NULL);
	socket_server_close(f->server, id);
	socket_server_close(f->server, listener);
	EXPECT(f, CLOSE, listener, NULL);
	assert_int_equal(rmdir(folder), 0); /* the file has gone with the listener */
	assert_int_equal(count_descriptors(), f->descriptors);
}

static void
a_stale_unix_socket_is_replaced_and_a_plain_file_is_not(void **state) {
	struct fixture *f = *state;
	char folder[] = "/tmp/skynet-test-XXXXXX";
	assert_non_null(mkdtemp(folder));
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/socket", folder);
	int stale = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(stale, (struct sockaddr *)&at, sizeof(at)), 0);
	close(stale);
	char host[128];
	snprintf(host, sizeof(host), "unix:%s", at.sun_path);
	int id = socket_server_listen(f->server, f->owner, host, 0, 32, NULL);
	assert_true(id > 0);
	socket_server_close(f->server, id);
	EXPECT(f, CLOSE, id, NULL);

	int file = open(at.sun_path, O_CREAT | O_WRONLY, 0600);
	close(file);
	assert_int_equal(socket_server_listen(f->server, f->owner, host, 0, 32, NULL), -1);
	assert_int_equal(unlink(at.sun_path), 0);
	assert_int_equal(rmdir(folder), 0);
	id = socket_server_connect(f->server, f->owner, host, 0);
	EXPECT(f, ERROR, id, "No such file or directory");
}

static void
an_abstract_unix_name_needs_no_file(void **state) {
	struct fixture *f = *state;
	char host[64];
	snprintf(host, sizeof(host), "unix:@skynet-test-%d", (int)getpid());
	int listener = socket_server_listen(f->server, f->owner, host, 0, 32, NULL);
	EXPECT(f, CONNECT, listener, host);
	socket_server_start(f->server, f->owner, listener);
	int client = socket_server_connect(f->server, f->owner, host, 0);
	EXPECT(f, ACCEPT, listener, host);
	EXPECT(f, CONNECT, client, host);
}

static void
a_descriptor_of_the_system_is_bound_and_left_open(void **state) {
	struct fixture *f = *state;
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	int in = socket_server_bind(f->server, f->owner, fds[0]);
	EXPECT(f, CONNECT, in, "binding");
	int out = socket_server_bind(f->server, f->owner, fds[1]);
	EXPECT(f, CONNECT, out, "binding");
	assert_int_equal(send_text(f, out, "through"), 0);
	EXPECT(f, DATA, in, "through");
	assert_int_equal(info_of(f, in).type, SOCKET_INFO_BIND);
	socket_server_close(f->server, in);
	EXPECT(f, CLOSE, in, NULL);
	assert_true(fcntl(fds[0], F_GETFD) >= 0);
	close(fds[0]);
	close(fds[1]);
	int id = socket_server_bind(f->server, f->owner, 9999);
	EXPECT(f, ERROR, id, "Bad file descriptor");
}

/* ---- nodes ---- */

static void
the_sockets_of_a_node_are_closed_without_a_word(void **state) {
	struct fixture *f = *state;
	int other_node;
	struct socket_owner other = {.node = &other_node, .handle = 9};
	int peer, id = make_pair(f, &peer);
	int theirs = socket_server_listen(f->server, other, "127.0.0.1", 0, 1, NULL);
	EXPECT(f, CONNECT, theirs, NULL);
	peer_write(peer, "unheard");
	socket_server_close_node(f->server, f->owner.node);
	assert_int_equal(peer_drain(f, peer), -1); /* reset: bytes were not read */
	settle(f);
	assert_null(f->first);
	assert_int_equal(send_text(f, id, "x"), -1);
	assert_true(socket_server_port(f->server, theirs) > 0);
	close(peer);
}

static void
listeners_of_a_node_close_first(void **state) {
	struct fixture *f = *state;
	int other_node, port;
	struct socket_owner other = {.node = &other_node, .handle = 9};
	int listener = start_listener(f, &port);
	int theirs = socket_server_listen(f->server, other, "127.0.0.1", 0, 1, NULL);
	int peer = peer_dial(port);
	int id = EXPECT(f, ACCEPT, listener, NULL);
	socket_server_start(f->server, f->owner, id);
	socket_server_close_listeners(f->server, f->owner.node);
	EXPECT(f, CLOSE, listener, NULL);
	peer_write(peer, "still");
	EXPECT(f, DATA, id, "still");
	assert_true(socket_server_port(f->server, theirs) > 0);
	close(peer);
}

/* ---- waking ---- */

static void *
wake_later(void *ud) {
	struct fixture *f = ud;
	socket_server_wake(f->server);
	return NULL;
}

static void
a_blocked_poll_returns_when_woken(void **state) {
	struct fixture *f = *state;
	socket_server_wake(f->server); /* before: the next poll does not block */
	assert_int_equal(socket_server_poll(f->server, -1, record_event, f), 0);
	for (int i = 0; i < 20; i++) {
		pthread_t thread;
		assert_int_equal(pthread_create(&thread, NULL, wake_later, f), 0);
		assert_int_equal(socket_server_poll(f->server, -1, record_event, f), 0);
		pthread_join(thread, NULL);
	}
}

static void
a_poll_that_looks_before_it_sleeps_misses_nothing(void **state) {
	struct fixture *f = *state;
	int port, listener = start_listener(f, &port);
	int peer = peer_dial(port);
	int id = EXPECT(f, ACCEPT, listener, NULL);
	socket_server_start(f->server, f->owner, id);
	EXPECT(f, CONNECT, id, "start");
	/* So long that the test would not end if it looked for anything less than all. */
	socket_server_spin(f->server, UINT64_C(3600) * 1000000000);
	for (int i = 0; i < 200; i++) {
		peer_write(peer, "x");
		EXPECT(f, DATA, id, "x");
		pthread_t thread;
		assert_int_equal(pthread_create(&thread, NULL, wake_later, f), 0);
		assert_int_equal(socket_server_poll(f->server, -1, record_event, f), 0);
		pthread_join(thread, NULL);
	}
	close(peer);
}

static void
a_watched_file_is_told_when_it_changes(void **state) {
	struct fixture *f = *state;
	char folder[] = "/tmp/skynet-test-XXXXXX", path[64], other[64];
	struct skynet_error error;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/names.lua", folder);
	snprintf(other, sizeof(other), "%s/names.new", folder);
	int id = socket_server_watch(f->server, f->owner, path, &error);
	assert_true(id > 0);
	settle(f);
	FILE *file = fopen(other, "w");
	fclose(file);
	settle(f);
	assert_null(f->first);
	assert_int_equal(rename(other, path), 0); /* made */
	EXPECT(f, FILE, id, path);
	file = fopen(path, "a");
	fputs("x", file);
	fclose(file);
	EXPECT(f, FILE, id, path); /* written */
	unlink(path);
	EXPECT(f, FILE, id, path); /* removed */
	socket_server_close(f->server, id);
	EXPECT(f, CLOSE, id, NULL);
	rmdir(folder);
	assert_int_equal(socket_server_watch(f->server, f->owner, path, &error), -1);
	assert_non_null(strstr(error.text, path));
	assert_int_equal(count_descriptors(), f->descriptors);
}

static bool
ipv6_works(void) {
	struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	bool works = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
	if (fd >= 0)
		close(fd);
	return works;
}

#define CASE(name)      cmocka_unit_test_setup_teardown(name, setup, teardown)
#define NAME_CASE(name) cmocka_unit_test_setup_teardown(name, setup_resolver, teardown)

int
main(void) {
	struct CMUnitTest tests[] = {
		CASE(a_listener_tells_its_port_and_accepts_after_start),
		CASE(bytes_are_read_only_after_start),
		CASE(a_connection_is_made_and_named),
		CASE(a_refused_connection_is_an_error_event),
		CASE(a_bad_address_is_an_error_event_too),
		CASE(a_port_in_use_cannot_be_listened_on),
		NAME_CASE(a_slow_name_holds_up_nobody),
		NAME_CASE(an_unknown_name_is_an_error_event),
		NAME_CASE(the_next_address_is_tried_when_one_refuses),
		CASE(an_end_is_told_once_and_writes_still_arrive),
		CASE(close_sends_what_is_queued),
		CASE(a_close_with_unread_input_sends_what_is_queued),
		CASE(a_close_with_unread_input_sends_what_the_system_has),
		CASE(shutdown_drops_what_is_queued),
		CASE(a_reset_is_an_error_event),
		CASE(a_write_error_after_the_end_is_an_error_event),
		CASE(a_connection_that_was_closed_before_start_can_still_be_read),
		CASE(a_connection_that_was_reset_before_start_fails),
		CASE(what_is_sent_before_the_start_is_dropped_and_what_is_sent_behind_it_is_kept),
		CASE(a_close_behind_a_start_sends_what_is_between_them),
		CASE(dead_ids_are_told_to_start_and_ignored_otherwise),
		CASE(start_moves_a_socket_to_another_owner),
		CASE(pause_stops_reading_until_start),
		CASE(large_data_arrives_whole_and_in_order),
		CASE(a_unix_socket_works_like_any_other),
		CASE(a_stale_unix_socket_is_replaced_and_a_plain_file_is_not),
		CASE(an_abstract_unix_name_needs_no_file),
		CASE(a_descriptor_of_the_system_is_bound_and_left_open),
		CASE(the_sockets_of_a_node_are_closed_without_a_word),
		CASE(listeners_of_a_node_close_first),
		CASE(a_blocked_poll_returns_when_woken),
		CASE(a_poll_that_looks_before_it_sleeps_misses_nothing),
		CASE(a_watched_file_is_told_when_it_changes),
		CASE(ipv6_is_listened_on_for_both_families),
	};
	size_t count = sizeof(tests) / sizeof(tests[0]);
	if (!ipv6_works()) /* its case is the last one */
		count--;
	return _cmocka_run_group_tests("socket_server", tests, count, NULL, NULL);
}
