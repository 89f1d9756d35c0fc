/* FNV-1a: a hash of short texts, such as names, for tables in memory. No state; any thread. */
#ifndef SKYNET_HASH_H
#define SKYNET_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START UINT32_C(2166136261)
#define HASH_PRIME UINT32_C(16777619)

/// Goes on from `hash`, which is HASH_START or has been returned, with `size` bytes (borrowed).
static inline uint32_t
hash_bytes(uint32_t hash, const void *bytes, size_t size) {
	const unsigned char *at = bytes;
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ at[i]) * HASH_PRIME;
	return hash;
}

/// The hash of a text (borrowed) without its NUL.
static inline uint32_t
hash_text(const char *text) {
	uint32_t hash = HASH_START;
	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * HASH_PRIME;
	return hash;
}

#endif
