/* A spin lock for C modules written against this header. The macros act on the member `lock` of
 * what `object` points to, and bring their own semicolon. Hold it for a few instructions only.
 */
#ifndef SKYNET_SPINLOCK_H
#define SKYNET_SPINLOCK_H

#include <stdbool.h>

#include "base/lock.h"

#define SPIN_INIT(object)    spinlock_init(&(object)->lock);
#define SPIN_LOCK(object)    spinlock_lock(&(object)->lock);
#define SPIN_UNLOCK(object)  spinlock_unlock(&(object)->lock);
#define SPIN_DESTROY(object) spinlock_destroy(&(object)->lock);

struct spinlock {
	atomic_int held; /* acquire on taking pairs with release on dropping */
};

static inline void
spinlock_init(struct spinlock *lock) {
	atomic_init(&lock->held, 0);
}

/// Takes the lock if it is free. Returns true (1) when it did.
static inline int
spinlock_trylock(struct spinlock *lock) {
	return atomic_load_explicit(&lock->held, memory_order_relaxed) == 0 &&
	       atomic_exchange_explicit(&lock->held, 1, memory_order_acquire) == 0;
}

static inline void
spinlock_lock(struct spinlock *lock) {
	int tries = 0;
	while (!spinlock_trylock(lock)) {
		/* The holder may wait for this very core. */
		if (++tries % 64 == 0)
			sched_yield();
		else
			cpu_relax();
	}
}

static inline void
spinlock_unlock(struct spinlock *lock) {
	atomic_store_explicit(&lock->held, 0, memory_order_release);
}

static inline void
spinlock_destroy(struct spinlock *lock) {
	(void)lock;
}

#endif
