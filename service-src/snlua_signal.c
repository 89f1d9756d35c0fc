/* Breaking into the running code of a Lua service from another thread: signals, and the stall
 * monitor.
 *
 * The foreign thread sets a count hook, as Lua allows from a signal handler; the hook then runs on
 * the service's own thread. What lua_sethook touches, the thread that `active` names and its call
 * frames, must not be freed meanwhile: `arming` and `freeing` exclude each other as in Dekker's
 * algorithm. The running thread pays no fence for that: the foreign one makes every other thread of
 * the process pass a full barrier with membarrier(2). Where that is missing, requests are noticed
 * when a coroutine is resumed or ends, and a loop that does neither runs on.
 */
#include <lauxlib.h>
#include <sched.h>

#ifdef __linux__
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "snlua_parts.h"

/// Every running thread of the process passes a full memory barrier. Returns 0 when it cannot be
/// done.
static int
barrier_for_all(void) {
#ifdef __linux__
	atomic_thread_fence(memory_order_seq_cst);
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0)
		return 1;
	/* Not registered yet: that is done once per process, and may be done again. */
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) != 0)
		return 0;
	return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
#else
	return 0;
#endif
}

static void
arming_acquire(struct snlua *service) {
	/* Pairs with the release in arming_release. */
	while (atomic_exchange_explicit(&service->arming, 1, memory_order_acquire) != 0)
		sched_yield();
}

static void
arming_release(struct snlua *service) {
	atomic_store_explicit(&service->arming, 0, memory_order_release);
}

static void
report_stack(struct snlua *service, lua_State *L) {
	luaL_traceback(L, L, NULL, 0);
	skynet_error(service->context, "error: busy in %s", lua_tostring(L, -1));
	lua_pop(L, 1);
}

/// Raises an error in the code that a hook has interrupted. Its place is level 0: luaL_error would
/// name the place of the caller, if that is Lua code at all.
static void
interrupt(lua_State *L, const char *text) {
	luaL_where(L, 0);
	lua_pushstring(L, text);
	lua_concat(L, 2);
	lua_error(L);
}

/// Runs on the service's own thread, in whatever code it was just executing.
static void
attention_hook(lua_State *L, lua_Debug *ar) {
	(void)ar;
	void *ud;
	lua_getallocf(L, &ud);
	struct snlua *service = ud;
	arming_acquire(service);
	lua_sethook(L, service->user_hook, service->user_mask, service->user_count);
	service->user_hook = NULL;
	service->user_mask = 0;
	arming_release(service);
	unsigned requests = SNLUA_REQUESTS & atomic_fetch_and_explicit(&service->attention,
						     ~SNLUA_REQUESTS, memory_order_relaxed);
	if (requests & SNLUA_REPORT)
		report_stack(service, L);
	if (requests & SNLUA_INTERRUPT)
		interrupt(L, "signal 0");
	if (requests & SNLUA_STALLED)
		interrupt(L, "interrupted: this message takes too long");
}

/// Sets the hook and remembers the one it replaces. The caller holds `arming`.
static void
set_hook(struct snlua *service, lua_State *L) {
	lua_Hook hook = lua_gethook(L);
	if (hook == attention_hook)
		return;
	service->user_hook = hook;
	service->user_mask = lua_gethookmask(L);
	service->user_count = lua_gethookcount(L);
	lua_sethook(L, attention_hook, LUA_MASKCOUNT, 1);
}

void
snlua_arm(struct snlua *service, lua_State *L) {
	arming_acquire(service);
	set_hook(service, L);
	arming_release(service);
}

void
snlua_request(struct snlua *service, unsigned request) {
	atomic_fetch_or_explicit(&service->attention, request, memory_order_relaxed);
	arming_acquire(service);
	int fenced = barrier_for_all();
	/* Pairs with the release store after the block is freed. */
	while (atomic_load_explicit(&service->freeing, memory_order_acquire))
		sched_yield();
	/* Pairs with the release stores of snlua_turn_begin and snlua_resume. */
	lua_State *L = atomic_load_explicit(&service->active, memory_order_acquire);
	if (L == NULL)
		atomic_fetch_and_explicit(&service->attention, ~request, memory_order_relaxed);
	else if (fenced)
		set_hook(service, L);
	arming_release(service);
}

void
snlua_probe(void *ud, enum skynet_probe what) {
	snlua_request(ud, what == SKYNET_PROBE_INTERRUPT ? SNLUA_STALLED : SNLUA_REPORT);
}
