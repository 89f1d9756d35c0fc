/* skynet.crypt: what the login protocol and web libraries need. SHA-1 and DES come from OpenSSL.
 * Runs on the thread of its service.
 */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include "crypt_text.h"
#include "login_hash.h"
#include "skynet.h"

#define SHA1_SIZE      20
#define DES_BLOCK_SIZE 8
#define DES_KEY_SIZE   8
#define DH_GENERATOR   5

enum padding { PADDING_ISO7816_4, PADDING_PKCS7 };

/* ---- arguments ---- */

static const unsigned char *
check_bytes(lua_State *L, int index, size_t *size) {
	return (const unsigned char *)luaL_checklstring(L, index, size);
}

/* 8 bytes; `name` is what the error calls them. */
static const unsigned char *
check_key(lua_State *L, int index, const char *name) {
	size_t size;
	const unsigned char *key = check_bytes(L, index, &size);
	if (size != LOGIN_KEY_SIZE)
		luaL_error(L, "Invalid %s", name);
	return key;
}

static uint64_t
check_number(lua_State *L, int index) {
	const unsigned char *bytes = check_key(L, index, "dh uint64 key");
	uint64_t value = 0;
	for (int i = LOGIN_KEY_SIZE - 1; i >= 0; i--)
		value = value << 8 | bytes[i];
	if (value == 0)
		luaL_error(L, "Can't be 0");
	return value;
}

static int
push_number(lua_State *L, uint64_t value) {
	unsigned char bytes[LOGIN_KEY_SIZE];
	for (int i = 0; i < LOGIN_KEY_SIZE; i++)
		bytes[i] = (unsigned char)(value >> (8 * i));
	lua_pushlstring(L, (const char *)bytes, sizeof(bytes));
	return 1;
}

static int
push_key(lua_State *L, const unsigned char key[LOGIN_KEY_SIZE]) {
	lua_pushlstring(L, (const char *)key, LOGIN_KEY_SIZE);
	return 1;
}

/* ---- the login protocol ---- */

/* hashkey(text) -> 8 bytes */
static int
lhashkey(lua_State *L) {
	size_t size;
	const unsigned char *text = check_bytes(L, 1, &size);
	unsigned char key[LOGIN_KEY_SIZE];
	login_hash_key(text, size, key);
	return push_key(L, key);
}

/* randomkey() -> 8 random bytes whose exclusive or is not 0 */
static int
lrandomkey(lua_State *L) {
	unsigned char key[LOGIN_KEY_SIZE];
	unsigned char folded;
	do {
		if (getentropy(key, sizeof(key)) != 0)
			return luaL_error(L, "no random bytes: %s", strerror(errno));
		folded = 0;
		for (int i = 0; i < LOGIN_KEY_SIZE; i++)
			folded ^= key[i];
	} while (folded == 0);
	return push_key(L, key);
}

/* hmac64(x, y) -> 8 bytes */
static int
lhmac64(lua_State *L) {
	unsigned char out[LOGIN_KEY_SIZE];
	const unsigned char *x = check_key(L, 1, "uint64 x");
	login_hash_hmac64(x, check_key(L, 2, "uint64 y"), out);
	return push_key(L, out);
}

/* hmac64_md5(x, y) -> 8 bytes */
static int
lhmac64_md5(lua_State *L) {
	unsigned char out[LOGIN_KEY_SIZE];
	const unsigned char *x = check_key(L, 1, "uint64 x");
	login_hash_hmac64_md5(x, check_key(L, 2, "uint64 y"), out);
	return push_key(L, out);
}

/* hmac_hash(key, text) -> 8 bytes */
static int
lhmac_hash(lua_State *L) {
	unsigned char out[LOGIN_KEY_SIZE];
	const unsigned char *key = check_key(L, 1, "uint64 key");
	size_t size;
	const unsigned char *text = check_bytes(L, 2, &size);
	unsigned char hash[LOGIN_KEY_SIZE];
	login_hash_key(text, size, hash);
	login_hash_hmac64(hash, key, out);
	return push_key(L, out);
}

/* dhexchange(private) -> public */
static int
ldhexchange(lua_State *L) {
	return push_number(L, login_hash_power(DH_GENERATOR, check_number(L, 1)));
}

/* dhsecret(public of the other, private) -> secret */
static int
ldhsecret(lua_State *L) {
	uint64_t base = check_number(L, 1);
	return push_number(L, login_hash_power(base, check_number(L, 2)));
}

/* ---- text ---- */

static int
lhexencode(lua_State *L) {
	size_t size;
	const unsigned char *data = check_bytes(L, 1, &size);
	luaL_Buffer out;
	hex_encode(data, size, luaL_buffinitsize(L, &out, size * 2));
	luaL_pushresultsize(&out, size * 2);
	return 1;
}

static int
lhexdecode(lua_State *L) {
	size_t size;
	const char *text = luaL_checklstring(L, 1, &size);
	if (size % 2 != 0)
		return luaL_error(L, "Invalid hex text size %I", (LUAI_UACINT)size);
	luaL_Buffer out;
	unsigned char *bytes = (unsigned char *)luaL_buffinitsize(L, &out, size / 2);
	if (hex_decode(text, size, bytes) != 0)
		return luaL_error(L, "Invalid hex text");
	luaL_pushresultsize(&out, size / 2);
	return 1;
}

static int
lbase64encode(lua_State *L) {
	size_t size;
	const unsigned char *data = check_bytes(L, 1, &size);
	luaL_Buffer out;
	base64_encode(data, size, luaL_buffinitsize(L, &out, base64_size(size)));
	luaL_pushresultsize(&out, base64_size(size));
	return 1;
}

static int
lbase64decode(lua_State *L) {
	size_t size;
	const char *text = luaL_checklstring(L, 1, &size);
	luaL_Buffer out;
	unsigned char *bytes = (unsigned char *)luaL_buffinitsize(L, &out, size / 4 * 3 + 3);
	ptrdiff_t used = base64_decode(text, size, bytes);
	if (used < 0)
		return luaL_error(L, "Invalid base64 text");
	luaL_pushresultsize(&out, (size_t)used);
	return 1;
}

/* xor_str(text, key) -> text, each byte with the next of the key in turn */
static int
lxor_str(lua_State *L) {
	size_t size, key_size;
	const unsigned char *text = check_bytes(L, 1, &size);
	const unsigned char *key = check_bytes(L, 2, &key_size);
	luaL_argcheck(L, key_size > 0, 2, "empty key");
	luaL_Buffer out;
	unsigned char *bytes = (unsigned char *)luaL_buffinitsize(L, &out, size);
	for (size_t i = 0, k = 0; i < size; i++) {
		bytes[i] = text[i] ^ key[k];
		k = k + 1 < key_size ? k + 1 : 0;
	}
	luaL_pushresultsize(&out, size);
	return 1;
}

/* ---- OpenSSL ---- */

static int
lsha1(lua_State *L) {
	size_t size;
	const unsigned char *text = check_bytes(L, 1, &size);
	unsigned char digest[SHA1_SIZE];
	if (EVP_Digest(text, size, digest, NULL, EVP_sha1(), NULL) != 1)
		return luaL_error(L, "sha1 failed");
	lua_pushlstring(L, (const char *)digest, sizeof(digest));
	return 1;
}

static int
lhmac_sha1(lua_State *L) {
	size_t key_size, size;
	const unsigned char *key = check_bytes(L, 1, &key_size);
	const unsigned char *text = check_bytes(L, 2, &size);
	luaL_argcheck(L, key_size <= INT32_MAX, 1, "too long");
	unsigned char digest[SHA1_SIZE];
	if (HMAC(EVP_sha1(), key, (int)key_size, text, size, digest, NULL) == NULL)
		return luaL_error(L, "hmac_sha1 failed");
	lua_pushlstring(L, (const char *)digest, sizeof(digest));
	return 1;
}

/* DES over whole blocks, in place. Plain DES is not among the default ciphers; triple DES with one
 * key three times is the same function. */
static void
des_blocks(lua_State *L, const unsigned char *key, unsigned char *data, size_t size, int encrypt) {
	unsigned char keys[3 * DES_KEY_SIZE];
	for (int i = 0; i < 3; i++)
		memcpy(keys + i * DES_KEY_SIZE, key, DES_KEY_SIZE);
	luaL_argcheck(L, size <= INT32_MAX, 2, "too long");
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	int used = 0;
	int done = cipher != NULL &&
		   EVP_CipherInit_ex(cipher, EVP_des_ede3_ecb(), NULL, keys, NULL, encrypt) == 1 &&
		   EVP_CIPHER_CTX_set_padding(cipher, 0) == 1 &&
		   EVP_CipherUpdate(cipher, data, &used, data, (int)size) == 1;
	EVP_CIPHER_CTX_free(cipher);
	if (!done || (size_t)used != size)
		luaL_error(L, "des failed");
}

static const unsigned char *
check_des_key(lua_State *L) {
	size_t size;
	const unsigned char *key = check_bytes(L, 1, &size);
	if (size != DES_KEY_SIZE)
		luaL_error(L, "Invalid key size %d, need 8 bytes", (int)size);
	return key;
}

static enum padding
check_padding(lua_State *L) {
	lua_Integer padding = luaL_optinteger(L, 3, PADDING_ISO7816_4);
	if (padding != PADDING_ISO7816_4 && padding != PADDING_PKCS7)
		luaL_error(L, "Invalid padding mode %I", (LUAI_UACINT)padding);
	return (enum padding)padding;
}

/* desencode(key, text [, padding]) */
static int
ldesencode(lua_State *L) {
	const unsigned char *key = check_des_key(L);
	size_t size;
	const unsigned char *text = check_bytes(L, 2, &size);
	size_t pad = DES_BLOCK_SIZE - size % DES_BLOCK_SIZE;
	enum padding padding = check_padding(L);
	luaL_Buffer out;
	unsigned char *data = (unsigned char *)luaL_buffinitsize(L, &out, size + pad);
	memcpy(data, text, size);
	memset(data + size, padding == PADDING_PKCS7 ? (int)pad : 0, pad);
	if (padding == PADDING_ISO7816_4)
		data[size] = 0x80;
	des_blocks(L, key, data, size + pad, 1);
	luaL_pushresultsize(&out, size + pad);
	return 1;
}

/* Bytes of text in front of the padding, or -1. `size` is a number of whole blocks. */
static ptrdiff_t
text_size(const unsigned char *data, size_t size, enum padding padding) {
	size_t pad = 1;
	if (padding == PADDING_PKCS7) {
		pad = data[size - 1];
		if (pad < 1 || pad > DES_BLOCK_SIZE)
			return -1;
		for (size_t i = 1; i <= pad; i++)
			if (data[size - i] != pad)
				return -1;
		return (ptrdiff_t)(size - pad);
	}
	while (pad < DES_BLOCK_SIZE && data[size - pad] == 0)
		pad++;
	return data[size - pad] == 0x80 ? (ptrdiff_t)(size - pad) : -1;
}

/* desdecode(key, text [, padding]) */
static int
ldesdecode(lua_State *L) {
	const unsigned char *key = check_des_key(L);
	size_t size;
	const unsigned char *text = check_bytes(L, 2, &size);
	enum padding padding = check_padding(L);
	if (size == 0 || size % DES_BLOCK_SIZE != 0)
		return luaL_error(L, "Invalid des crypt text length %I", (LUAI_UACINT)size);
	luaL_Buffer out;
	unsigned char *data = (unsigned char *)luaL_buffinitsize(L, &out, size);
	memcpy(data, text, size);
	des_blocks(L, key, data, size, 0);
	ptrdiff_t left = text_size(data, size, padding);
	if (left < 0)
		return luaL_error(L, "Invalid des crypt text");
	luaL_pushresultsize(&out, (size_t)left);
	return 1;
}

SKYNET_API int luaopen_skynet_crypt(lua_State *L);

int
luaopen_skynet_crypt(lua_State *L) {
	static const luaL_Reg functions[] = {
		{"sha1", lsha1},
		{"hmac_sha1", lhmac_sha1},
		{"desencode", ldesencode},
		{"desdecode", ldesdecode},
		{"hashkey", lhashkey},
		{"randomkey", lrandomkey},
		{"hmac64", lhmac64},
		{"hmac64_md5", lhmac64_md5},
		{"hmac_hash", lhmac_hash},
		{"dhexchange", ldhexchange},
		{"dhsecret", ldhsecret},
		{"hexencode", lhexencode},
		{"hexdecode", lhexdecode},
		{"base64encode", lbase64encode},
		{"base64decode", lbase64decode},
		{"xor_str", lxor_str},
		{NULL, NULL},
	};
	luaL_checkversion(L);
	luaL_newlib(L, functions);
	lua_createtable(L, 0, 2);
	lua_pushinteger(L, PADDING_ISO7816_4);
	lua_setfield(L, -2, "iso7816_4");
	lua_pushinteger(L, PADDING_PKCS7);
	lua_setfield(L, -2, "pkcs7");
	lua_setfield(L, -2, "padding");
	return 1;
}
