/* See the header. An attempt that fails costs what two that succeed have gained. */
#include "io/poll_spin.h"

#define CREDIT_MAXIMUM 8
#define FAILURE_COST   2
/* Without credit, one wait of so many is used for an attempt. */
#define ATTEMPT_INTERVAL 32

bool
poll_spin_begins(struct poll_spin *spin) {
	if (spin->limit_ns == 0)
		return false;
	if (spin->credit > 0)
		return true;
	if (++spin->passed < ATTEMPT_INTERVAL)
		return false;
	spin->passed = 0;
	return true;
}

void
poll_spin_ended(struct poll_spin *spin, bool found) {
	if (found && spin->credit < CREDIT_MAXIMUM)
		spin->credit++;
	else if (!found)
		spin->credit -= spin->credit > FAILURE_COST ? FAILURE_COST : spin->credit;
}
