#include "guard/guard.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "skynet_malloc.h"

#define SHAKING_SIZE_MAX ((size_t)65536)  /* a handshake is over before that */
#define ANSWERS_SIZE_MAX ((size_t)262144) /* of `wire`, when receiving adds to it */

void
guard_fail(struct guard *guard, const char *format, ...) {
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(guard->reason, sizeof(guard->reason), format, arguments);
	va_end(arguments);
	guard->state = GUARD_FAILED;
}

void
guard_refuse(struct guard *guard, enum guard_refusal refusal) {
	unsigned char bytes[GUARD_REFUSAL_SIZE];
	guard_refusal_write(bytes, refusal);
	guard_buffer_append(&guard->wire, bytes, sizeof(bytes));
}

bool
guard_collect(
	struct guard *guard, const unsigned char *bytes, size_t size, size_t wanted, size_t *used) {
	size_t missing = wanted - guard->input_size;
	*used = size < missing ? size : missing;
	memcpy(guard->input + guard->input_size, bytes, *used);
	guard->input_size += *used;
	return guard->input_size == wanted;
}

struct guard *
guard_create(struct guard_policy *policy, enum guard_role role, bool lenient) {
	struct guard *guard = skynet_calloc(1, sizeof(*guard));
	guard->policy = guard_policy_grab(policy);
	guard->credential = guard_policy_credential(policy);
	guard->role = role;
	guard->lenient = lenient;
	guard->method = policy->kind == GUARD_KIND_TLS ? &guard_tls_method : &guard_secret_method;
	if (role == GUARD_DIALLER) {
		unsigned char hello[GUARD_HELLO_SIZE];
		guard_hello_write(hello, policy->kind);
		guard_buffer_append(&guard->wire, hello, sizeof(hello));
		guard->method->dial(guard);
	}
	return guard;
}

void
guard_destroy(struct guard *guard) {
	if (guard == NULL)
		return;
	guard->method->release(guard);
	guard_buffer_fini(&guard->wire);
	guard_credential_drop(guard->credential);
	guard_policy_drop(guard->policy);
	skynet_free(guard);
}

/* ---- the hello of the other side ---- */

/* What has come is no hello: a plain peer, which a lenient guard lets in. */
static void
take_plain_peer(struct guard *guard, struct guard_buffer *plain) {
	if (!guard->lenient) {
		bool tls = guard->policy->kind == GUARD_KIND_TLS;
		if (guard->role == GUARD_LISTENER) {
			/* A node of ours that reads it can say what is wrong. */
			guard_refuse(
				guard, tls ? GUARD_REFUSED_WANTS_TLS : GUARD_REFUSED_WANTS_SECRET);
			guard_fail(guard, "it does not authenticate, this node has %s",
				tls ? "tls_cert" : "auth_secret");
		} else
			guard_fail(guard,
				"the other side does not authenticate: it has neither auth_secret "
				"nor tls_cert, or is no node");
		return;
	}
	guard_buffer_append(plain, guard->input, guard->input_size);
	guard->state = GUARD_OPEN;
	guard->transparent = true;
}

/* A listener looks at the hello of a dialler, and answers with its own. */
static void
check_dialler(struct guard *guard, enum guard_kind kind, int version) {
	unsigned char hello[GUARD_HELLO_SIZE];
	if (version != GUARD_VERSION) {
		guard_refuse(guard, GUARD_REFUSED_VERSION);
		guard_fail(guard, "it speaks version %d of the authentication", version);
	} else if (kind != guard->policy->kind) {
		bool tls = guard->policy->kind == GUARD_KIND_TLS;
		guard_refuse(guard, tls ? GUARD_REFUSED_WANTS_TLS : GUARD_REFUSED_WANTS_SECRET);
		guard_fail(guard, tls ? "it does not offer TLS" : "it does not offer a secret");
	} else {
		guard_hello_write(hello, guard->policy->kind);
		guard_buffer_append(&guard->wire, hello, sizeof(hello));
		guard->method->start(guard);
	}
}

static void
check_listener(struct guard *guard, enum guard_kind kind, int version) {
	if (version != GUARD_VERSION)
		guard_fail(
			guard, "the other side speaks version %d of the authentication", version);
	else if (kind != guard->policy->kind)
		guard_fail(guard, "the other side answers in a way of its own");
	else
		guard->method->start(guard);
}

/* Reads the hello, or the refusal that stands in its place. Returns how many bytes were used. */
static size_t
receive_hello(
	struct guard *guard, const unsigned char *bytes, size_t size, struct guard_buffer *plain) {
	size_t used, more = 0, known = guard->input_size;
	bool complete = guard_collect(guard, bytes, size,
		known < GUARD_HELLO_SIZE ? GUARD_HELLO_SIZE : GUARD_REFUSAL_SIZE, &used);
	size_t prefix =
		guard->input_size < GUARD_PREFIX_SIZE ? guard->input_size : GUARD_PREFIX_SIZE;
	if (guard_hello_match(guard->input, guard->input_size) < prefix) {
		take_plain_peer(guard, plain);
		return used;
	}
	if (!complete)
		return used;
	enum guard_kind kind = (enum guard_kind)guard->input[GUARD_AT_KIND];
	if (kind == GUARD_KIND_REFUSAL && guard->role == GUARD_DIALLER) {
		if (guard->input_size == GUARD_HELLO_SIZE &&
			!guard_collect(guard, bytes + used, size - used, GUARD_REFUSAL_SIZE, &more))
			return used + more;
		guard_fail(guard, "%s", guard_refusal_text(guard->input[GUARD_HELLO_SIZE]));
		return used + more;
	}
	guard->greeted = true;
	guard->input_size = 0;
	int version = guard->input[GUARD_AT_VERSION];
	if (guard->role == GUARD_LISTENER)
		check_dialler(guard, kind, version);
	else
		check_listener(guard, kind, version);
	return used;
}

/* ---- bytes ---- */

/* Bytes of an open connection. TLS may answer some of them by itself, also to a peer that reads
 * nothing. */
static void
receive_data(
	struct guard *guard, const unsigned char *bytes, size_t size, struct guard_buffer *plain) {
	size_t before = guard_buffer_size(&guard->wire);
	guard->method->receive(guard, bytes, size, plain);
	size_t after = guard_buffer_size(&guard->wire);
	if (guard->state == GUARD_OPEN && after > before && after > ANSWERS_SIZE_MAX)
		guard_fail(guard, "the other side asks TLS for answers that it does not read");
}

enum guard_state
guard_receive(struct guard *guard, const char *bytes, size_t size, struct guard_buffer *plain) {
	const unsigned char *at = (const unsigned char *)bytes;
	if (guard->state == GUARD_SHAKING) {
		if (guard->received > SHAKING_SIZE_MAX)
			guard_fail(guard, "its handshake does not end");
		guard->received += size;
	}
	while (size > 0 && guard->state == GUARD_SHAKING) {
		size_t used = guard->greeted ? guard->method->receive(guard, at, size, plain)
					     : receive_hello(guard, at, size, plain);
		at += used;
		size -= used;
	}
	if (guard->state != GUARD_OPEN || size == 0)
		return guard->state;
	if (guard->transparent)
		guard_buffer_append(plain, at, size);
	else
		receive_data(guard, at, size, plain);
	return guard->state;
}

enum guard_state
guard_end(struct guard *guard) {
	if (guard->state != GUARD_SHAKING)
		return guard->state;
	if (guard->role == GUARD_LISTENER)
		guard_fail(guard, "it left before it had authenticated");
	else if (!guard->greeted && guard->input_size == 0)
		guard_fail(guard,
			"the other side closed when asked to authenticate: it has neither "
			"auth_secret nor tls_cert, or has no room");
	else
		guard_fail(guard, "the other side closed before it had authenticated");
	return guard->state;
}

enum guard_state
guard_expire(struct guard *guard, struct guard_buffer *plain) {
	if (guard->state != GUARD_SHAKING)
		return guard->state;
	/* One zero byte may be the start of either; less says nothing: a peer that waits. */
	if (guard->lenient && !guard->greeted && guard->input_size <= 1)
		take_plain_peer(guard, plain);
	else if (guard->role == GUARD_LISTENER)
		guard_fail(guard, "it did not authenticate in time");
	else
		guard_fail(guard, "the other side did not authenticate in time%s",
			guard->greeted ? "" : ": it may have neither auth_secret nor tls_cert");
	return guard->state;
}

void
guard_send(struct guard *guard, const char *bytes, size_t size) {
	guard->method->send(guard, bytes, size);
}

void
guard_finish(struct guard *guard) {
	if (guard->state == GUARD_OPEN && !guard->transparent)
		guard->method->finish(guard);
}
