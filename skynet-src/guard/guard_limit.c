#include "guard/guard_limit.h"

#include <string.h>

/* Fills the key. False for what has no address. The holder of an IPv6 network owns all of it. */
static bool
make_key(const struct socket_address *peer, uint8_t key[8]) {
	memset(key, 0, 8);
	if (peer->u.any.sa_family == AF_INET) {
		memcpy(key, &peer->u.v4.sin_addr, 4);
		return true;
	}
	if (peer->u.any.sa_family != AF_INET6)
		return false;
	const uint8_t *bytes = (const uint8_t *)&peer->u.v6.sin6_addr;
	if (IN6_IS_ADDR_V4MAPPED(&peer->u.v6.sin6_addr))
		memcpy(key, bytes + 12, 4);
	else
		memcpy(key, bytes, 8);
	return true;
}

bool
guard_limit_same(const struct socket_address *a, const struct socket_address *b) {
	uint8_t a_key[8], b_key[8];
	bool a_known = make_key(a, a_key), b_known = make_key(b, b_key);
	return a_known == b_known && memcmp(a_key, b_key, sizeof(a_key)) == 0;
}

static struct guard_source *
find(struct guard_limit *limit, const uint8_t key[8]) {
	for (int i = 0; i < GUARD_LIMIT_SOURCES; i++) {
		struct guard_source *source = &limit->sources[i];
		if (source->used && memcmp(source->key, key, 8) == 0)
			return source;
	}
	return NULL;
}

static void
forgive(struct guard_source *source, uint64_t now_ns) {
	while (source->failures > 0 && now_ns - source->at_ns >= GUARD_LIMIT_BACK_NS) {
		source->failures--;
		source->at_ns += GUARD_LIMIT_BACK_NS;
	}
	if (source->failures == 0)
		source->at_ns = now_ns;
}

/* What a record is worth: trust first, then failures, then how recent it is. */
static bool
worth_less(const struct guard_source *a, const struct guard_source *b) {
	if (a->trusted != b->trusted)
		return b->trusted;
	if (a->failures != b->failures)
		return a->failures < b->failures;
	return a->at_ns < b->at_ns;
}

static struct guard_source *
make(struct guard_limit *limit, const uint8_t key[8], uint64_t now_ns) {
	struct guard_source *place = &limit->sources[0];
	for (int i = 0; i < GUARD_LIMIT_SOURCES; i++) {
		struct guard_source *source = &limit->sources[i];
		forgive(source, now_ns);
		if (!source->used) {
			place = source;
			break;
		}
		if (worth_less(source, place))
			place = source;
	}
	*place = (struct guard_source){.used = true, .at_ns = now_ns};
	memcpy(place->key, key, sizeof(place->key));
	return place;
}

bool
guard_limit_admits(struct guard_limit *limit, const struct socket_address *peer, uint64_t now_ns) {
	uint8_t key[8];
	struct guard_source *source = make_key(peer, key) ? find(limit, key) : NULL;
	if (source == NULL || source->trusted)
		return true;
	forgive(source, now_ns);
	return source->failures < GUARD_LIMIT_FAILURES;
}

bool
guard_limit_trusts(struct guard_limit *limit, const struct socket_address *peer) {
	uint8_t key[8];
	const struct guard_source *source = make_key(peer, key) ? find(limit, key) : NULL;
	return source != NULL && source->trusted;
}

void
guard_limit_note(struct guard_limit *limit, const struct socket_address *peer, uint64_t now_ns,
	bool success) {
	uint8_t key[8];
	if (!make_key(peer, key))
		return;
	struct guard_source *source = find(limit, key);
	if (source == NULL)
		source = make(limit, key, now_ns);
	forgive(source, now_ns);
	if (success) {
		source->trusted = true;
		source->failures = 0;
	} else if (source->failures < GUARD_LIMIT_FAILURES)
		source->failures++;
}
