/* The allocator of a Lua service: counts the bytes of the state, refuses growth beyond a limit,
 * warns at each doubling, and tells the kernel in coarse steps. Entered by the thread that runs the
 * service.
 *
 * The fast path compares with `low` and `high` only; whatever else is to be watched moves those
 * two.
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "snlua_parts.h"

#define ACCOUNT_STEP  ((size_t)16 * 1024)
#define FIRST_WARNING ((size_t)32 * 1024 * 1024)
#define MIB           (1024.0 * 1024.0)
#define WORD          sizeof(uint64_t)
#define LARGE         (SNLUA_SPARE_LISTS - 1)

/* jemalloc's, when it is there. */
extern void sdallocx(void *block, size_t size, int flags) __attribute__((weak));

/* A free block in the image. Offsets are in words; the state begins there, so 0 is none. */
struct spare {
	uint32_t next, words;
};

static inline size_t
memory_used(const struct snlua *service) {
	return atomic_load_explicit(&service->memory, memory_order_relaxed);
}

static inline void
memory_store(struct snlua *service, size_t used) {
	/* A statistic for other threads: orders nothing. */
	atomic_store_explicit(&service->memory, used, memory_order_relaxed);
}

/// Tells the kernel that `used` bytes are in use, and sets the bounds of the fast path around it.
static void
memory_account(struct snlua *service, size_t used) {
	skynet_account_add(service->context, (ptrdiff_t)(used - service->accounted));
	service->accounted = used;
	service->low = used > ACCOUNT_STEP ? used - ACCOUNT_STEP : 0;
	service->high = used + ACCOUNT_STEP;
	if (service->high > service->warning)
		service->high = service->warning;
	if (service->limit != 0 && service->high > service->limit)
		service->high = service->limit;
	/* The next new block is not to be missed. */
	if (service->strings_apart)
		service->high = 0;
}

/// The state wants to grow beyond `high`. Returns 0 when it may not.
static int
memory_grow(struct snlua *service, size_t used) {
	if (service->strings_apart)
		snlua_strings_join(service);
	if (service->limit != 0 && used > service->limit)
		return 0;
	if (used > service->warning) {
		while (used > service->warning)
			service->warning *= 2;
		skynet_error(service->context, "Memory warning %.2f M", (double)used / MIB);
	}
	memory_account(service, used);
	return 1;
}

/* ---- blocks in the image ---- */

/// True when `block` is a part of the copied state and not a block of its own.
static inline int
in_image(const struct snlua *service, const void *block) {
	return (uintptr_t)block - (uintptr_t)service->image < service->image_size;
}

__attribute__((noinline)) void
snlua_memory_spare(struct snlua *service, void *block, size_t size) {
	size_t words = (size + WORD - 1) / WORD;
	if (words * WORD < sizeof(struct spare))
		return;
	size_t list = words < LARGE ? words : LARGE;
	struct spare *spare = block;
	spare->words = (uint32_t)words;
	spare->next = service->spares[list];
	service->spares[list] = (uint32_t)((size_t)((char *)block - service->image) / WORD);
	service->spare |= (uint32_t)1 << list;
}

/// A block of the image for `size` bytes, NULL when there is none at hand.
static __attribute__((noinline)) void *
spare_take(struct snlua *service, size_t size) {
	size_t words = (size + WORD - 1) / WORD;
	if (words * WORD < sizeof(struct spare))
		return NULL;
	size_t list = words < LARGE ? words : LARGE;
	uint32_t fitting = service->spare & UINT32_MAX << list;
	if (fitting == 0)
		return NULL;
	list = (size_t)__builtin_ctz(fitting);
	struct spare *spare = (void *)(service->image + service->spares[list] * WORD);
	if (spare->words < words)
		return NULL;
	size_t rest = spare->words - words;
	service->spares[list] = spare->next;
	if (spare->next == 0)
		service->spare &= ~((uint32_t)1 << list);
	snlua_memory_spare(service, (char *)spare + words * WORD, rest * WORD);
	return spare;
}

/* ---- all blocks ---- */

static inline void
give_back(struct snlua *service, void *block, size_t size) {
	if (in_image(service, block))
		snlua_memory_spare(service, block, size);
	else if (sdallocx != NULL)
		/* Told the size, jemalloc need not look it up. */
		sdallocx(block, size, 0);
	else
		free(block);
}

/// Waits until the other thread that is just looking at call frames has seen enough.
static __attribute__((noinline)) void
await_arming(struct snlua *service) {
	do {
		atomic_store_explicit(&service->freeing, 0, memory_order_release);
		sched_yield();
		atomic_store_explicit(&service->freeing, 1, memory_order_relaxed);
		atomic_signal_fence(memory_order_seq_cst);
	} while (atomic_load_explicit(&service->arming, memory_order_acquire));
}

/// Frees a block, unless another thread is just looking at call frames: then waits for that first.
static inline void
memory_release(struct snlua *service, void *block, size_t size) {
	atomic_store_explicit(&service->freeing, 1, memory_order_relaxed);
	/* The arming thread raises `arming`, runs membarrier(2) and then reads `freeing`: here the
	 * order of store and load needs to be kept from the compiler only. */
	atomic_signal_fence(memory_order_seq_cst);
	if (__builtin_expect(atomic_load_explicit(&service->arming, memory_order_acquire), 0))
		await_arming(service);
	give_back(service, block, size);
	/* Pairs with the acquire load of the arming thread. */
	atomic_store_explicit(&service->freeing, 0, memory_order_release);
	size_t used = memory_used(service) - size;
	memory_store(service, used);
	if (__builtin_expect(used < service->low, 0))
		memory_account(service, used);
}

static inline void *
memory_take(struct snlua *service, size_t size) {
	size_t used = memory_used(service) + size;
	if (__builtin_expect(used > service->high, 0) && !memory_grow(service, used))
		return NULL;
	void *block = NULL;
	if (service->spare != 0)
		block = spare_take(service, size);
	if (block == NULL)
		block = malloc(size);
	if (block != NULL)
		memory_store(service, used);
	return block;
}

static __attribute__((noinline)) void *
memory_resize(struct snlua *service, void *block, size_t old_size, size_t new_size) {
	size_t used = memory_used(service) - old_size + new_size;
	if (used > service->high && new_size > old_size && !memory_grow(service, used))
		return NULL;
	void *moved = block;
	if (!in_image(service, block)) {
		moved = realloc(block, new_size);
	} else if (new_size > old_size) {
		moved = malloc(new_size);
		if (moved != NULL) {
			memcpy(moved, block, old_size);
			snlua_memory_spare(service, block, old_size);
		}
	}
	if (moved == NULL)
		return NULL;
	memory_store(service, used);
	if (__builtin_expect(block == service->strings, 0)) {
		snlua_strings_moved(service, moved, new_size);
		memory_account(service, used);
	}
	return moved;
}

void *
snlua_allocate(void *ud, void *block, size_t old_size, size_t new_size) {
	struct snlua *service = ud;
	if (block == NULL)
		/* For a new block, Lua passes the type of the object as its old size. */
		return new_size != 0 ? memory_take(service, new_size) : NULL;
	if (new_size != 0)
		return memory_resize(service, block, old_size, new_size);
	memory_release(service, block, old_size);
	return NULL;
}

void
snlua_memory_init(struct snlua *service) {
	service->warning = FIRST_WARNING;
	service->high = ACCOUNT_STEP;
}

void
snlua_memory_limit(struct snlua *service, size_t limit) {
	service->limit = limit;
	memory_account(service, memory_used(service));
}

void
snlua_memory_report(struct snlua *service) {
	memory_account(service, memory_used(service));
}

void
snlua_memory_fini(struct snlua *service) {
	if (service->accounted != 0)
		skynet_account_add(service->context, -(ptrdiff_t)service->accounted);
	service->accounted = 0;
	skynet_free(service->image);
	service->image = NULL;
	service->image_size = 0;
	service->shared = NULL;
	service->strings = NULL;
	if (service->origin != NULL)
		state_image_drop(service->origin);
	service->origin = NULL;
}
