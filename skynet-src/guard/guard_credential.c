#include "guard/guard_credential.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "guard/guard_tls.h"
#include "skynet_malloc.h"

#define FILE_SIZE_MAX ((size_t)4096)

bool
guard_config_wanted(const struct guard_config *config) {
	return config->secret != NULL || config->secret_file != NULL || config->cert != NULL ||
	       config->key != NULL || config->ca != NULL;
}

/* ---- secrets ---- */

static int
add_secret(struct guard_credential *credential, const char *secret, size_t size, const char *where,
	struct skynet_error *error) {
	if (size < GUARD_SECRET_MIN || size > GUARD_SECRET_MAX)
		return error_set(error, SKYNET_ECONFIG,
			"%s: a secret of %zu bytes, it must have %zu to %zu", where, size,
			GUARD_SECRET_MIN, GUARD_SECRET_MAX);
	if (credential->key_count == GUARD_SECRETS)
		return error_set(
			error, SKYNET_ECONFIG, "%s: more than %d secrets", where, GUARD_SECRETS);
	struct guard_secret_key *key = &credential->keys[credential->key_count++];
	key->size = size;
	memcpy(key->bytes, secret, size);
	return SKYNET_OK;
}

/* Each line that is not empty; blanks around it do not count. */
static int
add_lines(struct guard_credential *credential, const char *text, const char *where,
	struct skynet_error *error) {
	int result = SKYNET_OK;
	while (*text != '\0' && result == SKYNET_OK) {
		size_t line = strcspn(text, "\n"), begin = strspn(text, " \t\r");
		size_t end = line;
		while (end > begin && strchr(" \t\r", text[end - 1]) != NULL)
			end--;
		if (begin < end)
			result = add_secret(credential, text + begin, end - begin, where, error);
		text += line + (text[line] == '\n');
	}
	if (result == SKYNET_OK && credential->key_count == 0)
		return error_set(error, SKYNET_ECONFIG, "%s: there is no secret in it", where);
	return result;
}

static int
read_secrets(struct guard_credential *credential, const char *path, struct skynet_error *error) {
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
		result = add_lines(credential, text, where, error);
	OPENSSL_cleanse(text, sizeof(text));
	return result;
}

static int
set_secrets(struct guard_credential *credential, const struct guard_config *config,
	struct skynet_error *error) {
	credential->kind = GUARD_KIND_SECRET;
	if (config->secret != NULL && config->secret_file != NULL)
		return error_set(error, SKYNET_ECONFIG,
			"auth_secret and auth_secret_file are both given: keep one");
	if (config->secret != NULL)
		return add_secret(
			credential, config->secret, strlen(config->secret), "auth_secret", error);
	return read_secrets(credential, config->secret_file, error);
}

/* ---- TLS ---- */

static int
set_tls(struct guard_credential *credential, const struct guard_config *config,
	struct skynet_error *error) {
	const char *missing = config->cert == NULL  ? "tls_cert"
			      : config->key == NULL ? "tls_key"
			      : config->ca == NULL  ? "tls_ca"
						    : NULL;
	credential->kind = GUARD_KIND_TLS;
	credential->name = config->name != NULL ? skynet_strdup(config->name) : NULL;
	if (missing != NULL)
		return error_set(error, SKYNET_ECONFIG,
			"%s is missing: tls_cert, tls_key and tls_ca go together", missing);
	if (config->secret != NULL || config->secret_file != NULL)
		return error_set(error, SKYNET_ECONFIG,
			"auth_secret and tls_cert are both given: nodes authenticate in one way");
	return guard_tls_setup(credential, config, error);
}

/* ---- life ---- */

static int
set_allow(struct guard_credential *credential, const char *text, struct skynet_error *error) {
	if (text == NULL)
		return SKYNET_OK;
	credential->allow = guard_allow_create(text, error);
	if (credential->allow != NULL)
		return SKYNET_OK;
	error_prefix(error, "auth_allow");
	return SKYNET_ECONFIG;
}

static void
destroy(struct guard_credential *credential) {
	guard_tls_teardown(credential);
	guard_allow_destroy(credential->allow);
	skynet_free(credential->name);
	OPENSSL_cleanse(credential->keys, sizeof(credential->keys));
	skynet_free(credential);
}

struct guard_credential *
guard_credential_create(const struct guard_config *config, struct skynet_error *error) {
	bool tls = config->cert != NULL || config->key != NULL || config->ca != NULL;
	struct guard_credential *credential = skynet_calloc(1, sizeof(*credential));
	atomic_init(&credential->references, 1);
	int result =
		tls ? set_tls(credential, config, error) : set_secrets(credential, config, error);
	if (result == SKYNET_OK)
		result = set_allow(credential, config->allow, error);
	if (result == SKYNET_OK)
		return credential;
	destroy(credential);
	return NULL;
}

struct guard_credential *
guard_credential_grab(struct guard_credential *credential) {
	/* Whoever grabs holds one already, or the lock of the policy that does. */
	atomic_fetch_add_explicit(&credential->references, 1, memory_order_relaxed);
	return credential;
}

void
guard_credential_drop(struct guard_credential *credential) {
	/* Release for what this holder did; acquire pairs with it in the one who destroys. */
	if (credential != NULL &&
		atomic_fetch_sub_explicit(&credential->references, 1, memory_order_acq_rel) == 1)
		destroy(credential);
}
