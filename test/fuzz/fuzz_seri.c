/* Unpacks arbitrary bytes in a Lua state with little memory. What is accepted must pack again, and
 * what that gives must come back to bytes of the same size; only depth may forbid it, as packing
 * stops earlier than unpacking.
 */
#include <assert.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lua_seri.h"

/* Of the state. Tables take up to 40 times the bytes that announce them. */
#define MEMORY_BASE     65536
#define MEMORY_PER_BYTE 128

struct budget {
	size_t used, limit;
};

struct round {
	const uint8_t *data;
	size_t size;
	struct seri_buffer first, second;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *
allocate(void *ud, void *block, size_t old_size, size_t new_size) {
	struct budget *budget = ud;
	if (block == NULL)
		old_size = 0;
	if (new_size > old_size && budget->used - old_size + new_size > budget->limit)
		return NULL;
	budget->used = budget->used - old_size + new_size;
	if (new_size == 0) {
		free(block);
		return NULL;
	}
	return realloc(block, new_size);
}

static int
unpack(lua_State *L) {
	const struct round *round = lua_touserdata(L, 1);
	lua_settop(L, 0);
	return seri_unpack(L, round->data, round->size);
}

/* Packs the arguments behind the first, unpacks and packs again. */
static int
pack_again(lua_State *L) {
	struct round *round = lua_touserdata(L, 1);
	int count = lua_gettop(L) - 1;
	seri_pack(L, 2, &round->first);
	lua_settop(L, 0);
	assert(seri_unpack(L, round->first.data, round->first.size) == count);
	seri_pack(L, 1, &round->second);
	assert(round->first.size == round->second.size);
	return 0;
}

/* Both ways of unpacking must agree. */
static void
check_try(lua_State *L, const struct round *round, int status, int count) {
	size_t left = 0;
	int top = lua_gettop(L);
	int tried = seri_try_unpack(L, round->data, round->size, &left);
	if (status == LUA_OK)
		assert(tried == count);
	else
		assert(tried == -1 && left <= round->size && lua_gettop(L) == top);
	lua_settop(L, top);
}

static int
run(lua_State *L) {
	struct round *round = lua_touserdata(L, 1);
	lua_settop(L, 0);
	lua_pushcfunction(L, unpack);
	lua_pushlightuserdata(L, round);
	int status = lua_pcall(L, 1, LUA_MULTRET, 0);
	assert(status == LUA_OK || status == LUA_ERRRUN || status == LUA_ERRMEM);
	int count = lua_gettop(L);
	if (status != LUA_ERRMEM)
		check_try(L, round, status, count);
	if (status != LUA_OK || !lua_checkstack(L, 8))
		return 0;
	lua_pushcfunction(L, pack_again);
	lua_insert(L, 1);
	lua_pushlightuserdata(L, round);
	lua_insert(L, 2);
	status = lua_pcall(L, count + 1, 0, 0);
	if (status == LUA_ERRRUN)
		assert(strstr(lua_tostring(L, -1), "too depth") != NULL);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct budget budget = {0, MEMORY_BASE + size * MEMORY_PER_BYTE};
	struct round round = {.data = data, .size = size};
	lua_State *L = lua_newstate(allocate, &budget);
	assert(L != NULL);
	lua_pushcfunction(L, run);
	lua_pushlightuserdata(L, &round);
	int status = lua_pcall(L, 1, 0, 0);
	assert(status == LUA_OK || status == LUA_ERRMEM);
	lua_close(L);
	assert(budget.used == 0);
	seri_buffer_clear(&round.first);
	seri_buffer_clear(&round.second);
	return 0;
}
