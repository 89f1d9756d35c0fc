/* The functions of timeouts, against a naive table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lauxlib.h>

#include "lua_timeout.h"

#define RANGE 8192

struct model {
	lua_State *L;
	struct timeout_store store;
	int base; /* the sessions are behind it */
	bool there[RANGE];
	int count;
	uint32_t random;
};

static uint32_t
random_below(struct model *model, uint32_t limit) {
	model->random = model->random * 1664525u + 1013904223u;
	return (model->random >> 8) % limit;
}

static void
model_begin(struct model *model, int base) {
	*model = (struct model){.base = base, .store = TIMEOUT_STORE_EMPTY, .random = 1};
	model->L = luaL_newstate();
	assert_non_null(model->L);
}

static void
model_end(struct model *model) {
	timeout_store_clear(&model->store);
	lua_close(model->L);
}

/* Where there would be a function, its session stands for it. */
static void
add(struct model *model, int at) {
	lua_pushinteger(model->L, model->base + at);
	timeout_store_add(model->L, &model->store, lua_gettop(model->L), model->base + at);
	lua_settop(model->L, 0);
	model->there[at] = true;
	model->count++;
}

static void
take(struct model *model, int at) {
	int session = model->base + at;
	assert_int_equal(timeout_store_has(model->L, &model->store, session), model->there[at]);
	assert_int_equal(timeout_store_take(model->L, &model->store, session), model->there[at]);
	assert_int_equal(lua_gettop(model->L), model->there[at]);
	if (model->there[at]) {
		assert_int_equal(lua_tointeger(model->L, -1), session);
		model->count--;
	}
	lua_settop(model->L, 0);
	model->there[at] = false;
	assert_int_equal(model->store.count, model->count);
}

/* Takes up to `limit` of them as timeout_store_next tells. */
static void
walk(struct model *model, int limit) {
	struct timeout_cursor cursor = {0};
	int session;
	while (limit-- > 0 &&
		(session = timeout_store_next(model->L, &model->store, &cursor)) != 0) {
		assert_int_equal(lua_gettop(model->L), 0);
		int at = session - model->base;
		assert_in_range(at, 0, RANGE - 1);
		assert_true(model->there[at]);
		take(model, at);
		/* Others come meanwhile. */
		int more = (int)random_below(model, RANGE);
		if (random_below(model, 50) == 0 && !model->there[more])
			add(model, more);
	}
	if (limit >= 0)
		assert_int_equal(model->count, 0);
}

/* Bursts of sessions in a row, single ones in between. */
static void
check_against_model(int base) {
	static struct model model;
	model_begin(&model, base);
	int at = 0;
	for (int round = 0; round < 400; round++) {
		uint32_t length = random_below(&model, 2) ? random_below(&model, 2000) : 1;
		for (; length > 0; length--) {
			if (!model.there[at])
				add(&model, at);
			at = (at + 1) % RANGE;
		}
		at = (at + (int)random_below(&model, 3)) % RANGE;
		for (uint32_t i = random_below(&model, 4000); i > 0; i--)
			take(&model, (int)random_below(&model, RANGE));
		if (random_below(&model, 20) == 0)
			walk(&model, random_below(&model, 2) ? 100 : INT32_MAX);
	}
	walk(&model, INT32_MAX);
	assert_int_equal(model.count, 0);
	model_end(&model);
}

static void
agrees_with_a_model(void **state) {
	(void)state;
	check_against_model(1);
	check_against_model(1000000);
	check_against_model(INT32_MAX - RANGE + 1);
}

static void
sessions_that_were_never_added_have_nothing(void **state) {
	(void)state;
	static struct model model;
	model_begin(&model, 1);
	struct timeout_cursor cursor = {0};
	assert_int_equal(timeout_store_next(model.L, &model.store, &cursor), 0);
	assert_false(timeout_store_has(model.L, &model.store, 1));
	for (int i = 0; i < 1000; i++)
		add(&model, i);
	static const int strange[] = {0, -1, INT32_MIN, INT32_MAX, 1001, 1 << 20};
	for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++) {
		assert_false(timeout_store_has(model.L, &model.store, strange[i]));
		assert_false(timeout_store_take(model.L, &model.store, strange[i]));
	}
	model_end(&model);
}

static void
a_few_or_scattered_ones_open_no_page(void **state) {
	(void)state;
	static struct model model;
	model_begin(&model, 1);
	/* One after the other, never many at once. */
	for (int i = 0; i < RANGE; i++) {
		add(&model, i);
		take(&model, i);
	}
	/* Many at once, but not in a row. */
	for (int i = 0; i < RANGE; i += 2)
		add(&model, i);
	assert_int_equal(model.store.pages.count, 0);
	model_end(&model);
}

static void
after_a_burst_one_page_stays(void **state) {
	(void)state;
	static struct model model;
	model_begin(&model, 1);
	for (int i = 0; i < RANGE; i++)
		add(&model, i);
	assert_in_range(model.store.pages.count, RANGE / 256 - 2, RANGE / 256 + 1);
	for (int i = RANGE - 1; i >= 0; i--)
		take(&model, i);
	assert_int_equal(model.store.pages.count, 1);
	lua_gc(model.L, LUA_GCCOLLECT);
	assert_in_range(lua_gc(model.L, LUA_GCCOUNT), 0, 16);
	/* It is used again. */
	for (int i = 0; i < 320; i++)
		add(&model, i);
	for (int i = 0; i < 320; i++)
		take(&model, i);
	assert_int_equal(model.store.pages.count, 1);
	model_end(&model);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_a_model),
		cmocka_unit_test(sessions_that_were_never_added_have_nothing),
		cmocka_unit_test(a_few_or_scattered_ones_open_no_page),
		cmocka_unit_test(after_a_burst_one_page_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
