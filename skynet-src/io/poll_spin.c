/* Decides by experience whether to look for events before sleeping: attempts that find something
 * give credit, and one that fails takes away what two of them have given.
 */
#include "io/poll_spin.h"

#define CREDIT_MAXIMUM 8
#define FAILURE_COST   2
/* Without credit, there is one attempt in so many waits, to find out whether it is worth it again.
 */
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
