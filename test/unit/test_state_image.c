/* Images of Lua states and their copies, and the memory of copies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lualib.h>

#include "skynet_malloc.h"
#include "snlua_parts.h"

#define BLOCKS 200
#define ROUNDS 20000

static ptrdiff_t accounted;

/* What the allocator of snlua wants of the kernel. */
void
skynet_account_add(struct skynet_context *context, ptrdiff_t size) {
	(void)context;
	accounted += size;
}

void
skynet_error(struct skynet_context *context, const char *format, ...) {
	(void)context;
	(void)format;
}

/* Addresses that are no blocks of any state. */
static char contexts[4];

static struct snlua *
service_create(int number) {
	struct snlua *service = skynet_calloc(1, sizeof *service);
	service->context = (struct skynet_context *)(void *)&contexts[number];
	snlua_memory_init(service);
	return service;
}

static void
service_destroy(struct snlua *service) {
	if (service->L != NULL)
		lua_close(service->L);
	assert_int_equal(atomic_load(&service->memory), 0);
	snlua_memory_fini(service);
	skynet_free(service);
}

static void
run(lua_State *L, const char *code) {
	if (luaL_dostring(L, code) != LUA_OK)
		fail_msg("%s", lua_tostring(L, -1));
	lua_settop(L, 0);
}

/// The image of a state with all libraries that has run `code`.
static struct state_image *
image_made(const char *code, struct snlua *service, bool share) {
	struct image_draft *draft = image_draft_create();
	lua_State *L = lua_newstate(image_draft_allocate, draft);
	luaL_openlibs(L);
	lua_pushlightuserdata(L, service);
	lua_setglobal(L, "service");
	lua_pushlightuserdata(L, &service->high);
	lua_setglobal(L, "inside");
	lua_pushlightuserdata(L, service->context);
	lua_setglobal(L, "context");
	run(L, code);
	lua_gc(L, LUA_GCCOLLECT);
	struct state_image *image = state_image_create(draft, L, service, share);
	lua_close(L);
	image_draft_destroy(draft);
	return image;
}

static struct state_image *
image_of(const char *code, struct snlua *service) {
	return image_made(code, service, true);
}

static const char contents[] =
	"local shared = 0\n"
	"kept = { list = {}, names = {}, long = ('long text '):rep(100), number = 1.5 }\n"
	"for i = 1, 100 do kept.list[i] = i; kept.names['name' .. i] = { i } end\n"
	"function kept.up() shared = shared + 1 return shared end\n"
	"function kept.get() return shared end\n"
	"kept.task = coroutine.create(function(a) while true do a = a + coroutine.yield(a) end end)\n"
	"assert(coroutine.resume(kept.task, 5))\n"
	"setmetatable(kept, { __index = kept.names, __gc = function() ended = true end })\n";

static const char checks[] =
	"local first = ...\n"
	"for i = 1, 100 do assert(kept.list[i] == i and kept['name' .. i][1] == i) end\n"
	"assert(kept.long == ('long text '):rep(100) and kept.number == 1.5)\n"
	"assert(kept.get() == 0 and kept.up() == 1 and kept.get() == 1)\n"
	"assert(select(2, coroutine.resume(kept.task, 2)) == 7)\n"
	"for i = 1, 5000 do kept.names['more' .. i] = { tostring(i) } end\n"
	"for i = 1, 4900 do kept.names['more' .. i] = nil end\n"
	"collectgarbage() collectgarbage()\n"
	"assert(kept.more5000[1] == '5000' and table.concat({ 1, 2 }, ',') == '1,2')\n"
	"assert(string.format('%s', 'x'):rep(3) == 'xxx' and math.type(1) == 'integer')\n";

static void
check_copies(bool share) {
	struct snlua *origin = service_create(0), *first = service_create(1),
		     *second = service_create(2);
	struct state_image *image = image_made(contents, origin, share);
	assert_true(state_image_check(image, origin));
	assert_true((state_image_shared(image) != 0) == share);
	state_image_copy(image, first);
	run(first->L, checks);
	state_image_copy(image, second);
	run(second->L, checks);
	service_destroy(first);
	run(second->L, "assert(kept.get() == 1) kept = nil collectgarbage() assert(ended)");
	state_image_drop(image);
	run(second->L, "assert(ended)");
	service_destroy(second);
	service_destroy(origin);
	assert_int_equal(accounted, 0);
}

static void
copies_hold_what_the_image_holds(void **state) {
	(void)state;
	check_copies(true);
}

static void
copies_that_share_nothing_do_so_too(void **state) {
	(void)state;
	check_copies(false);
}

/* Everything that reads what belongs to the code of a function. */
static const char code[] =
	"local outer = 'an upvalue'\n"
	"function subject(first, ...)\n"
	"	local second = 'x'\n"
	"	for i = 1, 2 do second = second .. i end\n"
	"	return function() return first, second, outer, select('#') end, ...\n"
	"end\n"
	"function faulty(argument)\n"
	"	local variable = nil\n"
	"	return variable.field\n"
	"end\n"
	"function keyed(t) return t['a key of more than forty characters, for these are not interned'] end\n"
	"dump = string.dump(subject)\n";

static const char code_checks[] =
	"local inner, rest = subject(1, 2)\n"
	"assert(rest == 2 and select(2, inner()) == 'x12' and select(3, inner()) == 'an upvalue')\n"
	"assert(string.dump(subject) == dump and string.dump(load(dump)) == dump)\n"
	"local ok, message = pcall(faulty)\n"
	"assert(not ok and message:find(\"line 9\", 1, true) == nil)\n"
	"assert(message:find(\":9: attempt to index a nil value %(local 'variable'%)\"), message)\n"
	"local info = debug.getinfo(subject, 'SLu')\n"
	"assert(info.linedefined == 2 and info.lastlinedefined == 6 and info.isvararg)\n"
	"assert(info.activelines[3] and info.activelines[5] and not info.activelines[1])\n"
	"assert(debug.getlocal(faulty, 1) == 'argument')\n"
	"assert(debug.getupvalue(inner, 1) == 'first')\n"
	"local lines = {}\n"
	"debug.sethook(function(_, line) lines[#lines + 1] = line end, 'l')\n"
	"subject(1)\n"
	"debug.sethook()\n"
	"assert(table.concat(lines, ' '):find('3 4 4 5', 1, true), table.concat(lines, ' '))\n"
	"local key = ('a key of more than forty %s, for these are not interned')\n"
	"assert(keyed { [key:format('characters')] = 5 } == 5)\n"
	"assert(keyed(setmetatable({}, { __index = function(_, k) return #k end })) == #key + 8)\n";

static void
shared_code_keeps_all_that_belongs_to_it(void **state) {
	(void)state;
	struct snlua *origin = service_create(0);
	struct state_image *image = image_of(code, origin);
	assert_true(state_image_check(image, origin));
	assert_true(state_image_shared(image) != 0);
	for (int i = 0; i < 3; i++) {
		struct snlua *copy = service_create(1);
		state_image_copy(image, copy);
		run(copy->L, code_checks);
		run(copy->L, "collectgarbage('generational') collectgarbage()");
		run(copy->L, code_checks);
		run(copy->L,
			"subject, faulty = nil collectgarbage() collectgarbage('incremental')");
		service_destroy(copy);
	}
	state_image_drop(image);
	service_destroy(origin);
}

static const char *
text_of(lua_State *L, const char *text) {
	lua_pushstring(L, text);
	text = lua_tostring(L, -1);
	lua_pop(L, 1);
	return text;
}

static void
copies_have_the_same_strings(void **state) {
	(void)state;
	struct snlua *origin = service_create(0), *first = service_create(1),
		     *second = service_create(2);
	struct state_image *image = image_of(contents, origin);
	state_image_copy(image, first);
	state_image_copy(image, second);
	assert_ptr_equal(text_of(first->L, "concat"), text_of(second->L, "concat"));
	assert_ptr_equal(text_of(first->L, "while"), text_of(second->L, "while"));
	assert_ptr_not_equal(text_of(first->L, "own"), text_of(second->L, "own"));
	const char *before = text_of(first->L, "concat");
	run(first->L, "for i = 1, 20000 do kept[i] = 'own ' .. i end");
	assert_ptr_equal(text_of(first->L, "concat"), before);
	run(first->L, "for i = 1, 20000 do assert(kept[i] == 'own ' .. i) kept[i] = nil end");
	run(first->L, "for i = 1, 5 do collectgarbage() end");
	assert_ptr_equal(text_of(first->L, "concat"), before);
	assert_ptr_equal(text_of(second->L, "concat"), before);
	run(second->L, checks);
	state_image_drop(image);
	service_destroy(first);
	service_destroy(second);
	service_destroy(origin);
}

/// Not the allocator next to which the counters of memory are looked for.
static void *
strange_allocate(void *draft, void *block, size_t old_size, size_t new_size) {
	return image_draft_allocate(draft, block, old_size, new_size);
}

static void
a_state_that_is_not_as_it_is_known_shares_nothing(void **state) {
	(void)state;
	struct snlua *origin = service_create(0), *copy = service_create(1);
	struct image_draft *draft = image_draft_create();
	lua_State *L = lua_newstate(strange_allocate, draft);
	luaL_openlibs(L);
	run(L, contents);
	struct state_image *image = state_image_create(draft, L, origin, true);
	lua_close(L);
	image_draft_destroy(draft);
	assert_int_equal(state_image_shared(image), 0);
	assert_true(state_image_check(image, origin));
	state_image_copy(image, copy);
	run(copy->L, checks);
	state_image_drop(image);
	service_destroy(copy);
	service_destroy(origin);
}

static void
strings_are_found_when_their_table_could_not_grow(void **state) {
	(void)state;
	struct snlua *origin = service_create(0), *copy = service_create(1);
	struct state_image *image = image_of(contents, origin);
	state_image_copy(image, copy);
	const char *before = text_of(copy->L, "concat");
	for (size_t more = 1024; more < (size_t)256 * 1024; more += 1000) {
		snlua_memory_limit(copy, atomic_load(&copy->memory) + more);
		assert_int_not_equal(
			luaL_dostring(copy->L,
				"local t = {} while true do t[#t + 1] = #t .. ' more' end"),
			LUA_OK);
		lua_settop(copy->L, 0);
		snlua_memory_limit(copy, 0);
		run(copy->L, "collectgarbage()");
		assert_ptr_equal(text_of(copy->L, "concat"), before);
	}
	run(copy->L, checks);
	state_image_drop(image);
	service_destroy(copy);
	service_destroy(origin);
}

static void
pointers_to_the_service_become_those_of_the_copy(void **state) {
	(void)state;
	struct snlua *origin = service_create(0), *copy = service_create(1);
	struct state_image *image = image_of("", origin);
	state_image_copy(image, copy);
	lua_getglobal(copy->L, "service");
	assert_ptr_equal(lua_touserdata(copy->L, -1), copy);
	lua_getglobal(copy->L, "inside");
	assert_ptr_equal(lua_touserdata(copy->L, -1), &copy->high);
	lua_getglobal(copy->L, "context");
	assert_ptr_equal(lua_touserdata(copy->L, -1), copy->context);
	state_image_drop(image);
	service_destroy(copy);
	service_destroy(origin);
}

static void
a_state_with_keys_hashed_by_address_is_refused(void **state) {
	(void)state;
	struct snlua *origin = service_create(0);
	struct state_image *image =
		image_of("objects = {} for i = 1, 1000 do objects[{}] = i end", origin);
	assert_false(state_image_check(image, origin));
	state_image_drop(image);
	service_destroy(origin);
}

static void
a_state_with_variables_of_a_waiting_function_is_refused(void **state) {
	(void)state;
	struct snlua *origin = service_create(0);
	struct state_image *image =
		image_of("task = coroutine.wrap(function() local n = 0\n"
			 "function up() n = n + 1 end coroutine.yield() end) task()",
			origin);
	assert_null(image);
	service_destroy(origin);
}

static bool
is_inside(const struct snlua *service, const void *block) {
	return (uintptr_t)block - (uintptr_t)service->image < service->image_size;
}

static void
what_is_freed_in_a_copy_is_used_again(void **state) {
	(void)state;
	struct snlua *origin = service_create(0), *copy = service_create(1);
	struct state_image *image = image_of(contents, origin);
	state_image_copy(image, copy);
	run(copy->L, "kept, string, debug = nil collectgarbage() collectgarbage()");
	size_t before = atomic_load(&copy->memory);
	void *small = snlua_allocate(copy, NULL, LUA_TTABLE, 56);
	void *middle = snlua_allocate(copy, NULL, 0, 200);
	void *huge = snlua_allocate(copy, NULL, 0, 1 << 20);
	assert_true(is_inside(copy, small) && is_inside(copy, middle) && !is_inside(copy, huge));
	assert_int_equal(atomic_load(&copy->memory), before + 56 + 200 + (1 << 20));
	snlua_allocate(copy, small, 56, 0);
	snlua_allocate(copy, middle, 200, 0);
	snlua_allocate(copy, huge, 1 << 20, 0);
	state_image_drop(image);
	service_destroy(copy);
	service_destroy(origin);
}

static void
blocks_of_a_copy_never_overlap(void **state) {
	(void)state;
	struct snlua *origin = service_create(0), *copy = service_create(1);
	struct state_image *image = image_of(contents, origin);
	state_image_copy(image, copy);
	run(copy->L, "kept, string, debug = nil collectgarbage() collectgarbage()");
	unsigned char *blocks[BLOCKS] = {NULL};
	size_t sizes[BLOCKS] = {0};
	unsigned seed = 1;
	size_t inside = 0;
	for (int round = 0; round < ROUNDS; round++) {
		seed = seed * 1103515245 + 12345;
		int i = (int)(seed >> 8) % BLOCKS;
		size_t size = (seed >> 16) % 7 == 0 ? 0 : (seed >> 18) % 300 + 1;
		for (size_t at = 0; at < sizes[i]; at++)
			assert_int_equal(blocks[i][at], (unsigned char)i);
		blocks[i] = snlua_allocate(copy, blocks[i], blocks[i] != NULL ? sizes[i] : 0, size);
		sizes[i] = size;
		inside += size != 0 && is_inside(copy, blocks[i]);
		if (size != 0)
			memset(blocks[i], i, size);
	}
	assert_true(inside > 0);
	for (int i = 0; i < BLOCKS; i++)
		snlua_allocate(copy, blocks[i], sizes[i], 0);
	state_image_drop(image);
	service_destroy(copy);
	service_destroy(origin);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_hold_what_the_image_holds),
		cmocka_unit_test(copies_that_share_nothing_do_so_too),
		cmocka_unit_test(shared_code_keeps_all_that_belongs_to_it),
		cmocka_unit_test(copies_have_the_same_strings),
		cmocka_unit_test(a_state_that_is_not_as_it_is_known_shares_nothing),
		cmocka_unit_test(strings_are_found_when_their_table_could_not_grow),
		cmocka_unit_test(pointers_to_the_service_become_those_of_the_copy),
		cmocka_unit_test(a_state_with_keys_hashed_by_address_is_refused),
		cmocka_unit_test(a_state_with_variables_of_a_waiting_function_is_refused),
		cmocka_unit_test(what_is_freed_in_a_copy_is_used_again),
		cmocka_unit_test(blocks_of_a_copy_never_overlap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
