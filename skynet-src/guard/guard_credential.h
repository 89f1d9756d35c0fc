/* With what a node authenticates itself and others: shared secrets, or certificate, key and CA; and
 * the addresses that need not authenticate. Immutable, and shared by the connections that began
 * with it: the last one that drops it frees it. Any thread.
 */
#ifndef SKYNET_GUARD_CREDENTIAL_H
#define SKYNET_GUARD_CREDENTIAL_H

#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"
#include "guard/guard_allow.h"
#include "guard/guard_frame.h"

#define GUARD_SECRET_MIN ((size_t)16)
#define GUARD_SECRET_MAX ((size_t)256)
#define GUARD_SECRETS    4

/* What the config says; NULL where it says nothing. Borrowed. */
struct guard_config {
	const char *secret;
	const char *secret_file; /* a secret in each line: the first is ours, all are accepted */
	const char *cert, *key, *ca; /* PEM files */
	const char *name;            /* that certificates must have; NULL: any of `ca` */
	const char *allow;           /* see guard_allow.h */
	int timeout_ms;              /* for a handshake; 0: the default */
	int pending_max;             /* unfinished ones of a listener; 0: the default */
	/* Fills bytes with randomness, returns 1; NULL: OpenSSL's. For tests. */
	int (*random)(unsigned char *bytes, int size);
};

struct guard_secret_key {
	size_t size;
	unsigned char bytes[GUARD_SECRET_MAX];
};

struct guard_credential {
	atomic_int references;
	enum guard_kind kind;
	int key_count;
	struct guard_secret_key keys[GUARD_SECRETS];
	SSL_CTX *tls;
	BIO_METHOD *bio;
	char *name;                /* that certificates must have, or NULL */
	struct guard_allow *allow; /* may do without; or NULL */
};

/// True when the config asks for a guard at all.
bool guard_config_wanted(const struct guard_config *config);

/// Reads the files and checks everything. Gives a credential with one reference
/// (guard_credential_drop), or NULL with `error`, whose text begins with the setting in question.
struct guard_credential *guard_credential_create(
	const struct guard_config *config, struct skynet_error *error);

/// Counts one more holder. Returns `credential`.
struct guard_credential *guard_credential_grab(struct guard_credential *credential);

/// One holder less. NULL is allowed.
void guard_credential_drop(struct guard_credential *credential);

#endif
