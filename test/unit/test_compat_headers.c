/* The headers that C modules written for the reference include: they compile together, twice, and
 * what is inline works. Functions of the kernel are not called, only their types are looked at.
 */
#include "atomic.h"
#include "malloc_hook.h"
#include "mem_info.h"
#include "rwlock.h"
#include "skynet.h"
#include "skynet_env.h"
#include "skynet_handle.h"
#include "skynet_harbor.h"
#include "skynet_imp.h"
#include "skynet_log.h"
#include "skynet_malloc.h"
#include "skynet_module.h"
#include "skynet_monitor.h"
#include "skynet_mq.h"
#include "skynet_server.h"
#include "skynet_timer.h"
#include "spinlock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Fails to compile when a declaration has another type than modules expect. */
#define SAME_TYPE(name, ...) _Static_assert(_Generic(&name, __VA_ARGS__ : 1, default : 0), #name)

struct lua_State;
SAME_TYPE(skynet_context_handle, uint32_t (*)(struct skynet_context *));
SAME_TYPE(skynet_context_newsession, int (*)(struct skynet_context *));
SAME_TYPE(skynet_context_push, int (*)(uint32_t, struct skynet_message *));
SAME_TYPE(
	skynet_context_send, void (*)(struct skynet_context *, void *, size_t, uint32_t, int, int));
SAME_TYPE(skynet_context_release, struct skynet_context *(*)(struct skynet_context *));
SAME_TYPE(skynet_context_total, int (*)(void));
SAME_TYPE(skynet_getenv, const char *(*)(const char *));
SAME_TYPE(skynet_setenv, void (*)(const char *, const char *));
SAME_TYPE(skynet_handle_grab, struct skynet_context *(*)(uint32_t));
SAME_TYPE(skynet_handle_findname, uint32_t (*)(const char *));
SAME_TYPE(skynet_handle_namehandle, const char *(*)(uint32_t, const char *));
SAME_TYPE(skynet_handle_retire, int (*)(uint32_t));
SAME_TYPE(skynet_timeout, int (*)(uint32_t, int, int));
SAME_TYPE(skynet_starttime, uint32_t (*)(void));
SAME_TYPE(skynet_thread_time, uint64_t (*)(void));
SAME_TYPE(skynet_harbor_start, void (*)(struct skynet_context *));
SAME_TYPE(skynet_strdup, char *(*)(const char *));
SAME_TYPE(malloc_used_memory, size_t (*)(void));
SAME_TYPE(malloc_memory_block, size_t (*)(void));
SAME_TYPE(malloc_current_memory, size_t (*)(void));
SAME_TYPE(dump_mem_lua, int (*)(struct lua_State *));
SAME_TYPE(mallctl_int64, size_t (*)(const char *, size_t *));
SAME_TYPE(mallctl_opt, int (*)(const char *, int *));
SAME_TYPE(mallctl_bool, bool (*)(const char *, bool *));
SAME_TYPE(mallctl_cmd, int (*)(const char *));

static void
constants_and_structs_are_those_of_the_interface(void **state) {
	(void)state;
	assert_int_equal(HANDLE_MASK, 0xffffff);
	assert_int_equal(HANDLE_REMOTE_SHIFT, 24);
	assert_int_equal(GLOBALNAME_LENGTH, 16);
	assert_int_equal(REMOTE_MAX, 256);
	assert_int_equal(sizeof(struct remote_name), 20);
	assert_int_equal(offsetof(struct remote_name, handle), 16);
	assert_int_equal(MESSAGE_TYPE_MASK, SIZE_MAX >> 8);
	assert_int_equal(MESSAGE_TYPE_SHIFT, 8 * sizeof(size_t) - 8);
	struct skynet_message message = {.source = 1, .session = -1, .data = NULL, .sz = 0};
	message.sz = 5 | (size_t)PTYPE_ERROR << MESSAGE_TYPE_SHIFT;
	assert_int_equal(message.sz & MESSAGE_TYPE_MASK, 5);
	struct remote_message remote = {.sz = 1, .type = 2, .message = NULL};
	assert_int_equal(remote.destination.handle, 0);
	assert_int_equal(THREAD_MONITOR, 4);
}

static void
atomics_return_the_value_before(void **state) {
	(void)state;
	ATOM_INT number;
	ATOM_SIZET size;
	ATOM_ULONG wide;
	ATOM_POINTER pointer;
	ATOM_INIT(&number, 5);
	ATOM_INIT(&size, 5);
	ATOM_INIT(&wide, 5);
	ATOM_INIT(&pointer, 0);
	assert_int_equal(ATOM_FINC(&number), 5);
	assert_int_equal(ATOM_FDEC(&number), 6);
	assert_int_equal(ATOM_FADD(&number, 10), 5);
	assert_int_equal(ATOM_FSUB(&number, 3), 15);
	assert_int_equal(ATOM_FAND(&number, 4), 12);
	assert_int_equal(ATOM_LOAD(&number), 4);
	ATOM_STORE(&number, 9);
	assert_int_equal(ATOM_LOAD(&number), 9);
	assert_true(ATOM_CAS(&number, 9, 1));
	assert_false(ATOM_CAS(&number, 9, 2));
	assert_true(ATOM_CAS_SIZET(&size, 5, 6));
	assert_false(ATOM_CAS_SIZET(&size, 5, 7));
	assert_true(ATOM_CAS_ULONG(&wide, 5, 6));
	assert_false(ATOM_CAS_ULONG(&wide, 5, 7));
	assert_true(ATOM_CAS_POINTER(&pointer, 0, (uintptr_t)&number));
	assert_false(ATOM_CAS_POINTER(&pointer, 0, 1));
	assert_int_equal(ATOM_LOAD(&pointer), (uintptr_t)&number);
}

#define ROUNDS 3000

struct guarded {
	struct spinlock lock;
	struct rwlock rwlock;
	int by_spin; /* under lock */
	int left;    /* the same as right, under rwlock */
	int right;
	ATOM_INT wrong;
};

static void *
use_locks(void *ud) {
	struct guarded *guarded = ud;
	for (int i = 0; i < ROUNDS; i++) {
		/* As modules write it: the macro brings its semicolon. */
		SPIN_LOCK(guarded)
		guarded->by_spin++;
		SPIN_UNLOCK(guarded)
		if (i % 4 == 0) {
			rwlock_wlock(&guarded->rwlock);
			guarded->left++;
			guarded->right++;
			rwlock_wunlock(&guarded->rwlock);
		} else {
			rwlock_rlock(&guarded->rwlock);
			if (guarded->left != guarded->right)
				ATOM_FINC(&guarded->wrong);
			rwlock_runlock(&guarded->rwlock);
		}
	}
	return NULL;
}

static void
locks_exclude_other_threads(void **state) {
	(void)state;
	struct guarded guarded;
	memset(&guarded, 0, sizeof(guarded));
	SPIN_INIT(&guarded)
	rwlock_init(&guarded.rwlock);
	ATOM_INIT(&guarded.wrong, 0);
	pthread_t threads[3];
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use_locks, &guarded), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(guarded.by_spin, 3 * ROUNDS);
	assert_int_equal(guarded.left, 3 * ROUNDS / 4);
	assert_int_equal(guarded.right, 3 * ROUNDS / 4);
	assert_int_equal(ATOM_LOAD(&guarded.wrong), 0);
	SPIN_DESTROY(&guarded)
}

static void
trylock_fails_while_the_lock_is_held(void **state) {
	(void)state;
	struct spinlock lock;
	spinlock_init(&lock);
	assert_true(spinlock_trylock(&lock));
	assert_false(spinlock_trylock(&lock));
	spinlock_unlock(&lock);
	assert_true(spinlock_trylock(&lock));
	spinlock_unlock(&lock);
	spinlock_destroy(&lock);
}

static void
readers_share_the_lock(void **state) {
	(void)state;
	struct rwlock lock;
	rwlock_init(&lock);
	rwlock_rlock(&lock);
	rwlock_rlock(&lock);
	rwlock_runlock(&lock);
	rwlock_runlock(&lock);
	rwlock_wlock(&lock);
	rwlock_wunlock(&lock);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(constants_and_structs_are_those_of_the_interface),
		cmocka_unit_test(atomics_return_the_value_before),
		cmocka_unit_test(locks_exclude_other_threads),
		cmocka_unit_test(trylock_fails_while_the_lock_is_held),
		cmocka_unit_test(readers_share_the_lock),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
