/* Unit tests of data/handle_table. Includes the source, to begin close to the end of the handles.
 */
#include "data/handle_table.c"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct thing {
	struct handle_object object;
	uint32_t handle; /* what it was registered as; 0 when it is dead */
	uint32_t data[20];
};

struct fixture {
	struct handle_table *table;
	atomic_int ended;        /* things whose last reference was dropped */
	atomic_uint last_handle; /* of the last one */
	bool use_table_at_end;   /* the callback goes back into the table */
	bool grab_at_end;        /* the callback plays a reader that comes late */
	int grabbed_late;
};

/* A grab that has read the slot before the object was retired. */
static bool
grab_late(struct handle_table *table, uint32_t handle, struct handle_object *object) {
	struct handle_slots *slots = slots_of(table);
	atomic_store(&slots->slot[handle & slots->mask], object);
	bool grabbed = handle_table_grab(table, handle) != NULL;
	atomic_store(&slots->slot[handle & slots->mask], NULL);
	return grabbed;
}

static void
thing_ended(struct handle_object *object, void *ud) {
	struct fixture *fixture = ud;
	struct thing *thing = (struct thing *)object;
	uint32_t handle = handle_object_handle(object);
	thing->handle = 0;
	atomic_store(&fixture->last_handle, handle);
	atomic_fetch_add(&fixture->ended, 1);
	if (fixture->grab_at_end)
		fixture->grabbed_late += grab_late(fixture->table, handle, object);
	if (fixture->use_table_at_end)
		handle_table_name(fixture->table, "late", handle);
}

static int
setup(void **state) {
	static struct fixture fixture;
	memset(&fixture, 0, sizeof(fixture));
	fixture.table = handle_table_create(sizeof(struct thing), 0, thing_ended, &fixture);
	*state = &fixture;
	return 0;
}

static int
teardown(void **state) {
	struct fixture *fixture = *state;
	size_t count;
	uint32_t *handles = handle_table_list(fixture->table, &count);
	for (size_t i = 0; i < count; i++)
		handle_table_retire(fixture->table, handles[i]);
	skynet_free(handles);
	handle_table_destroy(fixture->table);
	return 0;
}

/* A thing of which only the table has a reference. */
static uint32_t
add(struct handle_table *table) {
	struct thing *thing = (struct thing *)handle_table_alloc(table);
	uint32_t handle = handle_table_register(table, &thing->object);
	thing->handle = handle;
	handle_table_drop(table, &thing->object);
	return handle;
}

static void
handles_count_up_from_one(void **state) {
	struct fixture *fixture = *state;
	for (uint32_t i = 1; i <= 1000; i++)
		assert_int_equal(add(fixture->table), i);
	assert_int_equal(handle_table_count(fixture->table), 1000);
}

static void
handles_carry_the_harbor_id(void **state) {
	struct fixture *fixture = *state;
	struct handle_table *table =
		handle_table_create(sizeof(struct thing), 0xa5, thing_ended, fixture);
	assert_int_equal(add(table), 0xa5000001);
	assert_int_equal(add(table), 0xa5000002);
	assert_null(handle_table_grab(table, 1));
	assert_null(handle_table_grab(table, 0xa6000001));
	assert_false(handle_table_retire(table, 1));
	assert_true(handle_table_retire(table, 0xa5000001));
	assert_true(handle_table_retire(table, 0xa5000002));
	handle_table_destroy(table);
}

static void
a_handle_is_not_used_again_at_once(void **state) {
	struct fixture *fixture = *state;
	uint32_t last = 0;
	for (int i = 0; i < 5000; i++) {
		uint32_t handle = add(fixture->table);
		assert_true(handle > last);
		last = handle;
		assert_true(handle_table_retire(fixture->table, handle));
	}
	/* One thing at a time needs one thing's memory. */
	assert_int_equal(fixture->ended, 5000);
	assert_null(fixture->table->chunks->previous);
}

static void
an_occupied_slot_is_skipped(void **state) {
	struct fixture *fixture = *state;
	struct handle_table *table = fixture->table;
	assert_int_equal(add(table), 1);
	assert_int_equal(add(table), 2);
	for (uint32_t i = 3; i <= SLOTS_MIN; i++)
		handle_table_retire(table, add(table));
	/* Those whose slots are taken by 1 and 2 are left out. */
	assert_int_equal(add(table), SLOTS_MIN + 3);
}

static void
indexes_wrap_and_skip_those_in_use(void **state) {
	struct fixture *fixture = *state;
	struct handle_table *table = fixture->table;
	assert_int_equal(add(table), 1);
	assert_int_equal(add(table), 2);
	table->next_index = HANDLE_MASK;
	assert_int_equal(add(table), HANDLE_MASK);
	assert_int_equal(add(table), 3);
	struct handle_object *object = handle_table_grab(table, HANDLE_MASK);
	assert_non_null(object);
	handle_table_drop(table, object);
}

static void
grab_finds_what_is_registered_and_nothing_else(void **state) {
	struct fixture *fixture = *state;
	struct handle_table *table = fixture->table;
	struct handle_object *object = handle_table_alloc(table);
	assert_int_equal(handle_object_handle(object), 0);
	assert_null(handle_table_grab(table, 0));
	assert_null(handle_table_grab(table, 1));
	uint32_t handle = handle_table_register(table, object);
	assert_int_equal(handle_object_handle(object), handle);
	assert_ptr_equal(handle_table_grab(table, handle), object);
	assert_null(handle_table_grab(table, handle + 1));
	assert_null(handle_table_grab(table, handle + SLOTS_MIN));
	assert_null(handle_table_grab(table, UINT32_MAX));
	assert_null(handle_table_grab(table, 0));
	handle_table_drop(table, object);
	handle_table_drop(table, object);
}

static void
an_object_begins_with_zeros_and_aligned(void **state) {
	struct fixture *fixture = *state;
	for (int round = 0; round < 2; round++) {
		struct thing *things[30];
		for (int i = 0; i < 30; i++) {
			things[i] = (struct thing *)handle_table_alloc(fixture->table);
			assert_int_equal((uintptr_t)things[i] % 64, 0);
			for (size_t k = 0; k < 20; k++)
				assert_int_equal(things[i]->data[k], 0);
			memset(things[i]->data, 0xff, sizeof(things[i]->data));
		}
		for (int i = 0; i < 30; i++)
			handle_table_drop(fixture->table, &things[i]->object);
	}
	assert_int_equal(fixture->ended, 60);
}

static void
retired_object_lives_until_its_last_reference_goes(void **state) {
	struct fixture *fixture = *state;
	struct handle_table *table = fixture->table;
	uint32_t handle = add(table);
	struct handle_object *object = handle_table_grab(table, handle);
	handle_table_hold(object);
	assert_true(handle_table_retire(table, handle));
	assert_int_equal(handle_table_count(table), 0);
	assert_null(handle_table_grab(table, handle));
	assert_false(handle_table_retire(table, handle));
	assert_int_equal(handle_object_handle(object), handle);
	handle_table_drop(table, object);
	assert_int_equal(fixture->ended, 0);
	handle_table_drop(table, object);
	assert_int_equal(fixture->ended, 1);
	assert_int_equal(fixture->last_handle, handle);
}

static void
an_object_that_was_never_registered_ends_as_well(void **state) {
	struct fixture *fixture = *state;
	handle_table_drop(fixture->table, handle_table_alloc(fixture->table));
	assert_int_equal(fixture->ended, 1);
	assert_int_equal(fixture->last_handle, 0);
}

static void
the_table_grows_and_finds_all(void **state) {
	struct fixture *fixture = *state;
	for (uint32_t i = 1; i <= 20000; i++)
		add(fixture->table);
	for (uint32_t i = 1; i <= 20000; i += 3)
		assert_true(handle_table_retire(fixture->table, i));
	for (uint32_t i = 1; i <= 20000; i++) {
		struct handle_object *object = handle_table_grab(fixture->table, i);
		assert_int_equal(object != NULL, i % 3 != 1);
		if (object != NULL) {
			assert_int_equal(((struct thing *)object)->handle, i);
			handle_table_drop(fixture->table, object);
		}
	}
}

static void
list_is_in_order_of_registration_also_after_a_wrap(void **state) {
	struct fixture *fixture = *state;
	size_t count = 77;
	assert_null(handle_table_list(fixture->table, &count));
	assert_int_equal(count, 0);
	fixture->table->next_index = HANDLE_MASK - 1;
	for (int i = 0; i < 5; i++)
		add(fixture->table);
	handle_table_retire(fixture->table, 2);
	uint32_t *handles = handle_table_list(fixture->table, &count);
	assert_int_equal(count, 4);
	assert_int_equal(handles[0], HANDLE_MASK - 1);
	assert_int_equal(handles[1], HANDLE_MASK);
	assert_int_equal(handles[2], 1);
	assert_int_equal(handles[3], 3);
	skynet_free(handles);
}

static void
a_name_is_found_and_stays_with_its_handle(void **state) {
	struct fixture *fixture = *state;
	struct handle_table *table = fixture->table;
	uint32_t first = add(table);
	uint32_t second = add(table);
	const char *name = handle_table_name(table, "logger", first);
	assert_string_equal(name, "logger");
	assert_int_equal(handle_table_find_name(table, "logger"), first);
	assert_int_equal(handle_table_find_name(table, "logge"), 0);
	assert_int_equal(handle_table_find_name(table, ""), 0);
	assert_null(handle_table_name(table, "logger", second));
	assert_null(handle_table_name(table, "logger", first));
	assert_int_equal(handle_table_find_name(table, "logger"), first);
	assert_string_equal(name, "logger");
}

static void
a_handle_has_several_names_and_loses_them_when_it_retires(void **state) {
	struct fixture *fixture = *state;
	struct handle_table *table = fixture->table;
	uint32_t first = add(table);
	uint32_t second = add(table);
	char name[32];
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "name%d", i);
		assert_non_null(handle_table_name(table, name, i % 2 ? first : second));
	}
	assert_true(handle_table_retire(table, first));
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "name%d", i);
		assert_int_equal(handle_table_find_name(table, name), i % 2 ? 0 : second);
	}
	assert_non_null(handle_table_name(table, "name1", second));
	assert_int_equal(handle_table_find_name(table, "name1"), second);
}

static void
a_name_may_wait_for_its_handle(void **state) {
	struct fixture *fixture = *state;
	struct handle_table *table = fixture->table;
	assert_non_null(handle_table_name(table, "early", 1));
	assert_non_null(handle_table_name(table, "other", 0x02000001));
	assert_int_equal(handle_table_find_name(table, "early"), 1);
	assert_int_equal(add(table), 1);
	assert_null(handle_table_name(table, "early", 2));
	assert_true(handle_table_retire(table, 1));
	assert_int_equal(handle_table_find_name(table, "early"), 0);
	assert_int_equal(handle_table_find_name(table, "other"), 0x02000001);
}

static void
a_name_taken_by_the_dying_is_freed_with_it(void **state) {
	struct fixture *fixture = *state;
	struct handle_table *table = fixture->table;
	uint32_t handle = add(table);
	struct handle_object *object = handle_table_grab(table, handle);
	handle_table_retire(table, handle);
	assert_non_null(handle_table_name(table, "zombie", handle));
	fixture->use_table_at_end = true;
	handle_table_drop(table, object);
	fixture->use_table_at_end = false;
	assert_int_equal(handle_table_find_name(table, "zombie"), 0);
	assert_int_equal(handle_table_find_name(table, "late"), 0);
}

static void
name_of_a_handle_is_copied_and_cut(void **state) {
	struct fixture *fixture = *state;
	struct handle_table *table = fixture->table;
	uint32_t handle = add(table);
	char name[5];
	assert_false(handle_table_name_of(table, handle, name, sizeof(name)));
	assert_false(handle_table_name_of(table, handle + 1, name, sizeof(name)));
	handle_table_name(table, "launcher", handle);
	assert_true(handle_table_name_of(table, handle, name, sizeof(name)));
	assert_string_equal(name, "laun");
	assert_true(handle_table_name_of(table, handle, NULL, 0));
}

static void
a_reader_that_comes_late_gets_nothing(void **state) {
	struct fixture *fixture = *state;
	struct handle_table *table = fixture->table;
	uint32_t handle = add(table);
	struct handle_object *object = handle_table_grab(table, handle);
	handle_table_drop(table, object);
	fixture->grab_at_end = true;
	handle_table_retire(table, handle);
	fixture->grab_at_end = false;
	/* While it ended, in the pool, in use without a handle, and with another one. */
	assert_int_equal(fixture->grabbed_late, 0);
	assert_false(grab_late(table, handle, object));
	assert_ptr_equal(handle_table_alloc(table), object);
	assert_false(grab_late(table, handle, object));
	handle_table_register(table, object);
	assert_false(grab_late(table, handle, object));
	handle_table_drop(table, object);
}

/* ---- threads ---- */

#define STRESS_HANDLES 32
#define STRESS_ROUNDS  20000

struct stress {
	struct fixture *fixture;
	_Atomic(uint32_t) handles[STRESS_HANDLES];
	atomic_int started; /* things */
	atomic_bool quit;
	atomic_int hits;
	atomic_int wrong;
};

/* Grabs handles, most of them about to be retired, and looks whether it got the right thing. */
static void *
grabber(void *ud) {
	struct stress *stress = ud;
	struct handle_table *table = stress->fixture->table;
	unsigned i = 0;
	while (!atomic_load(&stress->quit)) {
		uint32_t handle = atomic_load(&stress->handles[i++ % STRESS_HANDLES]);
		struct thing *thing = (struct thing *)handle_table_grab(table, handle);
		if (thing == NULL)
			continue;
		atomic_fetch_add(&stress->hits, 1);
		if (thing->handle != handle || handle_object_handle(&thing->object) != handle)
			atomic_fetch_add(&stress->wrong, 1);
		if (i % 7 == 0) {
			handle_table_hold(&thing->object);
			handle_table_drop(table, &thing->object);
		}
		handle_table_drop(table, &thing->object);
	}
	return NULL;
}

/* Replaces things by others as fast as it can; now and then more of them, so that the table grows.
 */
static void *
replacer(void *ud) {
	struct stress *stress = ud;
	struct handle_table *table = stress->fixture->table;
	uint32_t more[64];
	for (unsigned i = 0; i < STRESS_ROUNDS; i++) {
		struct thing *thing = (struct thing *)handle_table_alloc(table);
		atomic_fetch_add(&stress->started, 1);
		uint32_t handle = handle_table_register(table, &thing->object);
		thing->handle = handle;
		uint32_t old = atomic_exchange(&stress->handles[i * 5 % STRESS_HANDLES], handle);
		handle_table_drop(table, &thing->object);
		handle_table_retire(table, old);
		if (i % 1024 != 0)
			continue;
		for (int k = 0; k < 64; k++) {
			more[k] = add(table);
			atomic_fetch_add(&stress->started, 1);
		}
		for (int k = 0; k < 64; k++)
			handle_table_retire(table, more[k]);
	}
	return NULL;
}

static void
grab_and_retire_race_without_harm(void **state) {
	struct fixture *fixture = *state;
	static struct stress stress;
	memset(&stress, 0, sizeof(stress));
	stress.fixture = fixture;
	pthread_t grabbers[2];
	pthread_t replacers[2];
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_create(&grabbers[i], NULL, grabber, &stress), 0);
		assert_int_equal(pthread_create(&replacers[i], NULL, replacer, &stress), 0);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(replacers[i], NULL);
	atomic_store(&stress.quit, true);
	for (int i = 0; i < 2; i++)
		pthread_join(grabbers[i], NULL);
	for (int i = 0; i < STRESS_HANDLES; i++)
		handle_table_retire(fixture->table, stress.handles[i]);
	assert_int_equal(stress.wrong, 0);
	assert_true(stress.hits > 0);
	assert_int_equal(handle_table_count(fixture->table), 0);
	assert_int_equal(fixture->ended, stress.started);
}

/* ---- failures ---- */

static void
all_handles_in_use_is_told(void **state) {
	struct fixture *fixture = *state;
	struct handle_table *table = fixture->table;
	struct handle_object *object = handle_table_alloc(table);
	table->registered = HANDLE_MASK;
	assert_int_equal(handle_table_register(table, object), 0);
	assert_int_equal(handle_object_handle(object), 0);
	table->registered = 0;
	assert_int_equal(handle_table_register(table, object), 1);
	handle_table_drop(table, object);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void) {
	const struct CMUnitTest tests[] = {
		TEST(handles_count_up_from_one),
		TEST(handles_carry_the_harbor_id),
		TEST(a_handle_is_not_used_again_at_once),
		TEST(an_occupied_slot_is_skipped),
		TEST(indexes_wrap_and_skip_those_in_use),
		TEST(grab_finds_what_is_registered_and_nothing_else),
		TEST(an_object_begins_with_zeros_and_aligned),
		TEST(retired_object_lives_until_its_last_reference_goes),
		TEST(an_object_that_was_never_registered_ends_as_well),
		TEST(the_table_grows_and_finds_all),
		TEST(list_is_in_order_of_registration_also_after_a_wrap),
		TEST(a_name_is_found_and_stays_with_its_handle),
		TEST(a_handle_has_several_names_and_loses_them_when_it_retires),
		TEST(a_name_may_wait_for_its_handle),
		TEST(a_name_taken_by_the_dying_is_freed_with_it),
		TEST(name_of_a_handle_is_copied_and_cut),
		TEST(a_reader_that_comes_late_gets_nothing),
		TEST(grab_and_retire_race_without_harm),
		TEST(all_handles_in_use_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
