/* A lock for many readers or one writer that spins, for C modules written against this header. A
 * waiting writer keeps new readers out. Hold it for a few instructions only; it is not recursive.
 */
#ifndef SKYNET_RWLOCK_H
#define SKYNET_RWLOCK_H

#include "base/lock.h"

/* Readers count up by one, the writer claims the top bit and then waits for the readers to leave.
   Taking is acquire, dropping is release: each pairs with the other on this one word. */
struct rwlock {
	atomic_uint state;
};

#define RWLOCK_WRITER 0x80000000u

static inline void
rwlock_pause(int *tries) {
	if (++*tries % 64 == 0)
		sched_yield();
	else
		cpu_relax();
}

static inline void
rwlock_init(struct rwlock *lock) {
	atomic_init(&lock->state, 0);
}

static inline void
rwlock_rlock(struct rwlock *lock) {
	int tries = 0;
	for (;;) {
		unsigned state = atomic_load_explicit(&lock->state, memory_order_relaxed);
		if ((state & RWLOCK_WRITER) == 0 &&
			atomic_compare_exchange_weak_explicit(&lock->state, &state, state + 1,
				memory_order_acquire, memory_order_relaxed))
			return;
		rwlock_pause(&tries);
	}
}

static inline void
rwlock_wlock(struct rwlock *lock) {
	int tries = 0;
	while (atomic_fetch_or_explicit(&lock->state, RWLOCK_WRITER, memory_order_acquire) &
		RWLOCK_WRITER)
		rwlock_pause(&tries);
	while (atomic_load_explicit(&lock->state, memory_order_acquire) != RWLOCK_WRITER)
		rwlock_pause(&tries);
}

static inline void
rwlock_runlock(struct rwlock *lock) {
	atomic_fetch_sub_explicit(&lock->state, 1, memory_order_release);
}

static inline void
rwlock_wunlock(struct rwlock *lock) {
	atomic_fetch_and_explicit(&lock->state, ~RWLOCK_WRITER, memory_order_release);
}

#endif
