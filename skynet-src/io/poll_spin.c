/* Decides by experience whether to look for events before sleeping: attempts that find something
 * give credit, and one that fails takes away what two of them have given.
 */
#include "io/poll_spin.h"

#define CREDIT_MAXIMUM 8
#define FAILURE_COST   2

/* Without credit an attempt is made after so many short sleeps: soon at first, and later after each
 * one that fails. */
#define INTERVAL_FIRST 2
#define FAILURES_MAX   6 /* that count: each has doubled the interval */

/* A sleep is short while it takes so many times the limit: at both ends of a connection most of it
 * may be the waking. */
#define SHORT_FACTOR 2

bool
poll_spin_begins(struct poll_spin *spin) {
	if (spin->limit_ns == 0)
		return false;
	if (spin->credit > 0)
		return true;
	if (spin->short_sleeps < INTERVAL_FIRST << spin->failures)
		return false;
	spin->short_sleeps = 0;
	return true;
}

void
poll_spin_ended(struct poll_spin *spin, bool found) {
	if (found && spin->credit < CREDIT_MAXIMUM)
		spin->credit++;
	else if (!found)
		spin->credit -= spin->credit > FAILURE_COST ? FAILURE_COST : spin->credit;
	if (spin->credit == CREDIT_MAXIMUM)
		spin->failures = 0;
	else if (spin->credit == 0 && spin->failures < FAILURES_MAX)
		spin->failures++;
}

void
poll_spin_slept(struct poll_spin *spin, uint64_t slept_ns) {
	if (spin->credit == 0 && slept_ns <= spin->limit_ns * SHORT_FACTOR)
		spin->short_sleeps++;
}
