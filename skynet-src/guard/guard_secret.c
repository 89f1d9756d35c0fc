/* A shared secret, which never travels: each side proves with a hash over fresh randomness of both
 * that it knows it. Behind the hellos:
 *
 *     dialler    nonce                    32 bytes
 *     listener   nonce                    32 bytes
 *     dialler    proof                    32 bytes
 *     listener   'Y' proof, or a refusal  33 bytes
 *
 * A proof is the HMAC-SHA256 under the secret of a label that names the protocol, its version and
 * the role, and of both nonces: one of another connection, or the other side's own, is worth
 * nothing. The dialler proves first, so that a stranger who knocks gets nothing to guess at.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "guard/guard.h"

#define LABEL      "skynet guard 1 secret "
#define LABEL_SIZE (sizeof(LABEL) - 1)
#define YES        'Y'

enum step { STEP_NONCE, STEP_PROOF };

_Static_assert(GUARD_INPUT_SIZE >= 1 + GUARD_MAC_SIZE && GUARD_INPUT_SIZE >= GUARD_NONCE_SIZE,
	"each message fits");

/* The proof of `role` under a key. Returns false when the hash cannot be had. */
static bool
make_proof(const struct guard *guard, const struct guard_secret_key *key, enum guard_role role,
	unsigned char proof[GUARD_MAC_SIZE]) {
	unsigned char text[LABEL_SIZE + 1 + 2 * GUARD_NONCE_SIZE];
	unsigned size = GUARD_MAC_SIZE;
	memcpy(text, LABEL, LABEL_SIZE);
	text[LABEL_SIZE] = role == GUARD_DIALLER ? 'd' : 'l';
	memcpy(text + LABEL_SIZE + 1, guard->nonces, 2 * GUARD_NONCE_SIZE);
	return HMAC(EVP_sha256(), key->bytes, (int)key->size, text, sizeof(text), proof, &size) !=
	       NULL;
}

static void
fail_system(struct guard *guard) {
	guard_fail(guard, "OpenSSL has no randomness or no SHA-256 here");
}

static bool
make_nonce(struct guard *guard) {
	unsigned char *nonce = guard->nonces[guard->role];
	if (guard->policy->random(nonce, GUARD_NONCE_SIZE) != 1) {
		fail_system(guard);
		return false;
	}
	guard_buffer_append(&guard->wire, nonce, GUARD_NONCE_SIZE);
	return true;
}

static void
secret_dial(struct guard *guard) {
	make_nonce(guard);
}

static void
secret_start(struct guard *guard) {
	guard->step = STEP_NONCE;
}

/* The other side's nonce has come: a listener answers with its own, a dialler with its proof. */
static void
take_nonce(struct guard *guard) {
	unsigned char proof[GUARD_MAC_SIZE];
	memcpy(guard->nonces[1 - guard->role], guard->input, GUARD_NONCE_SIZE);
	guard->step = STEP_PROOF;
	if (guard->role == GUARD_LISTENER)
		make_nonce(guard);
	else if (memcmp(guard->nonces[0], guard->nonces[1], GUARD_NONCE_SIZE) == 0)
		guard_fail(guard, "the other side only says what it is told");
	else if (!make_proof(guard, &guard->credential->keys[0], GUARD_DIALLER, proof))
		fail_system(guard);
	else
		guard_buffer_append(&guard->wire, proof, sizeof(proof));
}

/* Each secret is tried, also behind the right one: how long it takes tells nothing. */
static void
check_dialler(struct guard *guard) {
	const struct guard_secret_key *right = NULL;
	unsigned char answer[1 + GUARD_MAC_SIZE] = {YES};
	for (int i = 0; i < guard->credential->key_count; i++) {
		const struct guard_secret_key *key = &guard->credential->keys[i];
		if (!make_proof(guard, key, GUARD_DIALLER, answer + 1)) {
			fail_system(guard);
			return;
		}
		if (CRYPTO_memcmp(answer + 1, guard->input, GUARD_MAC_SIZE) == 0)
			right = key;
	}
	if (right == NULL) {
		guard_refuse(guard, GUARD_REFUSED_SECRET);
		guard_fail(guard, "it has another secret");
		return;
	}
	if (!make_proof(guard, right, GUARD_LISTENER, answer + 1)) {
		fail_system(guard);
		return;
	}
	guard_buffer_append(&guard->wire, answer, sizeof(answer));
	guard->state = GUARD_OPEN;
	guard->transparent = true;
}

static void
check_listener(struct guard *guard) {
	unsigned char proof[GUARD_MAC_SIZE];
	if (!make_proof(guard, &guard->credential->keys[0], GUARD_LISTENER, proof))
		fail_system(guard);
	else if (guard->input[0] != YES ||
		 CRYPTO_memcmp(proof, guard->input + 1, GUARD_MAC_SIZE) != 0)
		guard_fail(guard, "the other side cannot prove that it has the secret");
	else {
		guard->state = GUARD_OPEN;
		guard->transparent = true;
	}
}

/* A refusal stands where the proof should. */
static bool
is_refusal(const struct guard *guard) {
	return guard->role == GUARD_DIALLER && guard->input_size >= GUARD_REFUSAL_SIZE &&
	       guard_hello_match(guard->input, GUARD_PREFIX_SIZE) == GUARD_PREFIX_SIZE;
}

static size_t
secret_receive(
	struct guard *guard, const unsigned char *bytes, size_t size, struct guard_buffer *plain) {
	(void)plain;
	size_t used, wanted = GUARD_NONCE_SIZE;
	if (guard->step == STEP_PROOF)
		wanted = guard->role == GUARD_DIALLER ? 1 + GUARD_MAC_SIZE : GUARD_MAC_SIZE;
	bool complete = guard_collect(guard, bytes, size, wanted, &used);
	if (guard->step == STEP_PROOF && is_refusal(guard))
		guard_fail(guard, "%s", guard_refusal_text(guard->input[GUARD_HELLO_SIZE]));
	else if (complete && guard->step == STEP_NONCE)
		take_nonce(guard);
	else if (complete && guard->role == GUARD_LISTENER)
		check_dialler(guard);
	else if (complete)
		check_listener(guard);
	if (complete)
		guard->input_size = 0;
	return used;
}

static void
secret_send(struct guard *guard, const char *bytes, size_t size) {
	guard_buffer_append(&guard->wire, bytes, size);
}

static void
secret_nothing(struct guard *guard) {
	(void)guard;
}

const struct guard_method guard_secret_method = {
	.dial = secret_dial,
	.start = secret_start,
	.receive = secret_receive,
	.send = secret_send,
	.finish = secret_nothing,
	.release = secret_nothing,
};
