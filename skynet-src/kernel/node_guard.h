/* How the nodes that talk to each other authenticate, from the config of a node. */
#ifndef SKYNET_NODE_GUARD_H
#define SKYNET_NODE_GUARD_H

#include "base/error.h"
#include "skynet_node.h"

struct guard_policy;

/// Makes what the config asks for: stores a policy (guard_policy_drop) in `*policy`, NULL when it
/// asks for none. Returns 0, or SKYNET_ECONFIG with an error that names place and setting; also
/// when `require_auth` is not kept by the addresses of the config.
int node_guard_create(const struct skynet_config *config, struct guard_policy **policy,
	struct skynet_error *error);

/// Makes `policy`, NULL for none, what the config asks for now: its secrets, certificates and
/// `auth_allow` are those of connections to come. Reads files. Any thread. Returns 0, or
/// SKYNET_ECONFIG with an error; then nothing has changed.
int node_guard_renew(const struct skynet_config *config, struct guard_policy *policy,
	struct skynet_error *error);

#endif
