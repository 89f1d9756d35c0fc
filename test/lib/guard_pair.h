/* Two guards that talk to each other in memory, and certificates for them. */
#ifndef TEST_GUARD_PAIR_H
#define TEST_GUARD_PAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guard/guard.h"
#include "skynet_malloc.h"

struct pair {
	struct guard *ends[2];        /* by role */
	struct guard_buffer plain[2]; /* what each has let through */
};

static inline struct guard_policy *
make_policy(const struct guard_config *config) {
	struct skynet_error error = {0};
	struct guard_policy *policy = guard_policy_create(config, &error);
	if (policy == NULL)
		print_message("# %s\n", error.text);
	assert_non_null(policy);
	return policy;
}

/* Makes a policy what a config asks for now. Returns false with an error when it is refused. */
static inline bool
renew_policy(struct guard_policy *policy, const struct guard_config *config,
	struct skynet_error *error) {
	struct guard_policy *fresh = guard_policy_create(config, error);
	if (fresh != NULL)
		guard_policy_renew(policy, fresh);
	return fresh != NULL;
}

static inline struct pair
guards_of(struct guard_policy *dialler, struct guard_policy *listener) {
	return (struct pair){.ends = {guard_create(dialler, GUARD_DIALLER, false),
				     guard_create(listener, GUARD_LISTENER, false)}};
}

static inline void
end_pair(struct pair *pair) {
	for (int i = 0; i < 2; i++) {
		guard_destroy(pair->ends[i]);
		guard_buffer_fini(&pair->plain[i]);
	}
}

/* Carries at most `most` bytes from one end to the other. Returns how many. */
static inline size_t
carry(struct pair *pair, enum guard_role from, size_t most) {
	struct guard_buffer *wire = &pair->ends[from]->wire;
	size_t size = guard_buffer_size(wire) < most ? guard_buffer_size(wire) : most;
	if (size == 0)
		return 0;
	/* A block of its own, so that a step behind its end is seen. */
	char *copy = malloc(size);
	memcpy(copy, wire->data + wire->begin, size);
	guard_buffer_consume(wire, size);
	guard_receive(pair->ends[1 - from], copy, size, &pair->plain[1 - from]);
	free(copy);
	return size;
}

/* Carries everything both ways, in pieces of at most `most` bytes. */
static inline void
talk(struct pair *pair, size_t most) {
	while (carry(pair, GUARD_DIALLER, most) + carry(pair, GUARD_LISTENER, most) > 0)
		;
}

static inline void
expect_open(const struct pair *pair) {
	for (int i = 0; i < 2; i++) {
		if (pair->ends[i]->state != GUARD_OPEN)
			print_message("# end %d: %s\n", i, pair->ends[i]->reason);
		assert_int_equal(pair->ends[i]->state, GUARD_OPEN);
	}
}

static inline void
expect_failed(const struct guard *guard, const char *reason) {
	assert_int_equal(guard->state, GUARD_FAILED);
	if (strstr(guard->reason, reason) == NULL)
		print_message("# found '%s', not '%s'\n", guard->reason, reason);
	assert_non_null(strstr(guard->reason, reason));
}

/* ---- certificates ---- */

struct certs {
	char folder[64];
	EVP_PKEY *ca_key;
	X509 *ca;
	long serial;
};

static inline EVP_PKEY *
make_key(void) {
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, NULL);
	assert_int_equal(EVP_PKEY_keygen_init(context), 1);
	assert_int_equal(EVP_PKEY_keygen(context, &key), 1);
	EVP_PKEY_CTX_free(context);
	return key;
}

static inline void
add_extension(X509 *cert, X509 *issuer, int nid, const char *value) {
	X509V3_CTX context;
	X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	assert_non_null(extension);
	X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
}

/* A certificate for `name` that is valid from a day ago until `days` from now. */
static inline X509 *
make_cert(struct certs *certs, const char *name, EVP_PKEY *key, long days) {
	X509 *cert = X509_new();
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), ++certs->serial);
	X509_gmtime_adj(X509_getm_notBefore(cert), -86400);
	X509_gmtime_adj(X509_getm_notAfter(cert), days * 86400);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
		(const unsigned char *)name, -1, -1, 0);
	X509 *issuer = certs->ca != NULL ? certs->ca : cert;
	X509_set_issuer_name(cert, X509_get_subject_name(issuer));
	if (certs->ca == NULL) {
		add_extension(cert, issuer, NID_basic_constraints, "critical,CA:TRUE");
	} else {
		char alternative[160];
		snprintf(alternative, sizeof(alternative), "DNS:%s", name);
		add_extension(cert, issuer, NID_subject_alt_name, alternative);
	}
	EVP_PKEY *signer = certs->ca_key != NULL ? certs->ca_key : key;
	assert_true(X509_sign(cert, signer, NULL) > 0);
	return cert;
}

/* A path inside the folder; valid until the next but thirty-one. */
static inline const char *
cert_path(struct certs *certs, const char *name, const char *suffix) {
	static char paths[32][160];
	static int next;
	char *path = paths[next++ % 32];
	snprintf(path, sizeof(paths[0]), "%s/%s.%s", certs->folder, name, suffix);
	return path;
}

static inline void
write_cert(struct certs *certs, const char *name, X509 *cert) {
	FILE *file = fopen(cert_path(certs, name, "pem"), "w");
	assert_non_null(file);
	PEM_write_X509(file, cert);
	fclose(file);
}

static inline void
write_key(struct certs *certs, const char *name, EVP_PKEY *key, const char *phrase) {
	FILE *file = fopen(cert_path(certs, name, "key"), "w");
	assert_non_null(file);
	PEM_write_PrivateKey(file, key, phrase != NULL ? EVP_aes_128_cbc() : NULL,
		(unsigned char *)(uintptr_t)phrase, phrase != NULL ? (int)strlen(phrase) : 0, NULL,
		NULL);
	fclose(file);
}

/* Files NAME.pem and NAME.key in a new folder, for the CA. */
static inline void
certs_init(struct certs *certs, const char *name) {
	*certs = (struct certs){.serial = 0};
	snprintf(certs->folder, sizeof(certs->folder), "/tmp/guard-XXXXXX");
	assert_non_null(mkdtemp(certs->folder));
	EVP_PKEY *key = make_key();
	certs->ca = make_cert(certs, name, key, 30);
	certs->ca_key = key;
	write_cert(certs, name, certs->ca);
}

/* Files NAME.pem and NAME.key for a node. */
static inline void
certs_add(struct certs *certs, const char *name, long days) {
	EVP_PKEY *key = make_key();
	X509 *cert = make_cert(certs, name, key, days);
	write_cert(certs, name, cert);
	write_key(certs, name, key, NULL);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static inline void
certs_fini(struct certs *certs) {
	char command[128];
	X509_free(certs->ca);
	EVP_PKEY_free(certs->ca_key);
	snprintf(command, sizeof(command), "rm -rf '%s'", certs->folder);
	assert_int_equal(system(command), 0);
}

static inline struct guard_config
tls_config(struct certs *certs, const char *node, struct certs *ca, const char *ca_name) {
	return (struct guard_config){
		.cert = cert_path(certs, node, "pem"),
		.key = cert_path(certs, node, "key"),
		.ca = cert_path(ca, ca_name, "pem"),
	};
}

#endif
