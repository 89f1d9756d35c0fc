/* Locks with ranks. A debug build (SKYNET_DEBUG_LOCKS) aborts when a thread takes a lock whose rank
 * is not above the ranks of all locks that it holds; so threads cannot wait for each other in a
 * circle. Spin locks are held for a few instructions, never across a system call or an allocation
 * of unknown cost. A mutex is for everything else.
 */
#ifndef SKYNET_LOCK_H
#define SKYNET_LOCK_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* In the order in which they may be nested: outer first. Add a rank where the new lock belongs. */
enum lock_rank {
	LOCK_RANK_RUNTIME = 10, /* list of nodes, start and stop */
	LOCK_RANK_NODE = 20,    /* life of a node */
	LOCK_RANK_SHARED = 25,  /* table of shared objects; creators run under it */
	LOCK_RANK_MODULE = 30,
	LOCK_RANK_POLL = 35,  /* held by the thread that polls */
	LOCK_RANK_TRACE = 38, /* message log file of a service */
	LOCK_RANK_HANDLE = 40,
	LOCK_RANK_NAME = 45,
	LOCK_RANK_ENV = 50,
	LOCK_RANK_SOCKET = 60, /* one socket's send list */
	LOCK_RANK_TIMER = 70,
	LOCK_RANK_MAILBOX = 80,
	LOCK_RANK_RUN_QUEUE = 90,
	LOCK_RANK_LEAF = 100, /* no other lock is taken while it is held */
};

#ifdef SKYNET_DEBUG_LOCKS
/* Exported, so that the locks of modules are checked together with those of the executable. */
__attribute__((visibility("default"))) void lock_debug_acquire(int rank);
__attribute__((visibility("default"))) void lock_debug_release(int rank);
#else
#define lock_debug_acquire(rank) ((void)(rank))
#define lock_debug_release(rank) ((void)(rank))
#endif

static inline void
cpu_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield");
#endif
}

struct spin_lock {
	atomic_int held; /* 0 free, 1 held; acquire on taking pairs with release on dropping */
	int rank;
};

static inline void
spin_init(struct spin_lock *lock, enum lock_rank rank) {
	atomic_init(&lock->held, 0);
	lock->rank = (int)rank;
}

static inline void
spin_acquire(struct spin_lock *lock) {
	lock_debug_acquire(lock->rank);
	int spins = 0;
	while (atomic_exchange_explicit(&lock->held, 1, memory_order_acquire) != 0) {
		while (atomic_load_explicit(&lock->held, memory_order_relaxed) != 0) {
			/* The holder may have been preempted: after a while give it this processor.
			 */
			if (++spins < 64)
				cpu_relax();
			else {
				spins = 0;
				sched_yield();
			}
		}
	}
}

static inline void
spin_release(struct spin_lock *lock) {
	lock_debug_release(lock->rank);
	atomic_store_explicit(&lock->held, 0, memory_order_release);
}

struct mutex {
	pthread_mutex_t inner;
	int rank;
};

static inline void
mutex_init(struct mutex *lock, enum lock_rank rank) {
	pthread_mutex_init(&lock->inner, NULL);
	lock->rank = (int)rank;
}

static inline void
mutex_fini(struct mutex *lock) {
	pthread_mutex_destroy(&lock->inner);
}

static inline void
mutex_acquire(struct mutex *lock) {
	lock_debug_acquire(lock->rank);
	pthread_mutex_lock(&lock->inner);
}

/* Takes the lock if it is free. Returns whether it did. */
static inline bool
mutex_try(struct mutex *lock) {
	if (pthread_mutex_trylock(&lock->inner) != 0)
		return false;
	lock_debug_acquire(lock->rank);
	return true;
}

static inline void
mutex_release(struct mutex *lock) {
	pthread_mutex_unlock(&lock->inner);
	lock_debug_release(lock->rank);
}

#endif
