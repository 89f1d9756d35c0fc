/* The guard of a connection: stands between the bytes on the wire and those that its owner sees,
 * and lets none through before the other side has shown who it is. A state machine without sockets:
 *
 *     SHAKING    the handshake goes on; nothing is let through
 *     OPEN       the other side is who it should be
 *     FAILED     it is not: see `reason`; what is in `wire` is still worth sending
 *
 * An open guard that is `transparent` has done its work: bytes pass as they are without it. Not
 * thread safe: the lock of the socket guards it.
 */
#ifndef SKYNET_GUARD_H
#define SKYNET_GUARD_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guard/guard_buffer.h"
#include "guard/guard_frame.h"
#include "guard/guard_policy.h"

#define GUARD_NONCE_SIZE  32
#define GUARD_MAC_SIZE    32
#define GUARD_INPUT_SIZE  40
#define GUARD_REASON_SIZE 192

struct guard;

enum guard_role { GUARD_DIALLER, GUARD_LISTENER };
enum guard_state { GUARD_SHAKING, GUARD_OPEN, GUARD_FAILED };

/* What a kind of guard (secret, TLS) does behind the hellos, with which both sides begin. */
struct guard_method {
	/// Adds to `wire` what a dialler sends right behind its own hello.
	void (*dial)(struct guard *guard);
	/// The hello of the other side has come.
	void (*start)(struct guard *guard);
	/// Handles bytes behind it (borrowed): the handshake, then data, which is appended to
	/// `plain`. Returns how many were used: at least one, unless the guard has failed.
	size_t (*receive)(struct guard *guard, const unsigned char *bytes, size_t size,
		struct guard_buffer *plain);
	/// As guard_send and guard_finish.
	void (*send)(struct guard *guard, const char *bytes, size_t size);
	void (*finish)(struct guard *guard);
	/// Frees what the method keeps in the guard.
	void (*release)(struct guard *guard);
};

struct guard {
	struct guard_policy *policy;
	struct guard_credential *credential; /* as it was when the connection was made */
	const struct guard_method *method;
	enum guard_role role;
	enum guard_state state;
	bool lenient;     /* a peer that does not begin with a hello is let in without */
	bool transparent; /* open, and bytes pass unchanged: the socket needs no guard any more */
	bool ended;       /* the other side will send nothing more */
	bool greeted;     /* its hello has come */
	uint8_t step;     /* of the handshake, for the method */
	struct guard_buffer wire; /* bytes to be sent */
	size_t received;          /* bytes that have come while shaking, which are limited */
	unsigned char input[GUARD_INPUT_SIZE];
	size_t input_size;
	unsigned char nonces[2][GUARD_NONCE_SIZE]; /* by role */
	SSL *tls;
	const unsigned char *slice; /* what TLS may read now */
	size_t slice_size;
	char reason[GUARD_REASON_SIZE];
};

/// Gives a guard (guard_destroy); what a dialler says first is in `wire`. Grabs `policy`. `lenient`
/// (listener): the address of the other side is one that may do without.
struct guard *guard_create(struct guard_policy *policy, enum guard_role role, bool lenient);

/// Ends it. NULL is allowed.
void guard_destroy(struct guard *guard);

/// Handles bytes from the wire (borrowed). Appends to `plain` what they carry for the owner of the
/// connection. Returns the state.
enum guard_state guard_receive(
	struct guard *guard, const char *bytes, size_t size, struct guard_buffer *plain);

/// The other side has closed (guard_end), or the time is over (guard_expire). A guard that is still
/// shaking fails; but when time is over a lenient one that has seen no hello begin opens, and what
/// has come is appended to `plain`. Returns the state.
enum guard_state guard_end(struct guard *guard);
enum guard_state guard_expire(struct guard *guard, struct guard_buffer *plain);

/// Puts bytes into `wire`. Open and not transparent guards only. Borrows `bytes`.
void guard_send(struct guard *guard, const char *bytes, size_t size);

/// Puts into `wire` that no more will be sent.
void guard_finish(struct guard *guard);

/* ---- for the methods ---- */

/// Fails, with a reason as by printf.
void guard_fail(struct guard *guard, const char *format, ...) __attribute__((format(printf, 2, 3)));

/// Fails, and tells the other side why.
void guard_refuse(struct guard *guard, enum guard_refusal refusal);

/// Takes bytes into `input` until there are `wanted`. Returns true when there are; `*used` is how
/// many were taken. guard_input_clear begins again.
bool guard_collect(
	struct guard *guard, const unsigned char *bytes, size_t size, size_t wanted, size_t *used);

extern const struct guard_method guard_secret_method;
extern const struct guard_method guard_tls_method;

#endif
