#include "data/sleeper.h"

int
sleeper_init(struct sleeper *sleeper) {
	atomic_init(&sleeper->asleep, false);
	sleeper->woken = false;
	int failed = pthread_mutex_init(&sleeper->lock, NULL);
	if (failed != 0)
		return failed;
	failed = pthread_cond_init(&sleeper->wake, NULL);
	if (failed != 0)
		pthread_mutex_destroy(&sleeper->lock);
	return failed;
}

void
sleeper_fini(struct sleeper *sleeper) {
	pthread_cond_destroy(&sleeper->wake);
	pthread_mutex_destroy(&sleeper->lock);
}

void
sleeper_announce(struct sleeper *sleeper) {
	/* Relaxed: the caller has a fence between this store and its last look for work; the waking
	 * thread has one between queueing the work and reading the flag. */
	atomic_store_explicit(&sleeper->asleep, true, memory_order_relaxed);
}

bool
sleeper_retract(struct sleeper *sleeper) {
	/* Relaxed, here and in sleeper_wake: the thread that clears the flag has won, and the lock
	 * orders everything else. */
	return atomic_exchange_explicit(&sleeper->asleep, false, memory_order_relaxed);
}

void
sleeper_wait(struct sleeper *sleeper) {
	pthread_mutex_lock(&sleeper->lock);
	while (!sleeper->woken)
		pthread_cond_wait(&sleeper->wake, &sleeper->lock);
	sleeper->woken = false;
	pthread_mutex_unlock(&sleeper->lock);
}

bool
sleeper_wake(struct sleeper *sleeper) {
	if (!atomic_load_explicit(&sleeper->asleep, memory_order_relaxed) ||
		!atomic_exchange_explicit(&sleeper->asleep, false, memory_order_relaxed))
		return false;
	pthread_mutex_lock(&sleeper->lock);
	sleeper->woken = true;
	pthread_mutex_unlock(&sleeper->lock);
	pthread_cond_signal(&sleeper->wake);
	return true;
}
