/* How often each source address may fail. An address has a few failures to spend and gets one back
 * after a while; when none is left it is refused before anything is read. An address that has
 * authenticated once is never refused, so a stranger beside a good node cannot lock it out.
 * Bounded: the least worthy record goes when there is no room. Not thread safe: the poller.
 */
#ifndef SKYNET_GUARD_LIMIT_H
#define SKYNET_GUARD_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "io/socket_address.h"

#define GUARD_LIMIT_SOURCES  256
#define GUARD_LIMIT_FAILURES 10                     /* that may follow each other at once */
#define GUARD_LIMIT_BACK_NS  ((uint64_t)6000000000) /* after which one is forgiven */

struct guard_source {
	uint8_t key[8]; /* IPv4 address, or the network of an IPv6 address */
	bool used;
	bool trusted;   /* has authenticated */
	int failures;   /* not forgiven yet */
	uint64_t at_ns; /* from when on they are being forgiven */
};

struct guard_limit {
	struct guard_source sources[GUARD_LIMIT_SOURCES];
};

/// True when both count as one source.
bool guard_limit_same(const struct socket_address *a, const struct socket_address *b);

/// True when a connection from `peer` may try to authenticate now. Local sockets always may.
bool guard_limit_admits(
	struct guard_limit *limit, const struct socket_address *peer, uint64_t now_ns);

/// True when an authenticated connection has come from `peer`, as far as is remembered.
bool guard_limit_trusts(struct guard_limit *limit, const struct socket_address *peer);

/// Notes how an attempt from `peer` has ended.
void guard_limit_note(struct guard_limit *limit, const struct socket_address *peer, uint64_t now_ns,
	bool success);

#endif
