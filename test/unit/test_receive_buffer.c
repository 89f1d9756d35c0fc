/* receive_buffer.c: unread bytes of one connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "receive_buffer.h"
#include "skynet_malloc.h"

static size_t
push(struct receive_buffer *buffer, const void *bytes, size_t size) {
	char *block = skynet_malloc(size > 0 ? size : 1);
	if (size > 0) {
		memcpy(block, bytes, size);
	}
	return receive_buffer_push(buffer, block, size);
}

/* Takes one line off `buffer` and compares it; NULL: there must be none. */
static void
check_line(struct receive_buffer *buffer, const char *separator, const char *expected) {
	size_t size;
	bool found = receive_buffer_find(buffer, separator, strlen(separator), &size);
	assert_int_equal(found, expected != NULL);
	if (!found) {
		return;
	}
	char line[256] = "";
	assert_true(size < sizeof(line));
	receive_buffer_copy(buffer, line, size);
	assert_string_equal(line, expected);
	receive_buffer_skip(buffer, size + strlen(separator));
}

static void
finds_lines_in_one_block(void **state) {
	(void)state;
	struct receive_buffer buffer;
	receive_buffer_init(&buffer);
	assert_int_equal(push(&buffer, "one\ntwo\n\nrest", 13), 13);
	check_line(&buffer, "\n", "one");
	check_line(&buffer, "\n", "two");
	check_line(&buffer, "\n", "");
	check_line(&buffer, "\n", NULL);
	assert_int_equal(buffer.size, 4);
	receive_buffer_clear(&buffer);
}

static void
finds_a_separator_that_is_split_over_blocks(void **state) {
	(void)state;
	static const char text[] = "a\r\r\n\r\n\r\nb\r\n\r";
	for (size_t piece = 1; piece < sizeof(text); piece++) {
		struct receive_buffer buffer;
		receive_buffer_init(&buffer);
		bool found = false;
		size_t size = 0;
		for (size_t at = 0; at < sizeof(text) - 1; at += piece) {
			size_t left = sizeof(text) - 1 - at;
			push(&buffer, text + at, left < piece ? left : piece);
			found = receive_buffer_find(&buffer, "\r\n\r\n", 4, &size);
			assert_int_equal(found, buffer.size >= 6);
		}
		assert_true(found);
		assert_int_equal(size, 2);
		receive_buffer_skip(&buffer, size + 4);
		check_line(&buffer, "\r\n", "");
		check_line(&buffer, "\r\n", "b");
		check_line(&buffer, "\r\n", NULL);
		receive_buffer_clear(&buffer);
	}
}

static void
starts_anew_when_the_separator_changes(void **state) {
	(void)state;
	struct receive_buffer buffer;
	receive_buffer_init(&buffer);
	push(&buffer, "a,b", 3);
	check_line(&buffer, ";", NULL);
	check_line(&buffer, ",", "a");
	push(&buffer, ";c", 2);
	check_line(&buffer, ",", NULL);
	check_line(&buffer, ";", "b");
	receive_buffer_clear(&buffer);
}

static void
takes_separators_longer_than_it_remembers(void **state) {
	(void)state;
	char separator[RECEIVE_SEPARATOR_MAX + 9];
	memset(separator, '-', sizeof(separator) - 1);
	separator[sizeof(separator) - 1] = '\0';
	struct receive_buffer buffer;
	receive_buffer_init(&buffer);
	push(&buffer, "x", 1);
	for (size_t i = 0; i < sizeof(separator) - 1; i++) {
		check_line(&buffer, separator, NULL);
		push(&buffer, "-", 1);
	}
	check_line(&buffer, separator, "x");
	assert_int_equal(buffer.size, 0);
	receive_buffer_clear(&buffer);
}

static void
joins_single_bytes_into_few_blocks(void **state) {
	(void)state;
	enum { SIZE = 100000 };
	struct receive_buffer buffer;
	receive_buffer_init(&buffer);
	size_t size;
	for (size_t i = 0; i < SIZE; i++) {
		assert_int_equal(push(&buffer, "x", 1), i + 1);
		assert_false(receive_buffer_find(&buffer, "\n", 1, &size));
		/* Only the new byte was looked at. */
		assert_int_equal(buffer.searched, i + 1);
	}
	assert_true(buffer.used <= SIZE / 1024);
	push(&buffer, "\n", 1);
	assert_true(receive_buffer_find(&buffer, "\n", 1, &size));
	assert_int_equal(size, SIZE);
	receive_buffer_clear(&buffer);
}

static void
offers_bytes_of_one_block_without_a_copy(void **state) {
	(void)state;
	static char block[1000];
	struct receive_buffer buffer;
	receive_buffer_init(&buffer);
	push(&buffer, block, sizeof(block));
	push(&buffer, block, sizeof(block));
	assert_non_null(receive_buffer_peek(&buffer, 1000));
	assert_null(receive_buffer_peek(&buffer, 1001));
	receive_buffer_skip(&buffer, 1);
	assert_null(receive_buffer_peek(&buffer, 1000));
	assert_non_null(receive_buffer_peek(&buffer, 999));
	receive_buffer_clear(&buffer);
	assert_int_equal(buffer.size, 0);
}

/* Random pushes, searches and reads against one plain array. */
static void
behaves_as_one_array(void **state) {
	(void)state;
	enum { ROUNDS = 20000, MODEL = 1 << 20 };
	char *model = malloc(MODEL);
	size_t begin = 0, end = 0;
	uint32_t seed = 12345;
	struct receive_buffer buffer;
	receive_buffer_init(&buffer);
	for (int round = 0; round < ROUNDS; round++) {
		seed = seed * 1664525 + 1013904223;
		uint32_t random = seed >> 8;
		size_t amount = random / 8 % (random % 16 == 0 ? 700 : 30);
		if (random % 8 < 4 && end + amount < MODEL) {
			for (size_t i = 0; i < amount; i++) {
				model[end + i] = "ab\n"[(seed >> (i % 24)) % 3];
			}
			push(&buffer, model + end, amount);
			end += amount;
		} else if (random % 8 < 6) {
			size_t size;
			bool found = receive_buffer_find(&buffer, "a\n", 2, &size);
			char *hit = memmem(model + begin, end - begin, "a\n", 2);
			assert_int_equal(found, hit != NULL);
			if (found) {
				assert_int_equal(size, hit - model - (ptrdiff_t)begin);
			}
			if (found && random % 64 > 32) {
				receive_buffer_skip(&buffer, size + 2);
				begin += size + 2;
			}
		} else if (amount > 0 && amount <= buffer.size) {
			char out[1024];
			receive_buffer_copy(&buffer, out, amount);
			assert_memory_equal(out, model + begin, amount);
			receive_buffer_skip(&buffer, amount);
			begin += amount;
		}
		assert_int_equal(buffer.size, end - begin);
	}
	receive_buffer_clear(&buffer);
	free(model);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_lines_in_one_block),
		cmocka_unit_test(finds_a_separator_that_is_split_over_blocks),
		cmocka_unit_test(starts_anew_when_the_separator_changes),
		cmocka_unit_test(takes_separators_longer_than_it_remembers),
		cmocka_unit_test(joins_single_bytes_into_few_blocks),
		cmocka_unit_test(offers_bytes_of_one_block_without_a_copy),
		cmocka_unit_test(behaves_as_one_array),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
