#include "guard/guard_frame.h"

#include <string.h>

static const unsigned char PREFIX[] = {0, 0, 'S', 'K', 'Y', 'G'};

_Static_assert(sizeof(PREFIX) == GUARD_PREFIX_SIZE, "the prefix is what the header says");

void
guard_hello_write(unsigned char *bytes, enum guard_kind kind) {
	memcpy(bytes, PREFIX, sizeof(PREFIX));
	bytes[GUARD_AT_VERSION] = GUARD_VERSION;
	bytes[GUARD_AT_KIND] = (unsigned char)kind;
}

void
guard_refusal_write(unsigned char *bytes, enum guard_refusal refusal) {
	guard_hello_write(bytes, GUARD_KIND_REFUSAL);
	bytes[GUARD_HELLO_SIZE] = (unsigned char)refusal;
}

size_t
guard_hello_match(const unsigned char *bytes, size_t size) {
	size_t same = 0;
	while (same < size && same < sizeof(PREFIX) && bytes[same] == PREFIX[same])
		same++;
	return same;
}

const char *
guard_hello_setting(const unsigned char *bytes, size_t size) {
	if (size < GUARD_HELLO_SIZE || guard_hello_match(bytes, size) < GUARD_PREFIX_SIZE)
		return NULL;
	unsigned kind = bytes[GUARD_AT_KIND];
	if (kind == GUARD_KIND_REFUSAL && size < GUARD_REFUSAL_SIZE)
		return NULL;
	unsigned refusal = kind == GUARD_KIND_REFUSAL ? bytes[GUARD_HELLO_SIZE] : 0;
	if (kind == GUARD_KIND_SECRET || refusal == GUARD_REFUSED_WANTS_SECRET)
		return "auth_secret";
	if (kind == GUARD_KIND_TLS || refusal == GUARD_REFUSED_WANTS_TLS)
		return "tls_cert";
	return "auth_secret or tls_cert";
}

const char *
guard_refusal_text(unsigned refusal) {
	switch (refusal) {
	case GUARD_REFUSED_SECRET:
		return "the other side refuses: it has another secret";
	case GUARD_REFUSED_WANTS_SECRET:
		return "the other side wants a shared secret, this node has TLS";
	case GUARD_REFUSED_WANTS_TLS:
		return "the other side wants TLS, this node has a shared secret";
	case GUARD_REFUSED_VERSION:
		return "the other side speaks another version of the authentication";
	case GUARD_REFUSED_LIMIT:
		return "the other side refuses: too many failed attempts from this address";
	case GUARD_REFUSED_CERTIFICATE:
		return "the other side refuses the certificate of this node";
	default:
		return "the other side refuses";
	}
}
