/* See login_hash.h. MD5 as in RFC 1321. */
#include "login_hash.h"

#include <string.h>

#define PRIME           (UINT64_MAX - 58) /* 2^64 - 59 */
#define MD5_WORD_COUNT  16
#define MD5_STATE_COUNT 4

static const uint32_t md5_start[MD5_STATE_COUNT] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};

/* floor(2^32 * |sin(i + 1)|) */
static const uint32_t md5_sines[64] = {0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf,
	0x4787c62a, 0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be,
	0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51,
	0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6,
	0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942,
	0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
	0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8,
	0xc4ac5665, 0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92,
	0xffeff47d, 0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82,
	0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

static const unsigned char md5_shifts[4][4] = {
	{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

static uint32_t
read_u32(const unsigned char *bytes) {
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

static void
write_u32(unsigned char *bytes, uint32_t value) {
	for (int i = 0; i < 4; i++)
		bytes[i] = (unsigned char)(value >> (8 * i));
}

static uint32_t
rotate(uint32_t value, unsigned count) {
	return value << count | value >> (32 - count);
}

/* What one step mixes in, and the word that it takes. */
static uint32_t
md5_mix(unsigned step, uint32_t b, uint32_t c, uint32_t d, unsigned *word) {
	switch (step / 16) {
	case 0:
		*word = step;
		return (b & c) | (~b & d);
	case 1:
		*word = (5 * step + 1) % MD5_WORD_COUNT;
		return (d & b) | (~d & c);
	case 2:
		*word = (3 * step + 5) % MD5_WORD_COUNT;
		return b ^ c ^ d;
	default:
		*word = 7 * step % MD5_WORD_COUNT;
		return c ^ (b | ~d);
	}
}

/* The 64 steps over one block, without the addition of the old state at the end. */
static void
md5_block(uint32_t state[MD5_STATE_COUNT], const uint32_t words[MD5_WORD_COUNT]) {
	uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
	for (unsigned step = 0; step < 64; step++) {
		unsigned word;
		uint32_t sum = a + md5_mix(step, b, c, d, &word) + md5_sines[step] + words[word];
		a = d;
		d = c;
		c = b;
		b += rotate(sum, md5_shifts[step / 16][step % 4]);
	}
	state[0] = a;
	state[1] = b;
	state[2] = c;
	state[3] = d;
}

void
login_hash_key(const void *data, size_t size, unsigned char out[LOGIN_KEY_SIZE]) {
	const unsigned char *bytes = data;
	uint32_t first = 5381, second = 1315423911;
	for (size_t i = 0; i < size; i++) {
		first = first * 33 + bytes[i];
		second ^= second * 32 + bytes[i] + (second >> 2);
	}
	write_u32(out, first);
	write_u32(out + 4, second);
}

void
login_hash_hmac64(const unsigned char x[LOGIN_KEY_SIZE], const unsigned char y[LOGIN_KEY_SIZE],
	unsigned char out[LOGIN_KEY_SIZE]) {
	uint32_t words[MD5_WORD_COUNT];
	for (int i = 0; i < MD5_WORD_COUNT; i += 4) {
		words[i] = read_u32(x + 4);
		words[i + 1] = read_u32(x);
		words[i + 2] = read_u32(y + 4);
		words[i + 3] = read_u32(y);
	}
	uint32_t state[MD5_STATE_COUNT];
	memcpy(state, md5_start, sizeof(state));
	md5_block(state, words);
	write_u32(out, state[2] ^ state[3]);
	write_u32(out + 4, state[0] ^ state[1]);
}

void
login_hash_hmac64_md5(const unsigned char x[LOGIN_KEY_SIZE], const unsigned char y[LOGIN_KEY_SIZE],
	unsigned char out[LOGIN_KEY_SIZE]) {
	/* 48 bytes, the end mark and the length in bits fit into one block. */
	unsigned char block[MD5_WORD_COUNT * 4] = {0};
	size_t size = 0;
	for (; size < 48; size += 16) {
		memcpy(block + size, x, LOGIN_KEY_SIZE);
		memcpy(block + size + LOGIN_KEY_SIZE, y, LOGIN_KEY_SIZE);
	}
	block[size] = 0x80;
	write_u32(block + 56, (uint32_t)size * 8);
	uint32_t words[MD5_WORD_COUNT];
	for (int i = 0; i < MD5_WORD_COUNT; i++)
		words[i] = read_u32(block + i * 4);
	uint32_t state[MD5_STATE_COUNT];
	memcpy(state, md5_start, sizeof(state));
	md5_block(state, words);
	for (int i = 0; i < MD5_STATE_COUNT; i++)
		state[i] += md5_start[i];
	write_u32(out, state[0] ^ state[2]);
	write_u32(out + 4, state[1] ^ state[3]);
}

static uint64_t
multiply(uint64_t a, uint64_t b) {
	return (uint64_t)((unsigned __int128)a * b % PRIME);
}

uint64_t
login_hash_power(uint64_t base, uint64_t exponent) {
	uint64_t result = 1;
	base %= PRIME;
	for (; exponent > 0; exponent >>= 1) {
		if (exponent & 1)
			result = multiply(result, base);
		base = multiply(base, base);
	}
	return result;
}
