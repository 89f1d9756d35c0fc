/* Whether the poller looks for events a little longer before it sleeps.
 *
 * Waking a sleeping processor takes tens of microseconds, as much as a request to another process
 * and its answer take otherwise. So where the next event tends to come soon after the last, it is
 * worth to look for it for a while; where it does not, the processor is for others. What came of it
 * the last times decides; now and then it is tried again. One thread at a time.
 */
#ifndef SKYNET_POLL_SPIN_H
#define SKYNET_POLL_SPIN_H

#include <stdbool.h>
#include <stdint.h>

struct poll_spin {
	uint64_t limit_ns; /* look for at most so long; 0: never */
	int credit;        /* above 0: the last attempts were worth it */
	int passed;        /* waits since the last attempt */
};

/// True when the wait that is about to begin is to be spent on looking at first.
bool poll_spin_begins(struct poll_spin *spin);

/// Notes whether an event, or a wake, came while the poller looked.
void poll_spin_ended(struct poll_spin *spin, bool found);

#endif
