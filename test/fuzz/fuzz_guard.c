/* A guard with a shared secret that gets any bytes, as dialler or listener, and any text as a list
 * of allowed addresses. The first byte says which. Nothing may come through before the guard is
 * open, and how the bytes are cut must not matter. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "guard/guard.h"
#include "skynet_malloc.h"

#define LISTENER 1
#define LENIENT  2
#define EXPIRES  4
#define LIST     8
#define ENDS     16

struct outcome {
	enum guard_state state;
	struct guard_buffer plain, wire;
	char reason[GUARD_REASON_SIZE];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int condition) {
	if (!condition)
		abort();
}

static int
fixed_random(unsigned char *bytes, int size) {
	memset(bytes, 0x5a, (size_t)size);
	return 1;
}

/* Feeds the bytes in pieces of `step`. */
static struct outcome
feed(struct guard_policy *policy, int flags, const char *bytes, size_t size, size_t step) {
	struct outcome outcome = {.state = GUARD_SHAKING};
	struct guard *guard =
		guard_create(policy, flags & LISTENER ? GUARD_LISTENER : GUARD_DIALLER,
			(flags & LISTENER) != 0 && (flags & LENIENT) != 0);
	for (size_t at = 0; at < size; at += step) {
		size_t part = size - at < step ? size - at : step;
		outcome.state = guard_receive(guard, bytes + at, part, &outcome.plain);
		require(outcome.state == GUARD_OPEN || guard_buffer_size(&outcome.plain) == 0);
	}
	if (flags & ENDS)
		outcome.state = guard_end(guard);
	else if (flags & EXPIRES)
		outcome.state = guard_expire(guard, &outcome.plain);
	require(outcome.state == GUARD_OPEN || guard_buffer_size(&outcome.plain) == 0);
	require((outcome.state == GUARD_FAILED) == (guard->reason[0] != '\0'));
	memcpy(outcome.reason, guard->reason, sizeof(outcome.reason));
	outcome.wire = guard->wire;
	guard->wire = (struct guard_buffer){.data = NULL};
	guard_destroy(guard);
	return outcome;
}

static void
require_same(const struct guard_buffer *a, const struct guard_buffer *b) {
	size_t size = guard_buffer_size(a);
	require(size == guard_buffer_size(b));
	require(size == 0 || memcmp(a->data + a->begin, b->data + b->begin, size) == 0);
}

static void
check_guard(int flags, const char *bytes, size_t size) {
	struct guard_config config = {.secret = "the secret of the fuzzer", .random = fixed_random};
	struct guard_policy *policy = guard_policy_create(&config, NULL);
	require(policy != NULL);
	struct outcome whole = feed(policy, flags, bytes, size, size > 0 ? size : 1);
	struct outcome cut = feed(policy, flags, bytes, size, 1);
	require(whole.state == cut.state);
	require(strcmp(whole.reason, cut.reason) == 0);
	require_same(&whole.plain, &cut.plain);
	require_same(&whole.wire, &cut.wire);
	guard_buffer_fini(&whole.plain);
	guard_buffer_fini(&whole.wire);
	guard_buffer_fini(&cut.plain);
	guard_buffer_fini(&cut.wire);
	guard_policy_drop(policy);
}

static void
check_list(const char *bytes, size_t size) {
	struct skynet_error error = {0};
	struct socket_address peer;
	char *text = malloc(size + 1);
	if (text == NULL)
		abort();
	memcpy(text, bytes, size);
	text[size] = '\0';
	struct guard_allow *allow = guard_allow_create(text, &error);
	require((allow == NULL) == (error.code != 0));
	require(socket_address_parse(&peer, "10.0.0.7", 2526) == SKYNET_OK);
	/* Whoever may be dialled at any port of a host may also come from there. */
	if (guard_allow_to(allow, &peer))
		require(guard_allow_from(allow, &peer));
	guard_allow_destroy(allow);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size == 0)
		return 0;
	if (data[0] & LIST)
		check_list((const char *)data + 1, size - 1);
	else
		check_guard(data[0], (const char *)data + 1, size - 1);
	return 0;
}
