/* One Lua service as the C modules of its state see it. Reached from any lua_State of the service
 * with snlua_from(L): the registry holds it as light userdata under SNLUA_REGISTRY_KEY.
 *
 * Only the thread that runs the service writes here, but for the fields marked "any thread". A
 * foreign thread that wants to look into a running state (signal, stall monitor) raises a bit in
 * `attention` and arms a hook in the state that `active` names; all work is then done by the
 * running thread.
 */
#ifndef SKYNET_SNLUA_H
#define SKYNET_SNLUA_H

#include <lauxlib.h>
#include <lua.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "skynet.h"

#define SNLUA_REGISTRY_KEY "snlua"
#define SNLUA_MEMLIMIT_KEY "memlimit"       /* registry: bytes, read once after the main chunk */
#define SNLUA_CONTEXT_KEY  "skynet_context" /* registry: light userdata, the context */

/* Registry: a light C function that a module leaves when its part of a state can be copied along
 * with the state. It is called in the template, where it opens that part, and in each copy, where
 * it makes it the part of the new service. */
#define SNLUA_PREPARE_KEY "snlua.prepare"

#define SNLUA_SPARE_LISTS 32 /* the last one has all larger blocks */

/* Bits of `attention`. */
enum snlua_attention {
	SNLUA_INTERRUPT = 1, /* signal 0: raise an error in the running code; any thread sets */
	SNLUA_REPORT = 2,    /* log the stack of the running code; any thread sets */
	SNLUA_STALLED = 4,   /* the stall monitor wants the running code to end; any thread sets */
	SNLUA_PROFILE = 8,   /* some coroutine is being timed; running thread only */
};
#define SNLUA_REQUESTS ((unsigned)SNLUA_INTERRUPT | SNLUA_REPORT | SNLUA_STALLED)

struct code_cache;
struct shared_part;
struct state_image;
struct templates;
struct template_use;

struct snlua {
	struct skynet_context *context;
	const void *first_message; /* not dispatched yet: the argument text, owned by the mailbox */
	lua_State *L;              /* main thread of the state */
	_Atomic(lua_State *)
		active; /* the thread that runs now, NULL between messages; read by any thread */
	_Atomic(unsigned) attention; /* enum snlua_attention; any thread */

	/* Called by snlua_resume when `attention` is not 0: `entering` before and again after. */
	void (*attend)(struct snlua *service, lua_State *co, int entering);
	int profiled; /* coroutines that are timed */

	/* Memory of the state, in bytes. Changes that stay within low..high take the fast path. */
	_Atomic(size_t) memory; /* in use; relaxed, read by any thread */
	size_t low, high;       /* outside of these the slow path runs */
	size_t limit;           /* 0: none */
	size_t warning;         /* next size to warn at */
	size_t accounted;       /* what the kernel was last told */

	/* The piece of memory that the state was copied into, NULL when it was not. What is freed
	 * in there is used again. */
	char *image;
	size_t image_size;
	uint32_t spare;                     /* bit i: spares[i] is not 0 */
	uint32_t spares[SNLUA_SPARE_LISTS]; /* free blocks of i words: offset of the first */

	/* What the copied state shares with others; NULL when it shares nothing. */
	struct state_image *origin;
	const struct shared_part *shared;
	char **strings;        /* the table of strings */
	uint32_t string_count; /* chains in it; power of two */
	int *string_fill;      /* how many strings Lua thinks there are, with a bias */
	int strings_apart;     /* 1: the shared strings are not in the table for the moment */

	/* Excludes the freeing of call frames and threads while a foreign thread arms a hook. */
	_Atomic(int) freeing; /* 1 while the running thread gives memory back; read by any thread */
	_Atomic(int) arming;  /* 1 while a thread holds on to `active` to arm a hook; any thread */

	/* What the hook replaced: written by who holds `arming`. */
	lua_Hook user_hook;
	int user_mask, user_count;

	struct code_cache *cache;    /* of the process */
	int cache_mode;              /* enum code_cache_mode */
	struct templates *templates; /* of the process */
	struct template_use *use;    /* while the script is loaded */
};

/// The service that `L` belongs to, NULL outside of snlua. Looks into the registry: keep the
/// result.
static inline struct snlua *
snlua_from(lua_State *L) {
	lua_getfield(L, LUA_REGISTRYINDEX, SNLUA_REGISTRY_KEY);
	struct snlua *service = (struct snlua *)lua_touserdata(L, -1);
	lua_pop(L, 1);
	return service;
}

/// Opens a turn: `L` is about to run for a new message. An interrupt that came too late for the
/// turn before is forgotten. Running thread.
static inline void
snlua_turn_begin(struct snlua *service, lua_State *L) {
	unsigned attention = atomic_load_explicit(&service->attention, memory_order_relaxed);
	if (attention & SNLUA_REQUESTS)
		atomic_fetch_and_explicit(
			&service->attention, ~SNLUA_REQUESTS, memory_order_relaxed);
	/* Pairs with the acquire load in the arming thread. */
	atomic_store_explicit(&service->active, L, memory_order_release);
}

/// Closes a turn: nothing of the service runs. Running thread.
static inline void
snlua_turn_end(struct snlua *service) {
	atomic_store_explicit(&service->active, NULL, memory_order_release);
}

/// lua_resume, with `active` kept true, timing of coroutines and interrupts. Every resume in a
/// service goes through here. Running thread. Returns the status of lua_resume.
static inline int
snlua_resume(struct snlua *service, lua_State *co, lua_State *from, int nargs, int *nresults) {
	lua_State *previous = atomic_load_explicit(&service->active, memory_order_relaxed);
	atomic_store_explicit(&service->active, co, memory_order_release);
	/* The arming thread sets a bit, then runs membarrier(2), then reads `active`: here the
	 * order of store and load needs to be kept from the compiler only. */
	atomic_signal_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&service->attention, memory_order_relaxed) != 0)
		service->attend(service, co, 1);
	int status = lua_resume(co, from, nargs, nresults);
	atomic_store_explicit(&service->active, previous, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&service->attention, memory_order_relaxed) != 0)
		service->attend(service, co, 0);
	return status;
}

#endif
