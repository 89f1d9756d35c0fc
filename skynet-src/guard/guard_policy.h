/* How the connections of a node authenticate: with a shared secret or with TLS, whom they let in
 * without, how long it may take. Made from the config of the node, immutable but for its counters,
 * and shared by all its guarded sockets: the last one that drops it frees it. Any thread, but for
 * the fields that are the poller's.
 */
#ifndef SKYNET_GUARD_POLICY_H
#define SKYNET_GUARD_POLICY_H

#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "guard/guard_allow.h"
#include "guard/guard_frame.h"
#include "guard/guard_limit.h"

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
	int key_count;
	struct guard_secret_key keys[GUARD_SECRETS];
	SSL_CTX *tls;
	BIO_METHOD *bio;
	char *name;
	struct guard_allow *allow;
	uint64_t timeout_ns;
	int pending_max;
	int (*random)(unsigned char *bytes, int size);
	struct guard_counters counters;

	/* The poller alone. */
	struct guard_limit limit;
	uint64_t reported_ns; /* when lines were last told */
	int report_credit;
	uint64_t unreported;
};

/// True when the config asks for a guard at all.
bool guard_config_wanted(const struct guard_config *config);

/// Reads the files and checks everything. Gives a policy with one reference (guard_policy_drop), or
/// NULL with `error`, whose text begins with the name of the setting in question.
struct guard_policy *guard_policy_create(
	const struct guard_config *config, struct skynet_error *error);

/// Counts one more holder. Returns `policy`.
struct guard_policy *guard_policy_grab(struct guard_policy *policy);

/// One holder less. NULL is allowed.
void guard_policy_drop(struct guard_policy *policy);

/// Whether a failure of now may have a line in the log; `*silent` is how many had none since the
/// last line. The poller.
bool guard_policy_may_report(struct guard_policy *policy, uint64_t now_ns, uint64_t *silent);

#endif
