/* Lets one thread sleep until another one wakes it. Each sleeping thread has a lock and a condition
 * of its own: if several threads shared a condition, the C library might make the thread that
 * signals wait until those woken before have got a processor, which takes milliseconds on a busy
 * machine.
 *
 * Going to sleep has two steps, so that no wake-up is missed: the thread announces that it will
 * sleep, looks for work once more, and then sleeps or takes the announcement back.
 */
#ifndef SKYNET_SLEEPER_H
#define SKYNET_SLEEPER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct sleeper {
	atomic_bool asleep; /* announced, and nobody has woken it yet */
	bool woken;         /* lock */
	pthread_mutex_t lock;
	pthread_cond_t wake;
};

/// Returns 0 or an errno. End with sleeper_fini, when no thread uses it.
int sleeper_init(struct sleeper *sleeper);
void sleeper_fini(struct sleeper *sleeper);

/// Announces that the calling thread is going to sleep: from now on sleeper_wake works. The thread
/// must then call sleeper_retract or sleeper_wait.
void sleeper_announce(struct sleeper *sleeper);

/// Takes the announcement back. Returns false when another thread is waking this one already: then
/// it must call sleeper_wait, which returns soon. The sleeping thread itself.
bool sleeper_retract(struct sleeper *sleeper);

/// Sleeps until another thread calls sleeper_wake. The sleeping thread itself.
void sleeper_wait(struct sleeper *sleeper);

/// Wakes the thread. Returns false when it is not asleep, or another thread is waking it. Any
/// thread.
bool sleeper_wake(struct sleeper *sleeper);

#endif
