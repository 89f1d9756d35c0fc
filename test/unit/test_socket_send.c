/* What goes out: priorities, warnings, limits, batches of a turn, user objects, many threads. */
#include "socket_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#define MIB ((size_t)1 << 20)

static int
send_low(struct fixture *f, int id, const char *text) {
	struct socket_sendbuffer buffer = {
		.id = id, .type = SOCKET_BUFFER_RAWPOINTER, .buffer = text, .sz = strlen(text)};
	return socket_server_send_low(f->server, NULL, &buffer);
}

static int
send_batched(struct fixture *f, struct socket_batch *batch, int id, const char *text) {
	struct socket_sendbuffer buffer = {
		.id = id, .type = SOCKET_BUFFER_RAWPOINTER, .buffer = text, .sz = strlen(text)};
	return socket_server_send(f->server, batch, &buffer);
}

/* Sends until the system takes no more, so that what follows is queued. Returns the bytes sent. */
static size_t
fill(struct fixture *f, int id) {
	size_t total = 0;
	while (info_of(f, id).wbuffer == 0) {
		assert_int_equal(send_block(f, id, MIB / 4, '.'), 0);
		total += MIB / 4;
	}
	return total;
}

/* Reads everything that is not a filling dot until `text` has come. */
static void
expect_behind_dots(struct fixture *f, int peer, const char *text) {
	static char block[65536];
	char got[256] = "";
	size_t size = 0;
	uint64_t deadline = test_now_ms() + DEADLINE_MS;
	while (size < strlen(text)) {
		ssize_t n = recv(peer, block, sizeof(block), MSG_DONTWAIT);
		for (ssize_t i = 0; i < n; i++)
			if (block[i] != '.' && size < sizeof(got) - 1)
				got[size++] = block[i];
		poll_once(f, 0);
		assert_true(test_now_ms() < deadline);
	}
	got[size] = '\0';
	assert_string_equal(got, text);
}

/* Reads dots until the socket has told that there is room. */
static void
expect_behind_dots_until_room(struct fixture *f, int id, int peer) {
	static char block[65536];
	uint64_t deadline = test_now_ms() + DEADLINE_MS;
	struct recorded *room = NULL;
	while (room == NULL) {
		recv(peer, block, sizeof block, MSG_DONTWAIT);
		poll_once(f, 0);
		room = take_event(f, SOCKET_EVENT_WARNING, id);
		assert_true(test_now_ms() < deadline);
	}
	assert_int_equal(room->event.ud, 0);
	recorded_free(room);
}

static void
high_priority_overtakes_low(void **state) {
	struct fixture *f = *state;
	int peer, id = make_pair(f, &peer);
	assert_int_equal(send_low(f, id, "direct"), 0); /* nothing is queued: as high */
	peer_expect(f, peer, "direct");
	fill(f, id);
	assert_int_equal(send_low(f, id, "LOW1"), 0);
	assert_int_equal(send_text(f, id, "HIGH1"), 0);
	assert_int_equal(send_low(f, id, "LOW2"), 0);
	assert_int_equal(send_text(f, id, "HIGH2"), 0);
	expect_behind_dots(f, peer, "HIGH1HIGH2LOW1LOW2");
	POLL_UNTIL(f, info_of(f, id).wbuffer == 0);
	assert_int_equal(info_of(f, id).writing, 0);
	close(peer);
}

static void
a_growing_queue_warns_at_each_doubling_and_when_drained(void **state) {
	struct fixture *f = *state;
	int peer, id = make_pair(f, &peer);
	size_t total = fill(f, id);
	for (size_t queued = 0; queued < 32 * MIB; queued += MIB / 4, total += MIB / 4)
		assert_int_equal(send_block(f, id, MIB / 4, '.'), 0);
	int last = 0;
	for (int i = 0; i < 6; i++) {
		int kib = EXPECT(f, WARNING, id, NULL);
		assert_true(kib >= 1024 << i);
		assert_true(kib < (1024 << i) + 257);
		assert_true(kib > last);
		last = kib;
	}
	for (size_t got = 0; got < total;) {
		static char block[65536];
		ssize_t n = recv(peer, block, sizeof(block), MSG_DONTWAIT);
		got += n > 0 ? (size_t)n : 0;
		poll_once(f, 0);
	}
	assert_int_equal(EXPECT(f, WARNING, id, NULL), 0);
	settle(f);
	assert_null(take_event(f, SOCKET_EVENT_WARNING, id));
	close(peer);
}

static void
a_full_queue_rejects(void **state) {
	struct fixture *f = *state;
	int peer, id = make_pair(f, &peer);
	assert_int_equal(socket_server_limit(f->server, id, (int64_t)MIB, SOCKET_LIMIT_REJECT), 0);
	assert_int_equal(send_block(f, id, 16 * MIB, '.'), 0); /* the first on an empty queue */
	assert_int_equal(send_text(f, id, "x"), -1);
	assert_int_equal(send_text(f, id, "x"), -1);
	assert_int_equal(info_of(f, id).dropped, 2);
	for (uint64_t until = test_now_ms() + DEADLINE_MS; info_of(f, id).wbuffer > 0;) {
		static char block[65536];
		recv(peer, block, sizeof(block), MSG_DONTWAIT);
		poll_once(f, 0);
		assert_true(test_now_ms() < until);
	}
	assert_int_equal(send_text(f, id, "room"), 0);
	expect_behind_dots(f, peer, "room");
	close(peer);
}

static void
a_client_that_never_reads_is_closed_at_the_limit(void **state) {
	struct fixture *f = *state;
	int peer, id = make_pair(f, &peer);
	assert_int_equal(
		socket_server_limit(f->server, id, (int64_t)(4 * MIB), SOCKET_LIMIT_CLOSE), 0);
	int sent = 0;
	while (send_block(f, id, MIB / 4, '.') == 0)
		assert_true(++sent < 1000);
	EXPECT(f, ERROR, id, "send buffer limit");
	assert_int_equal(send_text(f, id, "x"), -1);
	close(peer);
	settle(f);
	assert_int_equal(count_descriptors(), f->descriptors);
}

static int
setup_limited(void **state) {
	static const struct socket_server_config config = {.buffer_limit = 65536, .linger_ms = 50};
	return fixture_create(state, &config);
}

static void
the_limit_of_the_config_holds_for_accepted_sockets(void **state) {
	struct fixture *f = *state;
	int peer, id = make_pair(f, &peer);
	int sent = 0;
	while (send_block(f, id, 65536, '.') == 0)
		assert_true(++sent < 1000);
	assert_int_equal(info_of(f, id).dropped, 1);
	close(peer);
}

static void
a_closed_socket_whose_peer_takes_nothing_is_given_up(void **state) {
	struct fixture *f = *state;
	int peer, id = make_pair(f, &peer);
	fill(f, id);
	socket_server_close(f->server, id);
	EXPECT(f, CLOSE, id, NULL);
	POLL_UNTIL(f, socket_server_flushed(f->server, NULL));
	assert_int_equal(count_descriptors(), f->descriptors + 1); /* the peer's */
	close(peer);
}

static void
a_closed_socket_whose_peer_does_not_end_is_given_up(void **state) {
	struct fixture *f = *state;
	int peer, id = make_pair(f, &peer);
	assert_int_equal(send_text(f, id, "bye"), 0);
	socket_server_close(f->server, id);
	EXPECT(f, CLOSE, id, NULL);
	assert_int_equal(info_of(f, id).type, SOCKET_INFO_CLOSING);
	POLL_UNTIL(f, count_descriptors() == f->descriptors + 1); /* the peer's */
	peer_expect(f, peer, "bye");
	close(peer);
}

static void
a_closed_socket_that_sent_nothing_goes_at_once(void **state) {
	struct fixture *f = *state;
	int peer, id = make_pair(f, &peer);
	socket_server_close(f->server, id);
	EXPECT(f, CLOSE, id, NULL);
	assert_int_equal(count_descriptors(), f->descriptors + 1); /* the peer's */
	close(peer);
}

/* ---- batches ---- */

static void
frames_of_a_turn_leave_together(void **state) {
	struct fixture *f = *state;
	struct socket_batch batch = {0};
	int peer, id = make_pair(f, &peer);
	assert_int_equal(send_batched(f, &batch, id, "one "), 0);
	peer_expect(f, peer, "one "); /* at once */
	assert_int_equal(send_batched(f, &batch, id, "two "), 0);
	assert_int_equal(send_batched(f, &batch, id, "three "), 0);
	assert_int_equal(info_of(f, id).wbuffer, 10);
	assert_int_equal(info_of(f, id).writing, 0);
	assert_int_equal(batch.pending, 1);
	socket_server_flush_thread(f->server, &batch);
	assert_int_equal(batch.count, 0);
	assert_int_equal(batch.pending, 0);
	assert_int_equal(info_of(f, id).wbuffer, 0);
	assert_int_equal(send_batched(f, &batch, id, "four"), 0);
	assert_int_equal(info_of(f, id).wbuffer, 0);
	peer_expect(f, peer, "two three four");
	close(peer);
}

static void
what_is_held_back_is_sent_before_a_close(void **state) {
	struct fixture *f = *state;
	struct socket_batch batch = {0};
	int peer, id = make_pair(f, &peer);
	send_batched(f, &batch, id, "a");
	send_batched(f, &batch, id, "b");
	socket_server_close(f->server, id);
	peer_expect(f, peer, "ab");
	assert_int_equal(peer_drain(f, peer), 0);
	socket_server_flush_thread(f->server, &batch); /* of a dead id */
	assert_int_equal(batch.pending, 0);
	close(peer);
}

static void
what_a_stuck_thread_holds_back_can_be_sent_by_another(void **state) {
	struct fixture *f = *state;
	struct socket_batch batch = {0};
	int peer, id = make_pair(f, &peer);
	send_batched(f, &batch, id, "a");
	send_batched(f, &batch, id, "b");
	socket_server_flush_stuck(f->server, &batch);
	peer_expect(f, peer, "ab");
	send_batched(f, &batch, id, "c");
	socket_server_flush_thread(f->server, &batch);
	peer_expect(f, peer, "c");
	close(peer);
}

static void
much_in_one_turn_leaves_early_and_more_sockets_than_fit_are_served(void **state) {
	struct fixture *f = *state;
	struct socket_batch batch = {0};
	static char block[40000];
	memset(block, 'x', sizeof(block) - 1);
	int peer, id = make_pair(f, &peer);
	for (int i = 0; i < 4; i++)
		assert_int_equal(send_batched(f, &batch, id, block), 0);
	assert_true(info_of(f, id).wbuffer < 65536);
	socket_server_flush_thread(f->server, &batch);
	int peers[SOCKET_BATCH_SIZE * 2], ids[SOCKET_BATCH_SIZE * 2];
	for (int i = 0; i < SOCKET_BATCH_SIZE * 2; i++)
		ids[i] = make_pair(f, &peers[i]);
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < SOCKET_BATCH_SIZE * 2; i++)
			assert_int_equal(send_batched(f, &batch, ids[i], "x"), 0);
	socket_server_flush_thread(f->server, &batch);
	for (int i = 0; i < SOCKET_BATCH_SIZE * 2; i++) {
		peer_expect(f, peers[i], "xxx");
		close(peers[i]);
	}
	socket_server_close(f->server, id);
	assert_int_equal(peer_drain(f, peer), 4 * (long)(sizeof(block) - 1));
	close(peer);
}

/* ---- ownership ---- */

static int objects_freed;

static const void *
object_buffer(const void *object) {
	return object;
}

static size_t
object_size(const void *object) {
	return strlen(object);
}

static void
object_free(void *object) {
	objects_freed++;
	free(object);
}

static int
send_object(struct fixture *f, int id, const char *text) {
	struct socket_sendbuffer buffer = {
		.id = id, .type = SOCKET_BUFFER_OBJECT, .buffer = strdup(text)};
	return socket_server_send(f->server, NULL, &buffer);
}

static void
user_objects_are_sent_and_ended_once(void **state) {
	static const struct socket_object_interface hooks = {
		object_buffer, object_size, object_free};
	struct fixture *f = *state;
	int peer, id = make_pair(f, &peer);
	socket_server_userobject(f->server, &hooks);
	objects_freed = 0;
	assert_int_equal(send_object(f, id, "object"), 0);
	assert_int_equal(objects_freed, 1);
	peer_expect(f, peer, "object");
	assert_int_equal(send_object(f, 99999, "nowhere"), -1);
	assert_int_equal(objects_freed, 2);
	fill(f, id);
	char large[3000];
	memset(large, 'o', sizeof(large));
	large[sizeof(large) - 1] = '\0';
	assert_int_equal(send_object(f, id, large), 0);
	assert_int_equal(objects_freed, 2); /* it waits in the queue */
	socket_server_shutdown(f->server, id);
	EXPECT(f, CLOSE, id, NULL);
	assert_int_equal(objects_freed, 3);
	close(peer);
}

static void
every_kind_of_buffer_may_be_empty_or_sent_nowhere(void **state) {
	struct fixture *f = *state;
	int port, peer, id = make_pair(f, &peer);
	int listener = start_listener(f, &port);
	static const int types[] = {
		SOCKET_BUFFER_MEMORY, SOCKET_BUFFER_OBJECT, SOCKET_BUFFER_RAWPOINTER};
	for (size_t i = 0; i < 3; i++) {
		struct socket_sendbuffer buffer = {.id = id, .type = types[i]};
		assert_int_equal(socket_server_send(f->server, NULL, &buffer), 0);
		buffer.id = 0;
		assert_int_equal(socket_server_send(f->server, NULL, &buffer), -1);
	}
	assert_int_equal(send_block(f, listener, 100, 'x'), -1);
	assert_int_equal(send_block(f, 0, 100, 'x'), -1);
	close(peer);
}

/* ---- threads ---- */

#define SENDERS      3
#define FRAMES       2000
#define FRAME_FORMAT "%d:%04d;"
#define FRAME_SIZE   7

struct sender {
	pthread_t thread;
	struct fixture *f;
	int id, index;
	bool batched;
};

static void *
sender_thread(void *ud) {
	struct sender *s = ud;
	struct socket_batch batch = {0};
	for (int i = 0; i < FRAMES; i++) {
		char *frame = skynet_malloc(32);
		snprintf(frame, 32, FRAME_FORMAT, s->index, i);
		struct socket_sendbuffer buffer = {.id = s->id,
			.type = SOCKET_BUFFER_MEMORY,
			.buffer = frame,
			.sz = FRAME_SIZE};
		if (socket_server_send(s->f->server, s->batched ? &batch : NULL, &buffer) != 0)
			break;
		if (i % 7 == 0)
			socket_server_flush_thread(s->f->server, &batch);
		if (i % 100 == 0) {
			socket_server_pause(s->f->server, s->id);
			socket_server_start(s->f->server, s->f->owner, s->id);
			socket_info_release(socket_server_info(s->f->server, NULL));
		}
	}
	socket_server_flush_thread(s->f->server, &batch);
	return NULL;
}

struct reader {
	int fd;
	int next[SENDERS];
	bool ordered;
};

static void *
reader_thread(void *ud) {
	struct reader *r = ud;
	FILE *in = fdopen(r->fd, "r");
	int left = SENDERS * FRAMES;
	char frame[FRAME_SIZE + 1];
	r->ordered = true;
	while (left-- > 0 && fread(frame, FRAME_SIZE, 1, in) == 1) {
		int sender = frame[0] - '0', number = atoi(frame + 2);
		if (sender < 0 || sender >= SENDERS || number != r->next[sender]++)
			r->ordered = false;
	}
	fclose(in);
	return NULL;
}

static void
many_threads_send_to_one_socket_in_order(void **state) {
	struct fixture *f = *state;
	struct reader reader = {0};
	int peer, id = make_pair(f, &peer);
	reader.fd = peer;
	pthread_t thread;
	pthread_create(&thread, NULL, reader_thread, &reader);
	struct sender senders[SENDERS];
	for (int i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){.f = f, .id = id, .index = i, .batched = i != 0};
		pthread_create(&senders[i].thread, NULL, sender_thread, &senders[i]);
	}
	struct recorded *end = expect_event(f, SOCKET_EVENT_CLOSE, id, __FILE__, __LINE__);
	recorded_free(end);
	for (int i = 0; i < SENDERS; i++)
		pthread_join(senders[i].thread, NULL);
	pthread_join(thread, NULL);
	assert_true(reader.ordered);
	for (int i = 0; i < SENDERS; i++)
		assert_int_equal(reader.next[i], FRAMES);
}

/* ---- life under fire ---- */

static atomic_int churn_id;
static atomic_bool churn_over;

static void *
churn_thread(void *ud) {
	struct fixture *f = ud;
	/* The flag and the id are all that is shared; nothing hangs on their order. */
	while (!atomic_load_explicit(&churn_over, memory_order_relaxed)) {
		int id = atomic_load_explicit(&churn_id, memory_order_relaxed);
		send_text(f, id, "x");
		send_text(f, id + 1, "x");
		socket_server_pause(f->server, id);
		socket_server_nodelay(f->server, id);
	}
	return NULL;
}

static void
sends_to_sockets_that_come_and_go_are_safe(void **state) {
	struct fixture *f = *state;
	pthread_t threads[2];
	atomic_store_explicit(&churn_over, false, memory_order_relaxed);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, churn_thread, f);
	for (int i = 0; i < 100; i++) {
		int peer, id = make_pair(f, &peer);
		atomic_store_explicit(&churn_id, id, memory_order_relaxed);
		if (i % 3 == 0)
			peer_reset(peer);
		else
			close(peer);
		if (i % 2 == 0)
			socket_server_close(f->server, id);
		else
			socket_server_shutdown(f->server, id);
		settle(f);
	}
	atomic_store_explicit(&churn_over, true, memory_order_relaxed);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	POLL_UNTIL(f, count_descriptors() == f->descriptors);
}

static void
what_is_written_without_a_queue_waits_for_room(void **state) {
	struct fixture *f = *state;
	static char dots[65536];
	memset(dots, '.', sizeof dots);
	int peer, id = make_pair(f, &peer);
	struct iovec hello[2] = {{(char *)(size_t) "hel", 3}, {(char *)(size_t) "lo", 2}};
	assert_int_equal(socket_server_write(f->server, id, hello, 2), 5);
	peer_expect(f, peer, "hello");
	struct iovec block = {dots, sizeof dots};
	while (socket_server_write(f->server, id, &block, 1) == (int64_t)sizeof dots)
		;
	assert_int_equal(info_of(f, id).wbuffer, 0);
	poll_once(f, 0);
	assert_null(take_event(f, SOCKET_EVENT_WARNING, id));
	expect_behind_dots_until_room(f, id, peer);
	assert_int_equal(socket_server_write(f->server, id, hello, 2), 5);
	expect_behind_dots(f, peer, "hello");
	assert_int_equal(socket_server_write(f->server, id + 1000, hello, 2), -1);
	close(peer);
}

static void
what_is_written_before_a_start_waits_for_it(void **state) {
	struct fixture *f = *state;
	int port, listener = start_listener(f, &port);
	int peer = peer_dial(port);
	int id = EXPECT(f, ACCEPT, listener, NULL);
	struct iovec hello = {(char *)(size_t) "hello", 5};
	assert_int_equal(socket_server_write(f->server, id, &hello, 1), 0);
	socket_server_start(f->server, f->owner, id);
	assert_int_equal(EXPECT(f, WARNING, id, NULL), 0);
	assert_int_equal(socket_server_write(f->server, id, &hello, 1), 5);
	peer_expect(f, peer, "hello");
	close(peer);
}

#define CASE(name)    cmocka_unit_test_setup_teardown(name, setup, teardown)
#define LIMITED(name) cmocka_unit_test_setup_teardown(name, setup_limited, teardown)

int
main(void) {
	const struct CMUnitTest tests[] = {
		CASE(high_priority_overtakes_low),
		CASE(a_growing_queue_warns_at_each_doubling_and_when_drained),
		CASE(a_full_queue_rejects),
		CASE(what_is_written_without_a_queue_waits_for_room),
		CASE(what_is_written_before_a_start_waits_for_it),
		CASE(a_client_that_never_reads_is_closed_at_the_limit),
		LIMITED(the_limit_of_the_config_holds_for_accepted_sockets),
		LIMITED(a_closed_socket_whose_peer_takes_nothing_is_given_up),
		LIMITED(a_closed_socket_whose_peer_does_not_end_is_given_up),
		CASE(a_closed_socket_that_sent_nothing_goes_at_once),
		CASE(frames_of_a_turn_leave_together),
		CASE(what_is_held_back_is_sent_before_a_close),
		CASE(what_a_stuck_thread_holds_back_can_be_sent_by_another),
		CASE(much_in_one_turn_leaves_early_and_more_sockets_than_fit_are_served),
		CASE(user_objects_are_sent_and_ended_once),
		CASE(every_kind_of_buffer_may_be_empty_or_sent_nowhere),
		CASE(many_threads_send_to_one_socket_in_order),
		CASE(sends_to_sockets_that_come_and_go_are_safe),
	};
	return cmocka_run_group_tests_name("socket_send", tests, NULL, NULL);
}
