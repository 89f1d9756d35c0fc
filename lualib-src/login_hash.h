/* The home-made primitives of the login protocol, kept for compatibility: a 64-bit hash, a 64-bit
 * code made of one MD5 block, and a Diffie-Hellman exchange over a 64-bit prime. None of them is
 * secure by today's measure. Pure functions; any thread.
 */
#ifndef SKYNET_LOGIN_HASH_H
#define SKYNET_LOGIN_HASH_H

#include <stddef.h>
#include <stdint.h>

#define LOGIN_KEY_SIZE 8

/// Two 32-bit hashes of `size` bytes, little-endian one after the other. Borrows `data`.
void login_hash_key(const void *data, size_t size, unsigned char out[LOGIN_KEY_SIZE]);

/// One MD5 block over x and y four times, folded to 64 bits.
void login_hash_hmac64(const unsigned char x[LOGIN_KEY_SIZE], const unsigned char y[LOGIN_KEY_SIZE],
	unsigned char out[LOGIN_KEY_SIZE]);

/// MD5 of x and y three times, folded to 64 bits.
void login_hash_hmac64_md5(const unsigned char x[LOGIN_KEY_SIZE],
	const unsigned char y[LOGIN_KEY_SIZE], unsigned char out[LOGIN_KEY_SIZE]);

/// `base` to the power of `exponent` modulo 2^64 - 59.
uint64_t login_hash_power(uint64_t base, uint64_t exponent);

#endif
