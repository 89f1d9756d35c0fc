/* What waits to be sent: order, partial sends, gathering, ownership. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "io/send_queue.h"
#include "skynet_malloc.h"

static void
push(struct send_queue *queue, const char *text, bool low) {
	struct socket_sendbuffer buffer = {
		.type = SOCKET_BUFFER_RAWPOINTER, .buffer = text, .sz = strlen(text)};
	struct send_bytes bytes;
	send_bytes_init(&bytes, &buffer, NULL);
	send_queue_push(queue, &bytes, 0, low);
	send_bytes_fini(&bytes);
}

/* Sends `step` bytes at a time and returns all of them. */
static const char *
drain(struct send_queue *queue, size_t step) {
	static char out[65536];
	size_t size = 0;
	while (queue->size > 0) {
		struct iovec vectors[3];
		int count = send_queue_gather(queue, vectors, 3);
		size_t left = step, sent = 0;
		for (int i = 0; i < count && left > 0; i++) {
			size_t n = vectors[i].iov_len < left ? vectors[i].iov_len : left;
			memcpy(out + size, vectors[i].iov_base, n);
			size += n;
			left -= n;
			sent += n;
		}
		assert_true(sent > 0);
		send_queue_consume(queue, sent);
	}
	out[size] = '\0';
	return out;
}

static void
high_is_sent_before_low(void **state) {
	(void)state;
	struct send_queue queue = {.size = 0};
	push(&queue, "low1 ", true);
	push(&queue, "high1 ", false);
	push(&queue, "low2 ", true);
	push(&queue, "high2 ", false);
	assert_int_equal(queue.size, 22);
	assert_string_equal(drain(&queue, 100), "high1 high2 low1 low2 ");
	assert_null(queue.high.head);
	assert_null(queue.low.tail);
}

static void
what_is_partly_sent_is_finished_first(void **state) {
	(void)state;
	struct send_queue queue = {.size = 0};
	push(&queue, "lowest", true);
	push(&queue, "other", true);
	send_queue_consume(&queue, 3);
	push(&queue, "HIGH", false);
	assert_string_equal(drain(&queue, 1), "estHIGHother");
}

static void
small_buffers_share_a_chunk(void **state) {
	(void)state;
	struct send_queue queue = {.size = 0};
	struct iovec vectors[8];
	for (int i = 0; i < 100; i++)
		push(&queue, "0123456789", false);
	assert_int_equal(send_queue_gather(&queue, vectors, 8), 1);
	assert_int_equal(vectors[0].iov_len, 1000);
	send_queue_consume(&queue, 5);
	push(&queue, "end", false);
	assert_int_equal(send_queue_gather(&queue, vectors, 8), 1);
	const char *all = drain(&queue, 7);
	assert_int_equal(strlen(all), 998);
	assert_string_equal(all + 990, "56789end");
}

static void
every_step_size_gives_the_same_bytes(void **state) {
	(void)state;
	static char large[5000], expected[40000];
	memset(large, 'L', sizeof(large) - 1);
	for (size_t step = 1; step < 9000; step = step * 3 + 1) {
		struct send_queue queue = {.size = 0};
		expected[0] = '\0';
		for (int i = 0; i < 6; i++) {
			push(&queue, "small ", false);
			push(&queue, large, false);
			strcat(expected, "small ");
			strcat(expected, large);
		}
		assert_string_equal(drain(&queue, step), expected);
	}
}

static void
given_memory_is_kept_or_freed(void **state) {
	(void)state;
	struct send_queue queue = {.size = 0};
	for (size_t size = 1; size < 10000; size *= 3) {
		char *block = skynet_malloc(size);
		memset(block, 'x', size);
		struct socket_sendbuffer buffer = {
			.type = SOCKET_BUFFER_MEMORY, .buffer = block, .sz = size};
		struct send_bytes bytes;
		send_bytes_init(&bytes, &buffer, NULL);
		send_queue_push(&queue, &bytes, 1, size % 2 == 0);
		assert_null(bytes.object);
	}
	send_queue_clear(&queue);
	assert_int_equal(queue.size, 0);
}

static void
datagrams_keep_their_borders_and_addresses(void **state) {
	(void)state;
	struct send_queue queue = {.size = 0};
	struct iovec vector;
	const void *address;
	size_t address_size;
	static const char *const texts[] = {"one", "", "three"};
	for (int i = 0; i < 3; i++) {
		struct socket_sendbuffer buffer = {.type = SOCKET_BUFFER_RAWPOINTER,
			.buffer = texts[i],
			.sz = strlen(texts[i])};
		struct send_bytes bytes;
		send_bytes_init(&bytes, &buffer, NULL);
		send_queue_push_datagram(&queue, &bytes, i == 0 ? "addr" : NULL, i == 0 ? 4 : 0);
		send_bytes_fini(&bytes);
	}
	for (int i = 0; i < 3; i++) {
		assert_true(send_queue_first(&queue, &vector, &address, &address_size));
		assert_int_equal(vector.iov_len, strlen(texts[i]));
		assert_memory_equal(vector.iov_base, texts[i], vector.iov_len);
		assert_int_equal(address_size, i == 0 ? 4 : 0);
		if (i == 0)
			assert_memory_equal(address, "addr", 4);
		send_queue_drop_first(&queue);
	}
	assert_false(send_queue_first(&queue, &vector, &address, &address_size));
	assert_int_equal(queue.size, 0);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(high_is_sent_before_low),
		cmocka_unit_test(what_is_partly_sent_is_finished_first),
		cmocka_unit_test(small_buffers_share_a_chunk),
		cmocka_unit_test(every_step_size_gives_the_same_bytes),
		cmocka_unit_test(given_memory_is_kept_or_freed),
		cmocka_unit_test(datagrams_keep_their_borders_and_addresses),
	};
	return cmocka_run_group_tests_name("send_queue", tests, NULL, NULL);
}
