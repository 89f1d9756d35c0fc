#include "guard/guard_policy.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "guard/guard_tls.h"
#include "skynet_malloc.h"

#define TIMEOUT_DEFAULT_MS 5000
#define PENDING_DEFAULT    256
#define FILE_SIZE_MAX      ((size_t)4096)
#define REPORT_CREDIT      5                       /* lines that may follow each other */
#define REPORT_BACK_NS     ((uint64_t)10000000000) /* after which there may be one more */
#define NS_PER_MS          1000000u

bool
guard_config_wanted(const struct guard_config *config) {
	return config->secret != NULL || config->secret_file != NULL || config->cert != NULL ||
	       config->key != NULL || config->ca != NULL;
}

/* ---- secrets ---- */

static int
add_secret(struct guard_policy *policy, const char *secret, size_t size, const char *where,
	struct skynet_error *error) {
	if (size < GUARD_SECRET_MIN || size > GUARD_SECRET_MAX)
		return error_set(error, SKYNET_ECONFIG,
			"%s: a secret of %zu bytes, it must have %zu to %zu", where, size,
			GUARD_SECRET_MIN, GUARD_SECRET_MAX);
	if (policy->key_count == GUARD_SECRETS)
		return error_set(
			error, SKYNET_ECONFIG, "%s: more than %d secrets", where, GUARD_SECRETS);
	struct guard_secret_key *key = &policy->keys[policy->key_count++];
	key->size = size;
	memcpy(key->bytes, secret, size);
	return SKYNET_OK;
}

/* Each line that is not empty; blanks around it do not count. */
static int
add_lines(struct guard_policy *policy, const char *text, const char *where,
	struct skynet_error *error) {
	int result = SKYNET_OK;
	while (*text != '\0' && result == SKYNET_OK) {
		size_t line = strcspn(text, "\n"), begin = strspn(text, " \t\r");
		size_t end = line;
		while (end > begin && strchr(" \t\r", text[end - 1]) != NULL)
			end--;
		if (begin < end)
			result = add_secret(policy, text + begin, end - begin, where, error);
		text += line + (text[line] == '\n');
	}
	if (result == SKYNET_OK && policy->key_count == 0)
		return error_set(error, SKYNET_ECONFIG, "%s: there is no secret in it", where);
	return result;
}

static int
read_secrets(struct guard_policy *policy, const char *path, struct skynet_error *error) {
	char text[FILE_SIZE_MAX + 1], where[256];
	snprintf(where, sizeof(where), "auth_secret_file '%s'", path);
	FILE *file = fopen(path, "rb");
	if (file == NULL)
		return error_set_errno(error, SKYNET_ECONFIG, errno, "cannot read %s", where);
	size_t size = fread(text, 1, sizeof(text), file);
	int failed = ferror(file) ? errno : 0;
	fclose(file);
	int result;
	text[size < sizeof(text) ? size : sizeof(text) - 1] = '\0';
	if (failed != 0)
		result = error_set_errno(error, SKYNET_ECONFIG, failed, "cannot read %s", where);
	else if (size == sizeof(text) || strlen(text) != size)
		result = error_set(error, SKYNET_ECONFIG, "%s: not a text of at most %zu bytes",
			where, FILE_SIZE_MAX);
	else
		result = add_lines(policy, text, where, error);
	OPENSSL_cleanse(text, sizeof(text));
	return result;
}

static int
set_secrets(struct guard_policy *policy, const struct guard_config *config,
	struct skynet_error *error) {
	policy->kind = GUARD_KIND_SECRET;
	if (config->secret != NULL && config->secret_file != NULL)
		return error_set(error, SKYNET_ECONFIG,
			"auth_secret and auth_secret_file are both given: keep one");
	if (config->secret != NULL)
		return add_secret(
			policy, config->secret, strlen(config->secret), "auth_secret", error);
	return read_secrets(policy, config->secret_file, error);
}

/* ---- TLS ---- */

static int
set_tls(struct guard_policy *policy, const struct guard_config *config,
	struct skynet_error *error) {
	const char *missing = config->cert == NULL  ? "tls_cert"
			      : config->key == NULL ? "tls_key"
			      : config->ca == NULL  ? "tls_ca"
						    : NULL;
	policy->kind = GUARD_KIND_TLS;
	if (missing != NULL)
		return error_set(error, SKYNET_ECONFIG,
			"%s is missing: tls_cert, tls_key and tls_ca go together", missing);
	if (config->secret != NULL || config->secret_file != NULL)
		return error_set(error, SKYNET_ECONFIG,
			"auth_secret and tls_cert are both given: nodes authenticate in one way");
	if (config->name != NULL)
		policy->name = skynet_strdup(config->name);
	return guard_tls_setup(policy, config, error);
}

/* ---- life ---- */

static void
destroy(struct guard_policy *policy) {
	guard_tls_teardown(policy);
	guard_allow_destroy(policy->allow);
	OPENSSL_cleanse(policy->keys, sizeof(policy->keys));
	skynet_free(policy->name);
	skynet_free(policy);
}

struct guard_policy *
guard_policy_create(const struct guard_config *config, struct skynet_error *error) {
	bool tls = config->cert != NULL || config->key != NULL || config->ca != NULL;
	struct guard_policy *policy = skynet_calloc(1, sizeof(*policy));
	atomic_init(&policy->references, 1);
	int timeout_ms = config->timeout_ms > 0 ? config->timeout_ms : TIMEOUT_DEFAULT_MS;
	policy->timeout_ns = (uint64_t)timeout_ms * NS_PER_MS;
	policy->pending_max = config->pending_max > 0 ? config->pending_max : PENDING_DEFAULT;
	policy->random = config->random != NULL ? config->random : RAND_bytes;
	policy->report_credit = REPORT_CREDIT;
	int result = tls ? set_tls(policy, config, error) : set_secrets(policy, config, error);
	if (result == SKYNET_OK && config->allow != NULL) {
		policy->allow = guard_allow_create(config->allow, error);
		if (policy->allow == NULL) {
			error_prefix(error, "auth_allow");
			result = SKYNET_ECONFIG;
		}
	}
	if (result == SKYNET_OK)
		return policy;
	destroy(policy);
	return NULL;
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
