/* Packing and unpacking, in a bare Lua state: the vectors of the reference, refusal of hostile
 * input without taking memory, and scratch memory that stays intact when metamethods pack too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the ones above first */
#include <cmocka.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#include "lua_layout.h"
#include "lua_seri.h"
#include "skynet_malloc.h"

struct fixture {
	lua_State *L;
	struct seri_buffer scratch;
	struct seri_buffer plain; /* tables are not read in place */
	size_t used, limit;       /* bytes of the state; limit 0: none */
};

static void *
allocate(void *ud, void *block, size_t old_size, size_t new_size) {
	struct fixture *f = ud;
	if (block == NULL)
		old_size = 0;
	if (f->limit != 0 && f->used - old_size + new_size > f->limit && new_size > old_size)
		return NULL;
	f->used = f->used - old_size + new_size;
	if (new_size == 0) {
		free(block);
		return NULL;
	}
	return realloc(block, new_size);
}

static struct fixture *
fixture_of(lua_State *L) {
	void *ud;
	lua_getallocf(L, &ud);
	return ud;
}

static int
lua_pack(lua_State *L) {
	return seri_call_pack(L, &fixture_of(L)->scratch);
}

static int
lua_packstring(lua_State *L) {
	return seri_call_packstring(L, &fixture_of(L)->scratch);
}

/// As packstring, by the Lua API in any case.
static int
lua_packstring_by_api(lua_State *L) {
	return seri_call_packstring(L, &fixture_of(L)->plain);
}

static int
lua_trash(lua_State *L) {
	skynet_free(lua_touserdata(L, 1));
	return 0;
}

static int
set_up(void **state) {
	struct fixture *f = calloc(1, sizeof *f);
	f->L = lua_newstate(allocate, f);
	luaL_openlibs(f->L);
	static const luaL_Reg api[] = {
		{"pack", lua_pack},
		{"packstring", lua_packstring},
		{"packstring_by_api", lua_packstring_by_api},
		{"unpack", seri_call_unpack},
		{"trash", lua_trash},
		{NULL, NULL},
	};
	luaL_newlib(f->L, api);
	lua_setglobal(f->L, "api");
	*state = f;
	return 0;
}

static int
set_up_raw(void **state) {
	set_up(state);
	struct fixture *f = *state;
	f->scratch.raw = true;
	return layout_known(f->L) ? 0 : -1;
}

static int
tear_down(void **state) {
	struct fixture *f = *state;
	lua_close(f->L);
	assert_int_equal(f->used, 0);
	seri_buffer_clear(&f->scratch);
	seri_buffer_clear(&f->plain);
	free(f);
	return 0;
}

/* Runs Lua text that raises when something is wrong. */
static void
run(struct fixture *f, const char *text) {
	if (luaL_dostring(f->L, text))
		fail_msg("%s", lua_tostring(f->L, -1));
	lua_settop(f->L, 0);
}

static void
packs_every_vector_to_the_same_bytes(void **state) {
	struct fixture *f = *state;
	lua_pushlightuserdata(f->L, NULL);
	lua_setglobal(f->L, "null");
	run(f, "local check = dofile 'test/lib/seri_check.lua'\n"
	       "local vectors = dofile 'test/vectors/seri.lua'\n"
	       "vectors.env.null = null\n"
	       "for _, vector in ipairs(vectors.packed) do\n"
	       "	local defect = check.packed(vector, vectors.env, api)\n"
	       "	if defect then error(vector.name .. ' ' .. defect) end\n"
	       "end\n");
}

static void
reads_or_refuses_foreign_bytes_as_the_reference_does(void **state) {
	struct fixture *f = *state;
	lua_pushlightuserdata(f->L, NULL);
	lua_setglobal(f->L, "null");
	run(f, "local check = dofile 'test/lib/seri_check.lua'\n"
	       "local vectors = dofile 'test/vectors/seri.lua'\n"
	       "vectors.env.null = null\n"
	       "for _, vector in ipairs(vectors.foreign) do\n"
	       "	local defect = check.foreign(vector, vectors.env, api)\n"
	       "	if defect then error(vector.name .. ' ' .. defect) end\n"
	       "end\n");
}

static void
refuses_nesting_beyond_its_limit(void **state) {
	run(*state,
		"local function nested(n) return ('\\x0e'):rep(n - 1) .. '\\x06\\0' .. ('\\0'):rep(n - 1) end\n"
		"assert(api.unpack(nested(128)))\n"
		"local ok, message = pcall(api.unpack, nested(129))\n"
		"assert(not ok and message:find '^Invalid serialize stream', message)\n"
		"for _, n in ipairs { 1000, 200000, 1000000 } do\n"
		"	assert(not pcall(api.unpack, ('\\x0e'):rep(n)))\n"
		"	assert(not pcall(api.unpack, nested(n)))\n"
		"end\n");
}

static void
refuses_more_values_than_a_stack_holds(void **state) {
	run(*state, "local ok, message = pcall(api.unpack, ('\\0'):rep(1100000))\n"
		    "assert(not ok and message == 'stack overflow', message)\n"
		    "assert(select('#', api.unpack(('\\0'):rep(100000))) == 100000)\n");
}

static void
takes_no_memory_for_counts_that_are_only_announced(void **state) {
	struct fixture *f = *state;
	static const char *const inputs[] = {
		"\xfe\x22\xff\xff\xff\x7f",         /* an array of 2^31 - 1 */
		"\xfe\x22\x00\xe1\xf5\x05\x0a\x01", /* an array of 10^8, one there */
		"\x25\xff\xff\xff\x7f\x61\x62\x63", /* a string of 2^31 - 1 */
		"\x0e\xfe\x22\xff\xff\xff\x7f",     /* nested */
	};
	static const size_t sizes[] = {6, 8, 8, 7};
	lua_gc(f->L, LUA_GCSTOP);
	for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
		size_t before = f->used;
		size_t left = 99;
		assert_int_equal(seri_try_unpack(f->L, inputs[i], sizes[i], &left), -1);
		assert_true(left <= sizes[i]);
		assert_int_equal(f->used, before);
		assert_int_equal(lua_gettop(f->L), 0);
	}
}

static void
tells_unread_bytes_without_raising(void **state) {
	struct fixture *f = *state;
	size_t left = 99;
	lua_pushinteger(f->L, 7);
	assert_int_equal(seri_try_unpack(f->L, "\x0a\x05\x07\x00", 4, &left), -1);
	assert_int_equal(left, 1);
	assert_int_equal(lua_gettop(f->L), 1);
	assert_int_equal(seri_try_unpack(f->L, "\x0a\x05\x09", 3, NULL), 2);
	assert_int_equal(lua_tointeger(f->L, 2), 5);
	assert_true(lua_toboolean(f->L, 3));
	lua_settop(f->L, 0);
	assert_int_equal(seri_try_unpack(f->L, NULL, 0, NULL), 0);
	/* a NaN key is refused, too */
	assert_int_equal(
		seri_try_unpack(f->L, "\x06\x42\0\0\0\0\0\0\xf8\x7f\x0a\x01\x00", 13, &left), -1);
}

static void
keeps_what_is_packed_when_a_metamethod_packs_too(void **state) {
	run(*state,
		"local function noisy(list)\n"
		"	return setmetatable({}, { __pairs = function()\n"
		"		api.packstring(('noise'):rep(1000))\n"
		"		local i = 0\n"
		"		return function()\n"
		"			i = i + 1\n"
		"			assert(not pcall(api.packstring, print))\n"
		"			api.trash(api.pack(i, { ('more'):rep(i * 100) }))\n"
		"			if list[i] ~= nil then return i, list[i] end\n"
		"		end\n"
		"	end })\n"
		"end\n"
		"local a, b, c = api.unpack(api.packstring('front', { 1, noisy { 10, 20, noisy { 30 } } }, 'back'))\n"
		"assert(a == 'front' and c == 'back')\n"
		"assert(b[1] == 1 and b[2][1] == 10 and b[2][2] == 20 and b[2][3][1] == 30)\n");
}

static void
keeps_what_is_packed_when_a_finaliser_packs_too(void **state) {
	run(*state,
		"local bomb = {}\n"
		"function bomb.__gc() setmetatable({}, bomb) api.packstring(('gc'):rep(500)) end\n"
		"for _ = 1, 100 do setmetatable({}, bomb) end\n"
		"collectgarbage('setpause', 0)\n"
		"local value = setmetatable({ 'x', { ('y'):rep(300) } }, {})\n"
		"for _ = 1, 500 do\n"
		"	local back = api.unpack(api.packstring(value))\n"
		"	assert(back[1] == 'x' and back[2][1] == ('y'):rep(300))\n"
		"end\n"
		"bomb.__gc = nil\n");
}

static void
leaves_scratch_usable_after_every_error(void **state) {
	run(*state, "for i = 1, 50 do\n"
		    "	assert(not pcall(api.pack, ('x'):rep(i * 100), print))\n"
		    "	assert(not pcall(api.pack, { { { coroutine.create(print) } } }))\n"
		    "	assert(not pcall(api.pack, setmetatable({}, { __pairs = error })))\n"
		    "	assert(not pcall(api.pack, setmetatable({}, { __pairs = 1 })))\n"
		    "	assert(api.unpack(api.packstring(i)) == i)\n"
		    "end\n");
}

static void
packs_arrays_that_lie_in_the_hash_part(void **state) {
	run(*state,
		"local check = dofile 'test/lib/seri_check.lua'\n"
		"local seed = 7\n"
		"local function random(n) seed = (seed * 1103515245 + 12345) % 2147483648 return seed // 65536 % n + 1 end\n"
		"for _ = 1, 2000 do\n"
		"	local t = {}\n"
		"	for _ = 1, random(40) do\n"
		"		local kind = random(6)\n"
		"		if kind <= 3 then t[random(12)] = random(1000)\n"
		"		elseif kind == 4 then t[random(12)] = nil\n"
		"		elseif kind == 5 then t['k' .. random(8)] = random(9)\n"
		"		else t[-random(3)] = true end\n"
		"	end\n"
		"	local bytes = api.packstring(t)\n"
		"	assert(bytes == api.packstring_by_api(t))\n"
		"	assert(check.same(t, api.unpack(bytes)))\n"
		"end\n");
}

static void
packs_tables_as_lua_walks_through_them(void **state) {
	run(*state,
		"local function same(t) assert(api.packstring(t) == api.packstring_by_api(t)) end\n"
		"local t = {}\n"
		"for i = 1, 300 do t[i] = i; same(t) end\n"
		"for i = 300, 1, -1 do t[i] = nil; local _ = #t; same(t) end\n"
		"for i = 1, 100 do t['k' .. i] = i; t[i] = { i }; same(t) end\n"
		"for i = 1, 100, 3 do t['k' .. i] = nil; t[i] = nil; same(t) end\n"
		"same { 1, nil, 3, nil, nil, 6 } same { nil, nil, 3 } same { n = 1, nil }\n"
		"same { [-1] = 1, [0] = 2, [1] = 3, [2] = 4, [4] = 5, [1.5] = 6, [true] = 7 }\n"
		"same { [math.maxinteger] = 1, [math.mininteger] = 2, [1e300] = 3, [2^53] = 4 }\n"
		"local large = {}\n"
		"for i = 100, 1, -1 do large[i] = i end\n"
		"same(large) same { large, { large, ('x'):rep(5000) }, io.stdout and 'y' }\n"
		"large[('k'):rep(100)] = -0.0 same(large)\n"
		"same { plain = 1, { setmetatable({ 1, 2, x = 3 }, {}) }, 5 }\n"
		"same { setmetatable({}, { __pairs = function() return next, { 7, 8 } end }) }\n"
		"for _, bad in ipairs { print, coroutine.create(print), io.stdout } do\n"
		"	local _, one = pcall(api.packstring, { 1, { x = bad } })\n"
		"	local _, two = pcall(api.packstring_by_api, { 1, { x = bad } })\n"
		"	assert(one == two and one:find 'Unsupport type', one)\n"
		"end\n"
		"local deep = {}\n"
		"for _ = 1, 40 do\n"
		"	local ok, bytes = pcall(api.packstring, deep)\n"
		"	local good, expected = pcall(api.packstring_by_api, deep)\n"
		"	assert(ok == good and bytes == expected)\n"
		"	deep = { deep }\n"
		"end\n");
}

static void
gives_exact_blocks(void **state) {
	struct fixture *f = *state;
	size_t size = 1;
	void *block = seri_pack_block(f->L, 1, &f->scratch, &size);
	assert_non_null(block);
	assert_int_equal(size, 0);
	skynet_free(block);
	/* big enough to be handed over: the scratch starts anew */
	luaL_Buffer buffer;
	memset(luaL_buffinitsize(f->L, &buffer, 200000), 'a', 200000);
	luaL_pushresultsize(&buffer, 200000);
	block = seri_pack_block(f->L, 1, &f->scratch, &size);
	assert_int_equal(size, 200005);
	assert_int_equal(((unsigned char *)block)[0], 0x25);
	assert_int_equal(((char *)block)[200004], 'a');
	assert_true(f->scratch.capacity < 200000);
	assert_int_equal(lua_gettop(f->L), 1);
	skynet_free(block);
}

static void
checks_the_arguments_of_unpack(void **state) {
	run(*state, "assert(select('#', api.unpack()) == 0)\n"
		    "assert(select('#', api.unpack(nil)) == 0)\n"
		    "assert(select('#', api.unpack('')) == 0)\n"
		    "local pointer, size = api.pack(1, 'two')\n"
		    "local a, b = api.unpack(pointer, size)\n"
		    "assert(a == 1 and b == 'two')\n"
		    "assert(select('#', api.unpack(pointer, 0)) == 0)\n"
		    "api.trash(pointer)\n"
		    "assert(not pcall(api.unpack, pointer, -1))\n"
		    "assert(not pcall(api.unpack, pointer))\n"
		    "local ok, message = pcall(api.unpack, {}, 3)\n"
		    "assert(not ok and message == 'deserialize null pointer', message)\n");
}

static void
survives_running_out_of_memory(void **state) {
	struct fixture *f = *state;
	run(f, "value = {}\n"
	       "for i = 1, 300 do value[i] = { id = i, name = ('n'):rep(i), list = { 1, 2, 3 } } end\n"
	       "bytes = api.packstring(value)\n"
	       "noisy = setmetatable({}, { __pairs = function() return next, value end })\n"
	       "collectgarbage()\n");
	for (size_t spare = 0; spare < 200000; spare += 997) {
		f->limit = f->used + spare;
		lua_getglobal(f->L, "api");
		lua_getfield(f->L, -1, "unpack");
		lua_getglobal(f->L, "bytes");
		int status = lua_pcall(f->L, 1, 0, 0);
		assert_true(status == LUA_OK || status == LUA_ERRMEM);
		lua_settop(f->L, 0);
		lua_getglobal(f->L, "api");
		lua_getfield(f->L, -1, "packstring");
		lua_getglobal(f->L, "noisy");
		status = lua_pcall(f->L, 1, 0, 0);
		assert_true(status == LUA_OK || status == LUA_ERRMEM);
		lua_settop(f->L, 0);
		f->limit = 0;
		lua_gc(f->L, LUA_GCCOLLECT);
	}
}

static void
packs_plain_values_to_the_same_bytes_as_a_state_does(void **state) {
	struct fixture *f = *state;
	char text[301];
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	size_t size;
	void *block = seri_pack_plain(
		&size, "sisbbsi", "", (lua_Integer)-3, text, 1, 0, "REMOVE", (lua_Integer)70000);
	lua_pushlstring(f->L, block, size);
	lua_setglobal(f->L, "plain");
	skynet_free(block);
	run(f, "assert(plain == api.packstring('', -3, ('x'):rep(300), true, false, 'REMOVE', "
	       "70000))\n");
}

int
main(void) {
#define CASE(name)                                                        \
	{#name, name, set_up, tear_down, NULL}, {                         \
#name "_read_in_place", name, set_up_raw, tear_down, NULL \
	}
	const struct CMUnitTest tests[] = {
		CASE(packs_every_vector_to_the_same_bytes),
		CASE(reads_or_refuses_foreign_bytes_as_the_reference_does),
		CASE(refuses_nesting_beyond_its_limit),
		CASE(refuses_more_values_than_a_stack_holds),
		CASE(takes_no_memory_for_counts_that_are_only_announced),
		CASE(tells_unread_bytes_without_raising),
		CASE(keeps_what_is_packed_when_a_metamethod_packs_too),
		CASE(keeps_what_is_packed_when_a_finaliser_packs_too),
		CASE(leaves_scratch_usable_after_every_error),
		CASE(packs_arrays_that_lie_in_the_hash_part),
		CASE(packs_tables_as_lua_walks_through_them),
		CASE(gives_exact_blocks),
		CASE(packs_plain_values_to_the_same_bytes_as_a_state_does),
		CASE(checks_the_arguments_of_unpack),
		CASE(survives_running_out_of_memory),
	};
	return cmocka_run_group_tests_name("seri", tests, NULL, NULL);
}
