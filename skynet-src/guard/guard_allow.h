/* A list of addresses of nodes that are let in, and dialled, without authentication. Text:
 * addresses separated by spaces or commas, each HOST, HOST:PORT, HOST/BITS or unix:PATH, where HOST
 * is an IPv4 or IPv6 address (in brackets when a port follows). Immutable once made; any thread.
 */
#ifndef SKYNET_GUARD_ALLOW_H
#define SKYNET_GUARD_ALLOW_H

#include <stdbool.h>

#include "base/error.h"
#include "io/socket_address.h"

struct guard_allow;

/// Reads the text. Gives a list (guard_allow_destroy), or NULL with `error` naming the bad part.
struct guard_allow *guard_allow_create(const char *text, struct skynet_error *error);

/// Frees the list. NULL is allowed.
void guard_allow_destroy(struct guard_allow *allow);

/// True when a connection from `peer` (its port does not count) is let in. `allow` may be NULL.
bool guard_allow_from(const struct guard_allow *allow, const struct socket_address *peer);

/// True when `peer` is dialled without authentication: host and, where one is given, port agree.
bool guard_allow_to(const struct guard_allow *allow, const struct socket_address *peer);

#endif
