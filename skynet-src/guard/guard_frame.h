/* What both ends of a guarded connection send first, and how one end refuses the other. The first
 * two bytes are zero, with which none of the protocols behind a guard begins, so that a plain peer
 * and a guarded one tell each other apart.
 *
 *     hello      0 0 'S' 'K' 'Y' 'G' version kind     kind 1: shared secret, 2: TLS
 *     refusal    the same with kind 0, then one byte: why
 *
 * No state.
 */
#ifndef SKYNET_GUARD_FRAME_H
#define SKYNET_GUARD_FRAME_H

#include <stddef.h>

#define GUARD_HELLO_SIZE   ((size_t)8)
#define GUARD_PREFIX_SIZE  ((size_t)6)
#define GUARD_REFUSAL_SIZE ((size_t)9)
#define GUARD_VERSION      1
#define GUARD_AT_VERSION   6
#define GUARD_AT_KIND      7

enum guard_kind { GUARD_KIND_REFUSAL = 0, GUARD_KIND_SECRET = 1, GUARD_KIND_TLS = 2 };

enum guard_refusal {
	GUARD_REFUSED_SECRET = 1,   /* the secrets differ */
	GUARD_REFUSED_WANTS_SECRET, /* a shared secret is wanted */
	GUARD_REFUSED_WANTS_TLS,    /* TLS is wanted */
	GUARD_REFUSED_VERSION,      /* another version is spoken */
	GUARD_REFUSED_LIMIT,        /* too many failures from this address */
	GUARD_REFUSED_CERTIFICATE,  /* the certificate is not accepted */
};

/// Writes a hello of GUARD_HELLO_SIZE bytes.
void guard_hello_write(unsigned char *bytes, enum guard_kind kind);

/// Writes a refusal of GUARD_REFUSAL_SIZE bytes.
void guard_refusal_write(unsigned char *bytes, enum guard_refusal refusal);

/// How many of `size` bytes at the start of a connection agree with the prefix of a hello.
size_t guard_hello_match(const unsigned char *bytes, size_t size);

/// The setting that a peer which begins with these bytes, a hello or a refusal, has: "auth_secret",
/// "tls_cert", or "auth_secret or tls_cert" when it does not say. NULL when they are neither, or
/// not all of it. Static text.
const char *guard_hello_setting(const unsigned char *bytes, size_t size);

/// What a refusal means, for the end that is refused. Static text; also for unknown numbers.
const char *guard_refusal_text(unsigned refusal);

#endif
