/* Names to addresses, on threads of its own, so that a slow name server holds up nobody. Threads
 * are started when there is something to resolve and none is free, and end with the resolver.
 */
#ifndef SKYNET_RESOLVER_H
#define SKYNET_RESOLVER_H

#include <stdint.h>

#include "base/error.h"
#include "io/socket_address.h"

struct addrinfo;
struct resolver;

#define ADDRESS_LIST_MAX 16

struct address_list {
	int count;
	struct socket_address items[];
};

struct resolver_config {
	int (*resolve)(const char *host, const char *port, const struct addrinfo *hints,
		struct addrinfo **result);
	void (*resolve_free)(struct addrinfo *result);
	/// Receives an outcome on a thread of the resolver: takes `list`, or borrows `text` when
	/// NULL.
	void (*done)(void *ud, int id, struct address_list *list, const char *text);
	void *ud;
};

/// Gives a resolver without threads: resolver_destroy. Borrows `config` until then.
struct resolver *resolver_create(const struct resolver_config *config);

/// Frees the resolver: waits for look-ups that are under way and drops the others.
void resolver_destroy(struct resolver *resolver);

/// Resolves `host` (borrowed) on another thread, which then calls `done`. Any thread. Returns 0, or
/// SKYNET_ESYSTEM when no thread can be created (then `done` is not called).
int resolver_start(struct resolver *resolver, int id, const char *host, int port);

/// Resolves on the calling thread, which waits for it. `type` is SOCK_STREAM or SOCK_DGRAM. A host
/// that needs no resolution is read without any; NULL and "" are 0.0.0.0. Gives the list
/// (skynet_free), or NULL with `error`.
struct address_list *resolver_lookup(const struct resolver_config *config, const char *host,
	int port, int type, struct skynet_error *error);

#endif
