/* Unit tests of data/timer_wheel, among them a comparison with a model that is too simple to be
 * wrong. */
#include "data/timer_wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char owner_a;
static char owner_b;

static uint64_t
add(struct timer_wheel *wheel, uint64_t expire_ms, int session) {
	struct timer_payload payload = {.owner = &owner_a, .handle = 1, .session = session};
	return timer_wheel_add(wheel, expire_ms, &payload);
}

static bool
cancel(struct timer_wheel *wheel, uint64_t id) {
	return timer_wheel_cancel(wheel, id, &owner_a, 1);
}

/* Collects what has expired and checks that it is the given sessions, ended by 0. */
static void
assert_expired(struct timer_wheel *wheel, uint64_t now_ms, const int *sessions) {
	struct timer_payload expired[16];
	size_t n = timer_wheel_collect(wheel, now_ms, expired, 16);
	size_t i = 0;
	for (; sessions[i] != 0; i++) {
		assert_true(i < n);
		assert_int_equal(expired[i].session, sessions[i]);
	}
	assert_int_equal(n, i);
}

#define EXPIRED(wheel, now_ms, ...) assert_expired(wheel, now_ms, (const int[]){__VA_ARGS__, 0})
#define NONE_EXPIRED(wheel, now_ms) assert_expired(wheel, now_ms, (const int[]){0})

static void
a_timer_expires_at_its_time_and_not_before(void **state) {
	(void)state;
	static const uint64_t delays[] = {1, 2, 63, 64, 65, 4095, 4096, 4097, 262144, 1000000,
		21474836470, UINT64_C(1) << 36, UINT64_C(1) << 50, UINT64_C(1) << 62};
	for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
		struct timer_wheel *wheel = timer_wheel_create(1000003);
		uint64_t expire = 1000003 + delays[i];
		add(wheel, expire, 1);
		assert_true(timer_wheel_next(wheel) == expire);
		NONE_EXPIRED(wheel, expire - 1);
		assert_int_equal(timer_wheel_count(wheel), 1);
		EXPIRED(wheel, expire, 1);
		assert_int_equal(timer_wheel_count(wheel), 0);
		assert_true(timer_wheel_next(wheel) == TIMER_WHEEL_NEVER);
		timer_wheel_destroy(wheel);
	}
}

static void
payload_comes_back_as_it_was(void **state) {
	(void)state;
	struct timer_wheel *wheel = timer_wheel_create(0);
	struct timer_payload payload = {.owner = &owner_b, .handle = 0xffffffff, .session = -5};
	struct timer_payload expired;
	timer_wheel_add(wheel, 10, &payload);
	assert_int_equal(timer_wheel_collect(wheel, 10, &expired, 1), 1);
	assert_ptr_equal(expired.owner, &owner_b);
	assert_int_equal(expired.handle, 0xffffffff);
	assert_int_equal(expired.session, -5);
	timer_wheel_destroy(wheel);
}

static void
timers_expire_in_order_of_time_and_then_of_creation(void **state) {
	(void)state;
	struct timer_wheel *wheel = timer_wheel_create(0);
	/* The same expiry from far, from near and from very near. */
	add(wheel, 5000, 1);
	add(wheel, 4999, 2);
	NONE_EXPIRED(wheel, 4500);
	add(wheel, 5000, 3);
	add(wheel, 4999, 4);
	NONE_EXPIRED(wheel, 4998);
	add(wheel, 5000, 5);
	add(wheel, 4999, 6);
	EXPIRED(wheel, 6000, 2, 4, 6, 1, 3, 5);
	timer_wheel_destroy(wheel);
}

static void
a_timer_in_the_past_expires_with_the_next_collect(void **state) {
	(void)state;
	struct timer_wheel *wheel = timer_wheel_create(777);
	add(wheel, 5, 1);
	assert_int_equal(timer_wheel_next(wheel), 777);
	add(wheel, 777, 2);
	add(wheel, 778, 3);
	EXPIRED(wheel, 777, 1, 2);
	EXPIRED(wheel, 778, 3);
	timer_wheel_destroy(wheel);
}

static void
time_that_goes_back_does_nothing(void **state) {
	(void)state;
	struct timer_wheel *wheel = timer_wheel_create(1000);
	add(wheel, 2000, 1);
	NONE_EXPIRED(wheel, 1500);
	NONE_EXPIRED(wheel, 3);
	NONE_EXPIRED(wheel, 1999);
	EXPIRED(wheel, 2000, 1);
	timer_wheel_destroy(wheel);
}

static void
collect_stops_at_the_capacity_and_goes_on(void **state) {
	(void)state;
	struct timer_wheel *wheel = timer_wheel_create(0);
	for (int i = 1; i <= 100; i++)
		add(wheel, i <= 50 ? 20 : 300, i);
	struct timer_payload expired[7];
	int session = 1;
	size_t n;
	do {
		n = timer_wheel_collect(wheel, 1000, expired, 7);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(expired[i].session, session++);
		/* What is added meanwhile has its turn, too. */
		if (session == 22)
			add(wheel, 300, 101);
	} while (n == 7);
	assert_int_equal(session, 102);
	timer_wheel_destroy(wheel);
}

static void
what_a_full_collect_left_can_be_cancelled(void **state) {
	(void)state;
	struct timer_wheel *wheel = timer_wheel_create(0);
	struct timer_payload expired[2];
	uint64_t ids[6];
	for (int i = 1; i <= 5; i++)
		ids[i] = add(wheel, 100, i);
	assert_int_equal(timer_wheel_collect(wheel, 200, expired, 2), 2);
	/* The entries of the first two are used again. */
	add(wheel, 150, 6);
	add(wheel, 160, 7);
	assert_true(cancel(wheel, ids[3]));
	EXPIRED(wheel, 200, 4, 5, 6, 7);
	timer_wheel_destroy(wheel);
}

static void
a_cancelled_timer_does_not_expire(void **state) {
	(void)state;
	struct timer_wheel *wheel = timer_wheel_create(0);
	uint64_t ids[6];
	for (int i = 1; i <= 5; i++)
		ids[i] = add(wheel, 100, i);
	assert_true(cancel(wheel, ids[1]));
	assert_true(cancel(wheel, ids[3]));
	assert_true(cancel(wheel, ids[5]));
	assert_false(cancel(wheel, ids[3]));
	assert_int_equal(timer_wheel_count(wheel), 2);
	EXPIRED(wheel, 100, 2, 4);
	assert_false(cancel(wheel, ids[2]));
	timer_wheel_destroy(wheel);
}

static void
next_is_right_again_after_one_vain_collect(void **state) {
	(void)state;
	struct timer_wheel *wheel = timer_wheel_create(0);
	uint64_t id = add(wheel, 5000, 1);
	add(wheel, 5003, 2);
	assert_int_equal(timer_wheel_next(wheel), 5000);
	cancel(wheel, id);
	assert_true(timer_wheel_next(wheel) <= 5003);
	NONE_EXPIRED(wheel, timer_wheel_next(wheel));
	assert_int_equal(timer_wheel_next(wheel), 5003);
	cancel(wheel, add(wheel, 3000, 3));
	assert_int_equal(timer_wheel_next(wheel), 5003);
	timer_wheel_destroy(wheel);
}

static void
an_id_is_positive_and_not_used_again_at_once(void **state) {
	(void)state;
	struct timer_wheel *wheel = timer_wheel_create(0);
	uint64_t last = 0;
	for (int i = 1; i <= 1000; i++) {
		uint64_t id = add(wheel, 10, i);
		assert_true((int64_t)id > 0);
		assert_true(id != last);
		assert_false(cancel(wheel, last));
		assert_true(cancel(wheel, id));
		last = id;
	}
	timer_wheel_destroy(wheel);
}

static void
ids_that_never_were_are_refused(void **state) {
	(void)state;
	struct timer_wheel *wheel = timer_wheel_create(0);
	assert_false(cancel(wheel, 0));
	assert_false(cancel(wheel, 1));
	uint64_t id = add(wheel, 10, 1);
	static const uint64_t wrong[] = {
		0, 2, 7, 8, 9, 513, UINT32_MAX, UINT64_MAX, UINT64_C(1) << 63, UINT64_C(1) << 32};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(cancel(wheel, wrong[i]));
	assert_false(cancel(wheel, id | UINT64_C(1) << 63));
	assert_true(cancel(wheel, id));
	timer_wheel_destroy(wheel);
}

static void
only_the_owner_cancels(void **state) {
	(void)state;
	struct timer_wheel *wheel = timer_wheel_create(0);
	uint64_t id = add(wheel, 10, 1);
	assert_false(timer_wheel_cancel(wheel, id, &owner_b, 1));
	assert_false(timer_wheel_cancel(wheel, id, &owner_a, 2));
	assert_true(timer_wheel_cancel(wheel, id, &owner_a, 1));
	timer_wheel_destroy(wheel);
}

/* More of them than stand together, in turn with others of the same time. */
static void
the_order_of_creation_holds_for_any_number_at_one_time(void **state) {
	(void)state;
	struct timer_wheel *wheel = timer_wheel_create(0);
	for (int i = 0; i < 300; i++) {
		struct timer_payload payload = {
			.owner = &owner_a, .handle = 1 + (uint32_t)(i % 3), .session = i};
		timer_wheel_add(wheel, 500 + (uint64_t)(i / 3 % 2), &payload);
	}
	struct timer_payload expired[4];
	int next[2][3] = {{0, 1, 2}, {3, 4, 5}};
	size_t total = 0, n;
	do {
		n = timer_wheel_collect(wheel, 600, expired, 4);
		for (size_t i = 0; i < n; i++, total++) {
			int *session = &next[total >= 150][expired[i].handle - 1];
			assert_int_equal(expired[i].session, *session);
			*session += 6;
		}
	} while (n == 4);
	assert_int_equal(total, 300);
	timer_wheel_destroy(wheel);
}

static void
those_that_stand_together_are_cancelled_one_by_one(void **state) {
	(void)state;
	struct timer_wheel *wheel = timer_wheel_create(0);
	uint64_t ids[21];
	for (int i = 1; i <= 20; i++)
		ids[i] = add(wheel, 100, i);
	for (int i = 1; i <= 14; i++)
		assert_true(cancel(wheel, ids[i]));
	/* What was for the cancelled ones is used again, for younger ones. */
	for (int i = 21; i <= 40; i++)
		add(wheel, 100, i);
	for (int i = 1; i <= 14; i++)
		assert_false(cancel(wheel, ids[i]));
	assert_int_equal(timer_wheel_count(wheel), 26);
	struct timer_payload expired[27];
	assert_int_equal(timer_wheel_collect(wheel, 100, expired, 27), 26);
	for (int i = 0; i < 26; i++)
		assert_int_equal(expired[i].session, i + 15);
	for (int i = 15; i <= 20; i++)
		assert_false(cancel(wheel, ids[i]));
	timer_wheel_destroy(wheel);
}

static void
cancel_owner_takes_all_of_one_owner(void **state) {
	(void)state;
	struct timer_wheel *wheel = timer_wheel_create(0);
	for (int i = 1; i <= 3000; i++) {
		struct timer_payload payload = {
			.owner = i % 3 ? &owner_a : &owner_b, .handle = 1, .session = i};
		timer_wheel_add(wheel, (uint64_t)i * 7, &payload);
	}
	assert_int_equal(timer_wheel_cancel_owner(wheel, &owner_a), 2000);
	assert_int_equal(timer_wheel_cancel_owner(wheel, &owner_a), 0);
	assert_int_equal(timer_wheel_count(wheel), 1000);
	struct timer_payload expired[1001];
	assert_int_equal(timer_wheel_collect(wheel, 30000, expired, 1001), 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(expired[i].session, (i + 1) * 3);
	timer_wheel_destroy(wheel);
}

struct chain {
	struct timer_wheel *wheel;
	uint64_t victim;
	int sessions[20];
	int count;
};

static void
expire_in_chain(const struct timer_payload *payload, void *ud) {
	struct chain *chain = ud;
	chain->sessions[chain->count++] = payload->session;
	if (payload->session < 5)
		add(chain->wheel, (uint64_t)(payload->session + 1) * 10, payload->session + 1);
	if (payload->session == 3)
		assert_true(cancel(chain->wheel, chain->victim));
}

static void
a_callback_may_add_and_cancel(void **state) {
	(void)state;
	struct chain chain = {.wheel = timer_wheel_create(0)};
	add(chain.wheel, 10, 1);
	chain.victim = add(chain.wheel, 31, 100);
	add(chain.wheel, 45, 200);
	assert_int_equal(timer_wheel_advance(chain.wheel, 50, expire_in_chain, &chain), 6);
	static const int order[] = {1, 2, 3, 4, 200, 5};
	assert_memory_equal(chain.sessions, order, sizeof(order));
	timer_wheel_destroy(chain.wheel);
}

static void
years_without_timers_pass_in_one_step(void **state) {
	(void)state;
	struct timer_wheel *wheel = timer_wheel_create(0);
	uint64_t year = UINT64_C(365) * 86400 * 1000;
	/* Were there a step per millisecond, this would not end today. */
	for (uint64_t i = 1; i <= 1000; i++) {
		NONE_EXPIRED(wheel, i * year);
		add(wheel, i * year + 5, 1);
		add(wheel, i * year + year / 2, 2);
		EXPIRED(wheel, i * year + year / 2 + 1, 1, 2);
	}
	NONE_EXPIRED(wheel, UINT64_MAX - 1);
	add(wheel, UINT64_MAX, 7);
	EXPIRED(wheel, UINT64_MAX, 7);
	timer_wheel_destroy(wheel);
}

/* ---- against the model: an unordered array, searched for the first in order ---- */

#define MODEL_MAX 400

struct model_timer {
	uint64_t expire;
	uint64_t id;
	int session; /* rises with creation */
	uint32_t handle;
};

struct model {
	struct timer_wheel *wheel;
	uint64_t now;
	struct model_timer timers[MODEL_MAX];
	int count;
	int last_session;
	uint64_t random;
};

static uint64_t
random_below(struct model *model, uint64_t limit) {
	/* xorshift */
	model->random ^= model->random << 13;
	model->random ^= model->random >> 7;
	model->random ^= model->random << 17;
	return model->random % limit;
}

/* A delay of any magnitude up to 2^35. */
static uint64_t
random_delay(struct model *model) {
	return random_below(model, UINT64_C(1) << random_below(model, 36));
}

static void
model_add(struct model *model) {
	if (model->count == MODEL_MAX)
		return;
	struct model_timer *timer = &model->timers[model->count++];
	timer->expire = model->now + random_delay(model);
	timer->session = ++model->last_session;
	timer->handle = 1 + (uint32_t)random_below(model, 3);
	/* Often the same time as another one. */
	if (random_below(model, 3) == 0 && model->count > 1)
		timer->expire =
			model->timers[random_below(model, (uint64_t)model->count - 1)].expire;
	struct timer_payload payload = {&owner_a, timer->handle, timer->session};
	timer->id = timer_wheel_add(model->wheel, timer->expire, &payload);
}

static bool
model_cancel_id(struct model *model, const struct model_timer *timer) {
	return timer_wheel_cancel(model->wheel, timer->id, &owner_a, timer->handle);
}

static void
model_cancel(struct model *model) {
	if (model->count == 0)
		return;
	struct model_timer *timer = &model->timers[random_below(model, (uint64_t)model->count)];
	assert_true(model_cancel_id(model, timer));
	assert_false(model_cancel_id(model, timer));
	*timer = model->timers[--model->count];
}

/* The first of the timers of `handle`, or of all when that is 0. */
static int
model_first(const struct model *model, uint32_t handle) {
	int first = -1;
	for (int i = 0; i < model->count; i++) {
		const struct model_timer *a = &model->timers[i];
		if (handle != 0 && a->handle != handle)
			continue;
		const struct model_timer *b = &model->timers[first < 0 ? i : first];
		if (first < 0 || a->expire < b->expire ||
			(a->expire == b->expire && a->session < b->session))
			first = i;
	}
	return first;
}

static void
model_check_next(const struct model *model) {
	int first = model_first(model, 0);
	uint64_t next = timer_wheel_next(model->wheel);
	assert_int_equal(timer_wheel_count(model->wheel), model->count);
	if (first < 0)
		assert_true(next == TIMER_WHEEL_NEVER);
	else
		assert_true(next <= model->timers[first].expire);
}

static void
model_advance(struct model *model) {
	uint64_t next = timer_wheel_next(model->wheel);
	/* By any amount, or as the kernel does: to the time asked for. */
	if (random_below(model, 2) == 0 && next != TIMER_WHEEL_NEVER && next > model->now)
		model->now = next;
	else
		model->now += random_delay(model);
	struct timer_payload expired[9];
	size_t n;
	do {
		size_t capacity = 1 + random_below(model, 9);
		n = timer_wheel_collect(model->wheel, model->now, expired, capacity);
		for (size_t i = 0; i < n; i++) {
			int earliest = model_first(model, 0);
			int first = model_first(model, expired[i].handle);
			assert_true(first >= 0);
			assert_true(model->timers[first].expire <= model->now);
			assert_int_equal(
				model->timers[first].expire, model->timers[earliest].expire);
			assert_int_equal(expired[i].session, model->timers[first].session);
			model->timers[first] = model->timers[--model->count];
		}
		if (n < capacity)
			break;
	} while (n > 0);
	int first = model_first(model, 0);
	if (first >= 0)
		assert_true(model->timers[first].expire > model->now);
}

static void
random_operations_agree_with_the_model(void **state) {
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		static struct model model;
		memset(&model, 0, sizeof(model));
		model.random = seed * UINT64_C(0x9e3779b97f4a7c15);
		model.now = random_delay(&model);
		model.wheel = timer_wheel_create(model.now);
		for (int i = 0; i < 1500; i++) {
			uint64_t choice = random_below(&model, 10);
			if (choice < 6)
				model_add(&model);
			else if (choice < 8)
				model_cancel(&model);
			else
				model_advance(&model);
			model_check_next(&model);
		}
		timer_wheel_destroy(model.wheel);
	}
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timer_expires_at_its_time_and_not_before),
		cmocka_unit_test(payload_comes_back_as_it_was),
		cmocka_unit_test(timers_expire_in_order_of_time_and_then_of_creation),
		cmocka_unit_test(a_timer_in_the_past_expires_with_the_next_collect),
		cmocka_unit_test(time_that_goes_back_does_nothing),
		cmocka_unit_test(collect_stops_at_the_capacity_and_goes_on),
		cmocka_unit_test(what_a_full_collect_left_can_be_cancelled),
		cmocka_unit_test(a_cancelled_timer_does_not_expire),
		cmocka_unit_test(next_is_right_again_after_one_vain_collect),
		cmocka_unit_test(an_id_is_positive_and_not_used_again_at_once),
		cmocka_unit_test(ids_that_never_were_are_refused),
		cmocka_unit_test(only_the_owner_cancels),
		cmocka_unit_test(the_order_of_creation_holds_for_any_number_at_one_time),
		cmocka_unit_test(those_that_stand_together_are_cancelled_one_by_one),
		cmocka_unit_test(cancel_owner_takes_all_of_one_owner),
		cmocka_unit_test(a_callback_may_add_and_cancel),
		cmocka_unit_test(years_without_timers_pass_in_one_step),
		cmocka_unit_test(random_operations_agree_with_the_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
