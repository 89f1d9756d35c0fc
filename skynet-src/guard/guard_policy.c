#include "guard/guard_policy.h"

#include <openssl/rand.h>

#include "skynet_malloc.h"

#define TIMEOUT_DEFAULT_MS 5000
#define PENDING_DEFAULT    256
#define REPORT_CREDIT      5                       /* lines that may follow each other */
#define REPORT_BACK_NS     ((uint64_t)10000000000) /* after which there may be one more */
#define NS_PER_MS          1000000u

/* ---- life ---- */

static void
destroy(struct guard_policy *policy) {
	guard_credential_drop(policy->credential);
	mutex_fini(&policy->lock);
	skynet_free(policy);
}

struct guard_policy *
guard_policy_create(const struct guard_config *config, struct skynet_error *error) {
	struct guard_credential *credential = guard_credential_create(config, error);
	if (credential == NULL)
		return NULL;
	struct guard_policy *policy = skynet_calloc(1, sizeof(*policy));
	atomic_init(&policy->references, 1);
	mutex_init(&policy->lock, LOCK_RANK_LEAF);
	policy->credential = credential;
	policy->kind = credential->kind;
	int timeout_ms = config->timeout_ms > 0 ? config->timeout_ms : TIMEOUT_DEFAULT_MS;
	policy->timeout_ns = (uint64_t)timeout_ms * NS_PER_MS;
	policy->pending_max = config->pending_max > 0 ? config->pending_max : PENDING_DEFAULT;
	policy->random = config->random != NULL ? config->random : RAND_bytes;
	policy->report_credit = REPORT_CREDIT;
	return policy;
}

void
guard_policy_renew(struct guard_policy *policy, struct guard_policy *other) {
	mutex_acquire(&policy->lock);
	struct guard_credential *old = policy->credential;
	policy->credential = other->credential;
	mutex_release(&policy->lock);
	other->credential = old;
	guard_policy_drop(other);
}

struct guard_credential *
guard_policy_credential(struct guard_policy *policy) {
	mutex_acquire(&policy->lock);
	struct guard_credential *credential = guard_credential_grab(policy->credential);
	mutex_release(&policy->lock);
	return credential;
}

bool
guard_policy_allows(struct guard_policy *policy, const struct socket_address *peer, bool dialled) {
	struct guard_credential *credential = guard_policy_credential(policy);
	const struct guard_allow *allow = credential->allow;
	bool allowed = dialled ? guard_allow_to(allow, peer) : guard_allow_from(allow, peer);
	guard_credential_drop(credential);
	return allowed;
}

struct guard_policy *
guard_policy_grab(struct guard_policy *policy) {
	/* Whoever grabs holds one already. */
	atomic_fetch_add_explicit(&policy->references, 1, memory_order_relaxed);
	return policy;
}

void
guard_policy_drop(struct guard_policy *policy) {
	/* Release for what this holder did; acquire pairs with it in the one who destroys. */
	if (policy != NULL &&
		atomic_fetch_sub_explicit(&policy->references, 1, memory_order_acq_rel) == 1)
		destroy(policy);
}

bool
guard_policy_may_report(struct guard_policy *policy, uint64_t now_ns, uint64_t *silent) {
	while (policy->report_credit < REPORT_CREDIT &&
		now_ns - policy->reported_ns >= REPORT_BACK_NS) {
		policy->report_credit++;
		policy->reported_ns += REPORT_BACK_NS;
	}
	if (policy->report_credit == REPORT_CREDIT)
		policy->reported_ns = now_ns;
	*silent = policy->unreported;
	if (policy->report_credit == 0) {
		policy->unreported++;
		return false;
	}
	policy->report_credit--;
	policy->unreported = 0;
	return true;
}
