// wrap: EVP_Digest HMAC EVP_CIPHER_CTX_new EVP_CIPHER_CTX_set_padding
// wrap: EVP_CipherInit_ex EVP_CipherUpdate
/* skynet.crypt over an OpenSSL whose calls fail one after the other: each is an error of the
 * function that was called, and the next call works again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lauxlib.h>
#include <lualib.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

int luaopen_skynet_crypt(lua_State *L);

static int fail_at; /* this call of the wrapped functions fails; 0: none */

static bool
fails_now(void) {
	return fail_at > 0 && --fail_at == 0;
}

#define WRAP(type, failure, name, parameters, arguments)                        \
	type __real_##name parameters;                                          \
	type __wrap_##name parameters;                                          \
	type __wrap_##name parameters {                                         \
		return fails_now() ? (type)(failure) : __real_##name arguments; \
	}

WRAP(int, 0, EVP_Digest,
	(const void *data, size_t size, unsigned char *digest, unsigned *digest_size,
		const EVP_MD *type, ENGINE *engine),
	(data, size, digest, digest_size, type, engine))
WRAP(unsigned char *, NULL, HMAC,
	(const EVP_MD *type, const void *key, int key_size, const unsigned char *data, size_t size,
		unsigned char *digest, unsigned *digest_size),
	(type, key, key_size, data, size, digest, digest_size))
WRAP(EVP_CIPHER_CTX *, NULL, EVP_CIPHER_CTX_new, (void), ())
WRAP(int, 0, EVP_CipherInit_ex,
	(EVP_CIPHER_CTX * cipher, const EVP_CIPHER *type, ENGINE *engine, const unsigned char *key,
		const unsigned char *start, int encrypt),
	(cipher, type, engine, key, start, encrypt))
WRAP(int, 0, EVP_CIPHER_CTX_set_padding, (EVP_CIPHER_CTX * cipher, int padding), (cipher, padding))
WRAP(int, 0, EVP_CipherUpdate,
	(EVP_CIPHER_CTX * cipher, unsigned char *out, int *out_size, const unsigned char *in,
		int in_size),
	(cipher, out, out_size, in, in_size))

static int
setup(void **state) {
	lua_State *L = luaL_newstate();
	luaL_openlibs(L);
	luaL_requiref(L, "crypt", luaopen_skynet_crypt, 1);
	lua_settop(L, 0);
	fail_at = 0;
	*state = L;
	return 0;
}

static int
teardown(void **state) {
	lua_close(*state);
	return 0;
}

/* Runs `code` with each of its `calls` of OpenSSL failing in turn, then with none. */
static void
fails_each_time(lua_State *L, const char *code, int calls, const char *reason) {
	for (int at = 1; at <= calls + 1; at++) {
		fail_at = at;
		int status = luaL_dostring(L, code);
		if (at <= calls) {
			assert_int_equal(fail_at, 0);
			assert_int_not_equal(status, 0);
			assert_non_null(strstr(lua_tostring(L, -1), reason));
		} else {
			assert_int_equal(fail_at, 1); /* there is no further call */
			assert_int_equal(status, 0);
			assert_int_equal(lua_type(L, -1), LUA_TSTRING);
		}
		lua_settop(L, 0);
	}
	fail_at = 0;
}

static void
a_hash_that_fails_is_an_error(void **state) {
	fails_each_time(*state, "return crypt.sha1 'text'", 1, "sha1 failed");
	fails_each_time(*state, "return crypt.hmac_sha1('key', 'text')", 1, "hmac_sha1 failed");
}

static void
a_cipher_that_fails_is_an_error(void **state) {
	fails_each_time(*state, "return crypt.desencode('12345678', 'text')", 4, "des failed");
	assert_int_equal(luaL_dostring(*state, "secret = crypt.desencode('12345678', 'text')"), 0);
	fails_each_time(*state, "return crypt.desdecode('12345678', secret)", 4, "des failed");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void) {
	const struct CMUnitTest tests[] = {
		CASE(a_hash_that_fails_is_an_error),
		CASE(a_cipher_that_fails_is_an_error),
	};
	return cmocka_run_group_tests_name("crypt_fault", tests, NULL, NULL);
}
