/* Where one thread sleeps until another one wakes it. Each has its own lock and condition, so that
 * waking never waits for a thread: with one condition for several, the C library lets who signals
 * wait until those that were woken before have got a processor, which on a busy machine takes
 * milliseconds.
 *
 * Going to sleep has two steps: the thread announces it, looks for work once more, and then waits
 * or takes the announcement back.
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

/// From now on it can be woken. Its own thread, which must then call one of the next two.
void sleeper_announce(struct sleeper *sleeper);

/// Takes the announcement back. Returns false when somebody wakes it already: then it must wait,
/// which will not be long. Its own thread.
bool sleeper_retract(struct sleeper *sleeper);

/// Sleeps until it is woken. Its own thread.
void sleeper_wait(struct sleeper *sleeper);

/// Wakes it. Returns false when it does not sleep, or somebody else wakes it. Any thread.
bool sleeper_wake(struct sleeper *sleeper);

#endif
