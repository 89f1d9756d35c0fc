/* See crypt_text.h. */
#include "crypt_text.h"

#include <stdbool.h>
#include <stdint.h>

#define SEXTETS 4 /* in a whole group of 3 bytes */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t
base64_size(size_t size) {
	return (size + 2) / 3 * SEXTETS;
}

void
base64_encode(const unsigned char *data, size_t size, char *out) {
	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i;
		uint32_t group = (uint32_t)data[i] << 16;
		group |= left > 1 ? (uint32_t)data[i + 1] << 8 : 0;
		group |= left > 2 ? data[i + 2] : 0;
		*out++ = alphabet[group >> 18];
		*out++ = alphabet[group >> 12 & 0x3f];
		*out++ = left > 1 ? alphabet[group >> 6 & 0x3f] : '=';
		*out++ = left > 2 ? alphabet[group & 0x3f] : '=';
	}
}

static int
sextet(char c) {
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	else if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	else if (c >= '0' && c <= '9')
		return c - '0' + 52;
	else if (c == '+')
		return 62;
	else if (c == '/')
		return 63;
	return -1;
}

/* A group of sextets that may be short. */
struct group {
	uint32_t bits;
	int count;
	bool padded; /* a second "=" may follow */
};

/* Writes what the group holds. False when that is no whole number of bytes. */
static bool
finish_group(struct group *group, unsigned char *out, ptrdiff_t *used) {
	int bytes = group->count - 1;
	if (group->count == 1)
		return false;
	uint32_t bits = group->bits << (6 * (SEXTETS - group->count));
	/* Bits behind the last whole byte. */
	if (group->count > 0 && (bits & ((UINT32_C(1) << (24 - 8 * bytes)) - 1)) != 0)
		return false;
	for (int i = 0; i < bytes; i++)
		out[(*used)++] = (unsigned char)(bits >> (16 - 8 * i));
	group->bits = 0;
	group->count = 0;
	return true;
}

ptrdiff_t
base64_decode(const char *text, size_t size, unsigned char *out) {
	struct group group = {0};
	ptrdiff_t used = 0;
	for (size_t i = 0; i < size; i++) {
		int value = sextet(text[i]);
		if (text[i] == '=' && group.padded) {
			group.padded = false;
		} else if (text[i] == '=') {
			group.padded = group.count == 2;
			if (group.count < 2 || !finish_group(&group, out, &used))
				return -1;
		} else if (value >= 0) {
			group.padded = false;
			group.bits = group.bits << 6 | (uint32_t)value;
			if (++group.count == SEXTETS)
				finish_group(&group, out, &used);
		}
	}
	return finish_group(&group, out, &used) ? used : -1;
}

void
hex_encode(const unsigned char *data, size_t size, char *out) {
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < size; i++) {
		*out++ = digits[data[i] >> 4];
		*out++ = digits[data[i] & 0xf];
	}
}

static int
hex_digit(char c) {
	if (c >= '0' && c <= '9')
		return c - '0';
	else if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
hex_decode(const char *text, size_t size, unsigned char *out) {
	for (size_t i = 0; i + 1 < size; i += 2) {
		int high = hex_digit(text[i]);
		int low = hex_digit(text[i + 1]);
		if (high < 0 || low < 0)
			return -1;
		*out++ = (unsigned char)(high << 4 | low);
	}
	return 0;
}
