/* How the connections of a node authenticate: with a shared secret or with TLS, whom they let in
 * without, how long it may take. Made from the config of the node, immutable but for its counters
 * and for the credential, which can be replaced; shared by all the guarded sockets of the node: the
 * last one that drops it frees it. Any thread, but for the fields that are the poller's.
 */
#ifndef SKYNET_GUARD_POLICY_H
#define SKYNET_GUARD_POLICY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/lock.h"
#include "guard/guard_credential.h"
#include "guard/guard_frame.h"
#include "guard/guard_limit.h"

/* Relaxed: they are only looked at. */
struct guard_counters {
	_Atomic(uint64_t) accepted; /* came in and authenticated */
	_Atomic(uint64_t) failed;   /* came in and did not */
	_Atomic(uint64_t) refused;  /* turned away before a byte was read */
	_Atomic(uint64_t) dialled;  /* went out and authenticated */
	_Atomic(uint64_t) dial_failed;
	_Atomic(uint64_t) allowed; /* let in or dialled without */
};

struct guard_policy {
	atomic_int references;
	enum guard_kind kind;
	uint64_t timeout_ns;
	int pending_max;
	int (*random)(unsigned char *bytes, int size);
	struct guard_counters counters;

	struct mutex lock;
	struct guard_credential *credential; /* for new connections; under the lock */

	/* The poller alone. */
	struct guard_limit limit;
	uint64_t reported_ns; /* when a failure was last logged */
	int report_credit;    /* lines that may be logged at once */
	uint64_t unreported;  /* failures without a line since then */
};

/// Reads the files and checks everything. Gives a policy with one reference (guard_policy_drop), or
/// NULL with `error`, whose text begins with the name of the setting in question.
struct guard_policy *guard_policy_create(
	const struct guard_config *config, struct skynet_error *error);

/// Replaces the credential by that of `other`, which is of the same kind, for new connections;
/// existing ones stay as they are. Takes `other`. Any thread.
void guard_policy_renew(struct guard_policy *policy, struct guard_policy *other);

/// Gives what a new connection authenticates with (guard_credential_drop). Any thread.
struct guard_credential *guard_policy_credential(struct guard_policy *policy);

/// Whether a connection from `peer`, or to it when `dialled`, does without. Any thread.
bool guard_policy_allows(
	struct guard_policy *policy, const struct socket_address *peer, bool dialled);

/// Counts one more holder. Returns `policy`.
struct guard_policy *guard_policy_grab(struct guard_policy *policy);

/// One holder less. NULL is allowed.
void guard_policy_drop(struct guard_policy *policy);

/// Whether a failure at `now_ns` may be logged; `*silent` is the number of those since the last
/// line that were not. The poller.
bool guard_policy_may_report(struct guard_policy *policy, uint64_t now_ns, uint64_t *silent);

#endif
