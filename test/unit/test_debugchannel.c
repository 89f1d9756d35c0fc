// wrap: pthread_condattr_init pthread_cond_init
// link: test/lib/fake_kernel.c
/* skynet.debugchannel when a channel cannot be made; what one does is in test/lua/test_debugger. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lauxlib.h>
#include <lualib.h>

#include "skynet.h"

static int fail_at; /* this call of the wrapped functions fails; 0: none */

static bool
fails_now(void) {
	return fail_at > 0 && --fail_at == 0;
}

int __real_pthread_condattr_init(pthread_condattr_t *attributes);
int __wrap_pthread_condattr_init(pthread_condattr_t *attributes);
int __real_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes);
int __wrap_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes);

int
__wrap_pthread_condattr_init(pthread_condattr_t *attributes) {
	return fails_now() ? ENOMEM : __real_pthread_condattr_init(attributes);
}

int
__wrap_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes) {
	return fails_now() ? EAGAIN : __real_pthread_cond_init(cond, attributes);
}

int luaopen_skynet_debugchannel(lua_State *L);

/* The list of channels of the process under test. */
static void *list;
static void (*destroy_list)(void *object);

void *
skynet_shared_object(struct skynet_context *context, const char *key, void *(*create)(void *ud),
	void *ud, void (*destroy)(void *object)) {
	(void)context, (void)key;
	if (list == NULL)
		list = create(ud);
	destroy_list = destroy;
	return list;
}

static int
setup(void **state) {
	lua_State *L = luaL_newstate();
	luaL_openlibs(L);
	lua_pushlightuserdata(L, &list);
	lua_setfield(L, LUA_REGISTRYINDEX, "skynet_context");
	luaL_requiref(L, "channel", luaopen_skynet_debugchannel, 1);
	lua_settop(L, 0);
	*state = L;
	return 0;
}

static int
teardown(void **state) {
	lua_close(*state);
	if (list != NULL)
		destroy_list(list);
	list = NULL;
	return 0;
}

static void
a_channel_that_cannot_be_made_is_an_error(void **state) {
	lua_State *L = *state;
	static const int reasons[] = {ENOMEM, EAGAIN};
	for (int i = 0; i < 2; i++) {
		fail_at = i + 1;
		assert_int_not_equal(luaL_dostring(L, "return channel.create()"), 0);
		assert_int_equal(fail_at, 0);
		const char *error = lua_tostring(L, -1);
		assert_non_null(strstr(error, "cannot make a debug channel: "));
		assert_non_null(strstr(error, strerror(reasons[i])));
		lua_settop(L, 0);
	}
	assert_int_equal(luaL_dostring(L, "local writer, handle = channel.create() "
					  "local reader = channel.connect(handle) "
					  "writer:write 'text' "
					  "return reader:read()"),
		0);
	assert_string_equal(lua_tostring(L, -1), "text");
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_channel_that_cannot_be_made_is_an_error, setup, teardown),
	};
	return cmocka_run_group_tests_name("debugchannel", tests, NULL, NULL);
}
