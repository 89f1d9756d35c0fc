#include "kernel/node_guard.h"

#include <string.h>
#include <sys/stat.h>

#include "guard/guard_policy.h"
#include "io/socket_address.h"
#include "kernel/config_setting.h"

static const char *const KEYS[] = {"auth_secret_file", "auth_secret", "auth_allow", "tls_cert",
	"tls_key", "tls_ca", "tls_name", "standalone", "address", "require_auth"};

static const char *
setting(const struct skynet_config *config, const char *key) {
	const struct skynet_setting *found = config_setting_find(config, key);
	return found != NULL ? found->value : NULL;
}

/* Prefixes the error with file and line of the setting that its text names first. */
static int
place(const struct skynet_config *config, struct skynet_error *error) {
	const struct skynet_setting *first = NULL;
	const char *where = NULL;
	for (size_t i = 0; error != NULL && i < sizeof(KEYS) / sizeof(KEYS[0]); i++) {
		const struct skynet_setting *found = config_setting_find(config, KEYS[i]);
		const char *at = found != NULL ? strstr(error->text, KEYS[i]) : NULL;
		if (at != NULL && (where == NULL || at < where)) {
			where = at;
			first = found;
		}
	}
	if (first != NULL && first->origin != NULL)
		error_prefix(error, "%s", first->origin);
	return SKYNET_ECONFIG;
}

/* True when other machines may be able to reach an address of the config. A host name counts as
 * reachable, because it may stand for any address. */
static bool
is_exposed(const char *text) {
	char host[SOCKET_ADDRESS_HOST_SIZE];
	struct socket_address address;
	int port = 0;
	if (socket_address_split(text, host, sizeof(host), &port) != SKYNET_OK)
		return false; /* it is refused as malformed when the node listens */
	return socket_address_parse(&address, host, port) == SKYNET_OK &&
	       !socket_address_is_local(&address);
}

/* For a node without a guard: with require_auth it may listen only where no other machine can
 * connect. */
static int
check_addresses(const struct skynet_config *config, struct skynet_error *error) {
	static const char *const LISTENING[] = {"address", "standalone"};
	if (!config->require_auth || config->harbor == 0)
		return SKYNET_OK;
	for (size_t i = 0; i < sizeof(LISTENING) / sizeof(LISTENING[0]); i++) {
		const char *text = setting(config, LISTENING[i]);
		if (text == NULL || !is_exposed(text))
			continue;
		error_set(error, SKYNET_ECONFIG,
			"%s '%.128s' can be reached by other machines, and require_auth is set: "
			"give auth_secret or tls_cert",
			LISTENING[i], text);
		return place(config, error);
	}
	return SKYNET_OK;
}

int
node_guard_create(const struct skynet_config *config, struct guard_policy **policy,
	struct skynet_error *error) {
	struct guard_config wanted = {
		.secret = setting(config, "auth_secret"),
		.secret_file = setting(config, "auth_secret_file"),
		.cert = setting(config, "tls_cert"),
		.key = setting(config, "tls_key"),
		.ca = setting(config, "tls_ca"),
		.name = setting(config, "tls_name"),
		.allow = setting(config, "auth_allow"),
		.timeout_ms = config->auth_timeout_ms,
	};
	*policy = NULL;
	if (!guard_config_wanted(&wanted)) {
		const char *alone = wanted.allow != NULL  ? "auth_allow"
				    : wanted.name != NULL ? "tls_name"
							  : NULL;
		if (alone == NULL)
			return check_addresses(config, error);
		error_set(error, SKYNET_ECONFIG,
			"%s means nothing without auth_secret, auth_secret_file or tls_cert",
			alone);
		return place(config, error);
	}
	*policy = guard_policy_create(&wanted, error);
	return *policy != NULL ? SKYNET_OK : place(config, error);
}

int
node_guard_renew(const struct skynet_config *config, struct guard_policy *policy,
	struct skynet_error *error) {
	struct guard_policy *fresh;
	int result = node_guard_create(config, &fresh, error);
	if (result != SKYNET_OK)
		return result;
	bool same = fresh == NULL || policy == NULL ? fresh == policy : fresh->kind == policy->kind;
	if (!same) {
		guard_policy_drop(fresh);
		return error_set(error, SKYNET_ECONFIG,
			"whether nodes use auth_secret, tls_cert or neither cannot change while "
			"this one runs: restart it");
	}
	if (fresh != NULL)
		guard_policy_renew(policy, fresh);
	return SKYNET_OK;
}

const struct skynet_setting *
node_guard_exposed(const struct skynet_config *config) {
	static const char *const PRIVATE[] = {"auth_secret_file", "tls_key"};
	struct stat file;
	for (size_t i = 0; i < sizeof(PRIVATE) / sizeof(PRIVATE[0]); i++) {
		const struct skynet_setting *found = config_setting_find(config, PRIVATE[i]);
		if (found != NULL && stat(found->value, &file) == 0 &&
			(file.st_mode & (S_IROTH | S_IWOTH)) != 0)
			return found;
	}
	return NULL;
}

int
skynet_config_verify(const struct skynet_config *config, struct skynet_error *error) {
	struct guard_policy *policy;
	int result = node_guard_create(config, &policy, error);
	guard_policy_drop(policy);
	return result;
}
