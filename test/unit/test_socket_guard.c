/* Guarded sockets: who has not authenticated is not told to anybody. */
#include "guard_pair.h"
#include "socket_fixture.h"

#include "base/clock.h"
#include "io/socket_core.h"

#define SECRET "a secret of some length"
#define OTHER  "another secret of that length"
#define MIB    ((size_t)1 << 20)

static struct certs certs;

static int
make_certs(void **state) {
	(void)state;
	certs_init(&certs, "ca");
	certs_add(&certs, "node", 30);
	return 0;
}

static int
remove_certs(void **state) {
	(void)state;
	certs_fini(&certs);
	return 0;
}

static struct guard_policy *
secret_policy(const char *secret) {
	struct guard_config config = {.secret = secret};
	return make_policy(&config);
}

/* The policies that most cases run with, one after the other. */
static struct guard_policy *
policy_number(int kind) {
	if (kind == 0)
		return secret_policy(SECRET);
	struct guard_config config = tls_config(&certs, "node", &certs, "ca");
	return make_policy(&config);
}

static int
listen_with(struct fixture *f, struct guard_policy *policy, const char *host, int *port) {
	struct socket_listen_options options = {.backlog = 128, .policy = policy};
	int id = socket_server_listen_with(f->server, f->owner, host, 0, &options, NULL);
	assert_true(id > 0);
	*port = EXPECT(f, CONNECT, id, NULL);
	socket_server_start(f->server, f->owner, id);
	EXPECT(f, CONNECT, id, "start");
	return id;
}

/* A dialled and an accepted socket that are both open. */
static void
open_both(struct fixture *f, struct guard_policy *policy, int *dialled, int *accepted) {
	int port, listener = listen_with(f, policy, "127.0.0.1", &port);
	*dialled = socket_server_connect_with(f->server, f->owner, "127.0.0.1", port, policy);
	EXPECT(f, CONNECT, *dialled, "127.0.0.1");
	*accepted = EXPECT(f, ACCEPT, listener, NULL);
	socket_server_start(f->server, f->owner, *accepted);
	EXPECT(f, CONNECT, *accepted, "start");
	socket_server_close(f->server, listener);
	EXPECT(f, CLOSE, listener, NULL);
}

/* Waits until `size` bytes have come for `id`; all of them must be `fill`. */
static void
expect_fill(struct fixture *f, int id, size_t size, char fill) {
	size_t got = 0;
	while (got < size) {
		struct recorded *item = expect_event(f, SOCKET_EVENT_DATA, id, __FILE__, __LINE__);
		for (size_t i = 0; i < item->event.size; i++)
			assert_int_equal(item->event.data[i], fill);
		got += item->event.size;
		recorded_free(item);
	}
	assert_int_equal(got, size);
}

/* Polls until somebody has connected to a listener of the test. */
static int
peer_accept(struct fixture *f, int listener) {
	struct pollfd ready = {.fd = listener, .events = POLLIN};
	POLL_UNTIL(f, poll(&ready, 1, 0) == 1);
	return accept(listener, NULL, NULL);
}

static void
expect_report(struct fixture *f, int listener, const char *text) {
	struct recorded *item = expect_event(f, SOCKET_EVENT_REPORT, listener, __FILE__, __LINE__);
	if (strstr(item->event.data, text) == NULL)
		print_message("# found '%s'\n", item->event.data);
	assert_non_null(strstr(item->event.data, text));
	recorded_free(item);
}

static void
expect_error(struct fixture *f, int id, const char *text) {
	struct recorded *item = expect_event(f, SOCKET_EVENT_ERROR, id, __FILE__, __LINE__);
	if (strstr(item->event.data, text) == NULL)
		print_message("# found '%s'\n", item->event.data);
	assert_non_null(strstr(item->event.data, text));
	recorded_free(item);
}

static void
two_ends_that_authenticate_talk(void **state) {
	struct fixture *f = *state;
	for (int kind = 0; kind < 2; kind++) {
		int dialled, accepted;
		struct guard_policy *policy = policy_number(kind);
		open_both(f, policy, &dialled, &accepted);
		assert_int_equal(send_text(f, dialled, "ask"), 0);
		EXPECT(f, DATA, accepted, "ask");
		assert_int_equal(send_text(f, accepted, "answer"), 0);
		EXPECT(f, DATA, dialled, "answer");
		assert_int_equal(policy->counters.accepted, 1);
		assert_int_equal(policy->counters.dialled, 1);
		assert_int_equal(policy->counters.failed + policy->counters.dial_failed, 0);
		socket_server_close(f->server, dialled);
		EXPECT(f, CLOSE, dialled, NULL);
		EXPECT(f, CLOSE, accepted, NULL);
		guard_policy_drop(policy);
	}
}

static void
large_amounts_pass_both_ways_at_once(void **state) {
	struct fixture *f = *state;
	for (int kind = 0; kind < 2; kind++) {
		int dialled, accepted;
		struct guard_policy *policy = policy_number(kind);
		open_both(f, policy, &dialled, &accepted);
		for (int i = 0; i < 8; i++) {
			assert_int_equal(send_block(f, dialled, MIB, 'd'), 0);
			assert_int_equal(send_block(f, accepted, MIB, 'a'), 0);
		}
		expect_fill(f, accepted, 8 * MIB, 'd');
		expect_fill(f, dialled, 8 * MIB, 'a');
		assert_int_equal(info_of(f, dialled).wbuffer, 0);
		socket_server_shutdown(f->server, dialled);
		EXPECT(f, CLOSE, dialled, NULL);
		guard_policy_drop(policy);
	}
}

static void
what_is_sent_while_dialling_arrives_in_order(void **state) {
	struct fixture *f = *state;
	for (int kind = 0; kind < 2; kind++) {
		struct guard_policy *policy = policy_number(kind);
		int port, listener = listen_with(f, policy, "127.0.0.1", &port);
		int dialled =
			socket_server_connect_with(f->server, f->owner, "127.0.0.1", port, policy);
		assert_int_equal(send_text(f, dialled, "one "), 0);
		assert_int_equal(send_text(f, dialled, "two "), 0);
		POLL_UNTIL(f, policy->counters.dialled == 1);
		assert_int_equal(send_text(f, dialled, "three"), 0);
		int accepted = EXPECT(f, ACCEPT, listener, NULL);
		socket_server_start(f->server, f->owner, accepted);
		char got[32] = "";
		while (strlen(got) < 13) {
			struct recorded *item =
				expect_event(f, SOCKET_EVENT_DATA, accepted, __FILE__, __LINE__);
			strncat(got, item->event.data, sizeof(got) - strlen(got) - 1);
			recorded_free(item);
		}
		assert_string_equal(got, "one two three");
		socket_server_shutdown(f->server, dialled);
		socket_server_shutdown(f->server, listener);
		settle(f);
		guard_policy_drop(policy);
	}
}

static void
what_was_queued_before_a_close_still_arrives(void **state) {
	struct fixture *f = *state;
	for (int kind = 0; kind < 2; kind++) {
		int dialled, accepted;
		struct guard_policy *policy = policy_number(kind);
		open_both(f, policy, &dialled, &accepted);
		assert_int_equal(send_block(f, dialled, 4 * MIB, 'x'), 0);
		socket_server_close(f->server, dialled);
		EXPECT(f, CLOSE, dialled, NULL);
		expect_fill(f, accepted, 4 * MIB, 'x');
		EXPECT(f, CLOSE, accepted, NULL);
		guard_policy_drop(policy);

		/* And when the close comes before the connection is there. */
		policy = policy_number(kind);
		int port, listener = listen_with(f, policy, "127.0.0.1", &port);
		dialled =
			socket_server_connect_with(f->server, f->owner, "127.0.0.1", port, policy);
		assert_int_equal(send_text(f, dialled, "farewell"), 0);
		socket_server_close(f->server, dialled);
		accepted = EXPECT(f, ACCEPT, listener, NULL);
		socket_server_start(f->server, f->owner, accepted);
		EXPECT(f, DATA, accepted, "farewell");
		EXPECT(f, CLOSE, accepted, NULL);
		guard_policy_drop(policy);
	}
}

static void
batches_and_pieces_pass_a_guard_in_order(void **state) {
	struct fixture *f = *state;
	for (int kind = 0; kind < 2; kind++) {
		int dialled, accepted;
		struct guard_policy *policy = policy_number(kind);
		struct socket_batch batch = {0};
		open_both(f, policy, &dialled, &accepted);
		char expected[2048] = "", got[2048] = "";
		for (int i = 0; i < 100; i++) {
			char text[16];
			snprintf(text, sizeof(text), "%d,", i);
			strncat(expected, text, sizeof(expected) - strlen(expected) - 1);
			struct socket_sendbuffer buffer = {.id = dialled,
				.type = SOCKET_BUFFER_RAWPOINTER,
				.buffer = text,
				.sz = strlen(text)};
			assert_int_equal(socket_server_send(f->server, &batch, &buffer), 0);
		}
		socket_server_flush_thread(f->server, &batch);
		struct iovec pieces[2] = {{.iov_base = (char[]){"last "}, .iov_len = 5},
			{.iov_base = (char[]){"piece"}, .iov_len = 5}};
		strncat(expected, "last piece", sizeof(expected) - strlen(expected) - 1);
		assert_int_equal(socket_server_write(f->server, dialled, pieces, 2), 10);
		while (strlen(got) < strlen(expected)) {
			struct recorded *item =
				expect_event(f, SOCKET_EVENT_DATA, accepted, __FILE__, __LINE__);
			strncat(got, item->event.data, sizeof(got) - strlen(got) - 1);
			recorded_free(item);
		}
		assert_string_equal(got, expected);
		/* What the system does not take is not kept. */
		char *block = malloc(MIB);
		memset(block, 'p', MIB);
		struct iovec large = {.iov_base = block, .iov_len = MIB};
		size_t taken = 0;
		int64_t n;
		do {
			n = socket_server_write(f->server, dialled, &large, 1);
			assert_true(n >= 0);
			taken += (size_t)n;
		} while (n == (int64_t)MIB);
		expect_fill(f, accepted, taken, 'p');
		assert_int_equal(EXPECT(f, WARNING, dialled, NULL), 0);
		free(block);
		socket_server_shutdown(f->server, dialled);
		settle(f);
		guard_policy_drop(policy);
	}
}

static void
a_wrong_secret_is_told_on_both_ends(void **state) {
	struct fixture *f = *state;
	struct guard_policy *good = secret_policy(SECRET), *bad = secret_policy(OTHER);
	int port, listener = listen_with(f, good, "127.0.0.1", &port);
	int id = socket_server_connect_with(f->server, f->owner, "127.0.0.1", port, bad);
	assert_int_equal(send_text(f, id, "never seen"), 0);
	expect_error(f, id, "the other side refuses: it has another secret");
	expect_report(f, listener, "it has another secret");
	assert_null(take_event(f, SOCKET_EVENT_ACCEPT, ANY_ID));
	assert_int_equal(good->counters.failed, 1);
	assert_int_equal(bad->counters.dial_failed, 1);
	assert_int_equal(info_of(f, listener).dropped, 1);
	guard_policy_drop(good);
	guard_policy_drop(bad);
}

static void
a_plain_dialler_and_a_plain_listener_are_told(void **state) {
	struct fixture *f = *state;
	for (int kind = 0; kind < 2; kind++) {
		struct guard_policy *policy = policy_number(kind);
		int port, listener = listen_with(f, policy, "127.0.0.1", &port);
		int peer = peer_dial(port);
		peer_write(peer, "\x14H...");
		expect_report(f, listener, "it does not authenticate");
		assert_int_equal(peer_drain(f, peer), GUARD_REFUSAL_SIZE);
		close(peer);

		int plain = peer_listen(&port);
		int id = socket_server_connect_with(f->server, f->owner, "127.0.0.1", port, policy);
		peer = peer_accept(f, plain);
		poll_once(f, 10);
		peer_write(peer, "hello, who is there?");
		expect_error(f, id, "the other side does not authenticate");
		close(peer);
		id = socket_server_connect_with(f->server, f->owner, "127.0.0.1", port, policy);
		peer = peer_accept(f, plain);
		poll_once(f, 10);
		shutdown(peer, SHUT_WR);
		expect_error(f, id, "closed when asked to authenticate");
		close(peer);
		close(plain);
		guard_policy_drop(policy);
	}
}

static void
silent_and_slow_strangers_are_ended_by_the_deadline(void **state) {
	struct fixture *f = *state;
	struct guard_config config = {.secret = SECRET, .timeout_ms = 60};
	struct guard_policy *policy = make_policy(&config);
	int port, plain_port, listener = listen_with(f, policy, "127.0.0.1", &port);
	int silent = peer_dial(port);
	expect_report(f, listener, "did not authenticate in time");
	assert_true(peer_drain(f, silent) <= 0);
	int slow = peer_dial(port);
	unsigned char hello[GUARD_HELLO_SIZE];
	guard_hello_write(hello, GUARD_KIND_SECRET);
	size_t at = 0;
	struct recorded *item = NULL;
	uint64_t deadline = test_now_ms() + DEADLINE_MS;
	while (item == NULL) {
		unsigned char byte = at < sizeof(hello) ? hello[at] : 1;
		if (at++ < 30)
			send(slow, &byte, 1, MSG_NOSIGNAL);
		poll_once(f, 10);
		item = take_event(f, SOCKET_EVENT_REPORT, listener);
		assert_true(test_now_ms() < deadline);
	}
	assert_non_null(strstr(item->event.data, "in time"));
	recorded_free(item);
	int plain = peer_listen(&plain_port);
	int id = socket_server_connect_with(f->server, f->owner, "127.0.0.1", plain_port, policy);
	expect_error(f, id, "the other side did not authenticate in time");
	close(silent);
	close(slow);
	close(plain);
	guard_policy_drop(policy);
}

static void
time_spent_on_the_handshakes_of_others_does_not_count(void **state) {
	struct fixture *f = *state;
	enum { TIMEOUT_MS = 80, MOVES = 4 };
	const uint64_t timeout_ns = (uint64_t)TIMEOUT_MS * 1000000;
	struct guard_config config = {.secret = SECRET, .timeout_ms = TIMEOUT_MS};
	struct guard_policy *policy = make_policy(&config);
	int port, listener = listen_with(f, policy, "127.0.0.1", &port);
	struct clock clock;
	clock_init_manual(&clock, 0);
	clock_advance(&clock, timeout_ns);
	const struct clock *before = f->server->clock;
	f->server->clock = &clock;
	int peer = peer_dial(port);
	POLL_UNTIL(f, f->server->timed != NULL);
	/* However much the poller has to do, it is over after some time. */
	for (int i = 0; i < MOVES; i++) {
		f->server->shaking_ns += timeout_ns;
		clock_advance(&clock, timeout_ns + 1);
		settle(f);
		assert_int_equal(policy->counters.failed, 0);
	}
	f->server->shaking_ns += timeout_ns;
	clock_advance(&clock, timeout_ns + 1);
	expect_report(f, listener, "did not authenticate in time");
	close(peer);
	/* A little is what it costs anyway. */
	peer = peer_dial(port);
	POLL_UNTIL(f, f->server->timed != NULL);
	f->server->shaking_ns += timeout_ns / 100;
	clock_advance(&clock, timeout_ns + 1);
	expect_report(f, listener, "did not authenticate in time");
	close(peer);
	f->server->clock = before;
	guard_policy_drop(policy);
}

static void
strangers_that_leave_are_counted_and_forgotten(void **state) {
	struct fixture *f = *state;
	struct guard_policy *policy = secret_policy(SECRET);
	int port, listener = listen_with(f, policy, "127.0.0.1", &port);
	int before = count_descriptors();
	int peer = peer_dial(port);
	settle(f);
	close(peer);
	expect_report(f, listener, "it left before it had authenticated");
	peer = peer_dial(port);
	settle(f);
	peer_reset(peer);
	POLL_UNTIL(f, policy->counters.failed == 2);
	assert_int_equal(count_descriptors(), before);
	guard_policy_drop(policy);
}

static void
an_address_that_fails_too_often_is_turned_away_unread(void **state) {
	struct fixture *f = *state;
	struct guard_policy *good = secret_policy(SECRET), *bad = secret_policy(OTHER);
	int port, listener = listen_with(f, good, "127.0.0.1", &port);
	for (int i = 0; i < GUARD_LIMIT_FAILURES; i++) {
		int id = socket_server_connect_with(f->server, f->owner, "127.0.0.1", port, bad);
		expect_error(f, id, "another secret");
	}
	/* Written before it is read: the refusal is there whatever the timing. */
	int peer = peer_dial(port);
	POLL_UNTIL(f, good->counters.refused == 1);
	unsigned char refusal[GUARD_REFUSAL_SIZE], got[64];
	guard_refusal_write(refusal, GUARD_REFUSED_LIMIT);
	assert_int_equal(recv(peer, got, sizeof(got), 0), sizeof(refusal));
	assert_memory_equal(got, refusal, sizeof(refusal));
	assert_int_equal(recv(peer, got, sizeof(got), 0), 0);
	close(peer);
	assert_int_equal(good->counters.failed, GUARD_LIMIT_FAILURES);
	assert_int_equal(info_of(f, listener).dropped, GUARD_LIMIT_FAILURES + 1);
	/* The lines are fewer. */
	int reports = 0;
	struct recorded *item;
	while ((item = take_event(f, SOCKET_EVENT_REPORT, listener)) != NULL) {
		reports++;
		recorded_free(item);
	}
	assert_int_equal(reports, 5);
	guard_policy_drop(good);
	guard_policy_drop(bad);
}

static void
an_address_with_a_good_node_is_never_turned_away(void **state) {
	struct fixture *f = *state;
	struct guard_policy *good = secret_policy(SECRET), *bad = secret_policy(OTHER);
	int port;
	listen_with(f, good, "127.0.0.1", &port);
	int id = socket_server_connect_with(f->server, f->owner, "127.0.0.1", port, good);
	EXPECT(f, CONNECT, id, NULL);
	for (int i = 0; i < GUARD_LIMIT_FAILURES * 3; i++) {
		int stranger =
			socket_server_connect_with(f->server, f->owner, "127.0.0.1", port, bad);
		expect_error(f, stranger, "another secret");
	}
	id = socket_server_connect_with(f->server, f->owner, "127.0.0.1", port, good);
	EXPECT(f, CONNECT, id, NULL);
	assert_int_equal(good->counters.refused, 0);
	guard_policy_drop(good);
	guard_policy_drop(bad);
}

static void
a_thousand_strangers_cost_a_bounded_number_of_descriptors(void **state) {
	struct fixture *f = *state;
	struct guard_config config = {.secret = SECRET, .pending_max = 20};
	struct guard_policy *policy = make_policy(&config);
	int port, listener = listen_with(f, policy, "127.0.0.1", &port), peers[1000];
	int before = count_descriptors();
	for (int i = 0; i < 1000; i++) {
		peers[i] = peer_dial(port);
		if (i % 16 == 0)
			settle(f);
	}
	POLL_UNTIL(f, policy->counters.failed + policy->counters.refused >= 980);
	assert_true(count_descriptors() - before <= 1000 + 20);
	for (int i = 0; i < 1000; i++)
		close(peers[i]);
	POLL_UNTIL(f, count_descriptors() <= before);
	assert_true(info_of(f, listener).dropped >= 980);
	guard_policy_drop(policy);
}

/* Connects from 127.0.0.`host`; the server has accepted it when this returns. */
static int
peer_dial_from(struct fixture *f, uint8_t host, int port) {
	struct sockaddr_in from = {.sin_family = AF_INET};
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	from.sin_addr.s_addr = htonl((INADDR_LOOPBACK & 0xffffff00) + host);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int peer = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(peer, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(peer, (struct sockaddr *)&to, sizeof(to)), 0);
	settle(f);
	return peer;
}

/* Authenticates as a node that has dialled. Returns what has become of it. */
static enum guard_state
peer_authenticate(struct fixture *f, struct guard_policy *policy, int peer) {
	struct guard *guard = guard_create(policy, GUARD_DIALLER, false);
	struct guard_buffer plain = {.data = NULL};
	uint64_t deadline = test_now_ms() + DEADLINE_MS;
	while (guard->state == GUARD_SHAKING) {
		char bytes[256];
		size_t size;
		char *out = guard_buffer_take(&guard->wire, &size);
		if (out != NULL)
			send(peer, out, size, MSG_NOSIGNAL);
		skynet_free(out);
		poll_once(f, 5);
		ssize_t n = recv(peer, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n > 0)
			guard_receive(guard, bytes, (size_t)n, &plain);
		else if (n == 0 || errno != EAGAIN)
			guard_end(guard);
		assert_true(test_now_ms() < deadline);
	}
	enum guard_state state = guard->state;
	guard_buffer_fini(&plain);
	guard_destroy(guard);
	return state;
}

static void
a_flood_pushes_out_its_own_connections_only(void **state) {
	struct fixture *f = *state;
	struct guard_config config = {.secret = SECRET, .pending_max = 8};
	struct guard_policy *policy = make_policy(&config);
	int port, listener = listen_with(f, policy, "0.0.0.0", &port), peers[40];
	int slow = peer_dial_from(f, 6, port);
	for (int i = 0; i < 40; i++)
		peers[i] = peer_dial_from(f, 1, port);
	assert_int_equal(peer_authenticate(f, policy, slow), GUARD_OPEN);
	EXPECT(f, ACCEPT, listener, NULL);
	for (int i = 0; i < 40; i++)
		close(peers[i]);
	close(slow);
	guard_policy_drop(policy);
}

static void
a_flood_from_many_addresses_does_not_push_out_known_ones(void **state) {
	struct fixture *f = *state;
	struct guard_config config = {.secret = SECRET, .pending_max = 8, .allow = "127.0.0.7"};
	struct guard_policy *policy = make_policy(&config);
	int port, listener = listen_with(f, policy, "0.0.0.0", &port), peers[40];
	struct clock clock;
	clock_init_manual(&clock, 0);
	clock_advance(&clock, policy->timeout_ns);
	const struct clock *before = f->server->clock;
	f->server->clock = &clock;
	int known = peer_dial_from(f, 6, port);
	assert_int_equal(peer_authenticate(f, policy, known), GUARD_OPEN);
	EXPECT(f, ACCEPT, listener, NULL);
	close(known);
	known = peer_dial_from(f, 6, port);
	int allowed = peer_dial_from(f, 7, port);
	for (int i = 0; i < 40; i++) {
		clock_advance(&clock, 1);
		peers[i] = peer_dial_from(f, (uint8_t)(100 + i), port);
	}
	assert_int_equal(peer_authenticate(f, policy, known), GUARD_OPEN);
	EXPECT(f, ACCEPT, listener, NULL);
	/* It waits to be spoken to, as some nodes of the reference do. */
	clock_advance(&clock, policy->timeout_ns + 1);
	EXPECT(f, ACCEPT, listener, NULL);
	f->server->clock = before;
	for (int i = 0; i < 40; i++)
		close(peers[i]);
	close(known);
	close(allowed);
	guard_policy_drop(policy);
}

static void
who_is_pushed_out_by_others_is_not_turned_away_for_it(void **state) {
	struct fixture *f = *state;
	struct guard_config config = {.secret = SECRET, .pending_max = 2};
	struct guard_policy *policy = make_policy(&config);
	int port, listener = listen_with(f, policy, "0.0.0.0", &port);
	uint8_t host = 100;
	for (int i = 0; i < GUARD_LIMIT_FAILURES * 2; i++) {
		int peer = peer_dial_from(f, 6, port);
		int others[2];
		others[0] = peer_dial_from(f, host++, port);
		others[1] = peer_dial_from(f, host++, port);
		assert_int_equal(peer_authenticate(f, policy, peer), GUARD_FAILED);
		close(peer);
		close(others[0]);
		close(others[1]);
	}
	int peer = peer_dial_from(f, 6, port);
	assert_int_equal(peer_authenticate(f, policy, peer), GUARD_OPEN);
	EXPECT(f, ACCEPT, listener, NULL);
	assert_int_equal(policy->counters.refused, 0);
	close(peer);
	guard_policy_drop(policy);
}

static void
an_allowed_peer_is_let_in_and_its_first_bytes_are_kept(void **state) {
	struct fixture *f = *state;
	struct guard_config config = {.secret = SECRET, .allow = "127.0.0.1", .timeout_ms = 100};
	struct guard_policy *policy = make_policy(&config);
	int port, listener = listen_with(f, policy, "127.0.0.1", &port);
	int peer = peer_dial(port);
	peer_write(peer, "\x05H...");
	int id = EXPECT(f, ACCEPT, listener, NULL);
	peer_write(peer, "more");
	settle(f);
	socket_server_start(f->server, f->owner, id);
	EXPECT(f, CONNECT, id, "start");
	EXPECT(f, DATA, id, "\x05H...");
	EXPECT(f, DATA, id, "more");
	assert_int_equal(send_text(f, id, "welcome"), 0);
	peer_expect(f, peer, "welcome");
	close(peer);
	EXPECT(f, CLOSE, id, NULL);
	/* One that waits to be spoken to is let in after a while. */
	peer = peer_dial(port);
	id = EXPECT(f, ACCEPT, listener, NULL);
	socket_server_start(f->server, f->owner, id);
	peer_write(peer, "at last");
	EXPECT(f, DATA, id, "at last");
	close(peer);
	assert_int_equal(policy->counters.allowed, 2);
	/* It is dialled without a guard as well. */
	int plain_port, plain = peer_listen(&plain_port);
	id = socket_server_connect_with(f->server, f->owner, "127.0.0.1", plain_port, policy);
	EXPECT(f, CONNECT, id, "127.0.0.1");
	assert_int_equal(send_text(f, id, "plain"), 0);
	peer = peer_accept(f, plain);
	peer_expect(f, peer, "plain");
	close(peer);
	close(plain);
	guard_policy_drop(policy);
}

static void
unix_sockets_are_guarded_too(void **state) {
	struct fixture *f = *state;
	for (int kind = 0; kind < 2; kind++) {
		char host[200];
		snprintf(host, sizeof(host), "unix:%s/socket", certs.folder);
		struct guard_policy *policy = policy_number(kind);
		int port, listener = listen_with(f, policy, host, &port);
		int id = socket_server_connect_with(f->server, f->owner, host, 0, policy);
		EXPECT(f, CONNECT, id, host);
		int accepted = EXPECT(f, ACCEPT, listener, host);
		socket_server_start(f->server, f->owner, accepted);
		assert_int_equal(send_text(f, id, "local"), 0);
		EXPECT(f, DATA, accepted, "local");
		socket_server_shutdown(f->server, listener);
		EXPECT(f, CLOSE, listener, NULL);
		guard_policy_drop(policy);
	}
}

static void
a_listener_that_has_gone_tells_of_nobody(void **state) {
	struct fixture *f = *state;
	struct guard_policy *policy = secret_policy(SECRET);
	int port, listener = listen_with(f, policy, "127.0.0.1", &port);
	int peer = peer_dial(port);
	settle(f);
	socket_server_close(f->server, listener);
	EXPECT(f, CLOSE, listener, NULL);
	struct guard *guard = guard_create(policy, GUARD_DIALLER, false);
	struct guard_buffer plain = {.data = NULL};
	uint64_t deadline = test_now_ms() + DEADLINE_MS;
	ssize_t n = -1;
	while (n != 0) {
		char bytes[256];
		size_t size;
		char *out = guard_buffer_take(&guard->wire, &size);
		if (out != NULL)
			send(peer, out, size, MSG_NOSIGNAL);
		skynet_free(out);
		poll_once(f, 5);
		n = recv(peer, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n > 0)
			guard_receive(guard, bytes, (size_t)n, &plain);
		assert_true(test_now_ms() < deadline);
	}
	assert_null(take_event(f, SOCKET_EVENT_ACCEPT, ANY_ID));
	guard_destroy(guard);
	close(peer);
	guard_policy_drop(policy);
}

static void
a_local_only_listener_refuses_what_others_reach(void **state) {
	struct fixture *f = *state;
	struct socket_listen_options options = {.local_only = true};
	struct skynet_error error = {0};
	assert_int_equal(
		socket_server_listen_with(f->server, f->owner, "0.0.0.0", 0, &options, &error), -1);
	assert_int_equal(error.code, SKYNET_EPERMISSION);
	assert_non_null(strstr(error.text, "0.0.0.0"));
	int id = socket_server_listen_with(f->server, f->owner, "127.0.0.1", 0, &options, &error);
	assert_true(id > 0);
	assert_false(socket_server_is_exposed(f->server, id));
	id = socket_server_listen(f->server, f->owner, "0.0.0.0", 0, 1, NULL);
	assert_true(socket_server_is_exposed(f->server, id));
	id = socket_server_listen(f->server, f->owner, "::1", 0, 1, NULL);
	if (id > 0)
		assert_false(socket_server_is_exposed(f->server, id));
	assert_false(socket_server_is_exposed(f->server, 4711));
}

static void
a_server_that_ends_leaves_nothing_of_its_guards(void **state) {
	struct fixture *f = *state;
	for (int kind = 0; kind < 2; kind++) {
		struct guard_policy *policy = policy_number(kind);
		int port, dialled, accepted;
		open_both(f, policy, &dialled, &accepted);
		listen_with(f, policy, "127.0.0.1", &port);
		send_block(f, dialled, MIB, 'x');
		peer_dial(port);
		socket_server_connect_with(f->server, f->owner, "127.0.0.1", port, policy);
		poll_once(f, 10);
		poll_once(f, 0);
		guard_policy_drop(policy);
	}
}

#define with_server(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void) {
	const struct CMUnitTest tests[] = {
		with_server(two_ends_that_authenticate_talk),
		with_server(large_amounts_pass_both_ways_at_once),
		with_server(what_is_sent_while_dialling_arrives_in_order),
		with_server(what_was_queued_before_a_close_still_arrives),
		with_server(batches_and_pieces_pass_a_guard_in_order),
		with_server(a_wrong_secret_is_told_on_both_ends),
		with_server(a_plain_dialler_and_a_plain_listener_are_told),
		with_server(silent_and_slow_strangers_are_ended_by_the_deadline),
		with_server(time_spent_on_the_handshakes_of_others_does_not_count),
		with_server(strangers_that_leave_are_counted_and_forgotten),
		with_server(an_address_that_fails_too_often_is_turned_away_unread),
		with_server(an_address_with_a_good_node_is_never_turned_away),
		with_server(a_thousand_strangers_cost_a_bounded_number_of_descriptors),
		with_server(a_flood_pushes_out_its_own_connections_only),
		with_server(a_flood_from_many_addresses_does_not_push_out_known_ones),
		with_server(who_is_pushed_out_by_others_is_not_turned_away_for_it),
		with_server(an_allowed_peer_is_let_in_and_its_first_bytes_are_kept),
		with_server(unix_sockets_are_guarded_too),
		with_server(a_listener_that_has_gone_tells_of_nobody),
		with_server(a_local_only_listener_refuses_what_others_reach),
		with_server(a_server_that_ends_leaves_nothing_of_its_guards),
	};
	return cmocka_run_group_tests(tests, make_certs, remove_certs);
}
