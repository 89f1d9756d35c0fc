/* Decides whether the poller spins: checks for events for a short time before it sleeps.
 *
 * Waking a sleeping processor takes tens of microseconds, as long as all the rest of a request to
 * another process and its answer. So spinning pays when events tend to follow each other closely;
 * otherwise it wastes the processor. It is used while it has found events lately, and else tried
 * again now and then. One thread at a time.
 */
#ifndef SKYNET_POLL_SPIN_H
#define SKYNET_POLL_SPIN_H

#include <stdbool.h>
#include <stdint.h>

struct poll_spin {
	uint64_t limit_ns; /* longest time to spin; 0: never spin */
	int credit;        /* above 0: the last attempts have found events */
	int passed;        /* waits since the last attempt */
};

/// Called before each wait. Returns true when the poller is to spin first.
bool poll_spin_begins(struct poll_spin *spin);

/// Notes whether an event, or a wake, came while the poller was spinning.
void poll_spin_ended(struct poll_spin *spin, bool found);

#endif
