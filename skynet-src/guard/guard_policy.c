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
	guard_allow_destroy(policy->allow);
	mutex_fini(&policy->lock);
	skynet_free(policy->secret_file);
	skynet_free(policy->cert);
	skynet_free(policy->key);
	skynet_free(policy->ca);
	skynet_free(policy->name);
	skynet_free(policy);
}

static char *
copy(const char *text) {
	return text != NULL ? skynet_strdup(text) : NULL;
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
	policy->secret_file = copy(config->secret_file);
	policy->cert = copy(config->cert);
	policy->key = copy(config->key);
	policy->ca = copy(config->ca);
	policy->name = copy(config->name);
	int timeout_ms = config->timeout_ms > 0 ? config->timeout_ms : TIMEOUT_DEFAULT_MS;
	policy->timeout_ns = (uint64_t)timeout_ms * NS_PER_MS;
	policy->pending_max = config->pending_max > 0 ? config->pending_max : PENDING_DEFAULT;
	policy->random = config->random != NULL ? config->random : RAND_bytes;
	policy->report_credit = REPORT_CREDIT;
	if (config->allow == NULL)
		return policy;
	policy->allow = guard_allow_create(config->allow, error);
	if (policy->allow != NULL)
		return policy;
	error_prefix(error, "auth_allow");
	destroy(policy);
	return NULL;
}

const char *
guard_policy_files(const struct guard_policy *policy) {
	return policy->cert != NULL          ? "the files of tls_cert, tls_key and tls_ca"
	       : policy->secret_file != NULL ? "the secrets of auth_secret_file"
					     : NULL;
}

int
guard_policy_reload(struct guard_policy *policy, struct skynet_error *error) {
	struct guard_config config = {
		.secret_file = policy->secret_file,
		.cert = policy->cert,
		.key = policy->key,
		.ca = policy->ca,
		.name = policy->name,
	};
	if (guard_policy_files(policy) == NULL)
		return SKYNET_OK;
	struct guard_credential *fresh = guard_credential_create(&config, error);
	if (fresh == NULL)
		return SKYNET_ECONFIG;
	mutex_acquire(&policy->lock);
	struct guard_credential *old = policy->credential;
	policy->credential = fresh;
	mutex_release(&policy->lock);
	guard_credential_drop(old);
	return SKYNET_OK;
}

struct guard_credential *
guard_policy_credential(struct guard_policy *policy) {
	mutex_acquire(&policy->lock);
	struct guard_credential *credential = guard_credential_grab(policy->credential);
	mutex_release(&policy->lock);
	return credential;
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
